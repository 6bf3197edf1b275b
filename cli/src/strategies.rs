//! `ripcord strategies`: the strategies that come by name, with their figures.

use std::fmt;

use ripcord::registration::Stage;
use ripcord::strategy::presets;
use serde::Serialize;

use crate::deploy::limits;
use crate::figures::minutes;
use crate::output::{FAINT, NAME, styled};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord strategies
  ripcord deploy checkout --version 7 --strategy canary-graded";

/// No arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
pub(crate) struct Strategies {
    strategies: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    about: &'static str,
    stages: Vec<Stage>,
    /// How long metrics are left out after a shift; without a number, as the service says.
    stabilise_seconds: Option<u32>,
}

pub(crate) fn run() -> Strategies {
    let named = |preset: ripcord::strategy::Preset| Named {
        name: preset.name,
        about: preset.about,
        stages: preset.stages(),
        stabilise_seconds: preset.stabilise_seconds,
    };
    Strategies { strategies: presets().into_iter().map(named).collect() }
}

impl fmt::Display for Strategies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Named { name, about, stages, stabilise_seconds } in &self.strategies {
            writeln!(f, "{}  {}", styled(NAME, name), styled(FAINT, about))?;
            let stages: Vec<String> = stages.iter().map(in_words).collect();
            writeln!(f, "  {}", stages.join(", "))?;
            match stabilise_seconds {
                Some(0) => writeln!(f, "  judged from the first minute")?,
                Some(seconds) => writeln!(f, "  {seconds} s to settle after each shift")?,
                None => {}
            }
        }
        writeln!(f, "\n{}", styled(FAINT, "Limits that a stage does not name are the service's own."))
    }
}

/// `10% for 10m (errors ≤ 1%)`.
fn in_words(stage: &Stage) -> String {
    let mut words = format!("{} for {}", stage.weight, minutes(stage.bake_minutes));
    if !stage.limits.is_empty() {
        words.push_str(&format!(" ({})", limits(&stage.limits)));
    }
    if stage.approval {
        words.push_str(" after approval");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_is_shown_with_its_figures() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&run().to_string()).to_string());
    }
}
