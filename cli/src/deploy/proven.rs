//! `--proven-in`: whether the same code has completed a release in another suite, such as that of staging.

use ripcord::aws::LedgerError;
use ripcord::release::{Change, Phase, Release};

use super::outline::Outline;
use crate::failure::{Failure, Kind};
use crate::session::Session;

impl Session {
    /// Reads the other suite's history of the same service.
    pub(super) async fn check_proven(&self, project: &str, outline: &Outline) -> Result<(), Failure> {
        if project == self.project {
            let message =
                format!("proven-in is {project}: that is this suite, in which the code is to be released");
            return Err(Failure::new(Kind::Usage, message));
        }
        let history = self.other_suite(project).ledger.history(&outline.service).await;
        is_proven(&history.map_err(|error| unreadable(project, error))?, project, outline)
    }
}

/// A suite of that name may not be there at all.
fn unreadable(project: &str, error: LedgerError) -> Failure {
    let text = error.to_string();
    if text.contains("ResourceNotFoundException") {
        let message = format!(
            "there is no suite {project} in this account and region: it has no table {project}-ledger"
        );
        return Failure::new(Kind::SuiteMissing, message).hint("check --proven-in");
    }
    Failure::from(error)
}

/// The same code, by its hash: versions are numbered anew in every account and environment.
fn is_proven(history: &[Release], project: &str, outline: &Outline) -> Result<(), Failure> {
    let Outline { service, candidate, artefact, .. } = outline;
    let refuse = |why: String| {
        let message = format!("version {candidate} of {service} is not proven in {project}: {why}");
        Err(Failure::new(Kind::NotProven, message).hint(format!(
            "release the same code there first: ripcord --project {project} deploy {service} …"
        )))
    };
    if artefact.is_empty() {
        return refuse("Lambda does not say the hash of its code".to_owned());
    }
    let has_code = |change: &Change| change.artefact.as_deref() == Some(artefact);
    let same: Vec<&Release> = history.iter().filter(|release| release.changes.iter().any(has_code)).collect();
    // The latest word counts: code that was taken back after it had completed is not proven any more.
    match same.last() {
        None if history.is_empty() => refuse("nothing of that name was ever released there".to_owned()),
        None => refuse(format!("none of its {} releases there had this code", history.len())),
        Some(last) if last.phase == Phase::Complete => Ok(()),
        Some(last) => {
            let because = last.ended_because.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
            refuse(format!(
                "release {} there, the last one with this code, is {}{because}",
                last.generation, last.phase
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::tests::outline;
    use crate::status::example;
    use ripcord::names::Generation;

    fn release(generation: u64, artefact: &str, phase: Phase) -> Release {
        let mut release = example::shifting().record.release.expect("a release");
        release.generation = Generation(generation);
        release.changes[0].artefact = Some(artefact.to_owned());
        release.phase = phase;
        release
    }

    #[track_caller]
    fn check(history: &[Release], expected: Result<(), &str>) {
        let found = is_proven(history, "staging", &outline());
        let found = found.map_err(|failure| {
            assert_eq!(failure.kind, "not_proven");
            failure.message
        });
        let prefix = "version 2 of checkout is not proven in staging: ";
        assert_eq!(found, expected.map_err(|why| format!("{prefix}{why}")));
    }

    #[test]
    fn the_same_code_must_have_completed_a_release_there() {
        check(&[release(7, "sha-2", Phase::Complete)], Ok(()));
        check(&[], Err("nothing of that name was ever released there"));
        check(&[release(7, "sha-9", Phase::Complete)], Err("none of its 1 releases there had this code"));
        check(
            &[release(7, "sha-2", Phase::Shifting)],
            Err("release 7 there, the last one with this code, is shifting"),
        );
    }

    #[test]
    fn the_latest_release_of_the_code_counts() {
        let (complete, back) = (release(7, "sha-2", Phase::Complete), release(8, "sha-2", Phase::RolledBack));
        check(
            &[complete.clone(), back.clone()],
            Err("release 8 there, the last one with this code, is rolled back"),
        );
        check(&[back, complete], Ok(()));
    }

    #[test]
    fn code_without_a_hash_is_not_proven() {
        let unknown = Outline { artefact: String::new(), ..outline() };
        let failure = is_proven(&[release(7, "", Phase::Complete)], "staging", &unknown);
        assert_eq!(failure.expect_err("refused").kind, "not_proven");
    }
}
