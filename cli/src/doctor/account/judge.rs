//! What is wrong with what is deployed. Pure.

use ripcord::registration::Guard;
use ripcord::release::Phase;
use ripcord::situation::{LiveAlias, Sighting, Situation};

use super::alarms::AlarmSettings;
use super::{Deployed, DeployedTarget, name_of};
use crate::doctor::finding::{Finding, Severity, Whereabouts};
use crate::doctor::rules::Rule;
use crate::whereabouts::whereabouts;

/// What is found of a service; `project` is the suite's, whose functions are called by it.
pub(super) fn judge(deployed: &Deployed, project: &str) -> Vec<Finding> {
    let record = &deployed.situation.record;
    let guards = record.registration.guards.iter();
    let guards = guards.flat_map(|guard| of_guard(guard, &deployed.alarms, project));
    let targets = deployed.targets.iter().flat_map(|target| of_target(&deployed.situation, target));
    guards
        .chain(targets)
        .map(|Sign { rule, severity, subject, message, mend }| {
            let place = Whereabouts::Account { service: record.registration.service.to_string(), subject };
            Finding { rule, severity, place, message, mend }
        })
        .collect()
}

struct Sign {
    rule: Rule,
    severity: Severity,
    subject: String,
    message: String,
    mend: String,
}

fn of_guard(guard: &Guard, alarms: &[AlarmSettings], project: &str) -> Vec<Sign> {
    let name = name_of(&guard.alarm);
    let sign = |rule, severity, message: String, mend: String| Sign {
        rule,
        severity,
        subject: format!("alarm {name}"),
        message,
        mend,
    };
    let Some(alarm) = alarms.iter().find(|alarm| guard.alarm == alarm.name || guard.alarm == alarm.arn)
    else {
        let (severity, message) = if guard.alarm == name {
            (Severity::Error, format!("{name} does not exist: it will never pull the cord"))
        } else {
            let message =
                format!("{} is not to be seen here: it does not exist, or lies elsewhere", guard.alarm);
            (Severity::Warning, message)
        };
        let mend = "create the alarm, or register the service without it: ripcord apply FILE".to_owned();
        return vec![sign(Rule::GuardMissing, severity, message, mend)];
    };
    let mut signs = Vec::new();
    let suite = format!(":function:{project}-alarm-rollback");
    if !alarm.actions.iter().any(|action| action.contains(&suite)) {
        let by_topic = alarm.actions.iter().any(|action| action.contains(":sns:"));
        let (severity, message) = if by_topic {
            let message =
                format!("{name} calls no function of the suite {project}, only a topic: does that reach it?");
            (Severity::Note, message)
        } else {
            (Severity::Warning, format!("{name} has no action that reaches the suite {project}"))
        };
        let mend = format!("AlarmActions:\n  - Fn::ImportValue: {project}-AlarmRollbackArn");
        signs.push(sign(Rule::GuardWithoutAction, severity, message, mend));
    }
    if !alarm.actions_enabled {
        let message = format!("the actions of {name} are switched off: it pulls no cord");
        let mend = format!("aws cloudwatch enable-alarm-actions --alarm-names '{name}'");
        signs.push(sign(Rule::AlarmWithoutActionsEnabled, Severity::Error, message, mend));
    }
    if !alarm.missing_data {
        let message =
            format!("{name} does not say what missing data mean: without traffic old datapoints decide");
        signs.push(sign(
            Rule::MissingData,
            Severity::Warning,
            message,
            "TreatMissingData: notBreaching".to_owned(),
        ));
    }
    if let Some(metric) = &alarm.function_level {
        let message =
            format!("{name} reads {metric} without the alias: all versions of the function count together");
        let mend = "Dimensions:\n  - { Name: FunctionName, Value: FUNCTION }\n  - { Name: Resource, Value: \"FUNCTION:ALIAS\" }";
        signs.push(sign(Rule::FunctionLevelAlarm, Severity::Warning, message, mend.to_owned()));
    }
    signs
}

fn of_target(situation: &Situation, deployed: &DeployedTarget) -> Vec<Sign> {
    let target = &deployed.target;
    let alias = whereabouts(target);
    let sign = |rule, severity, message: String, mend: String| Sign {
        rule,
        severity,
        subject: alias.clone(),
        message,
        mend,
    };
    let mut signs = Vec::new();
    let service = &situation.record.registration.service;
    let release = situation.record.release.as_ref();
    let good = situation.record.known_good.iter().find(|good| good.target == target.name);
    if let (Some(good), Some(false)) = (good, deployed.known_good_exists) {
        let message =
            format!("version {} is the last known good one and does not exist any more", good.version);
        let mend = format!("release a version that is good: ripcord deploy {service} --version N");
        signs.push(sign(Rule::LastKnownGoodGone, Severity::Error, message, mend));
    }
    // The first release makes the pin.
    if let Some(change) = release.and_then(|release| release.change(&target.name)) {
        let message = match &deployed.pin {
            Sighting::Missing => {
                Some(format!("no alias protects version {} from being deleted", change.stable))
            }
            Sighting::Alias(pin) if pin.traffic.primary != change.stable => Some(format!(
                "the alias {} protects version {}, and version {} is the one to go back to",
                pin.alias, pin.traffic.primary, change.stable
            )),
            Sighting::Alias(_) | Sighting::Place(_) | Sighting::Unseen { .. } => None,
        };
        let mend = "the next release sets it; until then keep clean-up away from this function".to_owned();
        signs.extend(message.map(|message| sign(Rule::LastKnownGoodGone, Severity::Warning, message, mend)));
    }
    let weighted = match situation.live.get(&target.name) {
        Some(Sighting::Alias(LiveAlias { traffic, .. })) if traffic.secondary.is_some() => Some(traffic),
        Some(Sighting::Alias(_) | Sighting::Place(_) | Sighting::Missing | Sighting::Unseen { .. })
        | None => None,
    };
    let Some(traffic) = weighted else { return signs };
    let open = release.is_some_and(|release| match release.phase {
        // A failed rollback is open until somebody has looked at it: status shows it.
        Phase::Shifting | Phase::Held | Phase::RollbackFailed => true,
        Phase::Complete | Phase::RolledBack | Phase::Withdrawn => false,
    });
    if !open {
        let message = format!("serves {traffic} and nothing is being released");
        let mend = format!("ripcord rollback {service}");
        signs.push(sign(Rule::LeftoverWeights, Severity::Warning, message, mend));
    }
    if let Some(executions) = deployed.provisioned.filter(|executions| *executions > 0) {
        let message = format!(
            "has provisioned concurrency of {executions} and is weighted ({traffic}): Lambda changes none meanwhile"
        );
        let mend = "let the release end before it is changed".to_owned();
        signs.push(sign(Rule::ProvisionedWithWeights, Severity::Warning, message, mend));
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example;

    fn alarm(name: &str) -> AlarmSettings {
        AlarmSettings {
            name: name.to_owned(),
            arn: format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}"),
            actions_enabled: true,
            actions: vec!["arn:aws:lambda:eu-west-1:123456789012:function:ripcord-alarm-rollback".to_owned()],
            missing_data: true,
            function_level: None,
        }
    }

    /// Release 4 moves `checkout:live` from 1 to 2, and everything is as it should be.
    fn healthy() -> Deployed {
        let situation = example::shifting();
        let registration = &situation.record.registration;
        let alarms = registration.guards.iter().map(|guard| alarm(&name_of(&guard.alarm))).collect();
        let target = registration.targets[0].clone();
        let Some(Sighting::Alias(live)) = situation.live.get(&target.name) else { unreachable!() };
        let pin = LiveAlias {
            alias: "live-last-known-good".parse().expect("a name"),
            traffic: example::traffic("1:100"),
            ..live.clone()
        };
        let pin = Sighting::Alias(pin);
        let targets = vec![DeployedTarget { target, pin, known_good_exists: Some(true), provisioned: None }];
        Deployed { situation, alarms, targets }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Deployed), expected: &[(Rule, Severity)]) {
        let mut deployed = healthy();
        change(&mut deployed);
        let findings = judge(&deployed, "ripcord");
        let found: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
        assert_eq!(found, expected, "{findings:#?}");
    }

    #[test]
    fn what_is_well_deployed_has_no_findings() {
        check(|_| {}, &[]);
    }

    #[test]
    fn guards_that_cannot_pull_the_cord_are_found() {
        check(|deployed| drop(deployed.alarms.remove(0)), &[(Rule::GuardMissing, Severity::Error)]);
        let elsewhere = |deployed: &mut Deployed| {
            deployed.situation.record.registration.guards[0].alarm =
                "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors".to_owned();
        };
        check(elsewhere, &[(Rule::GuardMissing, Severity::Warning)]);
        check(
            |deployed| deployed.alarms[0].actions.clear(),
            &[(Rule::GuardWithoutAction, Severity::Warning)],
        );
        let topic = |deployed: &mut Deployed| {
            deployed.alarms[0].actions = vec!["arn:aws:sns:eu-west-1:123456789012:pages".to_owned()];
        };
        check(topic, &[(Rule::GuardWithoutAction, Severity::Note)]);
        check(
            |deployed| deployed.alarms[0].actions_enabled = false,
            &[(Rule::AlarmWithoutActionsEnabled, Severity::Error)],
        );
        check(|deployed| deployed.alarms[0].missing_data = false, &[(Rule::MissingData, Severity::Warning)]);
        check(
            |deployed| deployed.alarms[0].function_level = Some("Errors".to_owned()),
            &[(Rule::FunctionLevelAlarm, Severity::Warning)],
        );
    }

    #[test]
    fn a_rollback_target_that_is_gone_or_unprotected_is_found() {
        let gone = [(Rule::LastKnownGoodGone, Severity::Error)];
        check(|deployed| deployed.targets[0].known_good_exists = Some(false), &gone);
        let unprotected = [(Rule::LastKnownGoodGone, Severity::Warning)];
        check(|deployed| deployed.targets[0].pin = Sighting::Missing, &unprotected);
        check(
            |deployed| {
                if let Sighting::Alias(pin) = &mut deployed.targets[0].pin {
                    pin.traffic = example::traffic("2:100");
                }
            },
            &unprotected,
        );
        let unseen = Sighting::Unseen { why: "throttled".to_owned() };
        check(|deployed| deployed.targets[0].pin = unseen, &[]);
        check(
            |deployed| {
                deployed.situation.record.release = None;
                deployed.targets[0].pin = Sighting::Missing;
                let api = deployed.targets[0].target.name.clone();
                if let Some(Sighting::Alias(live)) = deployed.situation.live.get_mut(&api) {
                    live.traffic = example::traffic("1:100");
                }
            },
            &[],
        );
    }

    #[test]
    fn weights_that_nobody_moves_are_found() {
        let end = |phase| {
            move |deployed: &mut Deployed| {
                deployed.situation.record.release.as_mut().expect("a release").phase = phase;
            }
        };
        check(end(Phase::Complete), &[(Rule::LeftoverWeights, Severity::Warning)]);
        check(end(Phase::RolledBack), &[(Rule::LeftoverWeights, Severity::Warning)]);
        check(end(Phase::Held), &[]);
        check(
            |deployed| deployed.targets[0].provisioned = Some(5),
            &[(Rule::ProvisionedWithWeights, Severity::Warning)],
        );
    }
}
