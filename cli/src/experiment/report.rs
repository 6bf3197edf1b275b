//! `ripcord experiment report`: what an experiment's numbers say, for people and for machines.

use std::fmt;
use std::path::PathBuf;

use ripcord::experiment::document::Experiment;
use ripcord::experiment::report::{Report, report};
use serde::Serialize;

use super::{data, page, text};
use crate::failure::{Failure, Kind};
use crate::session::Place;

pub(crate) const EXAMPLES: &str = "\
Nothing wins before the planned sample is reached, nor where subjects are not split as planned.

Examples:
  ripcord experiment report experiment.json --data subjects.csv
  ripcord experiment report experiment.json --data subjects.parquet --html report.html
  ripcord experiment report alias.json --region eu-west-1        numbers from CloudWatch";

/// Which experiment, and where its numbers are.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The experiment's document
    #[arg(value_name = "EXPERIMENT")]
    document: PathBuf,
    /// Its numbers, CSV or Parquet; those in CloudWatch are found by the document
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write a page to this file, for people who decide
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// The report as it is printed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Printed {
    report: Report,
    #[serde(skip)]
    written: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, place: &Place) -> Result<Printed, Failure> {
    let experiment = document(args)?;
    let observed = data::read(&experiment, args.data.as_deref(), place).await?;
    let report = report(&experiment, &observed);
    if let Some(file) = &args.html {
        std::fs::write(file, page::page(&report)).map_err(|error| {
            Failure::new(Kind::Unexpected, format!("failed to write {}: {error}", file.display()))
        })?;
    }
    Ok(Printed { report, written: args.html.clone() })
}

fn document(args: &Args) -> Result<Experiment, Failure> {
    let file = args.document.display();
    let text = std::fs::read_to_string(&args.document)
        .map_err(|error| Failure::new(Kind::DocumentUnreadable, format!("failed to read {file}: {error}")))?;
    Experiment::parse(&text).map_err(|violations| {
        let rules: String = violations.iter().map(|violation| format!("\n  {violation}")).collect();
        Failure::new(Kind::DocumentInvalid, format!("{file} is not valid:{rules}"))
    })
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, &self.report)?;
        match &self.written {
            Some(file) => writeln!(f, "\nThe page is in {}.", file.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
