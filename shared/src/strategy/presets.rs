//! The strategies that come by name. Their figures are in common use; whoever needs others writes stages.

use crate::names::Weight;
use crate::registration::{Limits, Stage};

/// A strategy by name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Its stages: percent, minutes, largest error rate, and whether a person must approve before.
    stages: &'static [(u32, u32, Option<f64>, bool)],
    /// How long metrics are left out after a shift, where that is part of it.
    pub stabilise_seconds: Option<u32>,
}

const DAY: u32 = 24 * 60;

/// A tenth, a quarter, a half, three quarters, all, ten minutes each.
const RISING: &[(u32, u32, Option<f64>, bool)] = &[
    (10, 10, None, false),
    (25, 10, None, false),
    (50, 10, None, false),
    (75, 10, None, false),
    (100, 10, None, false),
];

const PRESETS: &[Preset] = &[
    Preset {
        name: "canary",
        about: "a small share first, then more",
        stages: RISING,
        stabilise_seconds: None,
    },
    Preset {
        name: "canary-cautious",
        about: "a tiny share first, and half a working day at one half",
        stages: &[
            (5, 30, None, false),
            (25, 120, None, false),
            (50, 240, None, false),
            (100, 10, None, false),
        ],
        stabilise_seconds: None,
    },
    Preset {
        name: "canary-graded",
        about: "stricter while few can notice",
        stages: &[
            (10, 10, Some(0.01), false),
            (25, 30, Some(0.01), false),
            (50, 60, Some(0.01), false),
            (100, 10, Some(0.05), false),
        ],
        stabilise_seconds: None,
    },
    Preset {
        name: "linear",
        about: "10, 20, 50, 100 %, ten minutes each",
        stages: &[
            (10, 10, None, false),
            (20, 10, None, false),
            (50, 10, None, false),
            (100, 10, None, false),
        ],
        stabilise_seconds: None,
    },
    Preset {
        name: "progressive",
        about: "like canary, with five minutes to settle after each shift",
        stages: RISING,
        stabilise_seconds: Some(300),
    },
    Preset {
        name: "blue-green",
        about: "all traffic at once, the old side kept and ready for five minutes",
        stages: &[(100, 5, None, false)],
        stabilise_seconds: Some(0),
    },
    Preset {
        name: "all-at-once",
        about: "for emergencies: all traffic at once, watched after",
        stages: &[(100, 10, None, false)],
        stabilise_seconds: Some(0),
    },
    Preset {
        name: "ab-50-50",
        about: "half the traffic for a week, for an experiment; then a person decides",
        stages: &[(50, 7 * DAY, None, false), (100, 10, None, true)],
        stabilise_seconds: None,
    },
    Preset {
        name: "ab-80-20",
        about: "a fifth of the traffic for a week, for an experiment; then a person decides",
        stages: &[(20, 7 * DAY, None, false), (100, 10, None, true)],
        stabilise_seconds: None,
    },
];

/// Every preset.
pub fn presets() -> Vec<Preset> {
    PRESETS.to_vec()
}

/// Whether there is a preset of this name.
pub fn is_preset(name: &str) -> bool {
    PRESETS.iter().any(|preset| preset.name == name)
}

/// The rule that a preset's name keeps to.
pub fn preset_rule() -> String {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    format!("one of {}", names.join(", "))
}

/// What a service follows that says nothing of it.
pub(super) fn standard() -> Preset {
    PRESETS[0]
}

impl Preset {
    /// Its stages.
    pub fn stages(&self) -> Vec<Stage> {
        let stage =
            |&(percent, bake_minutes, error_rate_max, approval): &(u32, u32, Option<f64>, bool)| Stage {
                // Exact: percentages are small whole numbers.
                weight: Weight::from_percent(percent),
                bake_minutes,
                limits: Limits { error_rate_max, ..Limits::default() },
                approval,
            };
        self.stages.iter().map(stage).collect()
    }
}
