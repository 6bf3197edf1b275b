//! Scales: where a time or a value lies, and at which of them the eye gets a number.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Shares between 0 and 1, written in percent.
    Share,
    /// Plain numbers.
    Number,
}

/// A stretch of time, never empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: Timestamp,
    to: Timestamp,
}

/// The distances between two ticks, in seconds; beyond the last one they are multiples of it.
const STEPS_SECONDS: [i64; 24] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

impl Span {
    pub(super) fn new(one: Timestamp, other: Timestamp) -> Self {
        let (from, to) = (one.min(other), one.max(other));
        // A second is the least that an axis can show. At the end of all time it reaches backwards.
        let second = SignedDuration::from_secs(1);
        if to.duration_since(from) >= second {
            return Self { from, to };
        }
        match from.checked_add(second) {
            Ok(to) => Self { from, to },
            Err(_) => Self { from: from.checked_sub(second).unwrap_or(from), to },
        }
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }

    /// How far along a time lies, between 0 and 1.
    pub(super) fn share(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1e-9);
        (at.duration_since(self.from).as_secs_f64() / whole).clamp(0.0, 1.0)
    }

    /// At most about `most` times to write down, and how many seconds lie between them.
    pub(super) fn ticks(&self, most: usize) -> (Vec<Timestamp>, i64) {
        let whole = self.to.duration_since(self.from).as_secs().max(1);
        let most = i64::try_from(most.max(2)).unwrap_or(2);
        let fits = STEPS_SECONDS.into_iter().find(|step| whole / step <= most);
        let [.., year] = STEPS_SECONDS;
        let step = fits.unwrap_or_else(|| (whole / most / year + 1) * year);
        let first = self.from.as_second().div_euclid(step) + 1;
        let last = self.to.as_second().div_euclid(step);
        let at = |count: i64| Timestamp::from_second(count.saturating_mul(step)).ok();
        ((first..=last).filter_map(at).filter(|at| self.holds(*at)).collect(), step)
    }
}

/// A time of day as exact as its axis; a day where ticks are days.
pub(super) fn clock(at: Timestamp, step_seconds: i64) -> String {
    let format = match step_seconds {
        ..60 => "%H:%M:%S",
        60..86_400 => "%H:%M",
        86_400..31_536_000 => "%-d %b",
        _ => "%Y",
    };
    at.strftime(format).to_string()
}

/// A scale from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    unit: Unit,
    step: f64,
    top: f64,
}

/// More than any rate or count, and far from where doubles end.
const VALUE_MAX: f64 = 1e15;

impl Values {
    pub(super) fn new(unit: Unit, most: f64) -> Self {
        let most = if most.is_finite() { most.clamp(1e-9, VALUE_MAX) } else { 1.0 };
        let rough = most / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|part| part * power).find(|step| *step >= rough);
        let step = step.unwrap_or(power * 10.0);
        let top = (most / step - 1e-9).ceil().max(1.0) * step;
        // Nothing is more than all of it.
        let top = if unit == Unit::Share && most <= 1.0 { top.min(1.0) } else { top };
        Self { unit, step, top }
    }

    /// How far up a value lies, between 0 and 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value / self.top).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let Self { step, top, .. } = *self;
        (0..=8_u32)
            .map(move |count| f64::from(count) * step)
            .take_while(move |value| *value <= top * 1.000_001)
    }

    pub(super) fn written(&self, value: f64) -> String {
        match self.unit {
            Unit::Share => format!("{}%", plain(value * 100.0)),
            Unit::Number => plain(value),
        }
    }
}

/// A number without the digits that floating point adds.
fn plain(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{value:.3e}");
    }
    // Three digits that matter, whatever the size.
    let digits = if value > 0.0 { (2.0 - value.log10().floor()).clamp(0.0, 9.0) as usize } else { 0 };
    let written = format!("{value:.digits$}");
    if written.contains('.') {
        written.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_round_numbers_up_to_its_largest_value() {
        let written = |unit, most| -> Vec<String> {
            let values = Values::new(unit, most);
            values.ticks().map(|value| values.written(value)).collect()
        };
        assert_eq!(written(Unit::Share, 1.0), ["0%", "25%", "50%", "75%", "100%"]);
        assert_eq!(written(Unit::Share, 0.05), ["0%", "2%", "4%", "6%"]);
        assert_eq!(written(Unit::Share, 0.001), ["0%", "0.025%", "0.05%", "0.075%", "0.1%"]);
        assert_eq!(written(Unit::Number, 7.0), ["0", "2", "4", "6", "8"]);
        assert_eq!(written(Unit::Number, f64::NAN).first().map(String::as_str), Some("0"));
    }

    #[test]
    fn times_are_as_exact_as_they_need_to_be() {
        let at = |text: &str| -> Timestamp { text.parse().expect("a time") };
        let written = |from: &str, to: &str| -> Vec<String> {
            let (ticks, step) = Span::new(at(from), at(to)).ticks(4);
            ticks.into_iter().map(|at| clock(at, step)).collect()
        };
        assert_eq!(
            written("2026-03-02T12:00:00Z", "2026-03-02T12:00:20Z"),
            ["12:00:05", "12:00:10", "12:00:15", "12:00:20"]
        );
        assert_eq!(written("2026-03-02T11:55:00Z", "2026-03-02T13:10:00Z"), ["12:00", "12:30", "13:00"]);
        assert_eq!(
            written("2026-03-01T12:00:00Z", "2026-03-09T12:00:00Z").first().map(String::as_str),
            Some("2 Mar")
        );
        // Nothing is as long as no time.
        assert!(!written("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z").is_empty());
    }
}
