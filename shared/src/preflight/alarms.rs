//! The guards: is every one there, and is it quiet?

use super::facts::{GuardState, Seen};
use super::subject::{Subject, Surroundings};
use super::{Check, Outcome, Remark};
use crate::names::AlarmArn;
use crate::pipeline::Waivable;
use crate::registration::Guard;
use crate::signal::AlarmState;

impl Subject<'_> {
    /// The guards that CloudWatch can be asked for here, by name.
    pub fn guards_here(&self) -> Vec<String> {
        self.surroundings().guards_here()
    }

    /// The guards that CloudWatch can be asked for where the target lies, if that is elsewhere.
    pub fn guards_there(&self) -> Vec<AlarmArn> {
        let surroundings = self.surroundings();
        let guards = surroundings.registration.guards.iter();
        guards
            .filter(|guard| surroundings.is_there(guard))
            .filter_map(|guard| guard.alarm.parse().ok())
            .collect()
    }

    /// The names of the guards that fire: where that is waived they are no evidence against the release.
    pub(super) fn firing(&self, guards: &Seen<Vec<GuardState>>) -> Vec<String> {
        let registered = &self.record.registration.guards;
        let is_guard = |state: &&GuardState| registered.iter().any(|guard| is_of(guard, state));
        let states = guards.as_ref().map(Vec::as_slice).unwrap_or_default().iter();
        let firing = states.filter(|state| state.state == Some(AlarmState::Alarm)).filter(is_guard);
        firing.map(|state| state.name.clone()).collect()
    }
}

impl Surroundings<'_> {
    /// The guards that CloudWatch can be asked for here, by name. One in another region or account is seen only where a target
    /// lies there.
    pub fn guards_here(&self) -> Vec<String> {
        let guards = self.registration.guards.iter();
        guards.filter(|guard| !self.is_elsewhere(guard)).map(name_of).collect()
    }

    /// Every guard exists and is quiet.
    pub fn check_alarms(&self, guards: &Seen<Vec<GuardState>>) -> Check {
        let registered = &self.registration.guards;
        let states = match guards {
            Ok(states) => states,
            Err(unseen) => {
                return Remark::failed(format!("the guards {unseen}")).of("alarms");
            }
        };
        let mut remarks: Vec<Remark> =
            registered.iter().flat_map(|guard| self.remarks_on(guard, states)).collect();
        if remarks.iter().all(|remark| remark.outcome <= Outcome::Noted) {
            let quiet = states.iter().filter(|state| state.state == Some(AlarmState::Ok)).count();
            remarks.push(Remark::passed(format!("{quiet} of {} guards are OK", registered.len())));
        }
        Check::of("alarms", remarks)
    }

    fn remarks_on(&self, guard: &Guard, states: &[GuardState]) -> Vec<Remark> {
        // A name means an alarm at home.
        let name = if self.is_elsewhere(guard) { guard.alarm.clone() } else { name_of(guard) };
        if self.is_elsewhere(guard) && !self.is_there(guard) {
            return vec![Remark::noted(format!(
                "{} lies in another region or account and cannot be seen from here",
                guard.alarm
            ))];
        }
        let Some(state) = states.iter().find(|state| is_of(guard, state)) else {
            return vec![Remark::failed(format!("{name} does not exist"))];
        };
        let mut remarks = Vec::new();
        match state.state {
            Some(AlarmState::Ok) => {}
            Some(AlarmState::InsufficientData) => {
                remarks.push(Remark::noted(format!(
                    "{name} is in INSUFFICIENT_DATA, and no stage passes while it is"
                )));
            }
            Some(AlarmState::Alarm) => {
                let detail = format!("{name} is in ALARM already");
                remarks.push(self.failed_unless_waived(Waivable::Alarms, detail));
            }
            None => remarks.push(Remark::failed(format!("{name} is in a state that is not known"))),
        }
        if !state.actions_enabled {
            remarks.push(Remark::noted(format!("the actions of {name} are disabled: it pulls no cord")));
        }
        if let Some(by) = &state.suppressed_by {
            remarks.push(Remark::noted(format!("the actions of {name} are suppressed by {by}")));
        }
        remarks
    }

    fn is_elsewhere(&self, guard: &Guard) -> bool {
        guard.alarm.starts_with("arn:") && locality(&guard.alarm) != locality(self.here)
    }

    /// Whether a guard lies where the target does, and not here.
    fn is_there(&self, guard: &Guard) -> bool {
        let Some((region, account)) = locality(self.here) else { return false };
        let there = self.reach.map(|reach| {
            let assumed = reach.role_arn.as_ref().and_then(|role| locality(role.as_str()));
            let region = reach.region.as_ref().map_or(region, |region| region.as_str());
            (region, assumed.map_or(account, |(_, account)| account))
        });
        self.is_elsewhere(guard) && locality(&guard.alarm) == there
    }
}

/// The region and the account of an ARN.
fn locality(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(3);
    Some((parts.next()?, parts.next()?))
}

fn is_of(guard: &Guard, state: &GuardState) -> bool {
    guard.alarm == state.name || guard.alarm == state.arn
}

fn name_of(guard: &Guard) -> String {
    guard.alarm.parse::<AlarmArn>().map_or_else(|_| guard.alarm.clone(), |arn| arn.name().to_owned())
}
