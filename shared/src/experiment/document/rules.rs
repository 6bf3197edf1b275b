//! What a document of an experiment must keep to.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Counter, Data, Effect, Experiment, Kind, Metric, Role};
use crate::registration::Violation;

/// More arms or metrics than that nobody can read.
const ARMS_MAX: usize = 10;
const METRICS_MAX: usize = 50;
/// What a double counts without rounding.
const SUBJECTS_MAX: u64 = 1 << 53;
/// As long as CloudWatch keeps hours.
const HOURS_MAX: i64 = 455 * 24;

pub(super) fn violations(experiment: &Experiment) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut refuse = |field: String, value: &dyn std::fmt::Display, rule: &str| {
        found.push(Violation::new(field, value, rule));
    };
    let Experiment { name, arms, metrics, planned_subjects, data, .. } = experiment;
    if name.trim().is_empty() {
        refuse("name".into(), name, "must not be empty");
    }
    if !(2..=ARMS_MAX).contains(&arms.len()) {
        refuse("arms".into(), &arms.len(), "must be 2 to 10, the control first");
    }
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (index, arm) in arms.iter().enumerate() {
        if arm.name.trim().is_empty() || !names.insert(&arm.name) {
            refuse(format!("arms[{index}].name"), &arm.name, "must not be empty, nor another arm's");
        }
        if arm.key().trim().is_empty() || !keys.insert(arm.key()) {
            refuse(format!("arms[{index}].key"), &arm.key(), "must not be empty, nor another arm's");
        }
        if !(arm.share > 0.0 && arm.share <= 1e9) {
            refuse(format!("arms[{index}].share"), &arm.share, "must be more than 0");
        }
    }
    if !(1..=METRICS_MAX).contains(&metrics.len()) {
        refuse("metrics".into(), &metrics.len(), "must be 1 to 50");
    }
    if !metrics.iter().any(|metric| metric.role == Role::Primary) {
        refuse("metrics".into(), &metrics.len(), "one at least must be primary: nothing else decides");
    }
    if !(1..=SUBJECTS_MAX).contains(planned_subjects) {
        refuse(
            "planned_subjects".into(),
            planned_subjects,
            "must be 1 to 2^53; ripcord experiment plan says how many",
        );
    }
    if experiment.alpha.get() > 0.2 {
        refuse("alpha".into(), &experiment.alpha.get(), "must be 0.2 at most");
    }
    let mut metric_names = BTreeSet::new();
    for (index, metric) in metrics.iter().enumerate() {
        if metric.name.trim().is_empty() || !metric_names.insert(&metric.name) {
            refuse(format!("metrics[{index}].name"), &metric.name, "must not be empty, nor another metric's");
        }
        for (field, value, rule) in of_metric(metric, data) {
            refuse(format!("metrics[{index}].{field}"), &value, &rule);
        }
    }
    if let Data::Cloudwatch { from, to, subjects } = data {
        if let Some(rule) = of_time(*from, *to) {
            refuse("data.to".into(), to, &rule);
        }
        if !tells_arms_apart(subjects) {
            refuse("data.subjects.dimensions".into(), &subjects.metric, "one value must hold {arm}");
        }
    }
    found
}

type Broken = (&'static str, String, String);

fn of_metric(metric: &Metric, data: &Data) -> Vec<Broken> {
    let mut found: Vec<Broken> = Vec::new();
    let mut refuse = |field, value: &dyn std::fmt::Display, rule: &str| {
        found.push((field, value.to_string(), rule.to_owned()));
    };
    let Metric { kind, role, .. } = metric;
    match (kind, metric.direction) {
        (Kind::Category, Some(_)) => refuse("direction", &"given", "a category has none"),
        (Kind::Conversion | Kind::Mean | Kind::Rank, None) => {
            refuse("direction", &"missing", "must be higher or lower, whichever is better");
        }
        (Kind::Category, None) | (Kind::Conversion | Kind::Mean | Kind::Rank, Some(_)) => {}
    }
    match (role, metric.not_worse_by) {
        (Role::Guardrail, None) => {
            refuse("not_worse_by", &"missing", "a guardrail says how much worse is borne")
        }
        (Role::Guardrail, Some(margin)) => {
            let fits = match (margin, kind) {
                (_, Kind::Category) => false,
                (Effect::Points(_), kind) => *kind == Kind::Conversion,
                (Effect::Absolute(_), kind) => *kind != Kind::Conversion,
                // A part of a median is no part of a shift.
                (Effect::Relative(_), kind) => *kind != Kind::Rank,
            };
            if !fits {
                let rule = "must be 0.5pp or 10% for a conversion, 1.5 or 10% for a mean, 1.5 for a rank; a category is no guardrail";
                refuse("not_worse_by", &margin, rule);
            }
            if margin.amount() <= 0.0 {
                refuse("not_worse_by", &margin, "must be more than 0");
            }
        }
        (Role::Primary | Role::Exploratory, Some(margin)) => {
            refuse("not_worse_by", &margin, "belongs to a guardrail");
        }
        (Role::Primary | Role::Exploratory, None) => {}
    }
    found.extend(of_source(metric, data));
    found
}

fn of_source(metric: &Metric, data: &Data) -> Vec<Broken> {
    let broken = |field, value: &str, rule: &str| vec![(field, value.to_owned(), rule.to_owned())];
    let has_column = metric.column.as_deref().is_some_and(|column| !column.trim().is_empty());
    match (data, metric.kind) {
        (Data::Subjects { .. }, _) if !has_column => {
            broken("column", "missing", "must name a column of the file")
        }
        (Data::Counts { .. }, Kind::Rank) => {
            broken("kind", "rank", "needs a row for each subject: ranks cannot be had from a row per arm")
        }
        (Data::Counts { .. }, Kind::Category) if metric.categories.len() < 2 => {
            broken("categories", &metric.categories.join(", "), "must name two columns at least")
        }
        (Data::Counts { .. }, Kind::Mean) if metric.deviation.is_none() => {
            broken("deviation", "missing", "must name the column of the standard deviation")
        }
        (Data::Counts { .. }, Kind::Conversion | Kind::Mean) if !has_column => {
            broken("column", "missing", "must name a column of the file")
        }
        (Data::Cloudwatch { .. }, Kind::Mean | Kind::Rank | Kind::Category) => broken(
            "kind",
            "not a conversion",
            "CloudWatch keeps sums, from which no spread, rank or answer can be had: export the subjects instead",
        ),
        (Data::Cloudwatch { .. }, Kind::Conversion) => match &metric.counter {
            Some(counter) if tells_arms_apart(counter) => Vec::new(),
            Some(_) => broken("counter.dimensions", "", "one value must hold {arm}"),
            None => broken("counter", "missing", "must name the metric that counts successes"),
        },
        (
            Data::Subjects { .. } | Data::Counts { .. },
            Kind::Conversion | Kind::Mean | Kind::Rank | Kind::Category,
        ) => Vec::new(),
    }
}

fn tells_arms_apart(counter: &Counter) -> bool {
    counter.dimensions.values().any(|value| value.contains("{arm}"))
}

fn of_time(from: Timestamp, to: Timestamp) -> Option<String> {
    let (start, end) = (from.as_second(), to.as_second());
    let whole = |time: Timestamp| time.as_second() % 3_600 == 0 && time.subsec_nanosecond() == 0;
    if !whole(from) || !whole(to) {
        return Some("from and to must be whole hours: CloudWatch keeps minutes for 15 days only".into());
    }
    let hours = (end - start) / 3_600;
    (!(1..=HOURS_MAX).contains(&hours)).then(|| format!("must be 1 to {HOURS_MAX} hours after `from`"))
}
