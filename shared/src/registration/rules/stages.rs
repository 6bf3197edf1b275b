//! The rules for how releases run: stages, limits, and the policy around them. A strategy that is given with a release
//! keeps to the same ones.

use super::Violation;
use crate::names::Weight;
use crate::registration::{Limits, Registration, Stage};
use crate::strategy::is_preset;

const STAGES_MAX: usize = 50;
/// CloudWatch keeps minutes for fifteen days, and a bake may be extended by as much again.
const BAKE_MINUTES_MAX: u32 = 7 * 24 * 60;
/// A person who has not approved within two weeks will not.
const APPROVAL_MINUTES_MAX: u32 = 14 * 24 * 60;
const STABILISE_SECONDS_MAX: u32 = 3600;

impl Registration {
    pub(super) fn check_release(&self, violations: &mut Vec<Violation>) {
        check_stages("stages", &self.stages, violations);
        check_limits("limits", &self.limits, violations);
        let policy = &self.release;
        if let Some(name) = policy.strategy.as_ref().filter(|name| !is_preset(name)) {
            violations.push(Violation::new(
                "release.strategy",
                format!("{name:?}"),
                crate::strategy::preset_rule(),
            ));
        }
        if let Some(name) = policy.strategy.as_ref().filter(|_| !self.stages.is_empty()) {
            let rule = "either a strategy or stages, not both";
            violations.push(Violation::new("release.strategy", format!("{name:?}"), rule));
        }
        let ranges = [
            ("stabilise_seconds", policy.stabilise_seconds, 0, STABILISE_SECONDS_MAX),
            ("extend_minutes_max", policy.extend_minutes_max.unwrap_or(0), 0, BAKE_MINUTES_MAX),
            ("approval_minutes_max", policy.approval_minutes_max, 1, APPROVAL_MINUTES_MAX),
        ];
        for (field, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                let rule = format!("between {min} and {max}");
                violations.push(Violation::new(format!("release.{field}"), value, rule));
            }
        }
        for (index, queue) in self.dead_letter_queues.iter().enumerate() {
            let is_name = (1..=80).contains(&queue.len())
                && queue.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c));
            if !is_name {
                let rule = "the name of an SQS queue, not its address or ARN";
                violations.push(Violation::new(
                    format!("dead_letter_queues[{index}]"),
                    format!("{queue:?}"),
                    rule,
                ));
            }
        }
    }
}

/// The rules for a list of stages; `field` is where it stands.
pub(crate) fn check_stages(field: &str, stages: &[Stage], violations: &mut Vec<Violation>) {
    if stages.len() > STAGES_MAX {
        let rule = format!("at most {STAGES_MAX}");
        violations.push(Violation::new(field, format!("{} long", stages.len()), rule));
    }
    let mut before = Weight::NONE;
    for (index, Stage { weight, bake_minutes, limits, .. }) in stages.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if *weight == Weight::NONE {
            let rule = "above 0%: a stage without traffic shows nothing";
            violations.push(Violation::new(format!("{field}.weight"), weight, rule));
        } else if *weight <= before {
            let rule = format!("weights rise from stage to stage, and the one before is {before}");
            violations.push(Violation::new(format!("{field}.weight"), weight, rule));
        }
        before = *weight;
        if !(1..=BAKE_MINUTES_MAX).contains(bake_minutes) {
            let rule = format!(
                "a stage is watched for 1 to {BAKE_MINUTES_MAX} minutes: CloudWatch's periods are a minute long"
            );
            violations.push(Violation::new(format!("{field}.bake_minutes"), bake_minutes, rule));
        }
        check_limits(&format!("{field}.limits"), limits, violations);
    }
}

/// The rules for limits; `field` is where they stand.
pub(crate) fn check_limits(field: &str, limits: &Limits, violations: &mut Vec<Violation>) {
    let shares = [("error_rate_max", limits.error_rate_max), ("slow_rate_max", limits.slow_rate_max)];
    for (name, rate) in shares {
        if let Some(rate) = rate.filter(|rate| !(*rate > 0.0 && *rate < 1.0)) {
            let rule =
                "a share of requests above 0 and below 1 (zero cannot be shown from finitely many requests)";
            violations.push(Violation::new(format!("{field}.{name}"), rate, rule));
        }
    }
    if let Some(latency) = limits.latency_ms_max.filter(|latency| !(1..=900_000).contains(latency)) {
        let rule = "1 to 900,000 ms, the longest that a function may run";
        violations.push(Violation::new(format!("{field}.latency_ms_max"), latency, rule));
    }
    if limits.slow_rate_max.is_some() && limits.latency_ms_max.is_none() {
        let rule = "needs latency_ms_max beside it, which says what slow means";
        violations.push(Violation::new(
            format!("{field}.slow_rate_max"),
            limits.slow_rate_max.unwrap_or_default(),
            rule,
        ));
    }
}
