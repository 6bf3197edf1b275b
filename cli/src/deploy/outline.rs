//! What a release is going to do, as it is shown before it begins.

use std::fmt;

use ripcord::names::{AliasName, FunctionName, ServiceName, TargetName, Version};
use ripcord::pipeline::{ReleaseRequest, Waivable};
use ripcord::registration::{Limits, Unproven};
use ripcord::shift::{ShiftRequest, ShiftSituation, target_of};
use ripcord::situation::Sighting;
use ripcord::strategy::{PlannedStage, Strategy};
use serde::Serialize;

use super::refused;
use crate::failure::{Failure, Kind};
use crate::figures::{minutes, percent};
use crate::output::{FAINT, NAME, WARN, styled};

/// A release that has not begun.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Outline {
    pub(super) service: ServiceName,
    pub(super) target: TargetName,
    pub(super) function: FunctionName,
    pub(super) alias: AliasName,
    pub(super) stable: Version,
    pub(super) candidate: Version,
    /// The hash of the candidate's code.
    pub(super) artefact: String,
    pub(super) strategy: Strategy,
    pub(super) waived: Vec<Waivable>,
    pub(super) override_reason: Option<String>,
}

impl Outline {
    pub(super) fn of(
        request: &ReleaseRequest,
        shift: &ShiftRequest,
        seen: &ShiftSituation,
    ) -> Result<Self, Failure> {
        let target = target_of(shift, &seen.situation).map_err(refused)?;
        let Some(Sighting::Alias(live)) = seen.situation.live.get(&target.name) else {
            let message = format!("{} could not be observed", target.name);
            return Err(Failure::new(Kind::AwsCallFailed, message));
        };
        let strategy = Strategy::resolve(&request.progress, &seen.situation.record.registration)
            .map_err(|violations| refused(ripcord::shift::Refusal::Strategy { violations }))?;
        let facts = seen.versions.get(&request.version).and_then(Option::as_ref);
        Ok(Self {
            service: request.service.clone(),
            target: target.name.clone(),
            function: live.function.clone(),
            alias: live.alias.clone(),
            stable: live.traffic.primary,
            candidate: request.version,
            artefact: facts.map(|facts| facts.code_sha256.clone()).unwrap_or_default(),
            strategy,
            waived: request.waive.clone(),
            override_reason: request.override_reason.clone(),
        })
    }

    /// How long it takes at least, in minutes of the plan.
    fn minutes_min(&self) -> u32 {
        let Strategy { stages, stabilise_seconds, .. } = &self.strategy;
        let settling = stabilise_seconds.div_ceil(60);
        stages
            .iter()
            .fold(0, |sum: u32, stage| sum.saturating_add(stage.bake_minutes).saturating_add(settling))
    }
}

/// What a stage must keep to, in a few words.
pub(crate) fn limits(limits: &Limits) -> String {
    let Limits { error_rate_max, latency_ms_max, slow_rate_max, throttles_max } = limits;
    let mut words: Vec<String> = Vec::new();
    words.extend(error_rate_max.map(|max| format!("errors ≤ {}", percent(max))));
    words.extend(latency_ms_max.map(|ms| {
        let share = slow_rate_max.map(|max| format!(" ≤ {}", percent(max))).unwrap_or_default();
        format!("over {ms} ms{share}")
    }));
    words.extend(throttles_max.map(|max| format!("throttles ≤ {max} a minute")));
    words.join(", ")
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, target, function, alias, stable, candidate, strategy, .. } = self;
        let alias = styled(FAINT, format!("{target} ({function}:{alias})"));
        writeln!(f, "{}: version {candidate} in place of {stable}, {alias}", styled(NAME, service))?;
        let stages = strategy.stages.len();
        let plural = if stages == 1 { "" } else { "s" };
        let length = minutes(self.minutes_min());
        writeln!(f, "  {}: {stages} stage{plural}, {length} at least", styled(NAME, &strategy.name))?;
        for (number, stage) in (1..).zip(&strategy.stages) {
            let PlannedStage { weight, bake_minutes, limits: stage_limits, approval } = stage;
            let approval = if *approval { styled(WARN, "  after approval") } else { String::new() };
            let (weight, bake) = (weight.to_string(), minutes(*bake_minutes));
            writeln!(f, "  {number:>4} {weight:>7} {bake:>7}  {}{approval}", limits(stage_limits))?;
        }
        let unproven = match strategy.unproven {
            Unproven::RollBack => "then traffic goes back",
            Unproven::Ask => "then a person is asked",
        };
        let longer = match strategy.extend_minutes_max {
            None => "as long again".to_owned(),
            Some(longer) => format!("{} more", minutes(longer)),
        };
        writeln!(
            f,
            "  {} s to settle after each shift\n  a stage that is not proved is watched {longer}, {unproven}",
            strategy.stabilise_seconds
        )?;
        if strategy.stages.iter().any(|stage| stage.approval) {
            let answer = minutes(strategy.approval_minutes_max);
            writeln!(f, "  a person has {answer} to approve, then traffic goes back")?;
        }
        if !self.waived.is_empty() {
            let names: Vec<&str> = self.waived.iter().map(|check| check.as_str()).collect();
            let why = self.override_reason.as_deref().unwrap_or_default();
            writeln!(f, "  {} {}: {why}", styled(WARN, "waived:"), names.join(", "))?;
        }
        Ok(())
    }
}
