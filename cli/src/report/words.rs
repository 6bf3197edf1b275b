//! Times and numbers as a reader of a report wants them.

use jiff::{SignedDuration, Timestamp};
use ripcord::judge::{Tally, grouped};

use crate::figures::stretch;

/// A time of day, to the second.
pub(crate) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// A day with its time.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// A stretch of time; below a minute with the digits that matter where a rollback is quick. No line breaks before its unit.
pub(crate) fn lasting(duration: SignedDuration) -> String {
    let seconds = duration.as_secs_f64().max(0.0);
    match seconds {
        ..0.0005 => "0\u{a0}s".to_owned(),
        ..0.9995 => format!("{:.0}\u{a0}ms", seconds * 1e3),
        ..10.0 => format!("{seconds:.1}\u{a0}s"),
        10.0..60.0 => format!("{seconds:.0}\u{a0}s"),
        _ => stretch(duration).replace(' ', "\u{a0}"),
    }
}

/// How long after the beginning, with its sign.
pub(crate) fn after(beginning: Timestamp, at: Timestamp) -> String {
    let since = at.duration_since(beginning);
    let sign = if since.is_negative() { '−' } else { '+' };
    format!("{sign}{}", lasting(since.abs()))
}

/// A rate in percent: as many digits as a limit has.
pub(crate) fn rate(tally: Tally) -> String {
    tally.rate().map_or("–".to_owned(), |rate| format!("{:.2}%", rate * 100.0))
}

/// `61 of 1,240`.
pub(crate) fn of(tally: Tally) -> String {
    format!("{} of {}", grouped(tally.bad), grouped(tally.requests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_has_the_digits_that_matter() {
        for (ms, expected) in [
            (-5, "0\u{a0}s"),
            (0, "0\u{a0}s"),
            (1, "1\u{a0}ms"),
            (999, "999\u{a0}ms"),
            (1_000, "1.0\u{a0}s"),
            (9_940, "9.9\u{a0}s"),
            (10_000, "10\u{a0}s"),
            (59_400, "59\u{a0}s"),
            (60_000, "1m"),
            (754_000, "12m\u{a0}34s"),
        ] {
            assert_eq!(lasting(SignedDuration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn what_came_before_the_beginning_says_so() {
        let at = |text: &str| -> Timestamp { text.parse().expect("a time") };
        let beginning = at("2026-03-02T12:00:00Z");
        assert_eq!(after(beginning, at("2026-03-02T12:00:02.5Z")), "+2.5\u{a0}s");
        assert_eq!(after(beginning, at("2026-03-02T11:58:00Z")), "−2m");
    }
}
