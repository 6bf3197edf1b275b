//! The ledger of one service, its alias, CodeDeploy, and what people were told.

use jiff::{SignedDuration, Timestamp};
use ripcord::decide::{Decision, Moment};
use ripcord::deployment::{DeploymentChange, Deployments};
use ripcord::names::{DeploymentId, RevisionId, Version};
use ripcord::notice::Notice;
use ripcord::plan::{LedgerWrite, SetTraffic, Step, Steps};
use ripcord::registration::Registration;
use ripcord::release::{KnownGood, PastRollback, Report};
use ripcord::signal::{AlarmChange, AlarmState, RollbackCommand, Signal};
use ripcord::situation::{Heard, LiveAlias, ServiceRecord, Sighting, Situation};
use ripcord::traffic::{Traffic, WeightList};

use super::codedeploy::CodeDeploy;

pub(crate) fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// A time of the one day on which everything begins, like `10:05:00`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}Z").parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A decision made at `time` by an invocation that may work for 30 seconds.
pub(crate) fn moment(time: Timestamp) -> Moment {
    Moment { now: time, lease_until: time + seconds(30) }
}

/// Traffic as people write it: `1:90,2:10`; the first version is the primary one.
pub(crate) fn traffic(weights: &str) -> Traffic {
    let list: WeightList = weights.parse().unwrap();
    let versions: Vec<Version> = list.versions().collect();
    match versions.as_slice() {
        [primary] => Traffic::all_on(*primary),
        [primary, other] => Traffic { primary: *primary, secondary: Some((*other, list.share_of(*other))) },
        _ => panic!("{weights} name one or two versions"),
    }
}

pub(crate) fn alarm_at(changed_at: Timestamp) -> Signal {
    Signal::Alarm(AlarmChange {
        alarm: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors".parse().unwrap(),
        state: AlarmState::Alarm,
        changed_at,
        why: "3 of 3 datapoints were greater than the threshold (1.0)".to_owned(),
        data: None,
        suppressed_by: None,
    })
}

pub(crate) fn command_at(requested_at: Timestamp, to: Option<u64>) -> Signal {
    Signal::Operator(RollbackCommand {
        release: None,
        service: "checkout".parse().unwrap(),
        to: to.map(v),
        why: Some("checkout looks broken".to_owned()),
        requested_by: Some("ada".to_owned()),
        requested_at,
    })
}

pub(crate) fn event_at(id: &DeploymentId, state: &str, raised_at: Timestamp) -> Signal {
    Signal::Deployment(DeploymentChange {
        deployment: id.clone(),
        application: "checkout".to_owned(),
        group: "checkout-api".to_owned(),
        state: state.to_owned(),
        raised_at,
    })
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It took effect, or there was nothing to do.
    Done(Effect),
    /// What is waited for is not there yet.
    Waiting,
    /// What was waited for did not come in time.
    Pending,
    /// Its precondition did not hold: somebody else came first.
    Raced(&'static str),
    /// It failed for good.
    Failed(&'static str),
}

/// What a call has done to traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    None,
    /// A running deployment is being stopped that was not before.
    Stopped(DeploymentId),
    /// A deployment that goes back has begun.
    Reversed(DeploymentId),
    /// The alias serves something else now.
    Moved,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) record: ServiceRecord,
    pub(crate) alias: Option<LiveAlias>,
    pub(crate) codedeploy: CodeDeploy,
    pub(crate) notices: Vec<Notice>,
    updates: u64,
}

impl World {
    /// A service with one alias, all on version 1, which is known to be good; nothing was ever released.
    pub(crate) fn checkout() -> Self {
        let registration = Registration::parse(
            r#"{"service": "checkout", "guards": [{"alarm": "errors"}], "targets":
            [{"name": "api", "kind": "lambda_alias", "function": "checkout-api", "alias": "live"}]}"#,
        );
        let known_good =
            vec![KnownGood { target: "api".parse().unwrap(), version: v(1), since: at("00:00:00") }];
        let record = ServiceRecord {
            registration: registration.unwrap(),
            registration_version: 1,
            release: None,
            rollbacks: Vec::new(),
            known_good,
            heard: Vec::new(),
        };
        let mut world =
            Self { record, alias: None, codedeploy: CodeDeploy::default(), notices: Vec::new(), updates: 0 };
        world.serve(traffic("1:100"));
        world
    }

    /// The alias serves something else, whoever did that.
    pub(crate) fn serve(&mut self, traffic: Traffic) {
        let revision = self.next_revision();
        let (function, alias) = ("checkout-api".parse().unwrap(), "live".parse().unwrap());
        self.alias = Some(LiveAlias { function, alias, traffic, revision });
    }

    pub(crate) fn serving(&self) -> Traffic {
        self.alias.as_ref().unwrap().traffic
    }

    pub(crate) fn sight(&self) -> Sighting {
        self.alias.clone().map_or(Sighting::Missing, Sighting::Alias)
    }

    /// Everything that there is to see, for a signal about `asked`.
    pub(crate) fn situation(&self) -> Situation {
        let seen = self.codedeploy.deployments.iter().map(|it| it.state.clone()).collect();
        let deployments = Deployments { seen, unseen: None };
        let live = [("api".parse().unwrap(), self.sight())].into_iter().collect();
        Situation { record: self.record.clone(), live, deployments }
    }

    /// A moment of CodeDeploy's work.
    pub(crate) fn work(&mut self, clock: Timestamp) -> super::codedeploy::Moved {
        let before = self.serving();
        let mut serving = before;
        let moved = self.codedeploy.work(&mut serving, clock);
        if serving != before {
            self.serve(serving);
        }
        moved
    }

    /// Takes all steps in order, letting CodeDeploy work where it is waited for, and stops at the first that is not taken.
    pub(crate) fn take(&mut self, steps: &Steps, clock: Timestamp) -> Result<(), Answer> {
        for step in steps.iter().flatten() {
            let mut answer = self.apply(step, clock);
            for _ in 0..20 {
                if answer == Answer::Waiting {
                    self.work(clock);
                    answer = self.apply(step, clock);
                }
            }
            if !matches!(answer, Answer::Done(_)) {
                return Err(answer);
            }
        }
        Ok(())
    }

    /// One call, with the precondition that AWS checks.
    pub(crate) fn apply(&mut self, step: &Step, clock: Timestamp) -> Answer {
        match step {
            Step::SetTraffic(set) => self.update_alias(set),
            Step::Confirm { traffic, revision, .. } => match &self.alias {
                None => Answer::Raced("the alias is gone"),
                Some(live) if live.traffic != *traffic => Answer::Raced("the alias serves something else"),
                Some(live) if revision.as_ref().is_some_and(|seen| *seen != live.revision) => {
                    Answer::Raced("the alias has changed since it was seen")
                }
                Some(_) => Answer::Done(Effect::None),
            },
            Step::StopDeployment { deployment } => match self.codedeploy.stop(deployment, true, None) {
                Some(true) => Answer::Done(Effect::Stopped(deployment.clone())),
                Some(false) => Answer::Done(Effect::None),
                None => Answer::Raced("the deployment has ended by now"),
            },
            Step::Reverse(reversal) => match self.codedeploy.reverse(reversal, clock) {
                Some(id) => Answer::Done(Effect::Reversed(id)),
                None => Answer::Raced("another deployment runs in the group"),
            },
            Step::Await { traffic, until, .. } => match &self.alias {
                None => Answer::Raced("the alias is gone"),
                Some(live) if live.traffic == *traffic => Answer::Done(Effect::None),
                Some(_) if clock < *until => Answer::Waiting,
                Some(_) => Answer::Pending,
            },
            Step::Turn(_) | Step::See(_) => unreachable!("this world has no place but an alias"),
            Step::Write(write) => self.write(write),
            Step::Hear { heard, now, .. } => self.hear(heard, *now),
            Step::Tell(notice) => {
                self.notices.push((**notice).clone());
                Answer::Done(Effect::None)
            }
            Step::KeepLogs(_) | Step::Note(_) => Answer::Done(Effect::None),
            Step::Pin { .. } | Step::StopExecution { .. } => panic!("nobody here takes {step}"),
        }
    }

    fn update_alias(&mut self, set: &SetTraffic) -> Answer {
        match &self.alias {
            None => Answer::Failed("the alias does not exist"),
            Some(live) if live.revision != set.revision => {
                Answer::Raced("the alias has changed since it was seen")
            }
            Some(live) => {
                let effect = if live.traffic == set.traffic { Effect::None } else { Effect::Moved };
                self.serve(set.traffic);
                Answer::Done(effect)
            }
        }
    }

    fn write(&mut self, write: &LedgerWrite) -> Answer {
        if let Some(release) = &write.release {
            let seq = self.record.release.as_ref().map_or(0, |release| release.seq);
            if seq + 1 != release.seq {
                return Answer::Raced("the ledger's record has changed since it was read");
            }
            self.record.release = Some(release.clone());
        }
        for rollback in &write.rollbacks {
            let is_same = |other: &PastRollback| other.generation == rollback.generation;
            self.record.rollbacks.retain(|other| !is_same(other));
            self.record.rollbacks.push(rollback.clone());
        }
        if let [good] = write.known_good.as_slice() {
            self.record.known_good = vec![good.clone()];
        }
        Answer::Done(Effect::None)
    }

    fn hear(&mut self, heard: &Heard, now: Timestamp) -> Answer {
        let place = self.record.heard.iter_mut().find(|other| other.key == heard.key);
        match (place, heard.report) {
            (None, _) => self.record.heard.push(heard.clone()),
            (Some(place), Report::Sent { .. } | Report::NotDue) => *place = heard.clone(),
            (Some(place), Report::Leased { .. }) => match place.report {
                Report::Leased { until } if until <= now => *place = heard.clone(),
                Report::Leased { .. } | Report::Sent { .. } | Report::NotDue => {
                    return Answer::Raced("it is being answered by another");
                }
            },
        }
        Answer::Done(Effect::None)
    }

    fn next_revision(&mut self) -> RevisionId {
        self.updates += 1;
        format!("r{}", self.updates).parse().unwrap()
    }
}

/// A decision as a person reads it: the course, the reason, and the steps, those of a row under one number.
pub(crate) fn render(decision: &Decision) -> String {
    let rows = decision.steps.iter().filter(|row| !row.is_empty()).zip(1..).map(|(row, number)| {
        let steps: Vec<String> = row.iter().map(ToString::to_string).collect();
        format!("  {number}. {}\n", steps.join("\n   + "))
    });
    format!("{:?}: {}\n{}", decision.course, decision.reason, rows.collect::<String>())
}
