//! Where a release goes from a stage: on, back, to a person, or nowhere yet. The answers of the functions carry it to the
//! state machine, which only follows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Run, Tempo, Waivable};
use crate::judge::{Finding, Judgement, Verdict};
use crate::reason::duration;
use crate::registration::Unproven;
use crate::release::Release;

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
    /// Whether the version itself was measured to be bad, and not only unproved, unseen or unwanted.
    #[serde(default)]
    pub measured_bad: bool,
}

impl Onward {
    /// The simplest way on.
    pub fn to(next: Turn, stage: usize, reason: String) -> Self {
        Self { next, stage, wait_seconds: 0, then: Then::Shift, reason, measured_bad: false }
    }

    /// There is nothing left to do: the release is complete.
    pub fn at_the_end(release: &Release) -> Self {
        let stages = release.run.as_ref().map_or(0, |run| run.strategy.stages.len());
        Self::to(Turn::End, stages, release.ended_because.clone().unwrap_or_default())
    }
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
    /// Up to when everything that was asked for has been measured, at this look or at one before; nothing if never.
    pub measured_until: Option<Timestamp>,
}

/// A person reads so many reasons; the finding has them all.
const REASONS_MAX: usize = 4;

impl Look {
    /// What the judge says, in a sentence: the reasons that made the verdict.
    pub fn of(judgement: &Judgement, measured_until: Option<Timestamp>) -> Self {
        let verdict = judgement.verdict;
        let deciding: Vec<&Finding> =
            judgement.reasons.iter().filter(|finding| finding.verdict() == verdict).collect();
        let mut said: Vec<String> = deciding.iter().take(REASONS_MAX).map(ToString::to_string).collect();
        match deciding.len().saturating_sub(REASONS_MAX) {
            0 => {}
            more => said.push(format!("and {more} more")),
        }
        let why = if said.is_empty() { format!("the verdict is {verdict}") } else { said.join("; ") };
        Self { verdict, why, measured_until }
    }
}

/// CloudWatch has nearly all of a minute's metrics so long after its end. What comes later is read by the next look.
const SETTLE_SECONDS: u32 = 60;
/// A shift is written down before the alias is updated, and Lambda takes a moment to follow everywhere.
const LANDING_SECONDS: u32 = 10;
/// A stage that cannot be measured for longer than this goes back: traffic that nobody watches is not a release.
const BLIND_MINUTES_MAX: u32 = 10;
/// The execution that waits may last for sixty days; no person is waited for longer than two weeks.
const APPROVAL_SECONDS_MAX: u32 = 14 * 24 * 60 * 60;
const APPROVAL_SECONDS_MIN: u32 = 60;

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
        at.checked_add(tempo.seconds(self.unsettled_seconds())).ok()
    }

    fn unsettled_seconds(&self) -> u32 {
        self.strategy.stabilise_seconds.max(LANDING_SECONDS)
    }

    /// When a stage has been watched for `minutes`, and everything that its requests have to tell has been told.
    pub fn watched_for(&self, stage: usize, minutes: u32, tempo: Tempo) -> Option<Timestamp> {
        let told = tempo.seconds(SETTLE_SECONDS.saturating_add(self.timeout_seconds));
        self.counts_from(stage, tempo)?.checked_add(tempo.minutes(minutes)).ok()?.checked_add(told).ok()
    }
}

/// Decides where a release goes from the stage that it is in, after a look at it.
pub fn decide_onward(run: &Run, look: &Look, now: Timestamp, tempo: Tempo) -> Onward {
    let Some((stage, planned, _)) = run.stage() else {
        return Onward::to(Turn::RollBack, 0, "no stage of the release has begun".to_owned());
    };
    let minutes_max = run.strategy.watched_minutes_max(planned);
    let (Some(counts_from), Some(baked_at), Some(given_up_at)) = (
        run.counts_from(stage, tempo),
        run.watched_for(stage, planned.bake_minutes, tempo),
        run.watched_for(stage, minutes_max, tempo),
    ) else {
        return Onward::to(Turn::RollBack, stage, "the stage ends beyond the end of time".to_owned());
    };
    let why = || look.why.clone();
    let later = |until, reason| again(run, (stage, look.verdict), until, (now, tempo), reason);
    match look.verdict {
        Verdict::Fail => Onward { measured_bad: true, ..Onward::to(Turn::RollBack, stage, why()) },
        Verdict::Pass if now >= baked_at => onward_to(run, stage + 1, why()),
        Verdict::Pass => later(baked_at, why()),
        Verdict::Inconclusive | Verdict::Error => {
            let seen_until = look.measured_until.map_or(counts_from, |until| until.max(counts_from));
            if look.verdict == Verdict::Error
                && let Some(blind) = blind(run, now.duration_since(seen_until), tempo)
            {
                return Onward::to(Turn::RollBack, stage, format!("{blind}: {}", look.why));
            }
            if now < baked_at {
                return later(baked_at, why());
            }
            if now < given_up_at {
                let reason =
                    format!("not proved within its bake of {} min: {}", planned.bake_minutes, look.why);
                return later(given_up_at, reason);
            }
            let reason = format!("still not proved after {minutes_max} min: {}", look.why);
            // A person may decide on thin evidence, but not on none. Who waived the traffic knew that it would be thin.
            let unproven = if run.waives(Waivable::Traffic) { Unproven::Ask } else { run.strategy.unproven };
            match (unproven, look.verdict) {
                (Unproven::Ask, Verdict::Inconclusive) => ask(run, stage + 1, reason),
                (Unproven::Ask | Unproven::RollBack, _) => Onward::to(Turn::RollBack, stage, reason),
            }
        }
    }
}

/// Whether nobody has seen the stage for too long, and for how long. Between two looks nobody sees it anyway, and the newest
/// minute that can be seen ended a while ago; both are granted on top.
fn blind(run: &Run, unseen: SignedDuration, tempo: Tempo) -> Option<String> {
    let granted_minutes = BLIND_MINUTES_MAX.saturating_add(run.strategy.look_minutes);
    let granted = tempo.minutes(granted_minutes).saturating_add(tempo.seconds(SETTLE_SECONDS));
    let said = |stretch| duration(i64::from(tempo.plan_seconds(stretch)));
    (unseen > granted).then(|| format!("not measured for {} > limit {}", said(unseen), said(granted)))
}

/// How a release comes to a stage: at once, by a person's leave, or, after the last, to its end.
pub fn onward_to(run: &Run, stage: usize, why: String) -> Onward {
    match run.strategy.stages.get(stage) {
        Some(next) if next.approval => ask(run, stage, why),
        Some(_) => Onward::to(Turn::Shift, stage, why),
        None => Onward::to(Turn::Verify, stage, why),
    }
}

/// What follows a shift to a stage: the first look at it, once a minute of it can be complete.
pub fn onward_after_shift(run: &Run, stage: usize) -> Onward {
    let weight = run.strategy.stages.get(stage).map(|planned| planned.weight.to_string()).unwrap_or_default();
    let wait_seconds = run.unsettled_seconds().saturating_add(60).saturating_add(SETTLE_SECONDS);
    Onward {
        wait_seconds,
        ..Onward::to(Turn::Look, stage, format!("stage {} at {weight} has begun", stage + 1))
    }
}

fn ask(run: &Run, stage: usize, why: String) -> Onward {
    let is_last = stage >= run.strategy.stages.len();
    let seconds = run.strategy.approval_minutes_max.saturating_mul(60);
    Onward {
        // Step Functions refuses to wait for no time at all, and for more than its own limit.
        wait_seconds: seconds.clamp(APPROVAL_SECONDS_MIN, APPROVAL_SECONDS_MAX),
        then: if is_last { Then::Verify } else { Then::Shift },
        ..Onward::to(Turn::Approve, stage, why)
    }
}

/// The next look: just after another minute has settled, or when the stage's time is up. A look that saw nothing is made up
/// for soon, however rarely the stage is looked at otherwise.
fn again(
    run: &Run,
    (stage, verdict): (usize, Verdict),
    until: Timestamp,
    (now, tempo): (Timestamp, Tempo),
    why: String,
) -> Onward {
    let minutes = match verdict {
        Verdict::Error => 1,
        Verdict::Pass | Verdict::Inconclusive | Verdict::Fail => run.strategy.look_minutes.max(1),
    };
    let period_ms = i64::try_from(tempo.minutes(minutes).as_millis()).unwrap_or(i64::MAX).max(1);
    let into_ms = tempo.settled(now).as_millisecond().rem_euclid(period_ms);
    let to_next = SignedDuration::from_millis(period_ms - into_ms);
    let wait = to_next.min(until.duration_since(now));
    Onward { wait_seconds: tempo.plan_seconds(wait).max(1), ..Onward::to(Turn::Look, stage, why) }
}

#[cfg(test)]
mod tests;
