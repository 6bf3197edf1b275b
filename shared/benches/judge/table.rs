//! What the outcomes come to, side by side.

use std::fmt;

use crate::run::{End, Judge, Outcome};
use crate::traffic::{Kind, Release};

/// One release as all judges saw it, in the order of [`Judge::ALL`].
pub(crate) struct Compared {
    pub(crate) release: Release,
    pub(crate) outcomes: [Outcome; Judge::ALL.len()],
}

/// A set of releases that is worth a block of its own.
pub(crate) struct Block<'a> {
    pub(crate) title: &'static str,
    pub(crate) releases: Vec<&'a Compared>,
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.releases.len();
        writeln!(f, "\n### {}: {count} releases\n", self.title)?;
        let healthy = self.releases.iter().all(|compared| compared.release.kind == Kind::Healthy);
        if healthy {
            writeln!(f, "| judge | false rollbacks | unproven | completed | bad requests served, mean |")?;
            writeln!(f, "|---|--:|--:|--:|--:|")?;
        } else {
            writeln!(
                f,
                "| judge | rolled back | missed | unproven | minutes to detection, median (p90) | bad requests served, mean | \
                 × bound, median | × bound where it exceeds a minute |"
            )?;
            writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        }
        for (index, judge) in Judge::ALL.into_iter().enumerate() {
            let outcomes: Vec<(&Compared, Outcome)> =
                self.releases.iter().map(|compared| (*compared, compared.outcomes[index])).collect();
            let share = |end: End| {
                let number = outcomes.iter().filter(|(_, outcome)| outcome.end == end).count();
                Share { number, of: count }
            };
            let bad: u64 = outcomes.iter().map(|(_, outcome)| outcome.bad_served).sum();
            let bad = bad as f64 / count as f64;
            let name = judge.name();
            let (failed, unproven, completed) =
                (share(End::Failed), share(End::Unproven), share(End::Completed));
            if healthy {
                writeln!(f, "| {name} | {} | {unproven} | {completed} | {bad:.1} |", failed.with_error())?;
                continue;
            }
            let mut minutes: Vec<f64> = outcomes
                .iter()
                .filter(|(_, outcome)| outcome.end == End::Failed)
                .filter_map(|(_, outcome)| outcome.minutes_at_fault.map(|minutes| minutes as f64))
                .collect();
            let (median, p90) = (quantile(&mut minutes, 0.5), quantile(&mut minutes, 0.9));
            let mut multiples: Vec<f64> =
                outcomes.iter().map(|(compared, outcome)| multiple(compared, outcome)).collect();
            let mut long: Vec<f64> = outcomes
                .iter()
                .filter(|(compared, _)| bound(&compared.release) > compared.release.candidate_per_minute())
                .map(|(compared, outcome)| multiple(compared, outcome))
                .collect();
            let (all, long) = (quantile(&mut multiples, 0.5), quantile(&mut long, 0.5));
            writeln!(
                f,
                "| {name} | {failed} | {completed} | {unproven} | {median:.0} ({p90:.0}) | {bad:.1} | {all:.2} | {long:.2} |"
            )?;
        }
        Ok(())
    }
}

struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// With its standard error.
    fn with_error(&self) -> String {
        let share = self.number as f64 / self.of as f64;
        let error = (share * (1.0 - share) / self.of as f64).sqrt();
        format!("{:.2}% ± {:.2}", share * 100.0, error * 100.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}%", self.number as f64 / self.of as f64 * 100.0)
    }
}

/// How many requests to the candidate the best test needs on average, if it knows both rates and when the fault begins.
fn bound(release: &Release) -> f64 {
    let divergence =
        |bad: f64, good: f64| bad * (bad / good).ln() + (1.0 - bad) * ((1.0 - bad) / (1.0 - good)).ln();
    let (base, bad) = (release.base, release.bad);
    ripcord::judge::ALPHA.ln().abs() / (divergence(bad.errors, base.errors) + divergence(bad.slow, base.slow))
}

/// Requests at fault until the verdict as a multiple of the bound; without a verdict there is no end to it.
fn multiple(compared: &Compared, outcome: &Outcome) -> f64 {
    match outcome.end {
        End::Failed if outcome.minutes_at_fault.is_some() => {
            outcome.requests_at_fault as f64 / bound(&compared.release)
        }
        End::Failed | End::Unproven | End::Completed => f64::INFINITY,
    }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * at).round().max(0.0) as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
