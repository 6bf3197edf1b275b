//! The report on a terminal: the answer, the metrics, the checks.

use std::fmt;

use clap::builder::styling::Style;
use ripcord::experiment::comparison::Outcome;
use ripcord::experiment::document::Role;
use ripcord::experiment::report::{MetricReport, Report};
use ripcord::experiment::words::{self, CheckState};

use crate::figures::grouped;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};

pub(super) fn write(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    writeln!(
        f,
        "{}  {}",
        styled(NAME, &report.name),
        styled(style(report.outcome), words::outcome(report.outcome))
    )?;
    writeln!(f, "{}\n", report.answer)?;
    for metric in &report.metrics {
        of_metric(f, metric)?;
    }
    for checked in words::checks(&report.checks) {
        let style = match checked.state {
            CheckState::Holds => GOOD,
            CheckState::Noted => WARN,
            CheckState::Fails => BAD,
        };
        writeln!(f, "{}  {}", styled(style, format!("{:<8}", checked.what)), checked.says)?;
    }
    writeln!(f, "{}", styled(FAINT, format!("Numbers  from {}", report.checks.intake.source)))
}

fn of_metric(f: &mut fmt::Formatter<'_>, metric: &MetricReport) -> fmt::Result {
    let role = match metric.role {
        Role::Primary => "decides",
        Role::Guardrail => "guardrail",
        Role::Exploratory => "gives ideas, decides nothing",
    };
    writeln!(f, "{}  {}", styled(NAME, &metric.name), styled(FAINT, role))?;
    for arm in &metric.arms {
        let value = arm.value.map_or(String::new(), |value| words::value(metric, value));
        let of = match arm.successes {
            Some(successes) => format!("{} of {}", grouped(successes), grouped(arm.count)),
            None => format!("{} subjects", grouped(arm.count)),
        };
        writeln!(f, "  {:<14} {value:>12}  {}", arm.arm, styled(FAINT, of))?;
    }
    for compared in &metric.comparisons {
        let outcome = styled(style(compared.outcome), words::outcome(compared.outcome));
        writeln!(f, "  {}: {outcome}. {}", compared.arm, words::comparison(metric, compared))?;
        if let Some(evidence) = &compared.evidence {
            let how = format!("{}; {}", words::test(&evidence.test), words::effect(evidence.effect));
            writeln!(f, "  {}", styled(FAINT, how))?;
        }
    }
    writeln!(f)
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Better | Outcome::NotWorse => GOOD,
        Outcome::Worse | Outcome::Invalid => BAD,
        Outcome::Different | Outcome::Inconclusive => WARN,
        Outcome::NoDifference => NAME,
    }
}
