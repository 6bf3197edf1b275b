//! `ripcord experiment`: how many subjects an experiment needs, and what its numbers say once they are there.
//!
//! It reads numbers and hands them to the core, which says what they mean; it changes nothing anywhere.

use clap::Subcommand;

use crate::args::Form;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output;
use crate::session::Place;

mod cloudwatch;
mod counts;
mod data;
mod page;
mod plan;
mod plot;
mod report;
mod subjects;
mod table;
mod text;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord experiment plan --baseline 4% --effect 0.5pp --per-day 20000
  ripcord experiment report experiment.json --data subjects.csv --html report.html";

/// What to do with an experiment.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How many subjects it needs, and how many days they take to come
    #[command(after_help = plan::EXAMPLES)]
    Plan(Plan),
    /// What its numbers say, once they are all there
    #[command(after_help = report::EXAMPLES)]
    Report(Report),
}

#[derive(Debug, clap::Args)]
struct Plan {
    #[command(flatten)]
    args: plan::Args,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, clap::Args)]
struct Report {
    #[command(flatten)]
    args: report::Args,
    #[command(flatten)]
    form: Form,
}

impl Args {
    /// How the answer is printed.
    pub(crate) fn form(&self) -> &Form {
        match &self.command {
            Command::Plan(Plan { form, .. }) => form,
            Command::Report(Report { form, .. }) => form,
        }
    }
}

/// Runs the command and prints its answer.
pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    Ok(match &args.command {
        Command::Plan(Plan { args, .. }) => output::answer(&plan::run(args)?, json, ExitCode::Done),
        Command::Report(Report { args, .. }) => {
            output::answer(&report::run(args, place).await?, json, ExitCode::Done)
        }
    })
}
