//! `ripcord plan`: what a rollback would do, by the same decision on the same observations. It executes nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use ripcord::decide::{Course, Decision, Moment, decide};
use ripcord::names::{AlarmArn, GroupName, ServiceName, Version};
use ripcord::plan::Step;
use ripcord::registration::{Home, Registration};
use ripcord::signal::{AlarmChange, AlarmState, RollbackCommand, Signal};
use ripcord::situation::Situation;
use serde::Serialize;

use crate::args::Caller;
use crate::failure::{Failure, Kind};
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord plan checkout                                 what `ripcord rollback checkout` would do now
  ripcord plan checkout --to 3
  ripcord plan checkout --alarm checkout-error-rate     what this alarm would do, if it fired now";

/// What to plan.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    service: ServiceName,
    /// The version to go back to
    #[arg(long, value_name = "VERSION", conflicts_with = "alarm")]
    to: Option<Version>,
    /// Plan for this alarm firing now, instead of for an operator's command; its name or ARN
    #[arg(long, value_name = "NAME")]
    alarm: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    service: ServiceName,
    /// What it is planned for: `operator` or `alarm`, with the details.
    signal: Signal,
    course: Course,
    reason_kind: String,
    reason: String,
    /// The group that goes back with it on its alarms, if it is in one.
    group: Option<GroupName>,
    /// The other services of that group.
    with: Vec<ServiceName>,
    /// Each row after the one before, the calls within a row together.
    rows: Vec<Vec<Call>>,
}

/// One call.
#[derive(Debug, Serialize)]
struct Call {
    /// What is called, with its precondition, in words.
    call: String,
    /// The same as IAM names it.
    iam_actions: &'static [&'static str],
    moves_traffic: bool,
    /// The same in full.
    step: Step,
}

/// A function of the suite works for half a minute at most; its lease ends with it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Plan, Failure> {
    let session = Session::open(place).await?;
    let situation = session.observe(&args.service).await?;
    let now = Timestamp::now();
    let signal = match &args.alarm {
        None => command(args, now),
        Some(alarm) => firing(guard(&situation.record.registration, alarm, &session.home().await?)?, now),
    };
    let plan = Plan::of(signal, &situation, now);
    match plan.group.clone() {
        Some(group) => {
            let members = session.aws.ledger.group(&group).await?.map(|group| group.members);
            let services = members.into_iter().flatten().map(|member| member.service);
            Ok(Plan { with: services.filter(|service| *service != plan.service).collect(), ..plan })
        }
        None => Ok(plan),
    }
}

fn command(args: &Args, now: Timestamp) -> Signal {
    Signal::Operator(RollbackCommand {
        release: None,
        service: args.service.clone(),
        to: args.to,
        why: None,
        requested_by: args.caller.name().map(str::to_owned),
        requested_at: now,
    })
}

fn firing(alarm: AlarmArn, now: Timestamp) -> Signal {
    Signal::Alarm(AlarmChange {
        alarm,
        state: AlarmState::Alarm,
        changed_at: now,
        why: "supposed for this plan".to_owned(),
        data: None,
        suppressed_by: None,
    })
}

/// The guard of this name. An alarm that guards nothing would never reach the service.
fn guard(registration: &Registration, alarm: &str, home: &Home) -> Result<AlarmArn, Failure> {
    let guards: Vec<AlarmArn> = registration.guards.iter().filter_map(|guard| guard.arn(home).ok()).collect();
    let meant = guards.iter().find(|arn| arn.as_str() == alarm || arn.name() == alarm);
    meant.cloned().ok_or_else(|| {
        let names: Vec<&str> = guards.iter().map(AlarmArn::name).collect();
        let message = format!("alarm {alarm} does not guard {}", registration.service);
        Failure::new(Kind::AlarmUnknown, message).hint(format!("its guards are: {}", names.join(", ")))
    })
}

impl Plan {
    fn of(signal: Signal, situation: &Situation, now: Timestamp) -> Self {
        let moment = Moment { now, lease_until: now.saturating_add(LEASE).unwrap_or(now) };
        let Decision { course, reason, steps, .. } = decide(&signal, situation, moment);
        let call = |step: Step| Call {
            call: step.to_string(),
            iam_actions: step.iam_actions(),
            moves_traffic: step.moves_traffic(),
            step,
        };
        Self {
            service: situation.record.registration.service.clone(),
            signal,
            course,
            reason_kind: reason.kind(),
            reason: reason.to_string(),
            group: situation.record.registration.rollback.group.clone(),
            with: Vec::new(),
            rows: steps
                .into_iter()
                .filter(|row| !row.is_empty())
                .map(|row| row.into_iter().map(call).collect())
                .collect(),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, course) = match self.course {
            Course::Restore => (GOOD, "traffic goes back"),
            Course::Settle => (GOOD, "traffic is back already; the books are closed"),
            Course::Hold => (WARN, "traffic stays where it is, and a person is paged"),
            Course::StandDown => (WARN, "traffic stays where it is"),
            Course::Stuck => (BAD, "traffic should go back and cannot, at least in part"),
        };
        writeln!(f, "{}: {}", styled(NAME, &self.service), styled(style, course))?;
        writeln!(f, "  {}\n", self.reason)?;
        for (number, row) in (1..).zip(&self.rows) {
            // What is done together shares a number.
            let letters =
                ('a'..='z').map(|letter| letter.to_string()).chain(std::iter::repeat("+".to_owned()));
            for (call, letter) in row.iter().zip(letters) {
                let letter = if row.len() > 1 { letter.as_str() } else { "" };
                let text = if call.moves_traffic { styled(NAME, &call.call) } else { call.call.clone() };
                writeln!(f, "{:>4} {text}", format!("{number}{letter}."))?;
            }
        }
        if let (Some(group), false) = (&self.group, self.with.is_empty()) {
            let with: Vec<&str> = self.with.iter().map(ServiceName::as_str).collect();
            let (with, told) = (with.join(", "), format!("ripcord rollback --group {group} asks for all"));
            writeln!(f, "\n  group {group}: an alarm of any puts back {with}, too; {told}")?;
        }
        let number_of_calls: usize = self.rows.iter().map(Vec::len).sum();
        let made =
            if number_of_calls == 0 { "No call would be made." } else { "\nNone of these calls was made." };
        writeln!(f, "{}", styled(FAINT, made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example::{self, at};

    fn home() -> Home {
        Home { partition: "aws".into(), region: "eu-west-1".into(), account: "123456789012".into() }
    }

    fn by_alice(to: Option<&str>) -> Signal {
        Signal::Operator(RollbackCommand {
            release: None,
            service: "checkout".parse().expect("a name"),
            to: to.map(|to| to.parse().expect("a version")),
            why: None,
            requested_by: Some("alice".to_owned()),
            requested_at: at("2026-03-02T12:00:00Z"),
        })
    }

    #[track_caller]
    fn rendered(signal: Signal, situation: &Situation) -> String {
        let plan = Plan::of(signal, situation, at("2026-03-02T12:00:00Z"));
        anstream::adapter::strip_str(&plan.to_string()).to_string()
    }

    #[test]
    fn a_plan_prints_every_call_in_its_order() {
        insta::assert_snapshot!(rendered(by_alice(None), &example::shifting()));
    }

    #[test]
    fn a_plan_for_an_alarm_says_so() {
        let situation = example::shifting();
        let alarm = guard(&situation.record.registration, "checkout-error-rate", &home()).expect("a guard");
        let text = rendered(firing(alarm, at("2026-03-02T12:00:00Z")), &situation);
        assert!(text.contains("alarm checkout-error-rate fired"), "{text}");
        assert!(text.contains("\n  1. lambda:UpdateAlias checkout:live to 1 on 100%"), "{text}");
    }

    #[test]
    fn a_plan_prints_how_a_place_is_moved_and_looked_at() {
        insta::assert_snapshot!(rendered(by_alice(None), &example::balanced("blue:90,green:10")));
    }

    #[test]
    fn a_plan_without_steps_says_that_nothing_would_be_called() {
        let mut situation = example::shifting();
        situation.record.release = None;
        situation.record.known_good.clear();
        insta::assert_snapshot!(rendered(by_alice(None), &situation), @r"
        checkout: traffic stays where it is
          no version of api is known to be good: name one with --to

        No call would be made.
        ");
    }

    #[test]
    fn an_alarm_that_guards_nothing_is_refused_by_name() {
        let registration = example::shifting().record.registration;
        for known in ["checkout-latency", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-latency"]
        {
            assert_eq!(guard(&registration, known, &home()).expect("a guard").name(), "checkout-latency");
        }
        let failure = guard(&registration, "billing", &home()).expect_err("not a guard");
        assert_eq!(failure.kind, "alarm_unknown");
        assert_eq!(failure.hint.as_deref(), Some("its guards are: checkout-error-rate, checkout-latency"));
    }

    #[test]
    fn a_plan_names_the_group_that_goes_back_with_the_service() {
        let mut situation = example::shifting();
        situation.record.registration.rollback.group = Some("shop".parse().expect("a name"));
        let plan = Plan::of(by_alice(None), &situation, at("2026-03-02T12:00:00Z"));
        let plan = Plan { with: vec!["payments".parse().expect("a name")], ..plan };
        let text = anstream::adapter::strip_str(&plan.to_string()).to_string();
        let told =
            "group shop: an alarm of any puts back payments, too; ripcord rollback --group shop asks for all";
        assert!(text.contains(told), "{text}");
        // Alone in its group it goes back as ever.
        assert!(!Plan { with: Vec::new(), ..plan }.to_string().contains("shop"));
    }

    #[test]
    fn planning_is_data_with_stable_names() {
        let plan = Plan::of(by_alice(None), &example::shifting(), at("2026-03-02T12:00:00Z"));
        let json = serde_json::to_value(&plan).expect("it serializes");
        assert_eq!(json["course"], "restore");
        assert_eq!(json["reason_kind"], "operator_asked");
        assert_eq!(json["rows"][0][0]["iam_actions"][0], "lambda:UpdateAlias");
        assert_eq!(json["rows"][0][0]["moves_traffic"], true);
        assert_eq!(json["rows"][0][0]["step"]["set_traffic"]["revision"], "rev-7");
    }
}
