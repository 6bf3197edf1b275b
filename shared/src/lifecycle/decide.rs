//! What a hook answers, from what was seen.

use jiff::{SignedDuration, Timestamp};

use super::memory::Memory;
use super::{Direction, HookAnswer, HookStatus, LifecycleEvent, LifecycleStage, Verdict};
use crate::pipeline::Tempo;
use crate::preflight::{
    Check, GuardState, HealthAnswer, Outcome, QueueLength, Seen, Surroundings, check_health,
};
use crate::reason::{duration, seconds_between};
use crate::registration::HealthCheck;

/// ECS asks again after as long, if it is told nothing else.
const LOOK_SECONDS: u32 = 30;
/// One answer that fails may be a task that is just being replaced; so many in a row are the service.
const SICK_MAX: u32 = 2;
/// What cannot be seen is no proof; so many times in a row it will not be seen in time.
const BLIND_MAX: u32 = 3;
/// Beyond what a watch takes. Whatever keeps changing its mind for longer has not been found well.
const LOOKS_SPARE: u32 = 6;

/// How much is asked at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Nothing,
    /// Whether it may begin at all: freezes, guards, dead letters.
    Beginning,
    /// The same, and whether the new tasks are well: test traffic reaches them.
    Tested,
    /// Whether it may go on: guards, and whether the tasks are well.
    Shifting,
    /// The same, again and again for as long as the service's watch.
    Watching,
}

/// A service that an ECS service belongs to, and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Look<'record> {
    /// Its guards, queues and freezes.
    pub surroundings: Surroundings<'record>,
    /// The address that must answer, if one is registered.
    pub health: Option<&'record HealthCheck>,
    /// For how long it is watched at the end.
    pub watch_minutes: u32,
    /// What was seen.
    pub facts: LookFacts,
}

/// What was seen of a service; nothing where nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookFacts {
    /// The guards.
    pub guards: Seen<Vec<GuardState>>,
    /// The dead-letter queues.
    pub dead_letters: Vec<Seen<QueueLength>>,
    /// The address.
    pub health: Option<Seen<HealthAnswer>>,
}

/// What the looks come to.
#[derive(Default)]
struct Judged {
    checks: Vec<Check>,
    bad: bool,
    sick: bool,
    blind: bool,
}

impl LifecycleEvent {
    /// Whether the dead-letter queues are asked about.
    pub fn asks_dead_letters(&self) -> bool {
        match self.stage.extent() {
            Extent::Beginning | Extent::Tested => true,
            Extent::Nothing | Extent::Shifting | Extent::Watching => false,
        }
    }

    /// Whether the address that must answer is asked.
    pub fn asks_health(&self) -> bool {
        match self.stage.extent() {
            Extent::Tested | Extent::Shifting | Extent::Watching => true,
            Extent::Nothing | Extent::Beginning => false,
        }
    }
}

impl LifecycleStage {
    fn extent(&self) -> Extent {
        match self {
            // Nothing has begun: whatever may begin is asked at the stages that always follow.
            Self::ReconcileService => Extent::Nothing,
            Self::PreScaleUp | Self::PostScaleUp | Self::TestTrafficShift => Extent::Beginning,
            Self::PostTestTrafficShift => Extent::Tested,
            Self::PreProductionTrafficShift | Self::ProductionTrafficShift => Extent::Shifting,
            Self::PostProductionTrafficShift => Extent::Watching,
            // It may be one of a rollback.
            Self::Unknown(_) => Extent::Nothing,
        }
    }
}

/// What is answered without looking at anything; nothing if there is something to look at. No rollback waits for a look.
pub fn decide_unasked(event: &LifecycleEvent) -> Option<Verdict> {
    let stage = &event.stage;
    let why = match (event.direction(), stage.extent()) {
        (Direction::Forward, Extent::Nothing) => format!("nothing is checked at {stage}"),
        (Direction::Back, _) => format!("{stage}: traffic goes back, and a rollback is never vetoed"),
        (Direction::Unclear, _) => {
            format!("{stage}: it is not clear that traffic goes forward, and a rollback is never vetoed")
        }
        (Direction::Forward, Extent::Beginning | Extent::Tested | Extent::Shifting | Extent::Watching) => {
            return None;
        }
    };
    Some(Verdict { answer: HookAnswer::of(HookStatus::Succeeded), why, checks: Vec::new() })
}

/// What is answered where nobody has registered the ECS service.
pub fn decide_unregistered(event: &LifecycleEvent) -> Verdict {
    let place = event.place().map(|place| format!("{}/{}", place.cluster, place.service));
    let why = match place {
        Some(place) => format!(
            "no service is registered for the ECS service {place}: name it under hooks.ecs_services and `ripcord apply`, or take the hook off"
        ),
        None => "the event does not say which ECS service is deployed".to_owned(),
    };
    ended(event, HookStatus::Failed, why, Vec::new())
}

/// What is answered where nothing could be seen, be it that the ledger did not answer or that the check died.
pub fn decide_unseen(event: &LifecycleEvent, why: &str, now: Timestamp, tempo: Tempo) -> Verdict {
    let judged = Judged { blind: true, ..Judged::default() };
    decide(event, judged, why.to_owned(), 0, (now, tempo))
}

/// What is answered to what was seen.
pub fn decide_look(event: &LifecycleEvent, looks: &[Look<'_>], now: Timestamp, tempo: Tempo) -> Verdict {
    let mut judged = Judged::default();
    for look in looks {
        judged.add(event, look, now);
    }
    let why = summary(&judged.checks);
    let watch_minutes = match event.stage.extent() {
        Extent::Watching => looks.iter().map(|look| look.watch_minutes).max().unwrap_or(0),
        Extent::Nothing | Extent::Beginning | Extent::Tested | Extent::Shifting => 0,
    };
    decide(event, judged, why, watch_minutes, (now, tempo))
}

impl Judged {
    fn add(&mut self, event: &LifecycleEvent, look: &Look<'_>, now: Timestamp) {
        let Look { surroundings, health, facts, .. } = look;
        let (asks_dead_letters, asks_health) = (event.asks_dead_letters(), event.asks_health());
        let freeze = asks_dead_letters.then(|| surroundings.check_freeze(now));
        let alarms = surroundings.check_alarms(&facts.guards);
        let letters = surroundings.check_dead_letters(&facts.dead_letters).filter(|_| asks_dead_letters);
        let health = health.filter(|_| asks_health).map(|health| check_health(health, facts.health.as_ref()));

        let failed = |check: &Check| check.outcome == Outcome::Failed;
        let letters_lie = facts.dead_letters.iter().flatten().any(|queue| queue.messages > Some(0));
        let letters_hidden = letters.as_ref().is_some_and(failed) && !letters_lie;
        self.bad |= freeze.as_ref().is_some_and(failed)
            || (failed(&alarms) && facts.guards.is_ok())
            || (letters.as_ref().is_some_and(failed) && letters_lie);
        self.blind |= facts.guards.is_err() || letters_hidden;
        self.sick |= health.as_ref().is_some_and(failed);
        self.checks.extend(freeze);
        self.checks.push(alarms);
        self.checks.extend(letters);
        self.checks.extend(health);
    }
}

fn decide(
    event: &LifecycleEvent,
    judged: Judged,
    found: String,
    watch_minutes: u32,
    (now, tempo): (Timestamp, Tempo),
) -> Verdict {
    let before = Memory::of(event, now);
    let count = |is_so: bool, counted: u32| if is_so { counted.saturating_add(1) } else { 0 };
    let memory = Memory {
        looks: before.looks.saturating_add(1),
        sick: count(judged.sick, before.sick),
        blind: count(judged.blind, before.blind),
        ..before
    };
    let watch = tempo.minutes(watch_minutes);
    let watched = now.duration_since(memory.since);
    let looks_max = LOOKS_SPARE.saturating_add(watch_minutes.saturating_mul(60).div_ceil(LOOK_SECONDS));
    let stage = &event.stage;
    let failed = |what: String| format!("{stage}: {what}: {found}");
    let (looks, sick, blind) = (memory.looks, memory.sick, memory.blind);

    if judged.bad {
        ended(event, HookStatus::Failed, format!("{stage}: {found}"), judged.checks)
    } else if sick >= SICK_MAX {
        ended(event, HookStatus::Failed, failed(format!("not well {sick} times in a row")), judged.checks)
    } else if blind >= BLIND_MAX {
        let what = format!("not everything could be seen, {blind} times in a row");
        ended(event, HookStatus::Failed, failed(what), judged.checks)
    } else if (sick > 0 || blind > 0) && looks >= looks_max {
        let what = format!("not well, or not to be seen, again and again in {looks} looks");
        ended(event, HookStatus::Failed, failed(what), judged.checks)
    } else if sick > 0 || blind > 0 {
        let what = if sick > 0 { "not well" } else { "not everything could be seen" };
        let why = failed(format!("{what}, which is looked at again"));
        again(event, &memory, tempo.seconds(LOOK_SECONDS), why, judged.checks)
    } else if watched < watch {
        let left = watch.saturating_sub(watched);
        let why = format!(
            "{stage}: watched for {} of {watch_minutes} min: {found}",
            duration(i64::from(tempo.plan_seconds(watched)))
        );
        again(event, &memory, left.min(tempo.seconds(LOOK_SECONDS)), why, judged.checks)
    } else {
        let after = seconds_between(memory.since, now);
        let why = match looks {
            1 => format!("{stage}: {found}"),
            _ => format!("{stage}: {found}, at the last of {looks} looks within {}", duration(after)),
        };
        ended(event, HookStatus::Succeeded, why, judged.checks)
    }
}

fn summary(checks: &[Check]) -> String {
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Failed)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    let count = checks.len();
    match failed.len() {
        0 => format!("all of {count} checks passed"),
        some => format!("{some} of {count} checks failed: {}", failed.join(" | ")),
    }
}

fn ended(event: &LifecycleEvent, status: HookStatus, why: String, checks: Vec<Check>) -> Verdict {
    decide_unasked(event).unwrap_or(Verdict { answer: HookAnswer::of(status), why, checks })
}

fn again(
    event: &LifecycleEvent,
    memory: &Memory,
    wait: SignedDuration,
    why: String,
    checks: Vec<Check>,
) -> Verdict {
    let seconds = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).div_ceil(1000).max(1);
    let answer = HookAnswer {
        hook_status: HookStatus::InProgress,
        call_back_delay: Some(seconds),
        hook_details: Some(memory.kept_beside(&event.details)),
    };
    decide_unasked(event).unwrap_or(Verdict { answer, why, checks })
}

impl HookAnswer {
    /// An answer that ends the stage.
    pub fn of(hook_status: HookStatus) -> Self {
        Self { hook_status, call_back_delay: None, hook_details: None }
    }
}
