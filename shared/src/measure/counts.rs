//! Requests per minute and version, out of the series that CloudWatch answered.

use jiff::Timestamp;

use super::minutes::Span;
use super::questions::{Of, within};
use super::{Gaps, Given, Values};
use crate::judge::{Counts, LatencyLimit, Minute, StageLimits};
use crate::names::Weight;
use crate::pipeline::Tempo;
use crate::preflight::Subject;
use crate::strategy::PlannedStage;

/// A stage without a limit fails nobody by it. Strategies are resolved to limits, so no stage of theirs is without.
const UNLIMITED: f64 = 1.0;

/// A stage's limits, as the judge takes them.
pub(super) fn limits(stage: &PlannedStage) -> StageLimits {
    let limits = &stage.limits;
    StageLimits {
        error_rate_max: limits.error_rate_max.unwrap_or(UNLIMITED),
        latency: limits
            .latency_ms_max
            .zip(limits.slow_rate_max)
            .map(|(latency_ms_max, slow_rate_max)| LatencyLimit { latency_ms_max, slow_rate_max }),
    }
}

/// The minutes of every stage that are complete. Notes as a gap if the stage that is judged has requests, and not one minute
/// of them is complete.
pub(super) fn minutes(
    subject: &Subject<'_>,
    spans: &[Span],
    given: &Given<'_>,
    (told_until, tempo): (Timestamp, Tempo),
    gaps: &mut Gaps,
) -> Vec<Minute> {
    let current = subject.run.reached.len().saturating_sub(1);
    let mut minutes = Vec::new();
    let (mut complete, mut incomplete) = (0_usize, 0_usize);
    let mut told: Vec<Option<u64>> = Vec::new();
    for span in spans {
        let limit = subject.run.strategy.stages.get(span.stage).and_then(|stage| limits(stage).latency);
        let limit_ms = limit.map(|limit| limit.latency_ms_max);
        let of = if span.weight == Weight::ALL { Of::Alias } else { Of::Candidate };
        let Some(candidate) = Tallies::of(given, of, limit_ms) else { continue };
        // Without the stable version's series nothing passes, because they are unmeasured; the candidate can still fail.
        let stable = Tallies::of(given, Of::Stable, limit_ms).filter(|_| span.weight != Weight::ALL);
        for start in span.starts(tempo.minute()) {
            let candidate = candidate.at(start);
            let stable = stable.as_ref().map(|stable| stable.at(start));
            if span.stage == current && start.checked_add(tempo.minute()).is_ok_and(|end| end <= told_until) {
                let of_stable = stable.map_or(Some(0), |stable| Some(stable?.requests));
                told.push(candidate.and_then(|candidate| Some(candidate.requests + of_stable?)));
            }
            let (Some(candidate), Some(stable)) = (candidate, stable.map_or(Some(None), |s| s.map(Some)))
            else {
                incomplete += usize::from(span.stage == current);
                continue;
            };
            complete += usize::from(span.stage == current && candidate.requests > 0);
            minutes.push(Minute { start, stage: span.stage, weight: span.weight, candidate, stable });
        }
    }
    if complete == 0 && incomplete > 0 {
        let what = format!("requests of stage {}", current + 1);
        let why = format!(
            "in none of {incomplete} minutes does CloudWatch have the errors and durations of the requests"
        );
        gaps.note(what, why);
    } else if let Some(why) = missing_from(&told) {
        gaps.note(format!("requests of stage {}", current + 1), why);
    }
    minutes
}

/// So many minutes in which nobody calls are looked at together …
const SILENT_MINUTES: usize = 3;
/// … and if so many requests were to be expected in them, it is no chance that there is none.
const EXPECTED_MIN: u64 = 30;

/// What is missing from a stage although it has been reported: a proof must not rest on the minutes that happen to be there.
/// Each entry is a minute's requests to both versions, oldest first; nothing if the minute is not complete.
fn missing_from(told: &[Option<u64>]) -> Option<String> {
    let (count, incomplete) = (told.len(), told.iter().filter(|minute| minute.is_none()).count());
    // One lost minute in ten is left out, as if nobody had called in it. The newest one may be the first of many.
    if incomplete * 10 > count || told.last() == Some(&None) {
        return Some(format!("CloudWatch lacks errors or durations in {incomplete} of {count} minutes"));
    }
    let (before, last) = told.split_at_checked(count.checked_sub(SILENT_MINUTES)?)?;
    let requests: u64 = before.iter().flatten().sum();
    let expected = requests.saturating_mul(SILENT_MINUTES as u64).checked_div(before.len() as u64)?;
    let is_silent = last.iter().flatten().all(|requests| *requests == 0);
    (is_silent && expected >= EXPECTED_MIN).then(|| {
        format!(
            "there are none in the last {SILENT_MINUTES} minutes, where about {expected} were to be expected"
        )
    })
}

/// The series of one version, or of the alias.
struct Tallies<'given> {
    requests: &'given Values,
    errors: &'given Values,
    /// How many durations there are, and how many of them lie within the limit, where there is one.
    durations: Option<(&'given Values, &'given Values)>,
}

impl<'given> Tallies<'given> {
    /// Nothing if requests or errors could not be read. Durations that could not be read are unmeasured, so nothing passes
    /// without them; errors can still fail.
    fn of(given: &Given<'given>, of: Of, limit_ms: Option<u32>) -> Option<Self> {
        let series = |name: &str| given.get(&of.id(name));
        Some(Self {
            requests: series("requests")?,
            errors: series("errors")?,
            durations: limit_ms.and_then(|ms| series("timed").zip(series(&within(ms)))),
        })
    }

    /// What is known of a minute; nothing if that is not all.
    fn at(&self, start: Timestamp) -> Option<Counts> {
        let value = |series: &Values| series.get(&start).copied().map(count);
        let requests = value(self.requests).unwrap_or(Some(0))?;
        let errors = value(self.errors);
        let timed = self.durations.map(|(timed, within)| (value(timed), value(within)));
        if requests == 0 {
            // Lambda publishes nothing for a minute without requests. Errors or durations of no requests are half of a minute.
            let is_bare = matches!(errors, None | Some(Some(0)));
            let is_untimed = matches!(timed, None | Some((None | Some(Some(0)), _)));
            return (is_bare && is_untimed).then(Counts::default);
        }
        let (timed, slow) = match timed {
            None => (0, 0),
            Some((timed, within)) => {
                let timed = timed??;
                // Both are statistics of the same values, so if there are some and no count within the limit, none are.
                (timed, timed.saturating_sub(within.unwrap_or(Some(0))?))
            }
        };
        Some(Counts { requests, errors: errors??, timed, slow })
    }
}

/// A count as a whole number; nothing if it is none.
fn count(value: f64) -> Option<u64> {
    // Beyond 2^53 a double does not hold every whole number, and no function is called so often in a minute.
    (0.0..9e15).contains(&value).then(|| value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is a minute's requests, `-` a minute that is not complete.
    #[track_caller]
    fn check(told: &str, expected: Option<&str>) {
        let told: Vec<Option<u64>> = told.split(' ').map(|minute| minute.parse().ok()).collect();
        assert_eq!(missing_from(&told).as_deref(), expected);
    }

    #[test]
    fn one_lost_minute_in_ten_is_forgiven_and_more_are_not() {
        check("9 9 9 9 - 9 9 9 9 9", None);
        check("9 9 9 9 - 9 9 9 9", Some("CloudWatch lacks errors or durations in 1 of 9 minutes"));
        check("9 9 9 9 9 9 9 9 9 9 9 -", Some("CloudWatch lacks errors or durations in 1 of 12 minutes"));
    }

    #[test]
    fn silence_where_requests_were_to_be_expected_is_no_proof() {
        check(
            "10 10 0 0 0",
            Some("there are none in the last 3 minutes, where about 30 were to be expected"),
        );
        check("10 9 0 0 0", None);
        check("10 10 0 0", None);
        check("0 0 0", None);
        check("90 90 0 0 1", None);
    }
}
