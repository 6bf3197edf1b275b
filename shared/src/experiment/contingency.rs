//! Tables of counts: Pearson's χ² of independence, Fisher's exact test, and how strong an association is.

use serde::Serialize;
use statrs::function::factorial::ln_binomial;

use super::Alternative;
use super::distribution::chi_squared_above;

/// What χ² says of a table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChiSquared {
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub degrees: f64,
    /// The chance of as much or more if rows and columns are independent.
    pub p: f64,
    /// The smallest count that independence expects.
    pub expected_min: f64,
    /// The part of the cells in which independence expects fewer than five.
    pub expected_below_five: f64,
    /// J. Cohen's w, scaled to 0 to 1: Cramér's V.
    pub cramers_v: f64,
}

impl ChiSquared {
    /// W. G. Cochran's rule of when the approximation may be trusted: no cell below one, a fifth of them below five at most.
    pub fn is_trusted(&self) -> bool {
        self.expected_min >= 1.0 && self.expected_below_five <= 0.2
    }
}

/// Frank Yates's correction pulls every cell towards what is expected by half a count. Reports go without: with it the test
/// rejects far less often than its level says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yates {
    /// With the correction, which concerns tables of two by two alone.
    With,
    /// Pearson's own.
    Without,
}

/// χ² of independence. Rows and columns that are empty are left out; none is left of a table with less than two of either.
pub fn chi_squared(table: &[Vec<u64>], yates: Yates) -> Option<ChiSquared> {
    let columns_all = table.iter().map(Vec::len).max()?;
    let cell = |row: &[u64], column: usize| row.get(column).copied().unwrap_or(0) as f64;
    let column_sums: Vec<(usize, f64)> = (0..columns_all)
        .map(|column| (column, table.iter().map(|row| cell(row, column)).sum()))
        .filter(|(_, sum)| *sum > 0.0)
        .collect();
    let rows: Vec<(&Vec<u64>, f64)> = table
        .iter()
        .map(|row| (row, row.iter().map(|count| *count as f64).sum()))
        .filter(|(_, sum)| *sum > 0.0)
        .collect();
    let total: f64 = rows.iter().map(|(_, sum)| sum).sum();
    if rows.len() < 2 || column_sums.len() < 2 {
        return None;
    }
    let degrees = ((rows.len() - 1) * (column_sums.len() - 1)) as f64;
    let corrected = yates == Yates::With && degrees == 1.0;
    let (mut statistic, mut pearson, mut expected_min, mut few) = (0.0, 0.0, f64::INFINITY, 0.0);
    for (row, row_sum) in &rows {
        for (column, column_sum) in &column_sums {
            let expected = row_sum * column_sum / total;
            let apart = (cell(row, *column) - expected).abs();
            let pulled = if corrected { apart - apart.min(0.5) } else { apart };
            statistic += pulled * pulled / expected;
            pearson += apart * apart / expected;
            expected_min = expected.min(expected_min);
            few += if expected < 5.0 { 1.0 } else { 0.0 };
        }
    }
    let cells = (rows.len() * column_sums.len()) as f64;
    let smaller = rows.len().min(column_sums.len()) as f64 - 1.0;
    Some(ChiSquared {
        statistic,
        degrees,
        p: chi_squared_above(statistic, degrees),
        expected_min,
        expected_below_five: few / cells,
        cramers_v: (pearson / total / smaller).sqrt().min(1.0),
    })
}

/// What belongs together although rounding has told it apart.
const ALIKE: f64 = 1e-7;
/// A sum is complete when its terms no longer change it.
const TERM_MIN: f64 = 1e-18;

/// Fisher's exact test of two by two. Two-sided it is the chance of all tables that are no likelier than this one.
pub fn fisher_exact([[a, b], [c, d]]: [[u64; 2]; 2], alternative: Alternative) -> f64 {
    let urn = Urn { white: a + b, black: c + d, drawn: a + c };
    let (low, high) = (urn.drawn.saturating_sub(urn.black), urn.drawn.min(urn.white));
    if low == high {
        return 1.0;
    }
    let p = match alternative {
        Alternative::Less => urn.below(a),
        Alternative::Greater => urn.above(a),
        Alternative::TwoSided => {
            let ceiling = urn.ln_chance(a) + ALIKE;
            let mode = urn.mode().clamp(low, high);
            if a == mode {
                1.0
            } else if a < mode {
                let first = first_true(mode, high, |x| urn.ln_chance(x) <= ceiling);
                urn.below(a) + first.map_or(0.0, |x| urn.above(x))
            } else {
                let first = first_true(0, mode - low, |down| urn.ln_chance(mode - down) <= ceiling);
                urn.above(a) + first.map_or(0.0, |down| urn.below(mode - down))
            }
        }
    };
    p.clamp(0.0, 1.0)
}

/// The first number for which something holds that, once it holds, holds on.
fn first_true(mut low: u64, high: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if !holds(high) {
        return None;
    }
    let mut end = high;
    while low < end {
        let middle = low + (end - low) / 2;
        if holds(middle) {
            end = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// The hypergeometric distribution: how many white balls are among those drawn.
struct Urn {
    white: u64,
    black: u64,
    drawn: u64,
}

impl Urn {
    fn ln_chance(&self, x: u64) -> f64 {
        ln_binomial(self.white, x) + ln_binomial(self.black, self.drawn - x)
            - ln_binomial(self.white + self.black, self.drawn)
    }

    fn mode(&self) -> u64 {
        let all = u128::from(self.white) + u128::from(self.black) + 2;
        let mode = (u128::from(self.drawn) + 1) * (u128::from(self.white) + 1) / all;
        u64::try_from(mode).unwrap_or(u64::MAX)
    }

    /// The chance of `x` or fewer. The terms fall on the way down from a place below the mode, so few of them count.
    fn below(&self, x: u64) -> f64 {
        let floor = self.drawn.saturating_sub(self.black);
        let step = |x: u64| {
            (x as f64 / (self.white - x + 1) as f64)
                * ((self.black + x - self.drawn) as f64 / (self.drawn - x + 1) as f64)
        };
        if x > self.mode() {
            return 1.0 - if x < self.drawn.min(self.white) { self.above(x + 1) } else { 0.0 };
        }
        let (mut term, mut sum, mut at) = (1.0, 1.0, x);
        while at > floor && term > TERM_MIN * sum {
            term *= step(at);
            sum += term;
            at -= 1;
        }
        self.ln_chance(x).exp() * sum
    }

    /// The chance of `x` or more.
    fn above(&self, x: u64) -> f64 {
        let (floor, ceiling) = (self.drawn.saturating_sub(self.black), self.drawn.min(self.white));
        if x < self.mode() {
            return 1.0 - if x > floor { self.below(x - 1) } else { 0.0 };
        }
        let step = |x: u64| {
            ((self.white - x) as f64 / (x + 1) as f64)
                * ((self.drawn - x) as f64 / (self.black + x + 1 - self.drawn) as f64)
        };
        let (mut term, mut sum, mut at) = (1.0, 1.0, x);
        while at < ceiling && term > TERM_MIN * sum {
            term *= step(at);
            sum += term;
            at += 1;
        }
        self.ln_chance(x).exp() * sum
    }
}
