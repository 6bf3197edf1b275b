//! A service that answers an alarm in company: because its group goes back together, or because the alarm guards several
//! services and may be about any of them.

use serde::{Deserialize, Serialize};

use super::{Case, Decision, Moment};
use crate::attribution::Suspect;
use crate::names::{GroupName, ServiceName};
use crate::notice::Severity;
use crate::reason::Reason;
use crate::signal::{AlarmChange, Signal};
use crate::situation::Situation;

/// Whom else an alarm concerns besides the service that answers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// The group that goes back together, if the service is in one.
    pub together: Option<Together>,
    /// What the alarm says of this service and of the others that it may be about, if there are others.
    pub ranked: Option<(Suspect, Vec<Suspect>)>,
    /// Whether people are told elsewhere what the alarm is about, unless somebody must act here.
    pub is_quiet: bool,
}

/// A group that goes back together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// The group.
    pub group: GroupName,
    /// The service that the alarm guards; nothing if that could not be read.
    pub of: Option<ServiceName>,
    /// The services of the group that have something to put back.
    pub services: Vec<ServiceName>,
}

impl Company {
    /// A reason to go back, and what the company adds to it.
    pub(super) fn explained(&self, because: Reason) -> Reason {
        let because = match &self.ranked {
            Some((this, others)) if !others.is_empty() => Reason::LikeliestOfSeveral {
                this: this.clone(),
                others: others.clone(),
                because: Box::new(because),
            },
            Some(_) | None => because,
        };
        match &self.together {
            Some(Together { group, of, services }) => Reason::GroupGoesBack {
                group: group.clone(),
                of: of.clone(),
                together: services.clone(),
                because: Box::new(because),
            },
            None => because,
        }
    }
}

/// Decides what to tell of a service that an alarm may be about, while a likelier one goes back first. No traffic moves.
pub fn decide_less_likely(
    alarm: &AlarmChange,
    situation: &Situation,
    moment: Moment,
    this: Suspect,
    first: Suspect,
) -> Decision {
    let signal = Signal::Alarm(alarm.clone());
    let case = Case { signal: &signal, situation, moment, company: &Company::default() };
    let reason = Reason::LessLikely {
        alarm: alarm.alarm.clone(),
        why: alarm.why.clone(),
        this: Box::new(this),
        first: Box::new(first),
    };
    case.hear(alarm, reason, Severity::Warning)
}
