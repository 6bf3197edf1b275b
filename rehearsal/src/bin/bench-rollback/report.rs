//! The samples, and the table that they make.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Measure {
    Ready,
    MitigatedFresh,
    MitigatedClosedSockets,
    MitigatedDeadSockets,
    MitigatedHeld100,
    MitigatedHeld20,
    Warm,
    WarmMitigated,
    WarmWaiting,
    WarmOwn,
    Cpu,
    RssPeak,
    Zip,
    RoundTripsFresh,
    RoundTripsWarm,
    RoundTripsWarmAll,
    ConnectionsFresh,
    InstructionsInit,
    InstructionsEvent,
}

impl Measure {
    pub(crate) const EVERY: [Self; 19] = [
        Self::Ready,
        Self::MitigatedFresh,
        Self::MitigatedClosedSockets,
        Self::MitigatedDeadSockets,
        Self::MitigatedHeld100,
        Self::MitigatedHeld20,
        Self::Warm,
        Self::WarmMitigated,
        Self::WarmWaiting,
        Self::WarmOwn,
        Self::Cpu,
        Self::RssPeak,
        Self::Zip,
        Self::RoundTripsFresh,
        Self::RoundTripsWarm,
        Self::RoundTripsWarmAll,
        Self::ConnectionsFresh,
        Self::InstructionsInit,
        Self::InstructionsEvent,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Ready => "spawn → ready, ms",
            Self::MitigatedFresh => "to mitigation, fresh process, ms",
            Self::MitigatedClosedSockets => "to mitigation, woken, sockets closed by the service, ms",
            Self::MitigatedDeadSockets => "to mitigation, woken, sockets silently dead, ms",
            Self::MitigatedHeld100 => "to mitigation, fresh, 1/14 CPU after ready (100 ms periods), ms",
            Self::MitigatedHeld20 => "to mitigation, fresh, 1/14 CPU after ready (20 ms periods), ms",
            Self::Warm => "warm event, ms",
            Self::WarmMitigated => "– of it until mitigation, ms",
            Self::WarmWaiting => "– of it waiting for AWS, ms",
            Self::WarmOwn => "– of it not waiting for AWS, ms",
            Self::Cpu => "CPU time, start and first event, ms",
            Self::RssPeak => "peak RSS, MB",
            Self::Zip => "zip, MB",
            Self::RoundTripsFresh => "sequential round trips to mitigation, fresh",
            Self::RoundTripsWarm => "sequential round trips to mitigation, warm",
            Self::RoundTripsWarmAll => "sequential round trips of a whole warm event",
            Self::ConnectionsFresh => "TLS connections opened for the first event",
            Self::InstructionsInit => "instructions to ready, millions",
            Self::InstructionsEvent => "instructions to ready and first event, millions",
        }
    }

    fn key(self) -> String {
        format!("{self:?}")
    }

    /// How many digits after the point mean something.
    fn digits(self) -> usize {
        match self {
            Self::RoundTripsFresh
            | Self::RoundTripsWarm
            | Self::RoundTripsWarmAll
            | Self::ConnectionsFresh => 0,
            Self::WarmWaiting | Self::WarmOwn | Self::WarmMitigated | Self::Zip => 2,
            Self::Ready
            | Self::MitigatedFresh
            | Self::MitigatedClosedSockets
            | Self::MitigatedDeadSockets
            | Self::MitigatedHeld100
            | Self::MitigatedHeld20
            | Self::Warm
            | Self::Cpu
            | Self::RssPeak
            | Self::InstructionsInit
            | Self::InstructionsEvent => 1,
        }
    }

    /// What we want of the first contender: its own limit, or how many times less than the others.
    fn aim(self, of: &dyn Fn(usize, Self) -> Option<f64>) -> Option<(String, bool)> {
        let ours = of(0, self)?;
        let at_most = |limit: f64, unit: &str| Some((format!("≤ {limit}{unit}"), ours <= limit));
        let fraction = |boto3: f64, node: f64| {
            let met = ours * boto3 <= of(1, self)? && ours * node <= of(2, self)?;
            Some((format!("≤ 1/{boto3} and 1/{node}"), met))
        };
        match self {
            Self::MitigatedFresh => fraction(20.0, 12.0),
            Self::MitigatedHeld100 => fraction(40.0, 25.0),
            Self::Warm => {
                let limit = of(0, Self::WarmWaiting)?.mul_add(1.05, 1.0);
                Some((format!("≤ 1.05 × waiting + 1 = {limit:.1}"), ours <= limit))
            }
            Self::RssPeak => at_most(12.0, ""),
            Self::Zip => at_most(4.0, ""),
            Self::RoundTripsFresh => at_most(3.0, ""),
            Self::RoundTripsWarm => at_most(2.0, ""),
            Self::InstructionsEvent => at_most(12.0, ""),
            Self::Ready
            | Self::MitigatedClosedSockets
            | Self::MitigatedDeadSockets
            | Self::MitigatedHeld20
            | Self::WarmMitigated
            | Self::WarmWaiting
            | Self::WarmOwn
            | Self::Cpu
            | Self::RoundTripsWarmAll
            | Self::ConnectionsFresh
            | Self::InstructionsInit => None,
        }
    }
}

/// The samples of one contender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(BTreeMap<Measure, Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, measure: Measure, value: f64) {
        self.0.entry(measure).or_default().push(value);
    }

    pub(crate) fn add_ms(&mut self, measure: Measure, took: Duration) {
        self.add(measure, took.as_secs_f64() * 1_000.0);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (measure, values) in other.0 {
            self.0.entry(measure).or_default().extend(values);
        }
    }

    /// The value that `percent` per cent of the samples do not exceed (nearest rank).
    fn quantile(&self, measure: Measure, percent: usize) -> Option<f64> {
        let mut sorted = self.0.get(&measure)?.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    fn count(&self, measure: Measure) -> usize {
        self.0.get(&measure).map(Vec::len).unwrap_or_default()
    }
}

/// Everything that is printed.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Names and samples, ours first.
    pub(crate) contenders: Vec<(String, Samples)>,
    /// Where and how it was measured.
    pub(crate) circumstances: Vec<String>,
    /// What could not be measured, and why.
    pub(crate) absent: Vec<String>,
}

impl Report {
    fn median(&self, contender: usize, measure: Measure) -> Option<f64> {
        self.contenders.get(contender)?.1.quantile(measure, 50)
    }

    /// The table as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for line in &self.circumstances {
            let _ = writeln!(text, "- {line}");
        }
        let names: Vec<&str> = self.contenders.iter().map(|(name, _)| name.as_str()).collect();
        let _ = write!(text, "\n| median (p95) | {} |", names.join(" | "));
        for name in names.iter().skip(1) {
            let _ = write!(text, " {name} ÷ {} |", names[0]);
        }
        let _ = write!(text, " aim |\n|---|{}\n", "---|".repeat(names.len() * 2));
        for measure in Measure::EVERY {
            if self.median(0, measure).is_some() {
                text.push_str(&self.row(measure));
            }
        }
        for line in &self.absent {
            let _ = writeln!(text, "\nNot available here: {line}");
        }
        text
    }

    fn row(&self, measure: Measure) -> String {
        let digits = measure.digits();
        let mut row = format!("| {} |", measure.label());
        for (_, samples) in &self.contenders {
            let _ = match (samples.quantile(measure, 50), samples.quantile(measure, 95)) {
                (Some(median), Some(p95)) if samples.count(measure) > 1 && digits > 0 => {
                    write!(row, " {median:.digits$} ({p95:.digits$}) |")
                }
                (Some(median), Some(_)) => write!(row, " {median:.digits$} |"),
                _ => write!(row, " – |"),
            };
        }
        for other in 1..self.contenders.len() {
            let _ = match (self.median(0, measure), self.median(other, measure)) {
                (Some(ours), Some(theirs)) if ours > 0.0 => write!(row, " {:.1} |", theirs / ours),
                _ => write!(row, " – |"),
            };
        }
        let aim = measure.aim(&|contender, measure| self.median(contender, measure));
        let _ = match aim {
            Some((aim, true)) => writeln!(row, " {aim}: met |"),
            Some((aim, false)) => writeln!(row, " {aim}: **missed** |"),
            None => writeln!(row, " |"),
        };
        row
    }

    /// Everything as data, every sample included.
    pub(crate) fn json(&self) -> Value {
        let contenders: Vec<Value> = self
            .contenders
            .iter()
            .map(|(name, samples)| {
                let measures: serde_json::Map<String, Value> = samples
                    .0
                    .iter()
                    .map(|(measure, values)| {
                        let (median, p95) = (samples.quantile(*measure, 50), samples.quantile(*measure, 95));
                        let value = json!({
                            "label": measure.label(), "median": median, "p95": p95, "samples": values
                        });
                        (measure.key(), value)
                    })
                    .collect();
                json!({"name": name, "measures": measures})
            })
            .collect();
        json!({"circumstances": self.circumstances, "absent": self.absent, "contenders": contenders})
    }
}
