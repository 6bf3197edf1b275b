//! What the weight shifter is asked: `{service, release, weight}` from a pipeline, or explicit weights from a person.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Refusal;
use crate::names::{Generation, ServiceName, TargetName, Weight};
use crate::pipeline::ReleaseRequest;
use crate::traffic::WeightList;

/// A request to move traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct ShiftRequest {
    /// The service.
    pub service: ServiceName,
    /// The target; may be left out where there is only one.
    pub target: Option<TargetName>,
    /// Where traffic is to go.
    pub ask: Ask,
    /// Who asks.
    pub requested_by: Option<String>,
    /// Why a quarantine or a hold is to be ignored; recorded and told.
    pub override_reason: Option<String>,
    /// Whether a configuration is brought to everybody at once, whatever its strategy.
    pub at_once: bool,
}

/// Where traffic is to go.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The candidate of an open release to a share.
    Stage {
        /// The release.
        release: Generation,
        /// The share.
        weight: Weight,
    },
    /// Versions and their shares; opens a release if none is open.
    Weights(WeightList),
    /// A state machine opens a release. No traffic moves yet.
    Open {
        /// What it was started with.
        request: Box<ReleaseRequest>,
        /// Its ARN.
        execution: String,
    },
    /// A state machine takes its release to a stage; one past the last completes it.
    Advance {
        /// The release.
        release: Generation,
        /// The stage, from 0.
        stage: usize,
        /// Who approved it.
        approved_by: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    service: ServiceName,
    target: Option<TargetName>,
    release: Option<Generation>,
    weight: Option<Weight>,
    weights: Option<String>,
    stage: Option<usize>,
    approved_by: Option<String>,
    requested_by: Option<String>,
    #[serde(rename = "override")]
    override_reason: Option<String>,
    #[serde(default)]
    at_once: bool,
}

/// What the state machine sends to open its release.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    open: ReleaseRequest,
    execution: String,
}

fn read<T: DeserializeOwned>(event: &Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(event)
        .map_err(|error| Refusal::Malformed { why: format!("{}: {}", error.path(), error.inner()) })
}

impl ShiftRequest {
    /// Reads a request.
    pub fn read(event: &Value) -> Result<Self, Refusal> {
        if event.get("open").is_some() {
            return Self::read_opening(event);
        }
        let document: Document = read(event)?;
        let ask = match (document.release, document.weight, document.stage, document.weights) {
            (Some(release), Some(weight), None, None) => Ask::Stage { release, weight },
            (None, None, None, Some(weights)) => Ask::Weights(weights.parse()?),
            (Some(release), None, Some(stage), None) => {
                Ask::Advance { release, stage, approved_by: document.approved_by }
            }
            (_, _, _, _) => {
                let why = "give either release and weight, or weights like 1:90,2:10".to_owned();
                return Err(Refusal::Malformed { why });
            }
        };
        if document.at_once && !matches!(ask, Ask::Weights(_)) {
            let why = "at_once goes with weights alone".to_owned();
            return Err(Refusal::Malformed { why });
        }
        Ok(Self {
            service: document.service,
            target: document.target,
            at_once: document.at_once,
            ask,
            requested_by: document.requested_by,
            override_reason: document.override_reason,
        })
    }

    fn read_opening(event: &Value) -> Result<Self, Refusal> {
        let Opening { open, execution } = read(event)?;
        Ok(Self {
            service: open.service.clone(),
            target: open.target.clone(),
            requested_by: open.requested_by.clone(),
            override_reason: open.override_reason.clone(),
            at_once: false,
            ask: Ask::Open { request: Box::new(open), execution },
        })
    }
}
