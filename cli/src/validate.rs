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

/// Reads a document that is about to be used.
pub(crate) fn read(file: &Path) -> Result<Registration, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Kind::DocumentUnreadable, format!("failed to read {}: {error}", file.display()))
    })?;
    Registration::parse(&text).map_err(|violations| {
        let rules: String = violations.iter().map(|violation| format!("\n  {violation}")).collect();
        Failure::new(Kind::DocumentInvalid, format!("{} is not valid:{rules}", file.display()))
    })
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
            Ok(registration) => checked(Some(registration.service), Vec::new(), None),
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
