//! Subjects are spread evenly, and each flag spreads them on its own. The bounds are the χ² distribution's, so that a hash
//! that is worse than chance over these many flags is found, and one that is suspiciously even too.

use super::super::Draw;

/// Keys as teams choose them: alike, numbered, one letter, long.
fn keys() -> Vec<String> {
    let mut keys: Vec<String> = (0..36).map(|number| format!("new-search-{number}")).collect();
    keys.extend(["a", "b", "A", "checkout.v2", "checkout.v3"].map(str::to_owned));
    keys.push("long-".repeat(12));
    keys
}

const SUBJECTS: u32 = 4_000;

/// Ids as teams have them, which are anything but random.
fn subject(number: u32) -> String {
    match number % 4 {
        0 => number.to_string(),
        1 => format!("user-{number:08}"),
        2 => format!("ada.{number}@example.org"),
        _ => format!("{number:08x}-0000-4000-8000-000000000000"),
    }
}

fn draws(key: &str) -> Vec<Draw> {
    (0..SUBJECTS).map(|number| Draw::of(key, &subject(number))).collect()
}

/// How far counts are from all being equal.
fn chi_squared(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

fn spread(cells: usize, places: impl Iterator<Item = usize>) -> f64 {
    let mut counts = vec![0; cells];
    for place in places {
        counts[place] += 1;
    }
    chi_squared(&counts)
}

/// 99 degrees of freedom: one in a million statistics lies above the first, one in a million below the second; the mean of
/// 42 is within 99 ± 4.5 · √(2 · 99 / 42).
const HIGHEST: f64 = 180.8;
const LOWEST: f64 = 45.8;
const MEAN_MAX: f64 = 108.8;
const MEAN_MIN: f64 = 89.2;

#[track_caller]
fn check(statistics: &[f64]) {
    for statistic in statistics {
        assert!((LOWEST..HIGHEST).contains(statistic), "χ² {statistic} in {statistics:?}");
    }
    let mean = statistics.iter().sum::<f64>() / statistics.len() as f64;
    assert!((MEAN_MIN..MEAN_MAX).contains(&mean), "mean χ² {mean} of {}", statistics.len());
}

#[test]
fn every_flag_spreads_its_subjects_evenly() {
    let drawn: Vec<Vec<Draw>> = keys().iter().map(|key| draws(key)).collect();
    let rollouts: Vec<f64> = drawn
        .iter()
        .map(|draws| spread(100, draws.iter().map(|draw| usize::from(draw.rollout / 100))))
        .collect();
    check(&rollouts);
    let variants: Vec<f64> = drawn
        .iter()
        .map(|draws| spread(100, draws.iter().map(|draw| usize::from(draw.variant / 100))))
        .collect();
    check(&variants);
    // The finest step too: the last two digits of the bucket.
    let fine: Vec<f64> = drawn
        .iter()
        .map(|draws| spread(100, draws.iter().map(|draw| usize::from(draw.rollout % 100))))
        .collect();
    check(&fine);
}

/// Ten by ten cells. All hundred are expected to hold as many, so that 99 degrees of freedom remain here too.
fn joint(one: impl Iterator<Item = u16>, other: impl Iterator<Item = u16>) -> f64 {
    spread(100, one.zip(other).map(|(one, other)| usize::from(one / 1_000 * 10 + other / 1_000)))
}

#[test]
fn flags_choose_their_subjects_independently() {
    let drawn: Vec<Vec<Draw>> = keys().iter().map(|key| draws(key)).collect();
    let pairs = drawn.iter().zip(drawn.iter().cycle().skip(1));
    let statistics: Vec<f64> = pairs
        .map(|(one, other)| joint(one.iter().map(|draw| draw.rollout), other.iter().map(|draw| draw.rollout)))
        .collect();
    check(&statistics);
}

#[test]
fn a_variant_says_nothing_of_the_rollout() {
    let statistics: Vec<f64> = keys()
        .iter()
        .map(|key| {
            let draws = draws(key);
            joint(draws.iter().map(|draw| draw.rollout), draws.iter().map(|draw| draw.variant))
        })
        .collect();
    check(&statistics);
}

/// The measure of the tests above would see it if two flags chose the same subjects, or a flag preferred some buckets.
#[test]
fn dependence_and_preference_would_be_seen() {
    let draws = draws("new-search");
    let rollouts = || draws.iter().map(|draw| draw.rollout);
    assert!(joint(rollouts(), rollouts()) > HIGHEST);
    let preferring = rollouts().map(|bucket| if bucket % 3 == 0 { bucket / 2 } else { bucket });
    assert!(spread(100, preferring.map(|bucket| usize::from(bucket / 100))) > HIGHEST);
}

/// Made with Python's hashlib. They stand in the documentation for clients in other languages, too.
#[test]
fn the_hash_is_the_documented_one() {
    assert_eq!(Draw::of("new-search", "u1"), Draw { rollout: 8615, variant: 8395 });
    assert_eq!(Draw::of("new-search", "u2"), Draw { rollout: 7621, variant: 6782 });
    assert_eq!(Draw::of("new-search", "42"), Draw { rollout: 7558, variant: 9435 });
    assert_eq!(Draw::of("checkout.v2", "ada@example.org"), Draw { rollout: 2591, variant: 8382 });
    assert_eq!(Draw::of("f", "Zoë"), Draw { rollout: 527, variant: 5367 });
    assert_eq!(Draw::of("A", "a b"), Draw { rollout: 5121, variant: 8053 });
}
