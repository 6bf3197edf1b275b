//! Figures as people read them: shares, counts, durations, bars and spark lines. All of them have a known width.

use jiff::SignedDuration;
pub(crate) use ripcord::judge::grouped;

/// A share in percent, without the digits that floating point adds.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", (share * 1e8).round() / 1e6)
}

/// Minutes of a plan, as the command line takes them: `15m`, `2h`, `7d`.
pub(crate) fn minutes(minutes: u32) -> String {
    match minutes {
        0 => "0m".to_owned(),
        _ if minutes.is_multiple_of(1_440) => format!("{}d", minutes / 1_440),
        _ if minutes.is_multiple_of(60) => format!("{}h", minutes / 60),
        _ if minutes > 60 => format!("{}h {}m", minutes / 60, minutes % 60),
        _ => format!("{minutes}m"),
    }
}

/// A stretch of time, in its two largest units.
pub(crate) fn stretch(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let rounded = match seconds {
        ..3_600 => seconds,
        3_600..86_400 => seconds - seconds % 60,
        _ => seconds - seconds % 3_600,
    };
    match (rounded / 86_400, rounded / 3_600 % 24, rounded / 60 % 60, rounded % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, 0) => format!("{m}m"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, 0, _) => format!("{h}h"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, 0, _, _) => format!("{d}d"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}

/// A bar of `length` places, of which `share` is full. What has begun shows, and only what is whole fills it.
pub(crate) fn bar(share: f64, length: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let places = share * length as f64;
    let full = if share > 0.0 { (places.floor() as usize).max(1) } else { 0 };
    "█".repeat(full) + &"░".repeat(length - full)
}

const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character per value, the last `length` of them; the scale ends at `top` or at the largest value.
pub(crate) fn spark(values: &[Option<f64>], top: f64, length: usize) -> String {
    let shown = values.get(values.len().saturating_sub(length)..).unwrap_or_default();
    let top = shown.iter().flatten().copied().fold(top, f64::max);
    let spark = |value: &Option<f64>| match value {
        None => '·',
        Some(value) if top > 0.0 => {
            let level = (value / top * (SPARKS.len() - 1) as f64).round().max(0.0) as usize;
            SPARKS.get(level).copied().unwrap_or('█')
        }
        Some(_) => SPARKS[0],
    };
    shown.iter().map(spark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_counts_read_as_they_were_written() {
        for (share, text) in [(0.0, "0%"), (0.005, "0.5%"), (0.07, "7%"), (0.29, "29%"), (1.0, "100%")] {
            assert_eq!(percent(share), text);
        }
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (given, text) in
            [(0, "0m"), (59, "59m"), (60, "1h"), (61, "1h 1m"), (120, "2h"), (1_440, "1d"), (10_080, "7d")]
        {
            assert_eq!(minutes(given), text);
        }
        for (seconds, text) in [
            (-1, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m 59s"),
            (3_600, "1h"),
            (3_661, "1h 1m"),
            (86_399, "23h 59m"),
            (86_400, "1d"),
            (90_061, "1d 1h"),
        ] {
            assert_eq!(stretch(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_there() {
        assert_eq!(bar(0.0, 4), "░░░░");
        assert_eq!(bar(0.01, 4), "█░░░");
        assert_eq!(bar(0.99, 4), "███░");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar(f64::NAN, 4), "░░░░");
    }

    #[test]
    fn a_spark_line_shows_the_latest_values_and_the_gaps() {
        let values = [Some(9.0), Some(0.0), None, Some(1.0)];
        assert_eq!(spark(&values, 1.0, 3), "▁·█");
        assert_eq!(spark(&values, 1.0, 4), "█▁·▂");
        assert_eq!(spark(&[Some(0.0)], 0.0, 4), "▁");
        assert_eq!(spark(&[], 1.0, 4), "");
        // A value below the scale is the lowest, never a hole or a crash.
        assert_eq!(spark(&[Some(-3.0)], 1.0, 4), "▁");
    }
}
