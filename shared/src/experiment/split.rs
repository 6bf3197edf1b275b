//! Whether subjects were split between the arms as planned. If not, something chose who sees what, and comparing proves nothing.

use serde::Serialize;

use super::distribution::chi_squared_above;

/// Below this the split is no accident. A fault of the experiment must be found, and one in twenty is found where none is.
pub const SPLIT_P_MIN: f64 = 0.001;

/// An arm's subjects, as counted and as planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ArmSplit {
    /// How many there are.
    pub subjects: u64,
    /// How many the plan expects of all that there are.
    pub expected: f64,
}

/// What χ², as a test of fit, says of the split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitCheck {
    /// The arms in their order.
    pub arms: Vec<ArmSplit>,
    /// The statistic.
    pub statistic: f64,
    /// The chance of such a split by accident.
    pub p: f64,
}

impl SplitCheck {
    /// Whether the arms may be compared.
    pub fn is_as_planned(&self) -> bool {
        self.p >= SPLIT_P_MIN
    }
}

/// Compares counts with planned shares, which are positive and may have any sum. None without two arms, or without anybody.
pub fn sample_ratio(arms: &[(u64, f64)]) -> Option<SplitCheck> {
    let subjects: f64 = arms.iter().map(|(count, _)| *count as f64).sum();
    let shares: f64 = arms.iter().map(|(_, share)| share).sum();
    let possible = arms.len() > 1 && arms.iter().all(|(_, share)| *share > 0.0 && share.is_finite());
    if !possible || subjects <= 0.0 {
        return None;
    }
    let arms: Vec<ArmSplit> = arms
        .iter()
        .map(|(count, share)| ArmSplit { subjects: *count, expected: subjects * (share / shares) })
        .collect();
    let statistic =
        arms.iter().map(|arm| (arm.subjects as f64 - arm.expected).powi(2) / arm.expected).sum::<f64>();
    let p = chi_squared_above(statistic, (arms.len() - 1) as f64);
    Some(SplitCheck { arms, statistic, p })
}
