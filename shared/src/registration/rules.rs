//! The rules that a registration keeps to, beyond the types of its fields. Each violation names the field, the value
//! and the rule, and all are reported at once.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::Serialize;

use super::Registration;
use crate::names::AlarmArn;
use crate::place::{LambdaAlias, Place};
use crate::shift::PIN_SUFFIX;

mod checks;
mod hooks;
mod metrics;
mod reach;
mod stages;

pub(crate) use stages::{check_limits, check_stages};

/// A field whose value breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field} is {value}: {rule}")]
pub struct Violation {
    /// The field, as a path.
    pub field: String,
    /// Its value.
    pub value: String,
    /// The rule that the value breaks.
    pub rule: String,
}

impl Violation {
    pub(crate) fn new(field: impl Into<String>, value: impl Display, rule: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.to_string(), rule: rule.into() }
    }

    /// What serde found: the field by its path, the value and the rule in serde's words.
    pub(super) fn from_json(path: impl Display, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let rule = error.to_string();
        // The place is part of the value here, so it need not stand in the rule as well.
        let rule = rule.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&rule);
        Self::new(path.to_string(), format!("not valid (line {line}, column {column})"), rule)
    }
}

const TARGETS_MAX: usize = 10;
/// A registration is one transaction of at most 100 items: its guards, those that it drops, and a few more.
const GUARDS_MAX: usize = 40;
/// Evidence is kept for 90 days, and no alarm two weeks after a release is that release's.
const WINDOW_HOURS_MAX: u32 = 14 * 24;
const QUARANTINE_HOURS_MAX: u32 = 90 * 24;

impl Registration {
    /// Every rule that the document breaks.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        self.check_targets(&mut violations);
        self.check_guards(&mut violations);
        self.check_release(&mut violations);
        self.check_policy(&mut violations);
        self.check_barriers(&mut violations);
        self.check_preflight(&mut violations);
        self.check_metrics(&mut violations);
        self.check_hooks(&mut violations);
        violations
    }

    fn check_targets(&self, violations: &mut Vec<Violation>) {
        let count = self.targets.len();
        let least = usize::from(self.hooks.ecs_services.is_empty());
        if !(least..=TARGETS_MAX).contains(&count) {
            violations.push(Violation::new(
                "targets",
                format!("{count} long"),
                format!("a service has 1 to {TARGETS_MAX}"),
            ));
        }
        let mut names = BTreeSet::new();
        let mut places = BTreeSet::new();
        for (index, target) in self.targets.iter().enumerate() {
            if !names.insert(&target.name) {
                violations.push(Violation::new(
                    format!("targets[{index}].name"),
                    &target.name,
                    "names are unique",
                ));
            }
            if !places.insert((target.place.to_string(), &target.reach)) {
                violations.push(Violation::new(
                    format!("targets[{index}]"),
                    &target.place,
                    "a place belongs to one target",
                ));
            }
            violations.extend(target.reach.violations(&format!("targets[{index}]")));
            if let Some(LambdaAlias { alias, .. }) = target.lambda()
                && alias.as_str().ends_with(PIN_SUFFIX)
            {
                violations.push(Violation::new(
                    format!("targets[{index}].alias"),
                    alias,
                    format!("names that end in {PIN_SUFFIX} are for the aliases that pin rollback targets"),
                ));
            }
            if let Place::StateMachineAlias(alias) = &target.place
                && let Some(rule) = alias.violation()
            {
                let field = format!("targets[{index}].state_machine_alias");
                violations.push(Violation::new(field, &alias.state_machine_alias, rule));
            }
            if let Place::LoadBalancer(forward) = &target.place {
                let broken = forward.violations(target.reach.region.as_ref()).into_iter();
                violations.extend(broken.map(|(field, value, rule)| {
                    Violation::new(format!("targets[{index}].{field}"), value, rule)
                }));
            }
        }
    }

    fn check_guards(&self, violations: &mut Vec<Violation>) {
        let count = self.guards.len();
        if !(1..=GUARDS_MAX).contains(&count) {
            let rule =
                format!("1 to {GUARDS_MAX} alarms guard a service; without one nothing pulls the cord");
            violations.push(Violation::new("guards", format!("{count} long"), rule));
        }
        let mut seen = BTreeSet::new();
        for (index, guard) in self.guards.iter().enumerate() {
            let field = format!("guards[{index}].alarm");
            if guard.alarm.starts_with("arn:") {
                if let Err(invalid) = guard.alarm.parse::<AlarmArn>() {
                    violations.push(Violation::new(&field, format!("{:?}", guard.alarm), invalid.rule));
                }
            } else if guard.alarm.is_empty() || guard.alarm.chars().count() > 255 {
                violations.push(Violation::new(
                    &field,
                    format!("{:?}", guard.alarm),
                    "an alarm's name has 1 to 255 characters",
                ));
            }
            if !seen.insert(&guard.alarm) {
                violations.push(Violation::new(
                    &field,
                    format!("{:?}", guard.alarm),
                    "an alarm is named once",
                ));
            }
        }
    }

    fn check_policy(&self, violations: &mut Vec<Violation>) {
        let policy = &self.rollback;
        let ranges = [
            ("window_hours", policy.window_hours, 1, WINDOW_HOURS_MAX),
            ("rollbacks_max", policy.rollbacks_max, 1, 100),
            ("rollbacks_window_minutes", policy.rollbacks_window_minutes, 1, 7 * 24 * 60),
            ("quarantine_hours", policy.quarantine_hours, 0, QUARANTINE_HOURS_MAX),
        ];
        for (field, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                violations.push(Violation::new(
                    format!("rollback.{field}"),
                    value,
                    format!("between {min} and {max}"),
                ));
            }
        }
    }

    fn check_barriers(&self, violations: &mut Vec<Violation>) {
        for (index, barrier) in self.barriers.iter().enumerate() {
            if self.target(&barrier.target).is_none() {
                violations.push(Violation::new(
                    format!("barriers[{index}].target"),
                    &barrier.target,
                    "names a target of the service",
                ));
            }
            let target = self.target(&barrier.target).map(|target| &target.place);
            let orders = |place: &Place| {
                place.has_ordered_versions() && place.has_versions_like(barrier.since_version)
            };
            if target.is_some_and(|place| !orders(place)) {
                violations.push(Violation::new(
                    format!("barriers[{index}].since_version"),
                    barrier.since_version,
                    "is a version of the target, and of a target whose later versions are greater",
                ));
            }
            if barrier.reason.trim().is_empty() {
                let rule = "says what was migrated, because that is read at three in the morning";
                violations.push(Violation::new(
                    format!("barriers[{index}].reason"),
                    format!("{:?}", barrier.reason),
                    rule,
                ));
            }
        }
    }
}
