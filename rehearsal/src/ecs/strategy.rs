//! How a deployment goes: the stages of its strategy, how long each lasts, and what the target has by its end. Nothing of
//! AWS says how long tasks take to start, so those durations are made up; the bake times are the service's own.

use serde_json::Value;
use std::time::Duration;

const SCALE_UP: Duration = Duration::from_secs(60);
const ROLLING: Duration = Duration::from_secs(240);
const ROLLING_STEPS: u32 = 4;
const CLEAN_UP: Duration = Duration::from_secs(30);
/// A linear shift of 3 % has 33 steps; no strategy has more than a hundred.
const STEPS_MAX: u32 = 100;

/// One stage; what it gives the target, it gives as it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) stage: Option<&'static str>,
    pub(super) lasts: Duration,
    pub(super) weight_percent: f64,
    pub(super) running_percent: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strategy {
    pub(super) steps: Vec<Step>,
}

impl Strategy {
    /// Reads it from a service.
    pub(super) fn of(service: &Value) -> Self {
        let number = |path: &str| service.pointer(path).and_then(Value::as_f64);
        let minutes = |path: &str| Duration::from_secs_f64(60.0 * number(path).unwrap_or_default().max(0.0));
        let at = "/deploymentConfiguration";
        let shifts = match service.pointer(&format!("{at}/strategy")).and_then(Value::as_str) {
            Some("BLUE_GREEN") => Vec::new(),
            Some("CANARY") => {
                let percent = number(&format!("{at}/canaryConfiguration/canaryPercent")).unwrap_or(5.0);
                vec![(percent, minutes(&format!("{at}/canaryConfiguration/canaryBakeTimeInMinutes")))]
            }
            Some("LINEAR") => {
                let percent = number(&format!("{at}/linearConfiguration/stepPercent")).unwrap_or(10.0);
                let bake = minutes(&format!("{at}/linearConfiguration/stepBakeTimeInMinutes"));
                let shares = (1..STEPS_MAX).map(|step| percent * f64::from(step));
                shares.take_while(|share| *share > 0.0 && *share < 100.0).map(|share| (share, bake)).collect()
            }
            Some(_) | None => {
                let grace = number("/healthCheckGracePeriodSeconds").unwrap_or_default().max(0.0);
                return Self::rolling(Duration::from_secs_f64(grace));
            }
        };
        let bake = minutes(&format!("{at}/bakeTimeInMinutes"));
        Self::shifting(&shifts, bake)
    }

    /// Tasks that a load balancer watches count only after their grace period.
    fn rolling(grace: Duration) -> Self {
        let lasts = (ROLLING + grace) / ROLLING_STEPS;
        let steps = (0..ROLLING_STEPS).map(|step| Step {
            stage: None,
            lasts,
            weight_percent: 0.0,
            running_percent: u64::from(step) * 100 / u64::from(ROLLING_STEPS),
        });
        Self { steps: steps.collect() }
    }

    fn shifting(shifts: &[(f64, Duration)], bake: Duration) -> Self {
        let step = |stage, lasts, weight_percent, running_percent| Step {
            stage: Some(stage),
            lasts,
            weight_percent,
            running_percent,
        };
        let mut steps = vec![step("SCALE_UP", SCALE_UP, 0.0, 0)];
        steps.extend(
            shifts.iter().map(|(percent, lasts)| step("PRODUCTION_TRAFFIC_SHIFT", *lasts, *percent, 100)),
        );
        steps.push(step("BAKE_TIME", bake, 100.0, 100));
        steps.push(step("CLEAN_UP", CLEAN_UP, 100.0, 100));
        Self { steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canary_has_its_share_for_its_bake_time() {
        let service = json!({"deploymentConfiguration": {
            "strategy": "CANARY",
            "bakeTimeInMinutes": 2,
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5},
        }});
        let seen: Vec<_> = Strategy::of(&service)
            .steps
            .iter()
            .map(|step| (step.stage, step.weight_percent, step.lasts.as_secs()))
            .collect();
        assert_eq!(
            seen,
            [
                (Some("SCALE_UP"), 0.0, 60),
                (Some("PRODUCTION_TRAFFIC_SHIFT"), 10.0, 300),
                (Some("BAKE_TIME"), 100.0, 120),
                (Some("CLEAN_UP"), 100.0, 30),
            ]
        );
    }

    #[test]
    fn a_linear_shift_stops_short_of_all() {
        let service = json!({"deploymentConfiguration": {
            "strategy": "LINEAR",
            "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1},
        }});
        let shares: Vec<f64> = Strategy::of(&service).steps.iter().map(|step| step.weight_percent).collect();
        assert_eq!(shares, [0.0, 25.0, 50.0, 75.0, 100.0, 100.0]);
    }

    #[test]
    fn a_rolling_deployment_waits_for_its_grace_period() {
        let plain = Strategy::of(&json!({}));
        let graceful = Strategy::of(&json!({"healthCheckGracePeriodSeconds": 60}));
        let total = |strategy: &Strategy| strategy.steps.iter().map(|step| step.lasts.as_secs()).sum::<u64>();
        assert_eq!((total(&plain), total(&graceful)), (240, 300));
    }
}
