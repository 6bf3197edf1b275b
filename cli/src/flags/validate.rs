//! `ripcord flags validate`: checks flag documents, all of them and every rule at once.

use std::fmt;
use std::path::{Path, PathBuf};

use ripcord::flags::{Flags, Problem};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::output::{BAD, GOOD, NAME, styled};

/// Which documents.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Flag documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
pub(super) struct Validation {
    files: Vec<Checked>,
}

/// What became of one document.
#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    valid: bool,
    /// How many flags it has.
    flags: Option<usize>,
    problems: Vec<Broken>,
    /// Why it could not be read at all.
    unreadable: Option<String>,
}

/// A rule that is broken.
#[derive(Debug, Serialize)]
struct Broken {
    path: String,
    rule: &'static str,
    message: String,
}

pub(super) fn run(args: &Args) -> Validation {
    Validation { files: args.files.iter().map(|file| check(file)).collect() }
}

fn check(file: &Path) -> Checked {
    let checked = |flags, problems: Vec<Problem>, unreadable: Option<String>| Checked {
        file: file.to_owned(),
        valid: problems.is_empty() && unreadable.is_none(),
        flags,
        problems: problems.into_iter().map(Broken::of).collect(),
        unreadable,
    };
    match std::fs::read(file) {
        Err(error) => checked(None, Vec::new(), Some(error.to_string())),
        Ok(text) => match Flags::read(&text) {
            Ok(flags) => checked(Some(flags.len()), Vec::new(), None),
            Err(invalid) => checked(None, invalid.problems, None),
        },
    }
}

impl Broken {
    fn of(problem: Problem) -> Self {
        let Problem { path, rule, message } = problem;
        Self { path, rule, message }
    }
}

impl Validation {
    pub(super) fn exit(&self) -> ExitCode {
        if self.files.iter().all(|checked| checked.valid) { ExitCode::Done } else { ExitCode::Refused }
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Checked { file, flags, problems, unreadable, .. } in &self.files {
            let name = styled(NAME, file.display());
            match (flags, unreadable) {
                (Some(flags), _) => writeln!(f, "{name}: {} (flags: {flags})", styled(GOOD, "valid"))?,
                (None, Some(why)) => writeln!(f, "{name}: {} ({why})", styled(BAD, "not readable"))?,
                (None, None) => writeln!(f, "{name}: {}", styled(BAD, "not valid"))?,
            }
            for Broken { path, rule, message } in problems {
                let at = if path.is_empty() { "the document" } else { path };
                writeln!(f, "  {at}: {rule}: {message}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_every_document_has_its_path_and_its_rule() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("written");
            file
        };
        let good = file("good.json", r#"{"version": 1, "flags": {"a": {"enabled": true}}}"#);
        let bad = r#"{"version": 1, "flags": {"a": {"enabled": 1, "rollout_percentage": 101}}}"#;
        let bad = file("bad.json", bad);
        assert_eq!(run(&Args { files: vec![good.clone()] }).exit(), ExitCode::Done);
        let report = run(&Args { files: vec![good, bad, folder.path().join("none.json")] });
        assert_eq!(report.exit(), ExitCode::Refused);
        assert_eq!(report.files.iter().map(|file| file.valid).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(report.files[0].flags, Some(1));
        let paths: Vec<&str> = report.files[1].problems.iter().map(|broken| broken.path.as_str()).collect();
        assert_eq!(paths, ["flags.a.enabled", "flags.a.rollout_percentage"]);
        assert!(report.files[2].unreadable.is_some());
    }
}
