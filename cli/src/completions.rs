//! `ripcord completions`: what the shell needs to complete the command.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord completions bash > /etc/bash_completion.d/ripcord
  ripcord completions zsh > ~/.zfunc/_ripcord";

/// Which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) {
    output::raw(script(args.shell).trim_end());
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ripcord", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in ["rollback", "promote", "evidence", "deploy", "approve"] {
                assert!(script.contains(command), "{shell} does not know {command}");
            }
        }
    }
}
