//! A service of ECS. Its versions are task definitions, `FAMILY:REVISION`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{Arn, EcsName, Version, Weight};
use crate::traffic::Traffic;

#[cfg(test)]
mod tests;
mod way;

pub use way::way;

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The cluster.
    pub cluster: EcsName,
    /// The service.
    pub service: EcsName,
    /// Whether tasks of the candidate that do not stop by themselves are stopped on the way back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_stuck_tasks: bool,
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether it is there to be deployed to.
    pub life: Life,
    /// Who moves it.
    pub controller: Controller,
    /// How ECS moves it.
    pub manner: Manner,
    /// How many tasks it should have.
    pub desired_count: u32,
    /// Its newest deployment; none where CodeDeploy or another moves task sets.
    pub primary: Option<Rollout>,
    /// Those that the newest replaces.
    pub others: Vec<Rollout>,
    /// The service deployment that has not ended.
    pub flight: Option<Flight>,
    /// What is known of the task definitions that it may go back to.
    pub definitions: Vec<Definition>,
    /// Tasks of other task definitions than the newest deployment's, once that has all of its own.
    pub left_over: Vec<Task>,
}

/// Whether a service is there to be deployed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It is.
    Active,
    /// It is being deleted.
    Draining,
    /// It was deleted.
    Inactive,
}

/// Who moves a service from one task definition to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// ECS itself.
    Ecs,
    /// CodeDeploy.
    CodeDeploy,
    /// Somebody else, or somebody whom nobody knew when this was written.
    Other(String),
}

/// How ECS moves a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Task after task.
    Rolling,
    /// With both sets of tasks and shifted traffic: blue/green, canary or linear, as ECS names it.
    Shifting(String),
}

/// The tasks of one deployment, as the service lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The task definition.
    pub version: Version,
    /// How far it has come; nothing where ECS does not say, as behind a Classic Load Balancer.
    pub state: Option<RolloutState>,
    /// What ECS says of that.
    pub why: String,
    /// How many tasks it should have.
    pub desired_count: u32,
    /// How many run.
    pub running_count: u32,
    /// How many are being started.
    pub pending_count: u32,
}

/// How far a deployment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// It is under way.
    InProgress,
    /// It has reached a steady state.
    Completed,
    /// It has failed, and starts no more tasks.
    Failed,
}

/// A service deployment that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Its ARN, by which it is stopped.
    pub deployment: Arn,
    /// Where it is heading.
    pub heading: Heading,
    /// Its state, as ECS names it.
    pub status: String,
    /// The task definition that it was to bring; not looked up once it goes back.
    pub target: Option<Version>,
}

/// Where a service deployment is heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heading {
    /// To its target.
    Forward,
    /// Back to where the service was, or to a stop: a call would only make it go on with that.
    Back,
}

/// A task definition that a service may go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Which.
    pub version: Version,
    /// What was found of it.
    pub found: Found,
}

/// What was found of a task definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It is active, and nothing shows that an image is missing.
    Fit,
    /// It was deregistered, or is being deleted: ECS updates no service to it.
    Retired {
        /// Its status, as ECS names it.
        status: String,
    },
    /// It is active, but an image that it names is gone.
    ImageGone {
        /// The image.
        image: String,
    },
    /// There is none.
    Missing,
}

/// A task that has outlived its deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its ARN, by which it is stopped.
    pub task: Arn,
    /// Its task definition.
    pub version: Version,
    /// Whether it was asked to stop. Asking again would not hasten it.
    pub is_stopping: bool,
    /// Since when it is stopping, if ECS says.
    pub stopping_at: Option<Timestamp>,
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &[
    "ecr:DescribeImages",
    "ecs:DescribeServiceRevisions",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListServiceDeployments",
    "ecs:ListTasks",
];

/// A call that moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Stop a service deployment and have ECS roll it back.
    StopDeployment {
        /// The deployment.
        deployment: Arn,
        /// What it was to bring.
        target: Version,
    },
    /// Begin a deployment of a task definition.
    Update {
        /// The cluster.
        cluster: EcsName,
        /// The service.
        service: EcsName,
        /// The task definition.
        to: Version,
        /// The one that it replaces.
        from: Version,
        /// Whether ECS begins a deployment even if it believes that nothing has changed.
        is_forced: bool,
    },
    /// Stop tasks that have outlived their deployment.
    StopTasks {
        /// The cluster.
        cluster: EcsName,
        /// The tasks.
        tasks: Vec<Arn>,
        /// Their task definition.
        version: Version,
    },
}

impl Seen {
    /// Whether its newest deployment has all of its tasks, and nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.flight.is_none() && self.primary.as_ref().is_some_and(|primary| primary.has_all(self))
    }

    /// What it serves, by the tasks that run; nothing where ECS lists no deployment. While ECS shifts traffic between two sets
    /// of tasks, only the service deployment knows the share, and asking for it would delay a way back.
    pub fn traffic(&self) -> Option<Traffic> {
        let primary = self.primary.as_ref()?;
        let others = self.others.iter().filter(|other| other.version != primary.version);
        let replaced = others.max_by_key(|other| other.running_count).filter(|other| other.running_count > 0);
        let Some(replaced) = replaced else { return Some(Traffic::all_on(primary.version)) };
        let total = f64::from(primary.running_count) + f64::from(replaced.running_count);
        let share = Weight::from_share(f64::from(primary.running_count) / total).ok()?;
        Some(Traffic::split(replaced.version, primary.version, share))
    }
}

impl Rollout {
    fn has_all(&self, seen: &Seen) -> bool {
        let has_ended = match self.state {
            // Where ECS says nothing of it the tasks alone tell.
            Some(RolloutState::Completed) | None => true,
            Some(RolloutState::InProgress | RolloutState::Failed) => false,
        };
        // One that is only just beginning may want no tasks yet.
        let wants_its_own = self.desired_count > 0 || seen.desired_count == 0;
        has_ended && wants_its_own && self.running_count >= self.desired_count && self.pending_count == 0
    }

    pub(crate) fn has_none(&self) -> bool {
        self.running_count == 0 && self.pending_count == 0
    }
}

/// Whether a version names one revision of a task definition. ECS would take a family alone for its latest revision.
pub fn is_revision(version: Version) -> bool {
    let revision = version.as_str().split_once(':').map(|(_, revision)| revision.parse::<u32>());
    matches!(revision, Some(Ok(number)) if number > 0)
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::StopDeployment { .. } => &["ecs:StopServiceDeployment"],
            // The tasks of the new deployment run with roles that its caller must be allowed to pass on.
            Self::Update { .. } => &["ecs:UpdateService", "iam:PassRole"],
            Self::StopTasks { .. } => &["ecs:StopTask"],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopDeployment { deployment, target } => {
                write!(
                    f,
                    "ecs:StopServiceDeployment {deployment} with rollback, unless it has ended: it brings {target}"
                )
            }
            Self::Update { cluster, service, to, from, is_forced } => {
                let forced = if *is_forced { ", as a new deployment" } else { "" };
                write!(f, "ecs:UpdateService {cluster}/{service} to {to} (was {from}){forced}")
            }
            Self::StopTasks { cluster, tasks, version } => {
                write!(f, "ecs:StopTask in {cluster} of {version}:")?;
                tasks.iter().try_for_each(|task| write!(f, " {}", id_of(task)))
            }
        }
    }
}

/// The last part of the ARN of a task or deployment, which people know it by.
pub(crate) fn id_of(arn: &Arn) -> &str {
    arn.as_str().rsplit('/').next().unwrap_or_default()
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ecs:{}/{}", self.cluster, self.service)
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecs => f.write_str("ECS"),
            Self::CodeDeploy => f.write_str("CODE_DEPLOY"),
            Self::Other(name) => f.write_str(name),
        }
    }
}
