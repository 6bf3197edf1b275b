//! The reasons of a judgement: one enum with numbers, one `Display` that shows the arithmetic.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judgement::{GaugeVerdict, Metric, Tally, Verdict};
use super::observations::{AlarmReading, Direction, Missing, Unmeasured};
use crate::names::Weight;
use crate::signal::AlarmState;

/// One thing that the judge found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// More bad requests than the limit allows.
    OverLimit {
        /// Of what.
        metric: Metric,
        /// The candidate, since the fault seems to have begun.
        candidate: Tally,
        /// The largest share that may be bad.
        limit: f64,
        /// The minute in which the fault seems to have begun.
        since: Timestamp,
        /// How strong the case is.
        evidence: Evidence,
    },
    /// More bad requests than the stable version has in the same minutes.
    WorseThanStable {
        /// Of what.
        metric: Metric,
        /// The candidate, since the fault seems to have begun.
        candidate: Tally,
        /// The stable version in the same minutes.
        stable: Tally,
        /// The minute in which the fault seems to have begun.
        since: Timestamp,
        /// How strong the case is.
        evidence: Evidence,
    },
    /// The candidate keeps to the limit.
    Proved {
        /// Of what.
        metric: Metric,
        /// The candidate in this stage.
        candidate: Tally,
        /// The limit that is proved.
        limit: f64,
        /// How strong the case is.
        evidence: Evidence,
    },
    /// The candidate may keep to the limit, but that is not proved.
    Unproven {
        /// Of what.
        metric: Metric,
        /// The candidate in this stage.
        candidate: Tally,
        /// Requests counted as bad because nothing is known about them.
        unknown: u64,
        /// The limit that is not proved.
        limit: f64,
        /// How many more requests would prove it at this rate; none can if there is no number.
        needed: Option<u64>,
    },
    /// Traffic is not split as the weights say.
    SplitMismatch {
        /// Requests to the candidate.
        candidate: u64,
        /// Requests to both versions.
        all: u64,
        /// The candidate's weight in the last of these minutes.
        weight: Weight,
        /// How many of these requests the weights of their minutes give to the candidate.
        expected: u64,
        /// How strong the case is.
        evidence: Evidence,
    },
    /// Counts that cannot be true: more bad requests than requests.
    CountsContradict {
        /// Of what.
        metric: Metric,
        /// When.
        minute: Timestamp,
        /// What was counted.
        counted: Tally,
    },
    /// A minute, or the stage itself, belongs to a stage whose limits are not given.
    StageUnknown {
        /// The stage; counts from 0.
        stage: usize,
        /// How many stages have limits.
        stages: usize,
    },
    /// What a gauge shows.
    Gauge(GaugeVerdict),
    /// The state of an alarm.
    Alarm(AlarmReading),
    /// What could not be read.
    Unmeasured(Unmeasured),
}

impl Finding {
    /// What the finding comes to by itself.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::OverLimit { .. } | Self::WorseThanStable { .. } => Verdict::Fail,
            Self::Proved { .. } => Verdict::Pass,
            Self::Unproven { .. } | Self::SplitMismatch { .. } => Verdict::Inconclusive,
            Self::CountsContradict { .. } | Self::StageUnknown { .. } | Self::Unmeasured(_) => Verdict::Error,
            Self::Gauge(gauge) => gauge.verdict,
            Self::Alarm(alarm) if alarm.waived => Verdict::Pass,
            Self::Alarm(alarm) => match alarm.state {
                AlarmState::Ok => Verdict::Pass,
                AlarmState::Alarm => Verdict::Fail,
                AlarmState::InsufficientData => Verdict::Inconclusive,
            },
        }
    }
}

/// How strong a case is: by how much a bet against chance has multiplied its stake, and by how much it must.
///
/// Chance alone ever multiplies the stake by `x` with a probability of `1/x` at most, however often one looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The logarithm of what the stake has become.
    pub ln_wealth: f64,
    /// The logarithm of what is enough.
    pub ln_enough: f64,
}

impl Evidence {
    /// Whether it is enough.
    pub fn is_enough(self) -> bool {
        self.ln_wealth >= self.ln_enough
    }

    /// From 0 to 1, on the scale of logarithms.
    pub fn share(self) -> f64 {
        (self.ln_wealth / self.ln_enough).clamp(0.0, 1.0)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evidence {} against chance, {} ", odds(self.ln_wealth), odds(self.ln_enough))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverLimit { metric, candidate, limit, since, evidence } => {
                let limit = percent(*limit);
                write!(f, "{metric} {candidate} > limit {limit} since {}: {evidence}fails", clock(*since))
            }
            Self::WorseThanStable { metric, candidate, stable, since, evidence } => write!(
                f,
                "{metric} {candidate} against {stable} of the stable version in the same minutes since {}: \
                 {evidence}fails",
                clock(*since)
            ),
            Self::Proved { metric, candidate, limit, evidence } => {
                write!(f, "{metric} {candidate} prove the limit {}: {evidence}passes", percent(*limit))
            }
            Self::Unproven { metric, candidate, unknown, limit, needed } => {
                write!(f, "{metric} {candidate}")?;
                if *unknown > 0 {
                    write!(f, ", {} of them of unknown duration,", grouped(*unknown))?;
                }
                let limit = percent(*limit);
                match needed {
                    Some(1) => write!(f, " prove no limit {limit} yet: 1 more request is needed"),
                    Some(needed) => {
                        write!(
                            f,
                            " prove no limit {limit} yet: {} more requests are needed",
                            grouped(*needed)
                        )
                    }
                    None => write!(f, " prove no limit {limit}, and at this rate no number of requests will"),
                }
            }
            Self::SplitMismatch { candidate, all, weight, expected, evidence } => write!(
                f,
                "the candidate has {} of {} requests, {} are expected at weight {weight}: {evidence}is a mismatch",
                grouped(*candidate),
                grouped(*all),
                grouped(*expected),
            ),
            Self::CountsContradict { metric, minute, counted } => write!(
                f,
                "{metric} in the minute {minute}: {} of only {} requests cannot be true",
                grouped(counted.bad),
                grouped(counted.requests)
            ),
            Self::StageUnknown { stage, stages } => {
                write!(f, "stage {} has no limits: the release has {stages}", stage + 1)
            }
            Self::Gauge(gauge) => gauge_sentence(gauge, f),
            Self::Alarm(alarm) => {
                let state = match alarm.state {
                    AlarmState::Ok => "is OK",
                    AlarmState::Alarm => "is in ALARM",
                    AlarmState::InsufficientData => "has INSUFFICIENT_DATA",
                };
                let waived = if alarm.waived { ", and is waived" } else { "" };
                write!(f, "alarm {} {state}{waived}", alarm.name)
            }
            Self::Unmeasured(Unmeasured { what, why }) => write!(f, "{what} could not be measured: {why}"),
        }
    }
}

fn gauge_sentence(gauge: &GaugeVerdict, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let rule = &gauge.rule;
    let (beyond, extreme) = match rule.bad {
        Direction::Above => ("above", "highest"),
        Direction::Below => ("below", "lowest"),
    };
    write!(
        f,
        "{} {beyond} {} in {} of {} minutes in a row",
        rule.name, rule.threshold, gauge.breaching, rule.of
    )?;
    if let Some(worst) = gauge.worst {
        write!(f, " ({extreme} {worst})")?;
    }
    let missing = rule.of.saturating_sub(gauge.present);
    if missing > 0 {
        let meaning = match rule.missing {
            Missing::Inconclusive => "",
            Missing::Ok => ", which is fine",
        };
        write!(f, ", {missing} without a value{meaning}")?;
    }
    let outcome = match gauge.verdict {
        Verdict::Fail => "fail",
        Verdict::Pass | Verdict::Inconclusive | Verdict::Error => "would fail",
    };
    write!(f, ": {} {outcome}", rule.datapoints)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rate() {
            Some(rate) => {
                write!(f, "{} ({} of {})", percent(rate), grouped(self.bad), grouped(self.requests))
            }
            None => f.write_str("in no requests"),
        }
    }
}

/// The time of day; the date is that of the release.
fn clock(at: Timestamp) -> impl fmt::Display {
    at.strftime("%H:%MZ")
}

/// A share in percent: one place behind the point, and below one percent two digits that count.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        return "0%".to_owned();
    }
    if percent >= 0.95 {
        return format!("{percent:.1}%");
    }
    // Below one percent the logarithm is negative, and at 1e-9 percent nobody reads on.
    let places = (1.0 - percent.log10().floor()).clamp(1.0, 9.0) as usize;
    let text = format!("{percent:.places$}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 : 4,210`; beyond what a person can picture, a power of ten.
fn odds(ln: f64) -> String {
    if ln > 20.0 {
        format!("1 : 10^{:.0}", ln / std::f64::consts::LN_10)
    } else {
        // exp(20) fits, and less than one request's worth of evidence is no evidence.
        format!("1 : {}", grouped(ln.exp().max(1.0).round() as u64))
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
