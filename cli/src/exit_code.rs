//! What a command's exit says. Scripts branch on these numbers: they are never renumbered.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitCode {
    /// Done, or there was nothing to do because it already is so.
    Done,
    /// An error that nothing below describes.
    Unexpected,
    /// The command line itself was wrong. The number is clap's.
    Usage,
    /// Refused: nothing was changed, and repeating it unchanged will be refused again.
    Refused,
    /// The rollback failed: traffic is not back, or nobody knows.
    RollbackFailed,
    /// AWS, the suite or the rehearsal could not be reached, or denied the call.
    Unreachable,
    /// A release that was watched did not complete: its traffic is back.
    RolledBack,
}

impl ExitCode {
    /// Every way to end.
    #[cfg(test)]
    pub(crate) const EVERY: [Self; 7] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Refused,
        Self::RollbackFailed,
        Self::Unreachable,
        Self::RolledBack,
    ];

    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::RollbackFailed => 4,
            Self::Unreachable => 5,
            Self::RolledBack => 6,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// The table in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, or already so
  1  unexpected error
  2  wrong usage
  3  refused, nothing moved: invalid document, refused shift, failed check, nothing to roll back
  4  THE ROLLBACK FAILED: traffic is not back
  5  AWS could not be reached, denied the call, or has no such suite
  6  the release that was watched was rolled back: traffic is on the stable version again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_distinct_and_documented() {
        let documented = include_str!("../../docs/exit-codes.md");
        for (index, code) in ExitCode::EVERY.into_iter().enumerate() {
            let number = code.number();
            assert_eq!(usize::from(number), index);
            assert!(HELP.contains(&format!("\n  {number}  ")), "--help does not explain {number}");
            assert!(
                documented.contains(&format!("\n| {number} | ")),
                "the document does not explain {number}"
            );
        }
    }
}
