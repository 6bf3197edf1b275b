//! The one place that prints. Answers go to standard output, errors to standard error; with `--json` both are JSON.
//!
//! Answers always carry their colours; the stream takes them off unless it is a terminal that may have them (`NO_COLOR`).

use std::fmt::Display;
use std::io::Write;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Something to look at first.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// A name that the eye looks for.
pub(crate) const NAME: Style = Style::new().bold();
/// What may be skipped.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints an answer, and ends with its exit code.
pub(crate) fn answer<T: Serialize + Display>(report: &T, json: bool, exit: ExitCode) -> ExitCode {
    if json {
        match serde_json::to_string_pretty(report) {
            Ok(text) => raw(&text),
            Err(error) => {
                return fail(&anyhow::Error::new(error).context("failed to print JSON").into(), true);
            }
        }
    } else {
        raw(report.to_string().trim_end());
    }
    exit
}

/// Prints text as it is.
pub(crate) fn raw(text: &str) {
    // Whoever closed the pipe has read enough.
    let _ = writeln!(anstream::stdout().lock(), "{text}");
}

/// Prints a failure, and ends with its exit code.
pub(crate) fn fail(failure: &Failure, json: bool) -> ExitCode {
    let mut err = anstream::stderr().lock();
    let _ = if json {
        writeln!(err, "{}", serde_json::json!({ "error": failure }))
    } else {
        let hint = failure
            .hint
            .iter()
            .map(|hint| format!("\n{} {hint}", styled(FAINT, "hint:")))
            .collect::<String>();
        let label = match failure.exit {
            ExitCode::RollbackFailed => "THE ROLLBACK FAILED, traffic may not be back:",
            ExitCode::Unexpected if failure.kind == "interrupted" => "interrupted:",
            ExitCode::Done
            | ExitCode::Unexpected
            | ExitCode::Usage
            | ExitCode::Refused
            | ExitCode::Unreachable
            | ExitCode::RolledBack => "error:",
        };
        writeln!(err, "{} {}{hint}", styled(BAD, label), failure.message)
    };
    failure.exit
}
