//! What follows from the facts: every check with its outcome, what is written down, and where the release goes.

use jiff::Timestamp;

use super::dead_letters::QueueLength;
use super::facts::{Answers, Facts, GuardState, Seen};
use super::subject::Subject;
use super::{Check, Outcome};
use crate::error_type::{ErrorType, Failure};
use crate::finding::{Finding, Found};
use crate::pipeline::{Onward, Run, Turn, Waivable, Waiver, onward_to};
use crate::plan::{LedgerWrite, Step, Steps};

/// What follows from the checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// The checks.
    pub checks: Vec<Check>,
    /// What is to be written, all of it at once.
    pub steps: Steps,
    /// Where the release goes, or why it does not.
    pub onward: Result<Onward, Failure>,
}

/// Decides whether a release may move traffic.
pub fn decide_preflight(subject: &Subject<'_>, facts: &Facts, now: Timestamp) -> Conclusion {
    let traffic = subject.check_traffic(facts.history.as_ref());
    let checks = checks_before(subject, facts, Some(traffic), subject.check_attestations(), now);
    let onward = verdict(&checks).map(|reason| onward_to(subject.run, 0, reason));
    let mut row = vec![subject.note(Found::Before(checks.clone()), now)];
    if onward.is_ok() {
        row.extend(subject.write_firing(facts));
    }
    Conclusion { checks, steps: vec![row], onward }
}

/// The checks before CodeDeploy moves traffic. Nobody can vouch for anything to CodeDeploy, and it shifts in steps of its own:
/// whether they can be proved is nothing that could be changed here.
pub fn decide_hook_before(subject: &Subject<'_>, facts: &Facts, now: Timestamp) -> Vec<Check> {
    checks_before(subject, facts, None, None, now)
}

/// The checks once all traffic is on the new version, and somebody else has shifted it.
pub fn decide_hook_after(
    subject: &Subject<'_>,
    answers: &Answers,
    guards: &Seen<Vec<GuardState>>,
    dead_letters: &[Seen<QueueLength>],
) -> Vec<Check> {
    let surroundings = subject.surroundings();
    let mut checks = subject.check_answers(answers);
    checks.push(surroundings.check_alarms(guards));
    checks.extend(surroundings.check_dead_letters(dead_letters));
    checks
}

fn checks_before(
    subject: &Subject<'_>,
    facts: &Facts,
    traffic: Option<Check>,
    attestations: Option<Check>,
    now: Timestamp,
) -> Vec<Check> {
    let surroundings = subject.surroundings();
    let mut checks = vec![
        subject.check_alias(&facts.live),
        subject.check_version(facts),
        subject.check_role(facts),
        subject.check_invocable(&facts.invocable),
    ];
    checks.extend(subject.check_answers(&facts.answers));
    checks.push(surroundings.check_alarms(&facts.guards));
    checks.extend(traffic);
    checks.extend([
        subject.check_quarantine(facts, now),
        subject.check_barrier(),
        surroundings.check_freeze(now),
    ]);
    checks.extend(surroundings.check_dead_letters(&facts.dead_letters));
    checks.extend(attestations);
    checks.extend([subject.check_pin(&facts.pin), subject.check_provisioned_concurrency(facts)]);
    checks
}

/// Decides whether a release that has passed its last stage may complete.
pub fn decide_verification(subject: &Subject<'_>, answers: &Answers, now: Timestamp) -> Conclusion {
    let checks = subject.check_answers(answers);
    // One past the last stage means completion.
    let end = subject.run.strategy.stages.len();
    let onward = verdict(&checks).map(|reason| Onward::to(Turn::Shift, end, reason));
    let steps = vec![vec![subject.note(Found::After(checks.clone()), now)]];
    Conclusion { checks, steps, onward }
}

/// Whether all checks went well enough, in a sentence.
pub(crate) fn verdict(checks: &[Check]) -> Result<String, Failure> {
    let with = |outcome| checks.iter().filter(move |check| check.outcome == outcome);
    let count = checks.len();
    let failed: Vec<String> =
        with(Outcome::Failed).map(|check| format!("{}: {}", check.name, check.detail)).collect();
    if checks.is_empty() {
        Ok("nothing is registered that could be checked".to_owned())
    } else if failed.is_empty() {
        let (passed, noted) = (with(Outcome::Passed).count(), with(Outcome::Noted).count());
        let waived = with(Outcome::Waived).count();
        Ok(format!("{passed} of {count} checks passed, {noted} noted something, {waived} were waived"))
    } else {
        let message = format!("{} of {count} checks failed: {}", failed.len(), failed.join(" | "));
        Err(Failure::new(ErrorType::PreflightFailed, message))
    }
}

impl Subject<'_> {
    fn note(&self, found: Found, now: Timestamp) -> Step {
        Step::Note(Box::new(Finding::of(self.release, found, now)))
    }

    /// Guards that fire already are no evidence against the release if that is waived. Which ones do is written down before
    /// traffic moves, because from then on nobody can tell.
    fn write_firing(&self, facts: &Facts) -> Option<Step> {
        let waiver = self.run.waiver.as_ref().filter(|_| self.run.waives(Waivable::Alarms))?;
        let firing = self.firing(&facts.guards);
        if firing == waiver.firing {
            return None;
        }
        let waiver = Some(Waiver { firing, ..waiver.clone() });
        let run = Run { waiver, ..self.run.clone() };
        Some(Step::Write(Box::new(LedgerWrite::of(self.release.running(run)))))
    }
}
