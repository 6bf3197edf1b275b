//! Means: Welch's t-test, its interval, and how large a difference is.

use serde::Serialize;

use super::distribution::{student_above, student_value};
use super::{Alternative, Interval, Probability};

/// What is kept of numbers that are seen one by one (B. P. Welford, Technometrics 4, 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of a mean and a standard deviation that somebody else has computed.
    pub fn of(count: u64, mean: f64, deviation: f64) -> Option<Self> {
        let possible = count > 0 && mean.is_finite() && deviation.is_finite() && deviation >= 0.0;
        let squares = deviation * deviation * count.saturating_sub(1) as f64;
        (possible && squares.is_finite()).then_some(Self { count, mean, squares })
    }

    /// Takes one more number in.
    pub fn take(&mut self, value: f64) {
        self.count += 1;
        // Divided first, so that numbers at the two ends of what a double holds do not overflow.
        let count = self.count as f64;
        let by = value / count - self.mean / count;
        let before = value - self.mean;
        self.mean += by;
        self.squares += before * (value - self.mean);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Their variance, of a sample.
    pub fn variance(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / (self.count - 1) as f64).max(0.0) }
    }

    /// Their standard deviation.
    pub fn deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    /// The interval of the mean alone.
    pub fn interval(&self, alpha: Probability) -> Option<Interval> {
        if self.count < 2 {
            return None;
        }
        let n = self.count as f64;
        let reach = student_value(alpha.half(), n - 1.0) * (self.variance() / n).sqrt();
        Interval::around(self.mean, reach)
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        values.into_iter().for_each(|value| moments.take(value));
        moments
    }
}

/// What Welch's t-test says of two means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Welch {
    /// The second mean less the first.
    pub difference: f64,
    /// How far off that is by chance.
    pub standard_error: f64,
    /// The statistic.
    pub t: f64,
    /// Welch's and Satterthwaite's degrees of freedom.
    pub degrees: f64,
}

impl Welch {
    /// None where a spread cannot be known: fewer than two numbers on a side, or none that differs from another.
    pub fn of(control: &Moments, treatment: &Moments) -> Option<Self> {
        if control.count < 2 || treatment.count < 2 {
            return None;
        }
        let (one, two) =
            (control.variance() / control.count as f64, treatment.variance() / treatment.count as f64);
        let standard_error = (one + two).sqrt();
        let difference = treatment.mean - control.mean;
        let known = standard_error > 0.0 && standard_error.is_finite() && difference.is_finite();
        // By their parts of the whole, because the square of a small variance may be nothing.
        let (one, two) = (one / (one + two), two / (one + two));
        let degrees =
            1.0 / (one * one / (control.count - 1) as f64 + two * two / (treatment.count - 1) as f64);
        (known && degrees.is_finite()).then_some(Self {
            difference,
            standard_error,
            t: difference / standard_error,
            degrees,
        })
    }

    /// The chance of as much or more if the means are alike.
    pub fn p(&self, alternative: Alternative) -> f64 {
        match alternative {
            Alternative::TwoSided => (2.0 * student_above(self.t.abs(), self.degrees)).min(1.0),
            Alternative::Greater => student_above(self.t, self.degrees),
            Alternative::Less => student_above(-self.t, self.degrees),
        }
    }

    /// The interval of the difference.
    pub fn interval(&self, alpha: Probability) -> Option<Interval> {
        Interval::around(self.difference, student_value(alpha.half(), self.degrees) * self.standard_error)
    }
}

/// J. Cohen's d: the difference in standard deviations, pooled over both.
pub fn cohens_d(control: &Moments, treatment: &Moments) -> Option<f64> {
    let degrees = (control.count + treatment.count).checked_sub(2).filter(|degrees| *degrees > 0)?;
    let pooled = ((control.squares + treatment.squares) / degrees as f64).sqrt();
    let d = (treatment.mean - control.mean) / pooled;
    (pooled > 0.0 && d.is_finite()).then_some(d)
}

/// L. V. Hedges's g: Cohen's d without its bias in small samples, by his usual approximation.
pub fn hedges_g(control: &Moments, treatment: &Moments) -> Option<f64> {
    let all = (control.count + treatment.count) as f64;
    Some(cohens_d(control, treatment)? * (1.0 - 3.0 / (4.0 * all - 9.0)))
}
