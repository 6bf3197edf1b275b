//! How long ago something was, for people.

use jiff::{SignedDuration, Timestamp};

/// `42s ago`, `2h 5m ago`, `3d ago`: as exact as it matters.
pub(crate) fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs();
    match seconds {
        // Clocks differ; a few seconds into the future are now.
        ..=0 => "just now".to_owned(),
        1..3_600 => format!("{:#} ago", SignedDuration::from_secs(seconds)),
        3_600..172_800 => format!("{:#} ago", SignedDuration::from_secs(seconds - seconds % 60)),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_as_exact_as_it_matters() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().expect("a time");
        for (seconds, expected) in [
            (-5, "just now"),
            (0, "just now"),
            (42, "42s ago"),
            (3_599, "59m 59s ago"),
            (7_512, "2h 5m ago"),
            (172_799, "47h 59m ago"),
            (172_800, "2d ago"),
        ] {
            assert_eq!(ago(now - SignedDuration::from_secs(seconds), now), expected);
        }
    }
}
