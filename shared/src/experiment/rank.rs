//! Ranks, for what has no useful mean: the Mann-Whitney test, how often one arm beats the other, and by how much it is shifted.

use serde::Serialize;

use super::distribution::{normal_above, normal_value};
use super::{Alternative, Interval, Probability};

/// With as many or fewer on either side, and no ties, the test is exact, as in scipy.
const EXACT_MAX: usize = 8;
/// Beyond so many pairs the exact distribution costs more than it tells.
const EXACT_PAIRS_MAX: usize = 1_000_000;

/// Finite numbers in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered(Vec<f64>);

impl Ordered {
    /// Sorts them. What is not a finite number has no rank, and nothing has an order without it.
    pub fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let finite = values.iter().all(|value| value.is_finite());
        (finite && !values.is_empty()).then_some(Self(values))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle.
    pub fn median(&self) -> f64 {
        let (low, high) = ((self.0.len() - 1) / 2, self.0.len() / 2);
        let at = |index: usize| self.0.get(index).copied().unwrap_or(0.0);
        at(low) / 2.0 + at(high) / 2.0
    }
}

/// How the chance was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RankMethod {
    /// From all orders that there are.
    Exact,
    /// From the normal distribution, with corrections for ties and for continuity.
    Asymptotic,
}

/// What the Mann-Whitney test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MannWhitney {
    /// The pairs in which the treatment's is the larger, ties by half.
    pub u: f64,
    /// All pairs.
    pub pairs: f64,
    /// The chance of as much or more if neither arm tends to be larger.
    pub p: f64,
    /// How it was computed.
    pub method: RankMethod,
}

impl MannWhitney {
    /// The common-language effect size: the chance that one of the treatment's is larger than one of the control's.
    pub fn superiority(&self) -> f64 {
        self.u / self.pairs
    }

    /// D. S. Kerby's rank-biserial correlation: the same from −1 to 1.
    pub fn rank_biserial(&self) -> f64 {
        2.0 * self.superiority() - 1.0
    }
}

/// The Mann-Whitney test; `Greater` asks whether the treatment tends to be larger.
pub fn mann_whitney(control: &Ordered, treatment: &Ordered, alternative: Alternative) -> MannWhitney {
    let (n1, n2) = (control.count(), treatment.count());
    let (u, tie_term) = pairs_won(&control.0, &treatment.0);
    let pairs = n1 as f64 * n2 as f64;
    let is_small = n1.min(n2) <= EXACT_MAX && n1.saturating_mul(n2) <= EXACT_PAIRS_MAX;
    let (method, above): (_, Box<dyn Fn(f64) -> f64>) = if is_small && tie_term <= 0.0 {
        let below = chances_below(n1, n2);
        // The distribution is symmetric: the chance of so much or more is that of so little or less.
        (RankMethod::Exact, Box::new(move |u| at_most(&below, pairs, pairs - u)))
    } else {
        let n = (n1 + n2) as f64;
        let variance = pairs / 12.0 * ((n + 1.0) - tie_term / (n * (n - 1.0)));
        let above = move |u: f64| {
            if variance <= 0.0 { 1.0 } else { normal_above((u - pairs / 2.0 - 0.5) / variance.sqrt()) }
        };
        (RankMethod::Asymptotic, Box::new(above))
    };
    let p = match alternative {
        Alternative::Greater => above(u),
        Alternative::Less => above(pairs - u),
        Alternative::TwoSided => 2.0 * above(u.max(pairs - u)),
    };
    MannWhitney { u, pairs, p: p.clamp(0.0, 1.0), method }
}

/// The pairs that the second wins, ties by half, and the sum of `t³ − t` over the ties of both together.
fn pairs_won(first: &[f64], second: &[f64]) -> (f64, f64) {
    let (mut i, mut j) = (0, 0);
    let (mut won, mut tie_term) = (0.0, 0.0);
    while let Some(value) = smaller(first.get(i), second.get(j)) {
        let run = |values: &[f64], from: usize| {
            values.iter().skip(from).take_while(|other| **other == value).count()
        };
        let (in_first, in_second) = (run(first, i), run(second, j));
        won += in_second as f64 * (i as f64 + in_first as f64 / 2.0);
        let tied = (in_first + in_second) as f64;
        tie_term += tied * tied * tied - tied;
        i += in_first;
        j += in_second;
    }
    (won, tie_term)
}

fn smaller(one: Option<&f64>, two: Option<&f64>) -> Option<f64> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(*two)),
        (Some(one), None) => Some(*one),
        (None, two) => two.copied(),
    }
}

/// The chance of every U from 0 to the middle: Gauss's binomial coefficients, multiplied out factor by factor. Each depends
/// only on smaller ones below it, so that nothing large is taken from anything large.
fn chances_below(n1: usize, n2: usize) -> Vec<f64> {
    let (few, many) = (n1.min(n2), n1.max(n2));
    let middle = n1 * n2 / 2;
    let mut ways = vec![0.0; middle + 1];
    if let Some(first) = ways.first_mut() {
        *first = 1.0;
    }
    for factor in 1..=few {
        let chance = factor as f64 / (many + factor) as f64;
        for at in factor..=middle {
            ways[at] += ways[at - factor];
        }
        for at in (many + factor..=middle).rev() {
            ways[at] -= ways[at - many - factor];
        }
        ways.iter_mut().for_each(|way| *way *= chance);
    }
    ways
}

/// The chance of `u` or less, where the chances of the lower half are known.
fn at_most(below: &[f64], pairs: f64, u: f64) -> f64 {
    let sum = |u: f64| if u < 0.0 { 0.0 } else { below.iter().take(u as usize + 1).sum() };
    if u > (pairs / 2.0).floor() { 1.0 - sum(pairs - u - 1.0) } else { sum(u) }
}

/// The Hodges-Lehmann shift: the middle of all differences between one of the treatment's and one of the control's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// The shift.
    pub estimate: f64,
    /// Its interval (P. A. P. Moran's, from the order of the differences), without correction for ties: wider, not narrower.
    pub interval: Interval,
}

/// The shift between two samples.
pub fn hodges_lehmann(control: &Ordered, treatment: &Ordered, alpha: Probability) -> Shift {
    let (n1, n2) = (control.count(), treatment.count());
    let pairs = n1 as u128 * n2 as u128;
    let difference = |rank: u128| ranked_difference(&control.0, &treatment.0, rank.clamp(1, pairs));
    let (low, high) = (difference(pairs.div_ceil(2)), difference(pairs / 2 + 1));
    let outside = outside(n1, n2, alpha);
    let interval = if outside == 0 {
        // So few pairs prove nothing at this level: not even the outermost differences are far enough apart.
        Interval { low: f64::NEG_INFINITY, high: f64::INFINITY }
    } else {
        Interval { low: difference(outside), high: difference(pairs + 1 - outside) }
    };
    Shift { estimate: low / 2.0 + high / 2.0, interval }
}

/// The rank of the interval's lower end among the differences: the largest with a chance of at most `alpha / 2` outside.
fn outside(n1: usize, n2: usize, alpha: Probability) -> u128 {
    let half = alpha.half();
    if n1.min(n2) <= EXACT_MAX && n1.saturating_mul(n2) <= EXACT_PAIRS_MAX {
        let mut sum = 0.0;
        let chances = chances_below(n1, n2);
        let lower = chances.iter().take_while(|chance| {
            sum += **chance;
            sum <= half.get()
        });
        return lower.count() as u128;
    }
    let (one, two) = (n1 as f64, n2 as f64);
    let reach = normal_value(half) * (one * two * (one + two + 1.0) / 12.0).sqrt();
    // A negative number becomes 0.
    (one * two / 2.0 - reach + 0.5).floor() as u128
}

/// The difference of this rank, from 1, of all pairs: found by halving what a double can be, 64 times at most, and counting.
fn ranked_difference(control: &[f64], treatment: &[f64], rank: u128) -> f64 {
    let (mut low, mut high) = (key(f64::NEG_INFINITY), key(f64::INFINITY));
    while low < high {
        let middle = low + (high - low) / 2;
        if differences_up_to(control, treatment, value(middle)) >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    value(high)
}

/// How many differences are at most this large. Both samples are in order, so each is walked once.
fn differences_up_to(control: &[f64], treatment: &[f64], limit: f64) -> u128 {
    let mut counted = 0;
    let mut from = 0;
    for value in treatment {
        while control.get(from).is_some_and(|other| value - other > limit) {
            from += 1;
        }
        counted += (control.len() - from) as u128;
    }
    counted
}

const SIGN: u64 = 1 << 63;

/// A number whose order among whole numbers is that of the double.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}
