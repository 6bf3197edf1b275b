//! The rules for what hooks do.

use std::collections::BTreeSet;

use super::checks::check_health;
use super::{TARGETS_MAX, Violation};
use crate::registration::Registration;

/// The first minute of all traffic is whole, and CloudWatch has its numbers, when four are over.
const WATCH_MINUTES_MIN: u32 = 5;
/// A function lives for 15 minutes, and needs some of them for the checks before and for the answer after.
const WATCH_MINUTES_MAX: u32 = 13;

impl Registration {
    pub(super) fn check_hooks(&self, violations: &mut Vec<Violation>) {
        let minutes = self.hooks.watch_minutes;
        if minutes != 0 && !(WATCH_MINUTES_MIN..=WATCH_MINUTES_MAX).contains(&minutes) {
            let rule = format!(
                "0, or between {WATCH_MINUTES_MIN} and {WATCH_MINUTES_MAX}: the first numbers take four minutes to come, and the function that watches lives for 15"
            );
            violations.push(Violation::new("hooks.watch_minutes", minutes, rule));
        }
        let services = &self.hooks.ecs_services;
        if services.len() > TARGETS_MAX {
            let (count, rule) = (services.len(), format!("at most {TARGETS_MAX}"));
            violations.push(Violation::new("hooks.ecs_services", format!("{count} long"), rule));
        }
        let mut seen = BTreeSet::new();
        for (index, service) in services.iter().enumerate() {
            let field = format!("hooks.ecs_services[{index}]");
            if !seen.insert((&service.cluster, &service.service)) {
                let named = format!("{}/{}", service.cluster, service.service);
                violations.push(Violation::new(&field, named, "an ECS service is named once"));
            }
            if let Some(health) = &service.health {
                check_health(&format!("{field}.health"), health, violations);
            }
        }
    }
}
