//! Takes one release through its stages under one judge, minute by minute.

use ripcord::judge::{Counts, Minute, Observations, Verdict, judge};

use crate::rivals;
use crate::traffic::{Kind, Release, Simulated};

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    Ripcord,
    /// An alarm above so many percent.
    Threshold(u32),
    AnyError,
    MannWhitney,
}

impl Judge {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ripcord, Self::Threshold(5), Self::Threshold(10), Self::AnyError, Self::MannWhitney];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Ripcord => "Ripcord".to_owned(),
            Self::Threshold(percent) => format!("alarm > {percent}%, 2 of 2"),
            Self::AnyError => "any error".to_owned(),
            Self::MannWhitney => "Mann-Whitney".to_owned(),
        }
    }
}

/// What became of a release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Bad requests that the candidate answered until traffic was back, or the release complete.
    pub(crate) bad_served: u64,
    /// From the beginning of the fault to the verdict.
    pub(crate) minutes_at_fault: Option<u64>,
    /// Requests to the candidate at fault that the judge had seen at its verdict.
    pub(crate) requests_at_fault: u64,
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Put back by a `Fail`.
    Failed,
    /// Put back because it proved nothing in twice its bake.
    Unproven,
    /// Passed all its stages.
    Completed,
}

/// Runs the release. Traffic goes back in the minute of the verdict.
pub(crate) fn run(release: &Release, judge: Judge) -> Outcome {
    let mut past: Vec<Simulated> = Vec::new();
    for stage in 0..release.percents.len() {
        let begin = past.len() as u64;
        let end = begin + release.bake_minutes;
        let patience = if judge == Judge::Ripcord { end + release.bake_minutes } else { end };
        // A judgement fails from some minute on, whenever one looks, as long as minutes arrive in order. So where the last
        // look of a bake does not fail, none before it did, and they need not be computed.
        past.extend((begin..end).map(|index| release.minute(index, stage)));
        let fails_by_then = judge != Judge::Ripcord
            || release.has_late_minutes()
            || look(release, judge, &past, end, stage) == Verdict::Fail;
        if fails_by_then {
            for now in begin + 1..=end {
                if look(release, judge, &past, now, stage) == Verdict::Fail {
                    past.truncate(now as usize);
                    return outcome(release, End::Failed, &past);
                }
            }
        }
        let mut now = end;
        loop {
            match look(release, judge, &past, now, stage) {
                Verdict::Fail => return outcome(release, End::Failed, &past),
                Verdict::Pass => break,
                Verdict::Inconclusive | Verdict::Error if now == patience => {
                    return outcome(release, End::Unproven, &past);
                }
                Verdict::Inconclusive | Verdict::Error => {
                    past.push(release.minute(now, stage));
                    now += 1;
                }
            }
        }
    }
    outcome(release, End::Completed, &past)
}

/// Judges by what can be read at the beginning of minute `now`.
fn look(release: &Release, who: Judge, past: &[Simulated], now: u64, stage: usize) -> Verdict {
    let visible = past.iter().filter(|simulated| is_visible(simulated, now));
    let minutes: Vec<Minute> = visible.map(|simulated| simulated.minute).collect();
    let rolls_back = match who {
        Judge::Ripcord => {
            let stages = vec![release.limits; release.percents.len()];
            let (gauges, alarms, unmeasured) = (Vec::new(), Vec::new(), Vec::new());
            return judge(&Observations { stage, stages, minutes, gauges, alarms, unmeasured }).verdict;
        }
        Judge::Threshold(percent) => rivals::threshold_alarm(&minutes, f64::from(percent) / 100.0),
        Judge::AnyError => rivals::any_error(&minutes),
        Judge::MannWhitney => rivals::mann_whitney(&minutes),
    };
    if rolls_back { Verdict::Fail } else { Verdict::Pass }
}

fn is_visible(simulated: &Simulated, now: u64) -> bool {
    simulated.index < now && simulated.arrival.is_some_and(|arrival| arrival <= now)
}

fn outcome(release: &Release, end: End, past: &[Simulated]) -> Outcome {
    let now = past.len() as u64;
    let at_fault = past.iter().filter(|past| release.is_at_fault(past.index, past.minute.stage));
    let begin = at_fault.clone().map(|past| past.index).next();
    Outcome {
        end,
        bad_served: past.iter().map(|past| bad(release, &past.minute.candidate)).sum(),
        minutes_at_fault: begin.map(|begin| now - begin),
        requests_at_fault: at_fault
            .filter(|past| is_visible(past, now))
            .map(|past| past.minute.candidate.requests)
            .sum(),
    }
}

/// What the release is at fault for; of a healthy one, everything.
fn bad(release: &Release, counts: &Counts) -> u64 {
    match release.kind {
        Kind::Healthy => counts.errors + counts.slow,
        Kind::Errors => counts.errors,
        Kind::Latency => counts.slow,
    }
}
