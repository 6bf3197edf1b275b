//! The rules for what is watched besides errors and latency. They are strict where CloudWatch would refuse a whole question
//! because of one bad line in it, and while a release moves that would be too late to find out.

use std::collections::BTreeSet;

use super::Violation;
use crate::measure::expression::{Part, parts};
use crate::registration::{CANDIDATE, MetricCheck, MetricSource, Registration, STABLE};

/// One question holds 500 queries: so many checks, with so many inputs each, and the queues fit into it.
const CHECKS_MAX: usize = 20;
const INPUTS_MAX: usize = 10;
const QUEUES_MAX: usize = 20;
/// The most minutes that a check may look back on.
const OF_MAX: u32 = 60;
/// CloudWatch's own.
const DIMENSIONS_MAX: usize = 30;
const NAME_LENGTH_MAX: usize = 255;
const DIMENSION_VALUE_LENGTH_MAX: usize = 1_024;
const EXPRESSION_LENGTH_MAX: usize = 1_024;
/// People read it in every reason, and the name of a query must stay below 255.
const CHECK_NAME_LENGTH_MAX: usize = 64;
/// The functions that make one series of one or several.
const FUNCTIONS: [&str; 31] = [
    "ABS",
    "AND",
    "AVG",
    "CEIL",
    "DATE",
    "DAY",
    "DIFF",
    "DIFF_TIME",
    "EPOCH",
    "FILL",
    "FLOOR",
    "HOUR",
    "IF",
    "LINEAR",
    "LOG",
    "LOG10",
    "MAX",
    "MIN",
    "MINUTE",
    "MONTH",
    "OR",
    "PERIOD",
    "RATE",
    "REPEAT",
    "RUNNING_SUM",
    "STDDEV",
    "SUM",
    "TIME_SERIES",
    "YEAR",
    "FIRST",
    "LAST",
];
const STATISTICS: [&str; 6] = ["SampleCount", "Sum", "Average", "Minimum", "Maximum", "IQM"];

impl Registration {
    pub(super) fn check_metrics(&self, violations: &mut Vec<Violation>) {
        let mut too_many = |field: &str, count: usize, max: usize| {
            if count > max {
                violations.push(Violation::new(field, format!("{count} long"), format!("at most {max}")));
            }
        };
        too_many("metrics", self.metrics.len(), CHECKS_MAX);
        too_many("dead_letter_queues", self.dead_letter_queues.len(), QUEUES_MAX);
        let mut names = BTreeSet::new();
        for (index, check) in self.metrics.iter().enumerate() {
            let field = format!("metrics[{index}]");
            if !names.insert(&check.name) {
                violations.push(Violation::new(format!("{field}.name"), &check.name, "names are unique"));
            }
            check.check(&field, violations);
        }
    }
}

impl MetricCheck {
    fn check(&self, field: &str, violations: &mut Vec<Violation>) {
        let mut broken = |name: &str, value: String, rule: String| {
            violations.push(Violation::new(format!("{field}.{name}"), value, rule));
        };
        if !(1..=CHECK_NAME_LENGTH_MAX).contains(&self.name.trim().chars().count()) {
            broken("name", format!("{:?}", self.name), format!("1 to {CHECK_NAME_LENGTH_MAX} characters"));
        }
        match (self.above, self.below) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(above), Some(below)) => {
                let rule = "give either above or below: one side of one threshold is bad".to_owned();
                broken("above", format!("{above}, with {below} below"), rule);
            }
            (None, None) => broken("above", "missing".to_owned(), "give either above or below".to_owned()),
        }
        if !(1..=OF_MAX).contains(&self.of) {
            broken("of", self.of.to_string(), format!("the last 1 to {OF_MAX} minutes are looked at"));
        } else if !(1..=self.of).contains(&self.datapoints) {
            broken(
                "datapoints",
                self.datapoints.to_string(),
                format!("between 1 and of, which is {}", self.of),
            );
        }
        match (&self.metric, &self.expression) {
            (Some(_), None) if !self.inputs.is_empty() => {
                broken("inputs", format!("{} long", self.inputs.len()), "only with an expression".to_owned());
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(expression)) => {
                broken(
                    "expression",
                    format!("{expression:?}"),
                    "give either a metric or an expression".to_owned(),
                );
            }
            (None, None) => {
                broken("metric", "missing".to_owned(), "give either a metric or an expression".to_owned());
            }
        }
        if let Some(source) = &self.metric {
            check_source(&format!("{field}.metric"), source, violations);
        }
        if let Some(expression) = &self.expression {
            self.check_expression(&format!("{field}.expression"), expression, violations);
        }
        if self.inputs.len() > INPUTS_MAX {
            let rule = format!("at most {INPUTS_MAX}");
            violations.push(Violation::new(
                format!("{field}.inputs"),
                format!("{} long", self.inputs.len()),
                rule,
            ));
        }
        for (name, source) in &self.inputs {
            let field = format!("{field}.inputs.{name}");
            let is_name = parts(name) == [Part::Name(name)] && name.len() <= CHECK_NAME_LENGTH_MAX;
            if !is_name {
                let rule =
                    "a name begins with a small letter and has letters, digits and underscores, 64 at most";
                violations.push(Violation::new(&field, format!("{name:?}"), rule));
            }
            check_source(&field, source, violations);
        }
    }

    fn check_expression(&self, field: &str, expression: &str, violations: &mut Vec<Violation>) {
        let mut broken = |value: &str, rule: String| {
            violations.push(Violation::new(field, format!("{value:?}"), rule));
        };
        if expression.len() > EXPRESSION_LENGTH_MAX {
            broken(expression, format!("at most {EXPRESSION_LENGTH_MAX} characters"));
        }
        let mut uses_input = false;
        for part in parts(expression) {
            match part {
                Part::Name(name) if self.inputs.contains_key(name) => uses_input = true,
                Part::Name(name) => broken(name, "not among its inputs".to_owned()),
                Part::Function(name) if FUNCTIONS.contains(&name) => {}
                Part::Function(name) => {
                    let functions = FUNCTIONS.join(", ");
                    broken(name, format!("not a function that makes one series of its inputs: {functions}"));
                }
                Part::Other(text) => {
                    if let Some(odd) = text.chars().find(|c| !is_arithmetic(*c)) {
                        broken(&odd.to_string(), "not part of an expression over inputs".to_owned());
                    }
                }
            }
        }
        if !uses_input {
            broken(expression, "computes with none of its inputs".to_owned());
        }
    }
}

fn is_arithmetic(c: char) -> bool {
    c.is_ascii_digit() || c == ' ' || c == '_' || "+-*/^()[],.<>=!&|".contains(c) || c.is_ascii_alphabetic()
}

fn check_source(field: &str, source: &MetricSource, violations: &mut Vec<Violation>) {
    let mut broken = |name: &str, value: String, rule: String| {
        violations.push(Violation::new(format!("{field}.{name}"), value, rule));
    };
    for (name, text) in [("namespace", &source.namespace), ("name", &source.name)] {
        if !(1..=NAME_LENGTH_MAX).contains(&text.chars().count()) {
            broken(name, format!("{text:?}"), format!("1 to {NAME_LENGTH_MAX} characters"));
        }
    }
    if source.dimensions.len() > DIMENSIONS_MAX {
        broken(
            "dimensions",
            format!("{} long", source.dimensions.len()),
            format!("at most {DIMENSIONS_MAX}"),
        );
    }
    for (name, value) in &source.dimensions {
        let field = format!("dimensions.{name}");
        if !(1..=NAME_LENGTH_MAX).contains(&name.chars().count()) {
            broken(&field, format!("{name:?}"), format!("a name has 1 to {NAME_LENGTH_MAX} characters"));
        }
        if !(1..=DIMENSION_VALUE_LENGTH_MAX).contains(&value.chars().count()) {
            broken(&field, format!("{value:?}"), format!("1 to {DIMENSION_VALUE_LENGTH_MAX} characters"));
        }
        if value.replace(CANDIDATE, "").replace(STABLE, "").contains('$') {
            let rule = format!("$ begins {CANDIDATE} or {STABLE}, and stands for nothing else");
            broken(&field, format!("{value:?}"), rule);
        }
    }
    if !is_statistic(&source.stat) {
        let rule = "a statistic of CloudWatch's: Sum, Average, Minimum, Maximum, SampleCount, IQM, p99, tm99, TC(:200), \
                    PR(:200) …";
        broken("stat", format!("{:?}", source.stat), rule.to_owned());
    }
}

/// `Sum` and its kind, a percentile like `p99.9`, or a range like `TC(100:200)` or `TM(2%:98%)`.
fn is_statistic(stat: &str) -> bool {
    if STATISTICS.contains(&stat) {
        return true;
    }
    let number = |text: &str| {
        text.parse::<f64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    let percentile = ["tm", "wm", "tc", "ts", "p"].iter().find_map(|kind| stat.strip_prefix(kind));
    if let Some(percentile) = percentile {
        return number(percentile).is_some_and(|percentile| (0.0..=100.0).contains(&percentile));
    }
    let range = ["TM(", "WM(", "PR(", "TC(", "TS("].iter().find_map(|kind| stat.strip_prefix(kind));
    let bounds = range.and_then(|range| range.strip_suffix(')')).and_then(|range| range.split_once(':'));
    bounds.is_some_and(|(from, to)| {
        let is_bound = |bound: &str| bound.is_empty() || number(bound.trim_end_matches('%')).is_some();
        is_bound(from) && is_bound(to) && !(from.is_empty() && to.is_empty())
    })
}
