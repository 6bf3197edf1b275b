//! What a service has been through before a rehearsal begins.

use super::{SERVICE, Stage};
use crate::{LocalAws, alarms::definition::MetricId};
use jiff::Timestamp;

const MINUTES: u32 = 24 * 60;

impl Stage {
    /// Writes a day of steady, healthy traffic to the example's alias into its metrics: so many requests a minute of a plan.
    /// It stands for the users of yesterday, whom nobody can wait for.
    pub fn a_day_of_traffic(&self, local: &LocalAws, requests_per_minute: f64) {
        let resource = format!("{SERVICE}:live");
        let now = Timestamp::now();
        for (name, value) in [("Invocations", requests_per_minute), ("Errors", 0.0)] {
            let metric =
                MetricId::new("AWS/Lambda", name, &[("FunctionName", SERVICE), ("Resource", &resource)]);
            for minute in 1..=MINUTES {
                if let Ok(time) = now.checked_sub(local.minute() * minute) {
                    local.metrics().publish(&metric, time, value);
                }
            }
        }
    }
}
