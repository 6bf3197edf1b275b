//! `ripcord validate`: checks registration documents, all of them and every rule at once.

use std::fmt;
use std::path::{Path, PathBuf};

use ripcord::names::ServiceName;
use ripcord::registration::{Registration, Violation};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{BAD, GOOD, NAME, styled};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord validate ripcord.json
  ripcord validate services/*/ripcord.json --json";

/// Which documents.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Registration documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Validation {
    files: Vec<Checked>,
}

/// What became of one document.
#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    valid: bool,
    service: Option<ServiceName>,
    violations: Vec<Violation>,
    /// Why it could not be read at all.
    unreadable: Option<String>,
}

pub(crate) fn run(args: &Args) -> Validation {
    Validation { files: args.files.iter().map(|file| check(file)).collect() }
}

/// Reads a document that is about to be used, as one of its environments has it, if one is named.
pub(crate) fn read(file: &Path, environment: Option<&str>) -> Result<Registration, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Kind::DocumentUnreadable, format!("failed to read {}: {error}", file.display()))
    })?;
    let registration = Registration::parse(&text).and_then(|registration| match environment {
        None => Ok(registration),
        Some(name) => registration.in_environment(name),
    });
    registration.map_err(|violations| {
        let rules: String = violations.iter().map(|violation| format!("\n  {violation}")).collect();
        let of = environment.map(|name| format!(" in environment {name}")).unwrap_or_default();
        Failure::new(Kind::DocumentInvalid, format!("{} is not valid{of}:{rules}", file.display()))
    })
}

/// What every environment of a document breaks, by the field in its environment.
fn of_environments(registration: &Registration) -> Vec<Violation> {
    let of = |name: &String| {
        let violations = registration.in_environment(name).err().unwrap_or_default();
        let prefix = format!("environments.{name}.");
        violations
            .into_iter()
            .map(move |violation| Violation { field: format!("{prefix}{}", violation.field), ..violation })
    };
    registration.environments.keys().flat_map(of).collect()
}

fn check(file: &Path) -> Checked {
    let checked = |service, violations: Vec<Violation>, unreadable: Option<String>| Checked {
        file: file.to_owned(),
        valid: violations.is_empty() && unreadable.is_none(),
        service,
        violations,
        unreadable,
    };
    match std::fs::read_to_string(file) {
        Err(error) => checked(None, Vec::new(), Some(error.to_string())),
        Ok(text) => match Registration::parse(&text) {
            Ok(registration) => match of_environments(&registration) {
                violations if violations.is_empty() => checked(Some(registration.service), violations, None),
                violations => checked(None, violations, None),
            },
            Err(violations) => checked(None, violations, None),
        },
    }
}

impl Validation {
    pub(crate) fn exit(&self) -> ExitCode {
        if self.files.iter().all(|checked| checked.valid) { ExitCode::Done } else { ExitCode::Refused }
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Checked { file, service, violations, unreadable, .. } in &self.files {
            let name = styled(NAME, file.display());
            match (service, unreadable) {
                (Some(service), _) => writeln!(f, "{name}: {} (service {service})", styled(GOOD, "valid"))?,
                (None, Some(why)) => writeln!(f, "{name}: {} ({why})", styled(BAD, "not readable"))?,
                (None, None) => writeln!(f, "{name}: {}", styled(BAD, "not valid"))?,
            }
            for violation in violations {
                writeln!(f, "  {violation}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
    }

    #[test]
    fn the_example_is_valid() {
        let report = run(&Args { files: vec![document("examples/checkout/ripcord.json")] });
        assert_eq!(report.exit(), ExitCode::Done, "{report}");
    }

    #[test]
    fn every_environment_of_a_document_is_checked() {
        let text = std::fs::read_to_string(document("examples/checkout/ripcord.json")).expect("the example");
        let mut json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        json["environments"] = serde_json::json!({
            "production": {},
            "staging": { "stages": [{ "weight": 1.0, "bake_minutes": 5 }] },
        });
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ripcord.json");
        std::fs::write(&file, json.to_string()).expect("written");
        assert_eq!(run(&Args { files: vec![file.clone()] }).exit(), ExitCode::Done);
        assert_eq!(read(&file, None).expect("valid").stages.len(), 4);
        assert_eq!(read(&file, Some("staging")).expect("valid").stages.len(), 1);
        let failure = read(&file, Some("canary")).expect_err("there is none");
        assert_eq!((failure.kind.as_str(), failure.exit), ("document_invalid", ExitCode::Refused));
        assert!(failure.message.contains("environment is \"canary\": one of"), "{}", failure.message);

        json["environments"]["staging"]["guards"] = serde_json::json!([]);
        std::fs::write(&file, json.to_string()).expect("written");
        let report = run(&Args { files: vec![file.clone()] });
        assert_eq!(report.exit(), ExitCode::Refused);
        assert_eq!(report.files[0].violations[0].field, "environments.staging.guards");
        assert!(read(&file, Some("staging")).is_err());
        assert!(read(&file, Some("production")).is_ok());
    }

    #[test]
    fn one_bad_document_of_several_is_a_refusal() {
        let files =
            vec![document("examples/checkout/ripcord.json"), document("events/operator/rollback.json")];
        let report = run(&Args { files });
        assert_eq!(report.exit(), ExitCode::Refused);
        assert_eq!(report.files.iter().map(|checked| checked.valid).collect::<Vec<_>>(), [true, false]);
        let missing = run(&Args { files: vec![document("no-such-file.json")] });
        assert_eq!(missing.exit(), ExitCode::Refused);
    }
}
