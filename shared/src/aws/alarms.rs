//! The states of alarms, by name.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use futures_util::future::try_join_all;

use super::{Aws, CallFailed};
use crate::preflight::GuardState;
use crate::signal::AlarmState;

/// CloudWatch takes no more names in one call.
const NAMES_MAX: usize = 100;
/// It answers a hundred alarms a page; so many pages for a hundred names would be a fault of its own.
const PAGES_MAX: usize = 10;

impl Aws {
    /// The metric and composite alarms of these names; those that do not exist are not among them.
    pub async fn alarms(&self, names: &[String]) -> Result<Vec<GuardState>, CallFailed> {
        let batches = try_join_all(names.chunks(NAMES_MAX).map(|batch| self.alarm_batch(batch))).await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn alarm_batch(&self, names: &[String]) -> Result<Vec<GuardState>, CallFailed> {
        let mut found = BTreeMap::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let call = self
                .cloudwatch
                .describe_alarms()
                .set_alarm_names(Some(names.to_vec()))
                // Without this CloudWatch leaves composite alarms out.
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(next);
            let page = call
                .send()
                .await
                .map_err(|error| CallFailed::new("cloudwatch:DescribeAlarms", subject(names), &error))?;
            let metric = page.metric_alarms().iter().map(|alarm| GuardState {
                name: alarm.alarm_name().unwrap_or_default().to_owned(),
                arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
                state: alarm.state_value().and_then(state),
                actions_enabled: alarm.actions_enabled().unwrap_or(true),
                suppressed_by: None,
            });
            let composite = page.composite_alarms().iter().map(|alarm| GuardState {
                name: alarm.alarm_name().unwrap_or_default().to_owned(),
                arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
                state: alarm.state_value().and_then(state),
                actions_enabled: alarm.actions_enabled().unwrap_or(true),
                suppressed_by: alarm
                    .actions_suppressed_by()
                    .map(|by| format!("{} ({by})", alarm.actions_suppressor().unwrap_or("its suppressor"))),
            });
            found.extend(metric.chain(composite).map(|alarm| (alarm.arn.clone(), alarm)));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(found.into_values().collect());
            }
        }
        Err(CallFailed {
            call: "cloudwatch:DescribeAlarms",
            subject: subject(names),
            why: format!("the answer has more than {PAGES_MAX} pages"),
        })
    }
}

fn subject(names: &[String]) -> String {
    names.join(", ")
}

fn state(value: &StateValue) -> Option<AlarmState> {
    if *value == StateValue::Alarm {
        Some(AlarmState::Alarm)
    } else if *value == StateValue::Ok {
        Some(AlarmState::Ok)
    } else if *value == StateValue::InsufficientData {
        Some(AlarmState::InsufficientData)
    } else {
        None
    }
}
