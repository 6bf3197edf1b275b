//! Where a release goes from a stage: on, back, to a person, or nowhere yet. The answers of the functions carry it to the
//! state machine, which only follows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Run, Tempo};
use crate::judge::Verdict;
use crate::reason::duration;
use crate::registration::Unproven;

/// What the state machine does next, and with which stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onward {
    /// What.
    pub next: Turn,
    /// The stage that is meant; one past the last means completion.
    pub stage: usize,
    /// How long to wait before it, or for an answer, in seconds of the plan.
    pub wait_seconds: u32,
    /// What follows a person's approval.
    pub then: Then,
    /// Why, with the numbers.
    pub reason: String,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Wait, then look at the stage.
    Look,
    /// Shift traffic to the stage.
    Shift,
    /// Ask a person whether to.
    Approve,
    /// Check the service once more, then complete the release.
    Verify,
    /// Put traffic back.
    RollBack,
    /// Nothing: a person has completed the release meanwhile.
    End,
}

/// What follows a person's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Shift traffic.
    Shift,
    /// Check once more and complete.
    Verify,
}

/// What a look at a stage has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reasons, in a sentence.
    pub why: String,
    /// Up to when the candidate has been measured; nothing if never.
    pub measured_until: Option<Timestamp>,
}

/// CloudWatch has nearly all of a minute's metrics so long after its end. What comes later is read by the next look.
const SETTLE_SECONDS: u32 = 60;
/// A stage that cannot be measured for longer than this goes back: traffic that nobody watches is not a release.
const BLIND_MINUTES_MAX: u32 = 10;

impl Tempo {
    /// Up to when the minutes of CloudWatch are complete.
    pub fn settled(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.seconds(SETTLE_SECONDS)).unwrap_or(now)
    }
}

impl Run {
    /// From when on a stage's metrics count: what came before its traffic had settled may be of either weight.
    pub fn counts_from(&self, stage: usize, tempo: Tempo) -> Option<Timestamp> {
        let at = self.reached.get(stage)?.at;
        at.checked_add(tempo.seconds(self.strategy.stabilise_seconds)).ok()
    }

    /// When a stage has been watched for `minutes`, and everything that its requests have to tell has been told.
    fn watched_for(&self, stage: usize, minutes: u32, tempo: Tempo) -> Option<Timestamp> {
        let told = tempo.seconds(SETTLE_SECONDS.saturating_add(self.timeout_seconds));
        self.counts_from(stage, tempo)?.checked_add(tempo.minutes(minutes)).ok()?.checked_add(told).ok()
    }
}

/// Decides where a release goes from the stage that it is in, after a look at it.
pub fn decide_onward(run: &Run, look: &Look, now: Timestamp, tempo: Tempo) -> Onward {
    let Some((stage, planned, reached)) = run.stage() else {
        return onward(Turn::RollBack, 0, "no stage of the release has begun".to_owned());
    };
    let minutes_max = run.strategy.watched_minutes_max(planned);
    let (Some(baked_at), Some(given_up_at)) = (
        run.watched_for(stage, planned.bake_minutes, tempo),
        run.watched_for(stage, minutes_max, tempo),
    ) else {
        return onward(Turn::RollBack, stage, "the stage ends beyond the end of time".to_owned());
    };
    let why = || look.why.clone();
    let seen_at = look.measured_until.unwrap_or(reached.at).max(reached.at);
    let blind_s = now.duration_since(seen_at);
    let is_blind = blind_s
        > tempo.minutes(BLIND_MINUTES_MAX).saturating_add(tempo.seconds(
            run.strategy.stabilise_seconds.saturating_add(SETTLE_SECONDS).saturating_add(run.timeout_seconds),
        ));
    match look.verdict {
        Verdict::Fail => onward(Turn::RollBack, stage, why()),
        Verdict::Pass if now >= baked_at => next_stage(run, stage, why()),
        Verdict::Error if is_blind => {
            let blind = duration(i64::from(tempo.plan_seconds(blind_s)));
            let reason = format!("not measured for {blind} > limit {BLIND_MINUTES_MAX} min: {}", look.why);
            onward(Turn::RollBack, stage, reason)
        }
        Verdict::Pass => again(run, stage, baked_at, now, tempo, why()),
        Verdict::Inconclusive | Verdict::Error if now < baked_at => {
            again(run, stage, baked_at, now, tempo, why())
        }
        Verdict::Inconclusive | Verdict::Error if now < given_up_at => {
            let reason = format!("not proved within its bake of {} min: {}", planned.bake_minutes, look.why);
            again(run, stage, given_up_at, now, tempo, reason)
        }
        Verdict::Inconclusive | Verdict::Error => {
            let reason = format!("still not proved after {minutes_max} min: {}", look.why);
            // A person may decide on thin evidence, but not on none.
            match (run.strategy.unproven, look.verdict) {
                (Unproven::Ask, Verdict::Inconclusive) => ask(run, stage + 1, reason),
                (Unproven::Ask | Unproven::RollBack, _) => onward(Turn::RollBack, stage, reason),
            }
        }
    }
}

/// Where a release goes from a stage that it has passed.
fn next_stage(run: &Run, passed: usize, why: String) -> Onward {
    onward_to(run, passed + 1, why)
}

/// How a release comes to a stage: at once, by a person's leave, or, after the last, to its end.
pub fn onward_to(run: &Run, stage: usize, why: String) -> Onward {
    match run.strategy.stages.get(stage) {
        Some(next) if next.approval => ask(run, stage, why),
        Some(_) => onward(Turn::Shift, stage, why),
        None => onward(Turn::Verify, stage, why),
    }
}

/// What follows a shift to a stage: the first look at it, once a minute of it can be complete.
pub fn onward_after_shift(run: &Run, stage: usize) -> Onward {
    let weight = run.strategy.stages.get(stage).map(|planned| planned.weight.to_string()).unwrap_or_default();
    let wait_seconds = run.strategy.stabilise_seconds.saturating_add(SETTLE_SECONDS).saturating_add(60);
    Onward { wait_seconds, ..onward(Turn::Look, stage, format!("stage {} at {weight} has begun", stage + 1)) }
}

fn ask(run: &Run, stage: usize, why: String) -> Onward {
    let is_last = stage >= run.strategy.stages.len();
    Onward {
        wait_seconds: run.strategy.approval_minutes_max.saturating_mul(60),
        then: if is_last { Then::Verify } else { Then::Shift },
        ..onward(Turn::Approve, stage, why)
    }
}

/// The next look: when one more minute is complete, or when the stage's time is up.
fn again(run: &Run, stage: usize, until: Timestamp, now: Timestamp, tempo: Tempo, why: String) -> Onward {
    let period = tempo.minutes(run.strategy.look_minutes).as_millis().max(1);
    let since_minute = tempo.settled(now).as_millisecond().rem_euclid(i64::try_from(period).unwrap_or(i64::MAX));
    let to_minute = SignedDuration::from_millis(i64::try_from(period).unwrap_or(i64::MAX) - since_minute);
    let wait = to_minute.min(until.duration_since(now)).max(tempo.seconds(1));
    Onward { wait_seconds: tempo.plan_seconds(wait).max(1), ..onward(Turn::Look, stage, why) }
}

fn onward(next: Turn, stage: usize, reason: String) -> Onward {
    Onward { next, stage, wait_seconds: 0, then: Then::Shift, reason }
}
