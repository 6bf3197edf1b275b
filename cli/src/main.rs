//! The `ripcord` command: what a person types at three in the morning.
//!
//! It reads the ledger and the live state with its user's own rights, and moves traffic only through the suite's
//! functions, so that one engine serves alarms and people alike. It must not decide anything about traffic itself.

// The SDK nests futures deeply, and a whole command is one of them.
#![recursion_limit = "256"]

use clap::Parser;

use crate::args::Cli;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};

mod abort;
mod apply;
mod approval;
mod args;
mod changes;
mod completions;
mod deploy;
mod doctor;
mod dora;
mod elapsed;
mod evidence;
mod executions;
mod exit_code;
mod experiment;
mod failure;
mod figures;
mod flags;
mod function;
mod health_check;
mod history;
mod list;
mod output;
#[cfg(test)]
mod pipeline_example;
mod plan;
mod promote;
mod rehearsal_place;
mod rehearse;
mod release_name;
mod report;
mod restore;
mod rollback;
mod schema;
mod session;
mod status;
mod strategies;
mod train;
mod validate;
mod warning;
mod watch;
mod weights;
mod whereabouts;

fn main() -> std::process::ExitCode {
    match Cli::try_parse() {
        Ok(cli) => {
            let json = cli.json();
            run(cli).unwrap_or_else(|failure| output::fail(&failure, json))
        }
        Err(error) => usage(&error),
    }
    .into()
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Kind::Unexpected, format!("failed to start: {error}")))?;
    runtime.block_on(args::dispatch(cli))
}

/// What clap has to say: help and version are answers, everything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing was parsed, so whether JSON is wanted can only be read off the words themselves.
    let json = std::env::args_os().any(|word| word == "--json");
    if json && error.use_stderr() {
        let message = error.render().to_string();
        return output::fail(
            &Failure::new(Kind::Usage, message.trim_start_matches("error: ").trim_end()),
            true,
        );
    }
    // A closed pipe is no reason to fail.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done }
}
