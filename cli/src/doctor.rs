//! `ripcord doctor`: what in a template, or in an account, makes rollbacks late, wrong or impossible. It changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ripcord::names::ServiceName;
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::session::Place;

mod account;
mod alarm;
mod document;
mod finding;
mod render;
mod resolve;
mod rules;
mod sarif;
mod shift;
mod survey;
mod template;
#[cfg(test)]
mod tests;

use document::Unreadable;
use finding::{Finding, Severity};
use rules::{Rule, Scope};
use survey::Survey;
use template::Template;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord doctor                                       template.yaml or template.yml, here
  ripcord doctor api.yaml jobs.yaml --fail-on warning
  ripcord doctor --ignore missing-data --param Stage=prod
  ripcord doctor --format sarif > doctor.sarif         for code scanning
  ripcord doctor --account --service checkout          what is deployed, instead";

/// What to look at, and how to say it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// SAM or CloudFormation templates; else template.yaml or template.yml
    #[arg(value_name = "TEMPLATE")]
    templates: Vec<PathBuf>,
    /// The value of a template's parameter; else its default
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Only this rule; may be repeated
    #[arg(long = "rule", value_name = "ID")]
    only: Vec<Rule>,
    /// Not this rule; may be repeated
    #[arg(long, value_name = "ID")]
    ignore: Vec<Rule>,
    /// The gravity from which on the exit code is 3
    #[arg(long, value_name = "GRAVITY", default_value = "error")]
    fail_on: Severity,
    /// How findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "json")]
    format: Format,
    /// Write the findings to a file as SARIF, too
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Print the rules, and look at nothing
    #[arg(long, conflicts_with_all = ["templates", "account", "format", "sarif"])]
    list_rules: bool,
    /// Look at the registered services and what is deployed of them
    #[arg(long, conflicts_with_all = ["templates", "parameters"])]
    account: bool,
    /// Only this service
    #[arg(long, value_name = "NAME", requires = "account")]
    service: Option<ServiceName>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For scripts; the same as --json
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

fn parameter(word: &str) -> Result<(String, String), String> {
    let (key, value) = word.split_once('=').ok_or("a parameter is written KEY=VALUE")?;
    if key.is_empty() {
        Err("a parameter has a name".to_owned())
    } else {
        Ok((key.to_owned(), value.to_owned()))
    }
}

/// Everything that was looked at and found.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// The templates, or the services, that were looked at.
    looked_at: Vec<String>,
    findings: Vec<Finding>,
    unreadable: Vec<UnreadableTemplate>,
}

/// A template that could not be read.
#[derive(Debug, Serialize)]
struct UnreadableTemplate {
    file: PathBuf,
    #[serde(flatten)]
    error: Unreadable,
}

/// Looks, prints, and ends with the exit code.
pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let json = json || args.format == Format::Json;
    if args.list_rules {
        return Ok(crate::output::answer(&render::Rules::all(), json, ExitCode::Done));
    }
    let mut diagnosis = if args.account {
        account::examine(args.service.as_ref(), place).await?
    } else {
        Diagnosis::of_files(&files(args)?, &args.parameters.iter().cloned().collect())
    };
    diagnosis.findings.retain(|finding| args.wants(finding.rule));
    let exit = diagnosis.exit(args.fail_on);
    if let Some(file) = &args.sarif {
        let text = format!("{:#}\n", sarif::log(&diagnosis));
        std::fs::write(file, text).map_err(|error| {
            Failure::new(Kind::Unexpected, format!("failed to write {}: {error}", file.display()))
        })?;
    }
    if args.format == Format::Sarif {
        crate::output::raw(&format!("{:#}", sarif::log(&diagnosis)));
        return Ok(exit);
    }
    Ok(crate::output::answer(&diagnosis, json, exit))
}

impl Args {
    fn wants(&self, rule: Rule) -> bool {
        (self.only.is_empty() || self.only.contains(&rule)) && !self.ignore.contains(&rule)
    }
}

/// The templates that were named, or the one that lies here.
fn files(args: &Args) -> Result<Vec<PathBuf>, Failure> {
    if !args.templates.is_empty() {
        return Ok(args.templates.clone());
    }
    let usual = ["template.yaml", "template.yml"].map(PathBuf::from);
    usual.into_iter().find(|file| file.is_file()).map(|file| vec![file]).ok_or_else(|| {
        Failure::new(Kind::Usage, "there is no template.yaml or template.yml in this folder")
            .hint("ripcord doctor TEMPLATE names one")
    })
}

impl Diagnosis {
    fn of_files(files: &[PathBuf], parameters: &BTreeMap<String, String>) -> Self {
        let mut diagnosis = Self {
            looked_at: files.iter().map(|file| file.display().to_string()).collect(),
            findings: Vec::new(),
            unreadable: Vec::new(),
        };
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|error| Unreadable::because(error.to_string()));
            match text.and_then(|text| examine(file, &text, parameters)) {
                Ok(findings) => diagnosis.findings.extend(findings),
                Err(error) => diagnosis.unreadable.push(UnreadableTemplate { file: file.clone(), error }),
            }
        }
        diagnosis
    }

    fn exit(&self, fail_on: Severity) -> ExitCode {
        if !self.unreadable.is_empty() {
            ExitCode::Unexpected
        } else if self.findings.iter().any(|finding| finding.severity >= fail_on) {
            ExitCode::Refused
        } else {
            ExitCode::Done
        }
    }
}

/// What the rules find in a template, by its place.
fn examine(
    file: &Path,
    text: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Vec<Finding>, Unreadable> {
    let template = Template::parse(text, parameters)?;
    let survey = Survey::of(&template);
    let signs = Rule::EVERY.into_iter().flat_map(|rule| {
        let signs = match rule.about().scope {
            Scope::Template(check) => check(&survey),
            Scope::Account => Vec::new(),
        };
        signs.into_iter().map(move |sign| (rule, sign))
    });
    let mut findings: Vec<Finding> =
        signs.map(|(rule, sign)| Finding::in_template(rule, sign, file, &template)).collect();
    findings.sort_by_key(Finding::order);
    // A hook of two functions, or an alarm of two shifts, is one thing to mend.
    findings.dedup_by(|later, earlier| later.order() == earlier.order());
    Ok(findings)
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render::diagnosis(f, self)
    }
}
