//! `slow-detection`: an alarm that fires when the shift has got past it.

use super::{About, Scope};
use crate::doctor::alarm::Alarm;
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::shift::{Pace, Shift};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "slow-detection",
    title: "an alarm fires after the shift has got past it",
    why: "An alarm fires at the end of the periods that must breach, and metrics take about a minute to arrive. If \
          the shift is over by then, everybody has the bad version before anything stops it.",
    scope: Scope::Template(check),
};

/// Lambda's metrics arrive about a minute after the minute that they measure.
const DELAY_SECONDS: f64 = 60.0;
/// From this share of the traffic on, a linear shift is more out than in.
const PERCENT_LATE: f64 = 50.0;

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let mut signs: Vec<Sign> = Vec::new();
    for sign in survey.shifts.iter().filter_map(without_time) {
        // What `Globals` say is said once.
        if signs.iter().all(|earlier| earlier.at != sign.at) {
            signs.push(sign);
        }
    }
    for alarm in &survey.alarms {
        let judged = survey
            .guarded_by(alarm.resource)
            .into_iter()
            .flat_map(|shift| shift.paces.iter().filter_map(|(pace, _)| judge(survey, alarm, shift, pace)));
        signs.extend(judged);
    }
    signs
}

/// With everything moved at once, alarms have nothing left to hold back.
fn without_time(shift: &Shift<'_>) -> Option<Sign> {
    let (_, at) = shift.paces.iter().find(|(pace, _)| *pace == Pace::AllAtOnce)?;
    if shift.is_gradual() || shift.alarms.is_empty() {
        return None;
    }
    let id = &shift.subject.id;
    let message =
        format!("{id} is shifted all at once: its alarms can stop nothing, since no traffic is held back");
    let mend = "Type: Canary10Percent5Minutes".to_owned();
    Some(Sign::of(Severity::Note, shift.declared_by, message, mend).at(at))
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>, shift: &Shift<'_>, pace: &Pace) -> Option<Sign> {
    let (periods, length) = alarm.breach_seconds(survey.template)?;
    let detection = periods * length + DELAY_SECONDS;
    let (severity, late) = match pace {
        Pace::AllAtOnce | Pace::Unknown => return None,
        Pace::Canary { percent, minutes } => {
            let window = minutes * 60.0;
            if detection < window {
                return None;
            }
            let late = format!(
                "the canary of {} has {percent} % for {window} s ({minutes} min): all traffic moves before the alarm can fire",
                shift.subject.id
            );
            (Severity::Warning, late)
        }
        Pace::Linear { percent, minutes } => {
            let step = minutes * 60.0;
            if *percent <= 0.0 || step <= 0.0 {
                return None;
            }
            // The first share moves at once, so the last one moves after one step fewer than there are shares.
            let window = ((100.0 / percent).ceil() - 1.0) * step;
            let reached = (percent * (1.0 + (detection / step).floor())).min(100.0);
            let of = format!("{percent} % more of {} every {step} s", shift.subject.id);
            if detection >= window {
                let late = format!("{of} are all of it after {window} s, before the alarm can fire");
                (Severity::Warning, late)
            } else if reached > PERCENT_LATE {
                (Severity::Note, format!("{of} are {reached} % by then"))
            } else {
                return None;
            }
        }
    };
    let id = &alarm.resource.id;
    let message =
        format!("{id} needs {periods} × {length} s + {DELAY_SECONDS} s = {detection} s to fire; {late}");
    Some(Sign::of(severity, alarm.resource, message, mend(alarm, pace)))
}

/// Two minutes of evidence and the delay are three minutes; a slower shift leaves room for more.
fn mend(alarm: &Alarm<'_>, pace: &Pace) -> String {
    let slower = match pace {
        Pace::Linear { .. } => "Linear10PercentEvery3Minutes",
        Pace::Canary { .. } | Pace::AllAtOnce | Pace::Unknown => "Canary10Percent15Minutes",
    };
    let id = &alarm.resource.id;
    format!(
        "{id}:\n  Properties:\n    Period: 60\n    EvaluationPeriods: 2\n    DatapointsToAlarm: 2\nor a slower shift: Type: {slower}"
    )
}
