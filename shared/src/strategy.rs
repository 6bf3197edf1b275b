//! How a release progresses: presets by name, the stages of a registration, or stages given with the release. All of them
//! resolve to the same data, which the ledger keeps with the release: a change of the registration changes no release that
//! is under way.

use serde::{Deserialize, Serialize};

use crate::names::Weight;
use crate::registration::{Limits, Registration, Stage, Unproven, Violation, check_limits, check_stages};

mod presets;

pub use presets::{Preset, is_preset, preset_rule, presets};

/// A strategy in which nothing is left to look up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// What people call it.
    pub name: String,
    /// Its stages; the last one has all traffic.
    pub stages: Vec<PlannedStage>,
    /// After each shift, so many seconds of metrics are left out.
    pub stabilise_seconds: u32,
    /// How much longer than its bake a stage may be watched; without a number, as long as its bake again.
    pub extend_minutes_max: Option<u32>,
    /// What follows when it has proved nothing then.
    pub unproven: Unproven,
    /// How long a person has to approve.
    pub approval_minutes_max: u32,
    /// How often a stage is looked at, in minutes.
    pub look_minutes: u32,
}

/// A stage with its limits resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStage {
    /// The candidate's share.
    pub weight: Weight,
    /// How long it is watched at least.
    pub bake_minutes: u32,
    /// What it must keep to.
    pub limits: Limits,
    /// Whether a person must approve before it begins.
    pub approval: bool,
}

/// What a release says of how it wants to progress; the words are those of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StrategyChoice {
    /// A preset, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Percentages, like `5,10,25`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<String>,
    /// How long each is watched, like `15m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_duration: Option<String>,
    /// Whether a person must approve each further stage.
    pub no_auto_promote: bool,
    /// How long a person has for that, like `4h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_timeout: Option<String>,
}

/// Without a limit of its own a service may fail one request in twenty.
const ERROR_RATE_MAX: f64 = 0.05;
/// A latency limit without a share is a 95th percentile.
const SLOW_RATE_MAX: f64 = 0.05;
/// What stages without a duration are watched for.
const STAGE_MINUTES: u32 = 10;
/// A Step Functions execution has at most 25,000 events, and a look takes nine.
const LOOKS_MAX: u32 = 1_500;

impl Strategy {
    /// The strategy that a release asks for, or else its service's.
    pub fn resolve(choice: &StrategyChoice, registration: &Registration) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let policy = &registration.release;
        let Chosen { name, stages, stabilise_seconds } = choose(choice, registration, &mut violations);
        check_stages("stages", &stages, &mut violations);
        check_limits("limits", &registration.limits, &mut violations);
        let approval_minutes_max = match &choice.approval_timeout {
            None => policy.approval_minutes_max,
            Some(text) => minutes("approval_timeout", text, &mut violations),
        };
        let extend_minutes_max = policy.extend_minutes_max;
        let stages = with_all_traffic(stages);
        let is_only = stages.len() == 1;
        let stages: Vec<PlannedStage> = stages
            .into_iter()
            .enumerate()
            .map(|(index, stage)| PlannedStage {
                weight: stage.weight,
                bake_minutes: stage.bake_minutes,
                limits: resolved(&stage.limits, &registration.limits),
                // With one stage there is no further one to approve, so the first one is.
                approval: stage.approval || (choice.no_auto_promote && (index > 0 || is_only)),
            })
            .collect();
        if !violations.is_empty() {
            return Err(violations);
        }
        let look_minutes = look_minutes(&stages, extend_minutes_max);
        Ok(Self {
            name,
            stages,
            stabilise_seconds: stabilise_seconds.unwrap_or(policy.stabilise_seconds),
            extend_minutes_max,
            unproven: policy.unproven,
            approval_minutes_max,
            look_minutes,
        })
    }

    /// What the judge is told of a deployment that another service shifts: after the shift, one stage with all traffic, which
    /// is watched for as long as its hook may take and then answered. Its steps before are none of ours to judge.
    pub fn of_hook(registration: &Registration) -> Self {
        let policy = &registration.release;
        Self {
            name: "hook".to_owned(),
            stages: vec![PlannedStage {
                weight: Weight::ALL,
                bake_minutes: registration.hooks.watch_minutes,
                limits: resolved(&Limits::default(), &registration.limits),
                approval: false,
            }],
            stabilise_seconds: policy.stabilise_seconds,
            extend_minutes_max: Some(0),
            unproven: policy.unproven,
            approval_minutes_max: policy.approval_minutes_max,
            look_minutes: 1,
        }
    }

    /// For how many minutes a stage may be watched at most.
    pub fn watched_minutes_max(&self, stage: &PlannedStage) -> u32 {
        stage.bake_minutes.saturating_add(self.extend_minutes_max.unwrap_or(stage.bake_minutes))
    }
}

struct Chosen {
    name: String,
    stages: Vec<Stage>,
    stabilise_seconds: Option<u32>,
}

fn choose(choice: &StrategyChoice, registration: &Registration, violations: &mut Vec<Violation>) -> Chosen {
    let duration = choice.stage_duration.as_ref().map(|text| minutes("stage_duration", text, violations));
    let plain = |name: &str, stages| Chosen { name: name.to_owned(), stages, stabilise_seconds: None };
    if let Some(list) = &choice.stages {
        if let Some(name) = &choice.strategy {
            let rule = "give either a strategy or stages";
            violations.push(Violation::new("strategy", format!("{name:?}"), rule));
        }
        return plain("custom", custom(list, duration.unwrap_or(STAGE_MINUTES), violations));
    }
    let named = choice.strategy.as_ref().or(registration.release.strategy.as_ref());
    let mut chosen = match named.map(|name| (name, presets().into_iter().find(|preset| preset.name == name)))
    {
        Some((_, Some(preset))) => Chosen {
            name: preset.name.to_owned(),
            stages: preset.stages(),
            stabilise_seconds: preset.stabilise_seconds,
        },
        Some((name, None)) => {
            violations.push(Violation::new("strategy", format!("{name:?}"), preset_rule()));
            plain(name, Vec::new())
        }
        None if registration.stages.is_empty() => {
            let preset = presets::standard();
            plain(preset.name, preset.stages())
        }
        None => plain("registered", registration.stages.clone()),
    };
    if let Some(minutes) = duration {
        chosen.stages.iter_mut().for_each(|stage| stage.bake_minutes = minutes);
    }
    chosen
}

/// Stages as people write them: percentages, rising.
fn custom(list: &str, bake_minutes: u32, violations: &mut Vec<Violation>) -> Vec<Stage> {
    let mut stages = Vec::new();
    for (index, part) in list.split(',').enumerate() {
        let part = part.trim().trim_end_matches('%');
        let share = part.parse::<f64>().ok().map(|percent| percent / 100.0);
        match share.and_then(|share| Weight::from_share(share).ok()) {
            Some(weight) => {
                stages.push(Stage { weight, bake_minutes, limits: Limits::default(), approval: false });
            }
            None => violations.push(Violation::new(
                format!("stages[{index}]"),
                format!("{part:?}"),
                "a percentage above 0 and up to 100",
            )),
        }
    }
    stages
}

/// A release ends with all traffic on the candidate, and that stage is watched, too.
fn with_all_traffic(mut stages: Vec<Stage>) -> Vec<Stage> {
    if let Some(last) = stages.last().filter(|last| last.weight != Weight::ALL) {
        let all = Stage { weight: Weight::ALL, limits: Limits::default(), approval: false, ..last.clone() };
        stages.push(all);
    }
    stages
}

fn resolved(stage: &Limits, service: &Limits) -> Limits {
    let limits = stage.or(service);
    Limits {
        error_rate_max: limits.error_rate_max.or(Some(ERROR_RATE_MAX)),
        slow_rate_max: limits.slow_rate_max.or(limits.latency_ms_max.map(|_| SLOW_RATE_MAX)),
        ..limits
    }
}

fn look_minutes(stages: &[PlannedStage], extend_minutes_max: Option<u32>) -> u32 {
    let watched = |stage: &PlannedStage| {
        stage.bake_minutes.saturating_add(extend_minutes_max.unwrap_or(stage.bake_minutes))
    };
    stages.iter().map(watched).fold(0, u32::saturating_add).div_ceil(LOOKS_MAX).max(1)
}

/// A duration as people write it: `15m`, `2h`, `1d`, or a number of minutes.
fn minutes(field: &str, text: &str, violations: &mut Vec<Violation>) -> u32 {
    let (number, unit_seconds) = match text.char_indices().last() {
        Some((end, 's')) => (text.get(..end), 1),
        Some((end, 'm')) => (text.get(..end), 60),
        Some((end, 'h')) => (text.get(..end), 3_600),
        Some((end, 'd')) => (text.get(..end), 86_400),
        Some(_) => (Some(text), 60),
        None => (None, 60),
    };
    let seconds =
        number.and_then(|number| number.parse::<u32>().ok()).and_then(|n| n.checked_mul(unit_seconds));
    match seconds {
        Some(seconds) if seconds >= 60 && seconds % 60 == 0 => seconds / 60,
        Some(_) => {
            let rule = "whole minutes, at least one: CloudWatch's periods are a minute long";
            violations.push(Violation::new(field, format!("{text:?}"), rule));
            1
        }
        None => {
            let rule = "a duration such as 15m, 2h or 1d";
            violations.push(Violation::new(field, format!("{text:?}"), rule));
            1
        }
    }
}

#[cfg(test)]
mod tests;
