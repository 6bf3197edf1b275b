//! The rows of a service of ECS: what it is doing, where that leads, and the call that brings it where it is wanted.

use super::{Call, Controller, Flight, Found, Heading, Life, Manner, Rollout, RolloutState, Seen, Service};
use super::{id_of, is_revision};
use crate::names::{Version, Weight};
use crate::place::{Blocked, Call as AnyCall, Wanted, Way};

/// So many tasks are stopped by one step; more are found by looking again.
const TASKS_STOPPED_MAX: usize = 10;

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Service, seen: &Seen, wanted: &Wanted) -> Way {
    if !wanted.is_back() && wanted.weight != Weight::ALL {
        return Way::Blocked(indivisible(seen, wanted.weight));
    }
    let case = Case { place, seen, wanted };
    let state = State::of(seen);
    let side = state.version().map(|version| case.side(version));
    match (state, side) {
        (State::Leaving { status }, _) => Way::Blocked(Blocked::State {
            state: status.to_owned(),
            why: "a service that is deleted takes no deployment".to_owned(),
        }),
        (State::DrivenBy(controller), _) => Way::Blocked(Blocked::State {
            state: format!("driven by {controller}"),
            why: driven_by(controller),
        }),
        (State::Empty, _) => Way::Blocked(Blocked::State {
            state: "without deployments".to_owned(),
            why: "ECS lists none for it".to_owned(),
        }),

        // While a service deployment is under way, it alone is told where to go.
        (State::GoingForward(flight), Some((Side::Goal, target))) => coming(flight, &format!("to {target}")),
        (State::GoingForward(flight), Some((Side::Opposite, target))) if wanted.is_back() => Way::Call {
            call: AnyCall::EcsService(Call::StopDeployment { deployment: flight.deployment.clone(), target }),
            is_claimed: false,
        },
        (State::GoingForward(flight), _) => busy(flight),
        // ECS goes back to the last revision that it deployed to the end. Which one that was is seen at the end.
        (State::GoingBack(flight), _) if wanted.is_back() => coming(flight, "on its way back"),
        (State::GoingBack(flight), _) => busy(flight),

        // Nothing is under way that could be named, so that the newest deployment tells.
        (State::Starting(primary), Some((Side::Goal, _))) => case.gathering(primary),
        (State::Starting(primary), Some((Side::Opposite, _))) if wanted.is_back() => match &seen.manner {
            Manner::Rolling => case.update(primary),
            // What ECS shifts is never updated underneath; the service deployment is found by looking again.
            Manner::Shifting(name) => Way::Coming {
                what: format!("a {name} deployment of {} that is not listed yet", primary.version),
            },
        },
        (State::Starting(primary), Some((Side::Opposite, _))) => {
            Way::Blocked(Blocked::Busy { with: format!("a deployment of {}", primary.version) })
        }
        (State::Failed(primary), Some((Side::Goal, _))) => Way::Blocked(Blocked::State {
            state: format!("deployed {} in vain", primary.version),
            why: primary.why.clone(),
        }),
        (State::Gathering(primary), Some((Side::Goal, _))) => case.gathering(primary),
        (State::Settled(_), Some((Side::Goal, _))) => case.settled(),
        (
            State::Failed(primary) | State::Gathering(primary) | State::Settled(primary),
            Some((Side::Opposite, _)),
        ) => case.update(primary),
        (
            State::Starting(primary)
            | State::Failed(primary)
            | State::Gathering(primary)
            | State::Settled(primary),
            Some((Side::Neither, _)) | None,
        ) => Way::Blocked(Blocked::ChangedByAnother {
            now: format!("its newest deployment is of {}", primary.version),
        }),
    }
}

/// What a service is doing.
enum State<'a> {
    /// It was deleted, or is being deleted.
    Leaving { status: &'a str },
    /// Not ECS moves it.
    DrivenBy(&'a Controller),
    /// ECS names no deployment.
    Empty,
    /// A service deployment goes to its target.
    GoingForward(&'a Flight),
    /// A service deployment goes back, or stops.
    GoingBack(&'a Flight),
    /// Its newest deployment is under way, and no service deployment is listed for it.
    Starting(&'a Rollout),
    /// Its newest deployment has failed; nothing went back by itself.
    Failed(&'a Rollout),
    /// Its newest deployment has ended, and lacks tasks.
    Gathering(&'a Rollout),
    /// Its newest deployment has all of its tasks.
    Settled(&'a Rollout),
}

impl<'a> State<'a> {
    fn of(seen: &'a Seen) -> Self {
        match (&seen.life, &seen.controller) {
            (Life::Draining, _) => return Self::Leaving { status: "DRAINING" },
            (Life::Inactive, _) => return Self::Leaving { status: "INACTIVE" },
            (Life::Active, controller @ (Controller::CodeDeploy | Controller::Other(_))) => {
                return Self::DrivenBy(controller);
            }
            (Life::Active, Controller::Ecs) => {}
        }
        match (&seen.flight, &seen.primary) {
            (Some(flight), _) => match flight.heading {
                Heading::Forward => Self::GoingForward(flight),
                Heading::Back => Self::GoingBack(flight),
            },
            (None, None) => Self::Empty,
            (None, Some(primary)) => match primary.state {
                Some(RolloutState::InProgress) => Self::Starting(primary),
                Some(RolloutState::Failed) => Self::Failed(primary),
                Some(RolloutState::Completed) | None if primary.has_all(seen) => Self::Settled(primary),
                Some(RolloutState::Completed) | None => Self::Gathering(primary),
            },
        }
    }

    /// The task definition that it leads to, if it goes on.
    fn version(&self) -> Option<Version> {
        match self {
            Self::Leaving { .. } | Self::DrivenBy(_) | Self::Empty | Self::GoingBack(_) => None,
            Self::GoingForward(flight) => flight.target,
            Self::Starting(primary)
            | Self::Failed(primary)
            | Self::Gathering(primary)
            | Self::Settled(primary) => Some(primary.version),
        }
    }
}

/// Which of a release's versions one is, as seen from where the service is wanted.
#[derive(Clone, Copy)]
enum Side {
    /// The one that is wanted.
    Goal,
    /// The one that is left.
    Opposite,
    /// Neither.
    Neither,
}

#[derive(Clone, Copy)]
struct Case<'a> {
    place: &'a Service,
    seen: &'a Seen,
    wanted: &'a Wanted,
}

impl Case<'_> {
    fn goal(&self) -> Version {
        if self.wanted.is_back() { self.wanted.stable } else { self.wanted.candidate }
    }

    fn side(&self, version: Version) -> (Side, Version) {
        let opposite = if self.wanted.is_back() { self.wanted.candidate } else { self.wanted.stable };
        let side = if version == self.goal() {
            Side::Goal
        } else if version == opposite {
            Side::Opposite
        } else {
            Side::Neither
        };
        (side, version)
    }

    /// A deployment of the goal, unless that is known to be in vain.
    fn update(&self, primary: &Rollout) -> Way {
        let to = self.goal();
        if !is_revision(to) {
            return Way::Blocked(Blocked::NoSuchVersion { version: to });
        }
        if self.seen.desired_count == 0 && !self.wanted.is_back() {
            return Way::Blocked(Blocked::State {
                state: "without tasks".to_owned(),
                why: "its desired count is 0, so that the candidate would have no traffic".to_owned(),
            });
        }
        let found = self.seen.definitions.iter().find(|definition| definition.version == to);
        match found.map(|definition| &definition.found) {
            // What nobody has looked at, or could, is for ECS to refuse.
            Some(Found::Fit) | None => {}
            // The revision of the service may still exist, but ECS goes back to one only while a deployment from it runs.
            Some(Found::Retired { status }) => {
                return Way::Blocked(Blocked::Inactive { version: to, status: status.clone() });
            }
            Some(Found::ImageGone { image }) => {
                return Way::Blocked(Blocked::ImageGone { image: image.clone() });
            }
            Some(Found::Missing) => return Way::Blocked(Blocked::NoSuchVersion { version: to }),
        }
        let Service { cluster, service, .. } = self.place;
        Way::Call {
            call: AnyCall::EcsService(Call::Update {
                cluster: cluster.clone(),
                service: service.clone(),
                to,
                from: primary.version,
                is_forced: self.wanted.is_back(),
            }),
            is_claimed: true,
        }
    }

    /// The newest deployment is the right one, and lacks tasks.
    fn gathering(&self, primary: &Rollout) -> Way {
        let Rollout { version, running_count, desired_count, .. } = primary;
        let mut what = format!("{running_count} of {desired_count} tasks of {version} run");
        for other in self.seen.others.iter().filter(|other| !other.has_none()) {
            what.push_str(&format!(", and {} of {}", other.running_count, other.version));
        }
        Way::Coming { what }
    }

    /// The newest deployment is the right one and has its tasks. Those of others may have outlived theirs.
    fn settled(&self) -> Way {
        let is_stuck = |task: &&super::Task| !task.is_stopping && task.version == self.wanted.candidate;
        let stuck: Vec<_> = self.seen.left_over.iter().filter(is_stuck).collect();
        if self.wanted.is_back() && self.place.stop_stuck_tasks && !stuck.is_empty() {
            let tasks = stuck.iter().take(TASKS_STOPPED_MAX).map(|task| task.task.clone()).collect();
            let (cluster, version) = (self.place.cluster.clone(), self.wanted.candidate);
            let call = AnyCall::EcsService(Call::StopTasks { cluster, tasks, version });
            return Way::Call { call, is_claimed: false };
        }
        let tasks: Vec<String> = self.seen.left_over.iter().map(outlived).collect();
        let counts = self.seen.others.iter().filter(|other| !other.has_none());
        let counts = counts.map(|other| format!("{} tasks of {}", other.running_count, other.version));
        let rest = if tasks.is_empty() { counts.collect() } else { tasks };
        if rest.is_empty() {
            return Way::There;
        }
        Way::Coming {
            what: format!("{} has its tasks, and these still run: {}", self.goal(), rest.join(", ")),
        }
    }
}

fn outlived(task: &super::Task) -> String {
    let (id, version) = (id_of(&task.task), task.version);
    match (task.is_stopping, task.stopping_at) {
        (true, Some(since)) => format!("{id} of {version}, stopping since {since}"),
        (true, None) => format!("{id} of {version}, stopping"),
        (false, _) => format!("{id} of {version}, which nobody has asked to stop"),
    }
}

fn coming(flight: &Flight, whither: &str) -> Way {
    Way::Coming {
        what: format!("service deployment {} is {}, {whither}", id_of(&flight.deployment), flight.status),
    }
}

fn busy(flight: &Flight) -> Way {
    let target = flight.target.map(|target| format!(" of {target}")).unwrap_or_default();
    let with = format!("service deployment {}{target}, {},", id_of(&flight.deployment), flight.status);
    Way::Blocked(Blocked::Busy { with })
}

fn driven_by(controller: &Controller) -> String {
    match controller {
        Controller::CodeDeploy => {
            "ECS lets only CodeDeploy change its task definition; CodeDeploy's deployment group is what puts it back"
        }
        Controller::Ecs | Controller::Other(_) => "ECS lets only its controller change its task sets",
    }
    .to_owned()
}

fn indivisible(seen: &Seen, weight: Weight) -> Blocked {
    let why = match &seen.manner {
        Manner::Rolling => "a rolling deployment replaces task after task, and stops at no share".to_owned(),
        Manner::Shifting(name) => {
            format!("its {name} deployment shifts by itself, from the first share to all; ask for all")
        }
    };
    Blocked::Indivisible { weight, why }
}
