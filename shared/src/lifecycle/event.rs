//! What ECS tells a hook, read leniently: a field that is missing or of another type is one that is not known.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::names::EcsName;

/// A call of a lifecycle hook.
#[derive(Clone, Debug, PartialEq)]
pub struct LifecycleEvent {
    /// How far the deployment has come.
    pub stage: LifecycleStage,
    /// The deployment's ARN.
    pub deployment: Option<String>,
    /// The ARN of the revision that is deployed. It stays the same while ECS goes back from it.
    pub target: Option<String>,
    /// What the service's configuration and the answer before have left for this call.
    pub details: Map<String, Value>,
    service: Option<String>,
    test: Option<Weights>,
    production: Option<Weights>,
}

/// The share of traffic of each revision, in percent.
type Weights = BTreeMap<String, f64>;

/// How far a deployment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifecycleStage {
    /// It begins while more than one revision is active.
    ReconcileService,
    /// No new task runs yet.
    PreScaleUp,
    /// The new tasks run, without traffic.
    PostScaleUp,
    /// Test traffic goes over.
    TestTrafficShift,
    /// Test traffic is all with the new tasks.
    PostTestTrafficShift,
    /// Production traffic is about to go over; in steps, before each of them.
    PreProductionTrafficShift,
    /// Production traffic goes over; in steps, at each of them.
    ProductionTrafficShift,
    /// Production traffic is all with the new tasks.
    PostProductionTrafficShift,
    /// One that this suite does not know, by its name; empty if it has none.
    Unknown(String),
}

/// Where a deployment is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the new revision.
    Forward,
    /// To the one before.
    Back,
    /// Not known.
    Unclear,
}

/// An ECS service, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsPlace {
    /// An ARN of it, of its deployment or of its revision.
    pub arn: String,
    /// The cluster.
    pub cluster: EcsName,
    /// The service.
    pub service: EcsName,
}

impl LifecycleEvent {
    /// Reads an event. What describes the deployment stands under `executionDetails`, in older examples at the top.
    pub fn read(event: &Value) -> Self {
        let field = |name: &str| event.get(name).or_else(|| event.get("executionDetails")?.get(name));
        let text = |name: &str| field(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            stage: LifecycleStage::of(&text("lifecycleStage").unwrap_or_default()),
            deployment: text("resourceArn"),
            target: text("targetServiceRevisionArn"),
            details: field("hookDetails").and_then(Value::as_object).cloned().unwrap_or_default(),
            service: text("serviceArn"),
            test: field("testTrafficWeights").and_then(weights),
            production: field("productionTrafficWeights").and_then(weights),
        }
    }

    /// Where the deployment is going.
    ///
    /// There is no stage of its own for a rollback: ECS repeats `TEST_TRAFFIC_SHIFT` and `PRODUCTION_TRAFFIC_SHIFT`, with the
    /// same target, and only the weights differ. There the target has something on the way forward and nothing on the way
    /// back, while another revision has something. At any other stage the weights say nothing: they are empty, or, before a
    /// shift forward, the same as in a rollback.
    pub fn direction(&self) -> Direction {
        match self.stage {
            LifecycleStage::ReconcileService
            | LifecycleStage::PreScaleUp
            | LifecycleStage::PostScaleUp
            | LifecycleStage::PostTestTrafficShift
            | LifecycleStage::PreProductionTrafficShift
            | LifecycleStage::PostProductionTrafficShift => Direction::Forward,
            LifecycleStage::TestTrafficShift => self.heading(self.test.as_ref()),
            LifecycleStage::ProductionTrafficShift => self.heading(self.production.as_ref()),
            LifecycleStage::Unknown(_) => Direction::Unclear,
        }
    }

    fn heading(&self, weights: Option<&Weights>) -> Direction {
        let (Some(weights), Some(target)) = (weights, &self.target) else { return Direction::Unclear };
        let has_traffic = |(_, weight): &(&String, &f64)| **weight > 0.0;
        let mut served = weights.iter().filter(has_traffic).map(|(revision, _)| revision).peekable();
        if served.peek().is_none() {
            Direction::Unclear
        } else if served.any(|revision| revision == target) {
            Direction::Forward
        } else {
            Direction::Back
        }
    }

    /// The call and its repetitions, told from other calls of the same hook for the same deployment: a deployment in steps
    /// comes by the same stage several times, each time with other weights.
    pub fn step(&self) -> String {
        let of_target = |weights: &Option<Weights>| weights.as_ref()?.get(self.target.as_ref()?).copied();
        match of_target(&self.production).or_else(|| of_target(&self.test)) {
            Some(weight) => format!("{} at {weight}%", self.stage),
            None => self.stage.to_string(),
        }
    }

    /// The ECS service, from the first ARN that names it.
    pub fn place(&self) -> Option<EcsPlace> {
        [&self.service, &self.deployment, &self.target]
            .into_iter()
            .flatten()
            .find_map(|arn| EcsPlace::of(arn))
    }

    /// The deployment by the id that ECS gave it; empty if it is not known.
    pub fn deployment_id(&self) -> &str {
        self.deployment.as_deref().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
    }
}

impl EcsPlace {
    /// Reads `arn:aws:ecs:REGION:ACCOUNT:KIND/CLUSTER/SERVICE`, and what may follow.
    fn of(arn: &str) -> Option<Self> {
        let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
        let mut parts = resource.split('/').skip(1);
        let (cluster, service) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { arn: arn.to_owned(), cluster, service })
    }
}

fn weights(value: &Value) -> Option<Weights> {
    let weight = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let all = value.as_object()?.iter();
    all.map(|(revision, value)| Some((revision.clone(), weight(value)?))).collect()
}

impl LifecycleStage {
    fn of(name: &str) -> Self {
        match name {
            "RECONCILE_SERVICE" => Self::ReconcileService,
            "PRE_SCALE_UP" => Self::PreScaleUp,
            "POST_SCALE_UP" => Self::PostScaleUp,
            "TEST_TRAFFIC_SHIFT" => Self::TestTrafficShift,
            "POST_TEST_TRAFFIC_SHIFT" => Self::PostTestTrafficShift,
            "PRE_PRODUCTION_TRAFFIC_SHIFT" => Self::PreProductionTrafficShift,
            "PRODUCTION_TRAFFIC_SHIFT" => Self::ProductionTrafficShift,
            "POST_PRODUCTION_TRAFFIC_SHIFT" => Self::PostProductionTrafficShift,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

impl fmt::Display for LifecycleStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::Unknown(name) if name.is_empty() => "a stage without a name",
            Self::Unknown(name) => name,
        })
    }
}
