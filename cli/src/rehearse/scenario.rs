//! What can be rehearsed: how the new version behaves, what befalls its release, and how that must end.

use ripcord::release::Phase;
use ripcord_rehearsal::traffic::simulated::SimulatedBehaviour;
use serde_json::{Value, json};

/// What to rehearse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// A bad version takes 10 % by hand, trips an alarm, and is rolled back
    Alarm,
    /// A good version passes every stage
    Healthy,
    /// 5 % of the new version's requests fail, too few for the alarm at 10 %
    Errors,
    /// A fifth of the new version's requests take two seconds
    SlowTail,
    /// Nobody calls, so nothing is proved
    NoTraffic,
    /// Metrics come three minutes late, and the release waits for them
    LateMetrics,
    /// The alarm fires, recovers and fires again
    FlappingAlarm,
    /// A person is asked, and does not answer
    ApprovalTimeout,
    /// The function that judges dies whenever it is called
    ValidatorCrash,
    /// Every request to the new version fails
    Broken,
}

/// A release by the state machine, from its beginning to the end that it must have.
pub(super) struct Script {
    /// The command that a person would type.
    pub(super) command: &'static str,
    /// How the release progresses.
    pub(super) progress: Value,
    /// How the new version behaves.
    pub(super) candidate: SimulatedBehaviour,
    /// How many requests there are in a minute of the plan.
    pub(super) requests_per_minute: f64,
    /// What befalls the release.
    pub(super) mishap: Mishap,
    /// How it must end.
    pub(super) end: Phase,
    /// What the ledger must say of why.
    pub(super) because: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    None,
    LateMetrics,
    FlappingAlarm,
    BrokenValidator,
}

impl Scenario {
    /// How the release goes; nothing for the one that is shifted by hand.
    pub(super) fn script(self) -> Option<Script> {
        let healthy = SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() };
        let two_stages = Script {
            command: "ripcord deploy checkout --version 2 --stages 10,50 --stage-duration 3m",
            progress: json!({ "stages": "10,50", "stage_duration": "3m" }),
            candidate: healthy,
            requests_per_minute: super::release::REQUESTS_PER_MINUTE,
            mishap: Mishap::None,
            end: Phase::RolledBack,
            because: "",
        };
        Some(match self {
            Self::Alarm => return None,
            Self::Healthy => {
                Script { end: Phase::Complete, because: "proved itself in every stage", ..two_stages }
            }
            Self::Errors => Script {
                candidate: SimulatedBehaviour { error_rate: 0.05, ..healthy },
                because: "given up in stage 1: errors",
                ..two_stages
            },
            Self::SlowTail => Script {
                candidate: SimulatedBehaviour { slow_rate: 0.2, slow_ms: 2_000.0, ..healthy },
                because: "requests over 500 ms",
                ..two_stages
            },
            Self::NoTraffic => {
                Script { requests_per_minute: 0.0, because: "still not proved after", ..two_stages }
            }
            Self::LateMetrics => Script {
                mishap: Mishap::LateMetrics,
                command: "ripcord deploy checkout --version 2 --stages 50 --stage-duration 5m",
                progress: json!({ "stages": "50", "stage_duration": "5m" }),
                end: Phase::Complete,
                because: "proved itself in every stage",
                ..two_stages
            },
            Self::FlappingAlarm => Script {
                mishap: Mishap::FlappingAlarm,
                because: "alarm checkout-error-rate fired",
                ..two_stages
            },
            Self::ApprovalTimeout => Script {
                command: "ripcord deploy checkout --version 2 --stages 50 --stage-duration 2m \\\n              --no-auto-promote --approval-timeout 5m",
                progress: json!({
                    "stages": "50", "stage_duration": "2m", "no_auto_promote": true, "approval_timeout": "5m",
                }),
                because: "States.Timeout",
                ..two_stages
            },
            Self::ValidatorCrash => {
                Script { mishap: Mishap::BrokenValidator, because: "given up in stage 1", ..two_stages }
            }
            Self::Broken => {
                Script { candidate: SimulatedBehaviour { error_rate: 1.0, ..healthy }, ..two_stages }
            }
        })
    }
}
