//! What several questions at once do to the chance of being wrong.
//!
//! S. Holm (Scand. J. Statist. 6, 1979) bounds the chance of any wrong answer, and is used where the answer decides. Y. Benjamini
//! and Y. Hochberg (J. R. Stat. Soc. B 57, 1995) bound the part of the answers that are wrong, and are used where somebody looks
//! for what to ask next.

use super::Probability;

/// Holm's adjusted chances, in the order given.
pub fn holm(chances: &[f64]) -> Vec<f64> {
    let count = chances.len();
    let mut adjusted = vec![1.0; count];
    let mut so_far = 0.0_f64;
    for (rank, index) in in_order(chances).into_iter().enumerate() {
        so_far = so_far.max(chances[index] * (count - rank) as f64).min(1.0);
        adjusted[index] = so_far;
    }
    adjusted
}

/// The parts of `alpha` at which Holm's correction compares each chance, in the order given: an interval of that level and the
/// correction say the same. From the first chance that is not small enough on, all are compared as that one is.
pub fn holm_levels(chances: &[f64], alpha: Probability) -> Vec<Probability> {
    let mut levels = vec![alpha; chances.len()];
    let mut level = None;
    for (rank, index) in in_order(chances).into_iter().enumerate() {
        let left = u32::try_from(chances.len() - rank).unwrap_or(u32::MAX);
        let step = alpha.shared_by(left);
        levels[index] = level.unwrap_or(step);
        if level.is_none() && chances[index] >= step.get() {
            level = Some(step);
        }
    }
    levels
}

/// Benjamini's and Hochberg's adjusted chances, in the order given.
pub fn benjamini_hochberg(chances: &[f64]) -> Vec<f64> {
    let count = chances.len();
    let mut adjusted = vec![1.0; count];
    let mut so_far = 1.0_f64;
    for (rank, index) in in_order(chances).into_iter().enumerate().rev() {
        so_far = so_far.min(chances[index] * count as f64 / (rank + 1) as f64);
        adjusted[index] = so_far;
    }
    adjusted
}

fn in_order(chances: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|one, two| chances[*one].total_cmp(&chances[*two]));
    order
}
