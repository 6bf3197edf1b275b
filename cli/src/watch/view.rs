//! What there is to see of a release: the ledger's record and findings, put in the order in which people ask. It holds
//! moments, not what is left until them, so two views differ only if the release has changed.

use jiff::{SignedDuration, Timestamp};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::{GaugeVerdict, MetricVerdict, Verdict};
use ripcord::names::{Generation, ServiceName, TargetName, Version, Weight};
use ripcord::pipeline::{Run, Tempo, Turn};
use ripcord::preflight::Check;
use ripcord::release::{Change, Phase, Release};
use serde::Serialize;

use crate::exit_code::ExitCode;

/// A release. The names of these fields are what scripts read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct View {
    pub(crate) service: ServiceName,
    pub(crate) release: Generation,
    pub(crate) phase: Phase,
    pub(crate) opened_at: Timestamp,
    pub(crate) opened_by: String,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) ended_because: Option<String>,
    /// What moves.
    pub(crate) changes: Vec<Moving>,
    /// Whether any candidate ever had traffic.
    pub(crate) had_traffic: bool,
    /// The execution that drives it; nothing if people do.
    pub(crate) execution: Option<String>,
    pub(crate) strategy: Option<String>,
    pub(crate) stages: Vec<Stage>,
    /// What was checked before traffic moved.
    pub(crate) checks_before: Option<Vec<Check>>,
    /// The latest look at the stage that it is in.
    pub(crate) look: Option<Look>,
    /// What was checked before it completed.
    pub(crate) checks_after: Option<Vec<Check>>,
    pub(crate) awaiting: Option<Question>,
    /// When the stage that it is in is looked at for the first time.
    #[serde(skip)]
    pub(crate) first_look_at: Option<Timestamp>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Moving {
    pub(crate) target: TargetName,
    pub(crate) stable: Version,
    pub(crate) candidate: Version,
    pub(crate) weight: Weight,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stage {
    /// Counts from 1, as people do.
    pub(crate) number: usize,
    pub(crate) weight: Weight,
    pub(crate) bake_minutes: u32,
    pub(crate) approval: bool,
    pub(crate) progress: Progress,
    pub(crate) begun_at: Option<Timestamp>,
    pub(crate) approved_by: Option<String>,
    /// When its bake ends, about: what is measured last is read a little later.
    pub(crate) baked_at: Option<Timestamp>,
    /// Up to when it is watched if its bake has proved nothing.
    pub(crate) given_up_at: Option<Timestamp>,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    Passed,
    Now,
    ToCome,
    /// The release ended here, and did not complete.
    Stopped,
}

/// A look at a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Look {
    /// Counts from 1.
    pub(crate) stage: usize,
    pub(crate) at: Timestamp,
    pub(crate) verdict: Verdict,
    pub(crate) score: Option<u8>,
    pub(crate) metrics: Vec<MetricVerdict>,
    pub(crate) gauges: Vec<GaugeVerdict>,
    pub(crate) reason: String,
    pub(crate) next: Turn,
    /// When the stage is looked at again; nothing if it is not.
    pub(crate) next_look_at: Option<Timestamp>,
    pub(crate) measured_until: Option<Timestamp>,
}

/// What a person is asked. The token stays in the ledger: whoever has it can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Question {
    /// The stage that is to begin, counted from 1; nothing if the release is to complete.
    pub(crate) stage: Option<usize>,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) why: String,
}

/// From the end of the stabilisation to the first look: a minute must pass, and settle.
const FIRST_LOOK_SECONDS: u32 = 120;

impl View {
    pub(crate) fn of(release: &Release, findings: &[Finding], tempo: Tempo) -> Self {
        let run = release.run.as_deref();
        let found = || findings.iter().filter(|finding| finding.generation == release.generation);
        let current = run.and_then(Run::stage).map(|(index, ..)| index);
        let look = found().find_map(|finding| match &finding.found {
            Found::Stage(look) if Some(look.stage) == current => Some(Look::of(look, finding.at, tempo)),
            Found::Stage(_) | Found::Before(_) | Found::After(_) | Found::Hook(_) => None,
        });
        let checks_before = found().find_map(|finding| match &finding.found {
            Found::Before(checks) => Some(checks.clone()),
            Found::After(_) | Found::Stage(_) | Found::Hook(_) => None,
        });
        let checks_after = found().find_map(|finding| match &finding.found {
            Found::After(checks) => Some(checks.clone()),
            Found::Before(_) | Found::Stage(_) | Found::Hook(_) => None,
        });
        let awaiting = run.and_then(|run| Some((run, run.awaiting.as_ref()?))).map(|(run, asked)| Question {
            stage: (asked.stage < run.strategy.stages.len()).then_some(asked.stage + 1),
            since: asked.since,
            until: asked.until,
            why: asked.why.clone(),
        });
        Self {
            service: release.service.clone(),
            release: release.generation,
            phase: release.phase,
            opened_at: release.opened_at,
            opened_by: release.opened_by.clone(),
            ended_at: release.ended_at,
            ended_because: release.ended_because.clone(),
            changes: release.changes.iter().map(Moving::of).collect(),
            had_traffic: !release.had_no_traffic(),
            execution: run.map(|run| run.execution.clone()),
            strategy: run.map(|run| run.strategy.name.clone()),
            stages: run.map(|run| stages(run, release.phase, look.as_ref(), tempo)).unwrap_or_default(),
            first_look_at: run.and_then(|run| first_look(run, tempo)),
            checks_before,
            look,
            checks_after,
            awaiting,
        }
    }

    /// The stage that the release is in, or ended in.
    pub(crate) fn stage(&self) -> Option<&Stage> {
        self.stages.iter().rfind(|stage| stage.begun_at.is_some())
    }

    /// `stage 2 of 5 at 25%`; without stages, the share of traffic.
    pub(crate) fn whereabouts(&self) -> String {
        let weight = self.changes.first().map_or(Weight::NONE, |moving| moving.weight);
        match (self.stage(), self.stages.len()) {
            (Some(stage), stages) => format!("stage {} of {stages} at {}", stage.number, stage.weight),
            (None, 0) => format!("moved by hand, at {weight}"),
            (None, stages) => format!("before the first of {stages} stages"),
        }
    }

    /// `6 → 7`, by target where there are several.
    pub(crate) fn versions(&self) -> String {
        let arrow = |moving: &Moving| format!("{} → {}", moving.stable, moving.candidate);
        match self.changes.as_slice() {
            [only] => arrow(only),
            several => several
                .iter()
                .map(|moving| format!("{} {}", moving.target, arrow(moving)))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// How whoever waited for this release ends; nothing while it goes on.
    pub(crate) fn exit(&self) -> Option<ExitCode> {
        match self.phase {
            Phase::Shifting => None,
            Phase::Complete => Some(ExitCode::Done),
            Phase::Withdrawn => Some(ExitCode::Refused),
            Phase::RolledBack => Some(ExitCode::RolledBack),
            Phase::RollbackFailed => Some(ExitCode::RollbackFailed),
            // It is held where it is, and where it is the candidate may have traffic.
            Phase::Held if self.had_traffic => Some(ExitCode::RollbackFailed),
            Phase::Held => Some(ExitCode::Refused),
        }
    }
}

impl Moving {
    fn of(change: &Change) -> Self {
        let Change { target, stable, candidate, weight, .. } = change;
        Self { target: target.clone(), stable: *stable, candidate: *candidate, weight: *weight }
    }
}

impl Look {
    fn of(look: &StageLook, at: Timestamp, tempo: Tempo) -> Self {
        let StageLook { stage, judgement, onward, measured_until } = look;
        let next_look_at = (onward.next == Turn::Look).then(|| after(at, tempo.seconds(onward.wait_seconds)));
        Self {
            stage: stage + 1,
            at,
            verdict: judgement.verdict,
            score: judgement.score,
            metrics: judgement.metrics.clone(),
            gauges: judgement.gauges.clone(),
            reason: onward.reason.clone(),
            next: onward.next,
            next_look_at,
            measured_until: *measured_until,
        }
    }

    /// Whether the stage is behind the release, though the next one has not begun.
    fn has_passed(&self) -> bool {
        match self.next {
            Turn::Shift | Turn::Verify | Turn::End => true,
            Turn::Approve => self.verdict == Verdict::Pass,
            Turn::Look | Turn::RollBack => false,
        }
    }
}

fn stages(run: &Run, phase: Phase, look: Option<&Look>, tempo: Tempo) -> Vec<Stage> {
    let current = run.reached.len().checked_sub(1);
    let planned = run.strategy.stages.iter().enumerate();
    let stage = |(index, planned): (usize, &ripcord::strategy::PlannedStage)| {
        let reached = run.reached.get(index);
        let progress = match reached {
            None => Progress::ToCome,
            Some(_) if Some(index) != current || phase == Phase::Complete => Progress::Passed,
            Some(_) if phase != Phase::Shifting => Progress::Stopped,
            Some(_) if look.is_some_and(Look::has_passed) => Progress::Passed,
            Some(_) => Progress::Now,
        };
        let watched_for = |minutes| Some(after(run.counts_from(index, tempo)?, tempo.minutes(minutes)));
        Stage {
            number: index + 1,
            weight: planned.weight,
            bake_minutes: planned.bake_minutes,
            approval: planned.approval,
            progress,
            begun_at: reached.map(|reached| reached.at),
            approved_by: reached.and_then(|reached| reached.approved_by.clone()),
            baked_at: watched_for(planned.bake_minutes),
            given_up_at: watched_for(run.strategy.watched_minutes_max(planned)),
        }
    };
    planned.map(stage).collect()
}

fn first_look(run: &Run, tempo: Tempo) -> Option<Timestamp> {
    let (index, ..) = run.stage()?;
    Some(after(run.counts_from(index, tempo)?, tempo.seconds(FIRST_LOOK_SECONDS)))
}

/// A moment so much later; at the end of time it stays there.
fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::example::{self, at};
    use super::*;

    fn progress(view: &View) -> Vec<Progress> {
        view.stages.iter().map(|stage| stage.progress).collect()
    }

    #[test]
    fn a_stage_is_behind_the_release_once_it_has_passed() {
        use Progress::{Now, Passed, Stopped, ToCome};
        assert_eq!(progress(&example::baking()), [Passed, Now, ToCome, ToCome]);
        assert_eq!(progress(&example::asking()), [Passed, Passed, ToCome, ToCome]);
        let ended = |phase| progress(&example::ended(phase, "because"));
        assert_eq!(ended(Phase::RolledBack), [Passed, Stopped, ToCome, ToCome]);
        assert_eq!(ended(Phase::Complete), [Passed, Passed, ToCome, ToCome]);
    }

    #[test]
    fn the_end_of_a_bake_follows_the_tempo() {
        let view = example::baking();
        let stage = view.stage().expect("a stage");
        assert_eq!((stage.number, stage.begun_at), (2, Some(at("2026-03-02T12:12:00Z"))));
        assert_eq!(stage.baked_at, Some(at("2026-03-02T12:23:00Z")));
        assert_eq!(stage.given_up_at, Some(at("2026-03-02T12:33:00Z")));
        let quick = View::of(&example::release(), &[], Tempo::of_minute_ms(1_000));
        let stage = quick.stage().expect("a stage");
        assert_eq!(stage.baked_at, Some(at("2026-03-02T12:12:11Z")));
        assert_eq!(quick.first_look_at, Some(at("2026-03-02T12:12:03Z")));
    }

    #[test]
    fn only_the_look_at_the_stage_that_it_is_in_is_shown() {
        let mut release = example::release();
        let findings = example::findings();
        assert!(View::of(&release, &findings, Tempo::REAL).look.is_some());
        release.run.as_mut().expect("a run").reached.pop();
        assert_eq!(View::of(&release, &findings, Tempo::REAL).look, None);
        release.generation = release.generation.next();
        let next = View::of(&release, &findings, Tempo::REAL);
        assert_eq!((next.look, next.checks_before), (None, None));
    }

    #[test]
    fn a_pipeline_can_tell_how_a_release_ended() {
        let exit = |phase| example::ended(phase, "because").exit();
        assert_eq!(example::baking().exit(), None);
        assert_eq!(exit(Phase::Complete), Some(ExitCode::Done));
        assert_eq!(exit(Phase::RolledBack), Some(ExitCode::RolledBack));
        assert_eq!(exit(Phase::RollbackFailed), Some(ExitCode::RollbackFailed));
        assert_eq!(exit(Phase::Withdrawn), Some(ExitCode::Refused));
        assert_eq!(exit(Phase::Held), Some(ExitCode::RollbackFailed));
        let untouched = View { had_traffic: false, ..example::ended(Phase::Held, "because") };
        assert_eq!(untouched.exit(), Some(ExitCode::Refused));
    }

    #[test]
    fn the_token_of_a_question_is_not_shown() {
        let json = serde_json::to_string(&example::asking()).expect("it serializes");
        assert!(json.contains("\"awaiting\":{\"stage\":3"), "{json}");
        assert!(!json.contains("secret-token"), "{json}");
    }
}
