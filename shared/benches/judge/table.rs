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
        writeln!(f, "\n### {}: {} releases\n", self.title, self.releases.len())?;
        let healthy = self.releases.iter().all(|compared| compared.release.kind == Kind::Healthy);
        if healthy {
            writeln!(f, "| judge | false rollbacks | unproven | completed | bad requests served, mean |")?;
            writeln!(f, "|---|--:|--:|--:|--:|")?;
        } else {
            writeln!(
                f,
                "| judge | found | missed | unproven | rolled back before the fault | minutes to detection, median (p90) | \
                 bad requests served, mean | × bound, median | the same where the bound exceeds a minute | \
                 × the larger of bound and minute, median |"
            )?;
            writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        }
        for (index, judge) in Judge::ALL.into_iter().enumerate() {
            let column = Column {
                name: judge.name(),
                outcomes: self.releases.iter().map(|one| (&one.release, one.outcomes[index])).collect(),
            };
            if healthy { column.write_healthy(f)? } else { column.write_regressions(f)? }
        }
        Ok(())
    }
}

/// What one judge made of the releases of a block.
struct Column<'a> {
    name: String,
    outcomes: Vec<(&'a Release, Outcome)>,
}

impl Column<'_> {
    fn write_healthy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.share(|outcome| outcome.end == End::Failed).with_error();
        let unproven = self.share(|outcome| outcome.end == End::Unproven);
        let completed = self.share(|outcome| outcome.end == End::Completed);
        writeln!(f, "| {} | {failed} | {unproven} | {completed} | {:.1} |", self.name, self.mean_bad())
    }

    fn write_regressions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = |outcome: &Outcome| outcome.end == End::Failed && outcome.minutes_at_fault.is_some();
        let early = self.share(|outcome| outcome.end == End::Failed && outcome.minutes_at_fault.is_none());
        let missed = self.share(|outcome| outcome.end == End::Completed);
        let unproven = self.share(|outcome| outcome.end == End::Unproven);
        let detected = self.outcomes.iter().filter(|(_, outcome)| found(outcome));
        let minutes: Vec<f64> = detected
            .filter_map(|(_, outcome)| outcome.minutes_at_fault.map(|minutes| minutes as f64))
            .collect();
        write!(f, "| {} | {} | {missed} | {unproven} | {early} ", self.name, self.share(found))?;
        write!(
            f,
            "| {:.0} ({:.0}) | {:.1} ",
            quantile(&minutes, 0.5),
            quantile(&minutes, 0.9),
            self.mean_bad()
        )?;

        // Without a verdict on the fault there is no end to the requests.
        let requests = |outcome: &Outcome| {
            if found(outcome) { outcome.requests_at_fault as f64 } else { f64::INFINITY }
        };
        let (mut all, mut long, mut attainable) = (Vec::new(), Vec::new(), Vec::new());
        for (release, outcome) in &self.outcomes {
            let (requests, bound, minute) =
                (requests(outcome), bound(release), release.candidate_per_minute());
            all.push(requests / bound);
            attainable.push(requests / bound.max(minute));
            if bound > minute {
                long.push(requests / bound);
            }
        }
        for multiples in [all, long, attainable] {
            write!(f, "| {:.2} ", quantile(&multiples, 0.5))?;
        }
        writeln!(f, "|")
    }

    fn share(&self, counts: impl Fn(&Outcome) -> bool) -> Share {
        Share {
            number: self.outcomes.iter().filter(|(_, outcome)| counts(outcome)).count(),
            of: self.outcomes.len(),
        }
    }

    fn mean_bad(&self) -> f64 {
        self.outcomes.iter().map(|(_, outcome)| outcome.bad_served as f64).sum::<f64>()
            / self.outcomes.len() as f64
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

fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len() as f64 - 1.0) * at).round().max(0.0) as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
