//! The command line's shape, and which command does what.

use clap::{Parser, Subcommand};

use crate::exit_code::{self, ExitCode};
use crate::failure::Failure;
use crate::session::Place;
use crate::{
    abort, apply, approval, completions, deploy, doctor, dora, evidence, experiment, flags, health_check,
    history, list, output, plan, promote, rehearse, report, restore, rollback, schema, status, strategies,
    train, validate, watch, weights,
};

const EXAMPLES: &str = "\
At three in the morning:
  ripcord status checkout                              what is live, what the ledger says
  ripcord plan checkout                                what a rollback would do; does nothing
  ripcord rollback checkout --reason 'orders fail'     do it

At three in the afternoon:
  ripcord deploy checkout --version 7                  release version 7, stage by stage
  ripcord list                                         what is being released, and whom it waits for
";

/// Puts traffic back, and moves it on.
#[derive(Debug, Parser)]
#[command(
    name = "ripcord",
    version,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true,
    before_help = EXAMPLES,
    after_help = exit_code::HELP
)]
pub(crate) struct Cli {
    /// Print JSON; errors too
    #[arg(id = "json_first", long = "json")]
    json_first: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Form {
    /// Print JSON; errors too
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who asks, for the record.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Caller {
    /// Who asks, for the record
    #[arg(long = "as", value_name = "NAME", env = "USER", hide_env_values = true)]
    name: Option<String>,
}

impl Caller {
    /// The name, unless there is none to be had.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.trim().is_empty())
    }
}

/// A command's own arguments, and the form of its answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Answered<A: clap::Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is live, what the ledger says, and where they differ
    #[command(after_help = status::EXAMPLES)]
    Status(Answered<status::Args>),
    /// Print the calls that a rollback would make, and make none
    #[command(after_help = plan::EXAMPLES)]
    Plan(Answered<plan::Args>),
    /// Put a service's traffic back
    #[command(after_help = rollback::EXAMPLES)]
    Rollback(Answered<rollback::Args>),
    /// Release a version, stage by stage, each on proof
    #[command(after_help = deploy::EXAMPLES)]
    Deploy(Answered<deploy::Args>),
    /// Release services in waves, each wave on proof of the one before
    #[command(after_help = train::EXAMPLES)]
    Train(Answered<train::Args>),
    /// Watch a release until it ends
    #[command(after_help = watch::EXAMPLES)]
    Watch(Answered<watch::Args>),
    /// Let a release go on that waits for a person
    #[command(after_help = approval::APPROVE_EXAMPLES)]
    Approve(Answered<approval::Approve>),
    /// Put a release back that waits for a person
    #[command(after_help = approval::REJECT_EXAMPLES)]
    Reject(Answered<approval::Reject>),
    /// End a release that is under way: traffic goes back
    #[command(after_help = abort::EXAMPLES)]
    Abort(Answered<abort::Args>),
    /// The releases that are under way, and whom they wait for
    #[command(after_help = list::EXAMPLES)]
    List(Answered<list::Args>),
    /// What was released, how it ended, and who or what pulled the cord
    #[command(after_help = history::EXAMPLES)]
    History(Answered<history::Args>),
    /// DORA's four measures, from the ledger, with the counts that they rest on
    #[command(after_help = dora::EXAMPLES)]
    Dora(Answered<dora::Args>),
    /// The strategies that come by name, with their figures
    #[command(after_help = strategies::EXAMPLES)]
    Strategies(Answered<strategies::Args>),
    /// Give versions their shares of the traffic; opens a release if none is open
    #[command(after_help = weights::EXAMPLES)]
    Weights(Answered<weights::Args>),
    /// Give the candidate of the open release all traffic
    #[command(after_help = promote::EXAMPLES)]
    Promote(Answered<promote::Args>),
    /// Feature flags: list them, change one as a release, put them back
    #[command(after_help = flags::EXAMPLES)]
    Flags(flags::Args),
    /// Show what was seen, decided and done
    #[command(after_help = evidence::EXAMPLES)]
    Evidence(Answered<evidence::Args>),
    /// One release as a page to keep, and as the beginning of a review
    #[command(after_help = report::EXAMPLES)]
    Report(Answered<report::Args>),
    /// Experiments: how many subjects they need, and what their numbers say
    #[command(after_help = experiment::EXAMPLES)]
    Experiment(experiment::Args),
    /// Check registration documents, without AWS
    #[command(after_help = validate::EXAMPLES)]
    Validate(Answered<validate::Args>),
    /// Whether services, functions and addresses are well, just now
    #[command(after_help = health_check::EXAMPLES)]
    HealthCheck(Answered<health_check::Args>),
    /// Find what makes rollbacks late, wrong or impossible, in templates or in the account
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Answered<doctor::Args>),
    /// Register a service, or replace its registration
    #[command(after_help = apply::EXAMPLES)]
    Apply(Answered<apply::Args>),
    /// Restore a database instance of RDS beside the old one, as it was at a moment
    #[command(after_help = restore::EXAMPLES)]
    Restore(Answered<restore::Args>),
    /// Print the JSON Schema of the registration document
    Schema,
    /// Print completions for a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Args),
    /// Rehearse a release on a local AWS: what passes, and what goes back
    Rehearse(rehearse::RehearseArgs),
}

impl Cli {
    /// Whether JSON is wanted.
    pub(crate) fn json(&self) -> bool {
        let form = match &self.command {
            Command::Status(Answered { form, .. }) => form,
            Command::Plan(Answered { form, .. }) => form,
            Command::Rollback(Answered { form, .. }) => form,
            Command::Deploy(Answered { form, .. }) => form,
            Command::Train(Answered { form, .. }) => form,
            Command::Watch(Answered { form, .. }) => form,
            Command::Approve(Answered { form, .. }) => form,
            Command::Reject(Answered { form, .. }) => form,
            Command::Abort(Answered { form, .. }) => form,
            Command::List(Answered { form, .. }) => form,
            Command::History(Answered { form, .. }) => form,
            Command::Dora(Answered { form, .. }) => form,
            Command::Strategies(Answered { form, .. }) => form,
            Command::Weights(Answered { form, .. }) => form,
            Command::Promote(Answered { form, .. }) => form,
            Command::Flags(args) => return args.json || self.json_first,
            Command::Evidence(Answered { form, .. }) => form,
            Command::Report(Answered { form, .. }) => form,
            Command::Experiment(args) => args.form(),
            Command::Validate(Answered { form, .. }) => form,
            Command::HealthCheck(Answered { form, .. }) => form,
            Command::Doctor(Answered { form, .. }) => form,
            Command::Apply(Answered { form, .. }) => form,
            Command::Restore(Answered { form, .. }) => form,
            Command::Schema | Command::Completions(_) | Command::Rehearse(_) => return self.json_first,
        };
        form.json || self.json_first
    }
}

/// Runs the command and prints its answer.
pub(crate) async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let json = cli.json();
    let place = &cli.place;
    let done = ExitCode::Done;
    Ok(match cli.command {
        Command::Status(Answered { args, .. }) => {
            output::answer(&status::run(&args, place).await?, json, done)
        }
        Command::Plan(Answered { args, .. }) => output::answer(&plan::run(&args, place).await?, json, done),
        Command::Rollback(Answered { args, .. }) => {
            let report = rollback::run(&args, place).await?;
            output::answer(&report, json, report.exit())
        }
        // A release is shown while it goes, so these print for themselves.
        Command::Deploy(Answered { args, .. }) => deploy::run(&args, place, json).await?,
        Command::Train(Answered { args, .. }) => train::run(&args, place, json).await?,
        Command::Watch(Answered { args, .. }) => watch::run(&args, place, json).await?,
        Command::Approve(Answered { args, .. }) => {
            output::answer(&approval::approve(&args, place).await?, json, done)
        }
        Command::Reject(Answered { args, .. }) => {
            let report = approval::reject(&args, place).await?;
            output::answer(&report, json, report.exit())
        }
        Command::Abort(Answered { args, .. }) => {
            let report = abort::run(&args, place).await?;
            output::answer(&report, json, report.exit())
        }
        Command::List(Answered { args, .. }) => output::answer(&list::run(&args, place).await?, json, done),
        Command::History(Answered { args, .. }) => {
            output::answer(&history::run(&args, place).await?, json, done)
        }
        Command::Dora(Answered { args, .. }) => output::answer(&dora::run(&args, place).await?, json, done),
        Command::Strategies(_) => output::answer(&strategies::run(), json, done),
        Command::Weights(Answered { args, .. }) => {
            output::answer(&weights::run(&args, place).await?, json, done)
        }
        Command::Promote(Answered { args, .. }) => {
            output::answer(&promote::run(&args, place).await?, json, done)
        }
        Command::Flags(args) => flags::run(&args, place, json).await?,
        Command::Evidence(Answered { args, .. }) => {
            output::answer(&evidence::run(&args, place).await?, json, done)
        }
        Command::Report(Answered { args, .. }) => {
            output::answer(&report::run(&args, place).await?, json, done)
        }
        Command::Experiment(args) => experiment::run(&args, place, json).await?,
        Command::Validate(Answered { args, .. }) => {
            let report = validate::run(&args);
            output::answer(&report, json, report.exit())
        }
        Command::HealthCheck(Answered { args, .. }) => {
            let health = health_check::run(&args, place).await?;
            output::answer(&health, json, health.exit())
        }
        Command::Doctor(Answered { args, .. }) => doctor::run(&args, place, json).await?,
        Command::Apply(Answered { args, .. }) => output::answer(&apply::run(&args, place).await?, json, done),
        Command::Restore(Answered { args, .. }) => {
            output::answer(&restore::run(&args, place).await?, json, done)
        }
        Command::Schema => output::answer(&schema::run(), false, done),
        Command::Completions(args) => {
            completions::run(&args);
            done
        }
        Command::Rehearse(args) => rehearse::run(args).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_may_stand_before_or_after_the_command() {
        for words in [&["ripcord", "--json", "status"][..], &["ripcord", "status", "--json", "checkout"]] {
            assert!(Cli::try_parse_from(words).expect("it parses").json(), "{words:?}");
        }
        assert!(!Cli::try_parse_from(["ripcord", "status"]).expect("it parses").json());
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for words in [
            &["ripcord"][..],
            &["ripcord", "rollback"],
            &["ripcord", "rollback", "check out"],
            &["ripcord", "rollback", "checkout", "--to", "$LATEST"],
            &["ripcord", "weights", "checkout", "1:90,2:20"],
            &["ripcord", "weights", "checkout", "1:90,2:5,3:5"],
            &["ripcord", "apply", "ripcord.json", "--stable", "api"],
            &["ripcord", "apply", "ripcord.json", "--expect", "-1"],
            &["ripcord", "validate"],
            &["ripcord", "doctor", "--rule", "no-such-rule"],
            &["ripcord", "doctor", "--param", "Stage"],
            &["ripcord", "doctor", "--service", "checkout"],
            &["ripcord", "doctor", "--account", "template.yaml"],
            &["ripcord", "doctor", "--json", "--format", "sarif"],
            &["ripcord", "deploy", "checkout"],
            &["ripcord", "deploy", "checkout", "--version", "$LATEST"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--strategy", "linear", "--stages", "5"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--waive", "health", "--override", "x"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--attest", "tests"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--commit", "two words"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--commit-time", "2026-03-02T12:00:00Z"],
            &["ripcord", "deploy", "checkout", "--version", "7", "--commit", "3f2c", "--commit-time", "noon"],
            &["ripcord", "history", "check out"],
            &["ripcord", "history", "--limit", "0"],
            &["ripcord", "history", "--limit", "1001"],
            &["ripcord", "dora", "--days", "0"],
            &["ripcord", "dora", "--days", "401"],
            &["ripcord", "restore", "orders", "--as", "restored", "--confirm", "orders"],
            &["ripcord", "restore", "orders", "--latest", "--confirm", "orders"],
            &["ripcord", "restore", "or--ders", "--latest", "--as", "restored"],
            &[
                "ripcord",
                "restore",
                "orders",
                "--latest",
                "--to-time",
                "2026-03-02T12:00:00Z",
                "--as",
                "restored",
            ],
            &["ripcord", "restore", "orders", "--to-time", "noon", "--as", "restored"],
            &["ripcord", "restore", "orders", "--latest", "--as", "restored", "--external-id", "4711"],
            &["ripcord", "flags"],
            &["ripcord", "flags", "set", "checkout", "new-search"],
            &["ripcord", "flags", "set", "checkout", "--on"],
            &["ripcord", "flags", "set", "checkout", "new-search", "--on", "--off"],
            &["ripcord", "flags", "set", "checkout", "new-search", "--document", "flags.json"],
            &["ripcord", "flags", "set", "checkout", "--on", "--document", "flags.json"],
            &["ripcord", "flags", "set", "checkout", "new-search", "--rollout", "many"],
            &["ripcord", "flags", "validate"],
            &["ripcord", "experiment"],
            &["ripcord", "experiment", "plan", "--effect", "1pp"],
            &["ripcord", "experiment", "report"],
            &["ripcord", "watch"],
            &["ripcord", "watch", "checkout#four"],
            &["ripcord", "approve", "checkout#"],
            &["ripcord", "reject", "checkout"],
            &["ripcord", "abort", "checkout"],
            &["ripcord", "list", "checkout"],
            &["ripcord", "--local", "fly"],
        ] {
            let error = Cli::try_parse_from(words).expect_err("it does not parse");
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }
}
