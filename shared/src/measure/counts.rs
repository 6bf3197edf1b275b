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
    tempo: Tempo,
    gaps: &mut Gaps,
) -> Vec<Minute> {
    let current = subject.run.reached.len().saturating_sub(1);
    let mut minutes = Vec::new();
    let (mut complete, mut incomplete) = (0_usize, 0_usize);
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
    }
    minutes
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
