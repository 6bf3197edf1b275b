//! Counts that CloudWatch has: how many there were in each arm, and how many of them did.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::aws::Aws;
use ripcord::experiment::document::{Arm, Counter, Experiment};
use ripcord::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use ripcord::experiment::proportion::Proportion;
use ripcord::measure::{Answers, Query, Question, Wanted};
use ripcord::registration::MetricSource;

use crate::failure::{Failure, Kind};

/// CloudWatch keeps hours for 455 days, and minutes for 15.
const PERIOD_SECONDS: u32 = 3_600;

pub(super) async fn read(
    experiment: &Experiment,
    aws: &Aws,
    (from, to): (Timestamp, Timestamp),
    subjects: &Counter,
) -> Result<Observed, Failure> {
    let mut arms = Vec::with_capacity(experiment.arms.len());
    for arm in &experiment.arms {
        let question = question(experiment, arm, (from, to), subjects);
        let answers = aws.metrics(&question).await.map_err(|error| {
            Failure::new(Kind::AwsCallFailed, error.to_string())
                .hint("it takes cloudwatch:GetMetricData; check --region and the credentials (--profile)")
        })?;
        arms.push(counted(experiment, arm, &answers)?);
    }
    let source = format!("CloudWatch from {from} to {to}");
    Ok(Observed { arms, intake: Intake { source, ..Intake::default() } })
}

/// One question for each arm: CloudWatch takes 500 queries at once, and an arm has 51 at most.
fn question(
    experiment: &Experiment,
    arm: &Arm,
    (from, to): (Timestamp, Timestamp),
    subjects: &Counter,
) -> Question {
    let query = |id: String, what: &str, counter: &Counter| Query {
        id,
        what: what.to_owned(),
        wanted: Wanted::Metric(source(counter, arm)),
        is_answered: true,
    };
    let mut queries = vec![query("subjects".to_owned(), "subjects", subjects)];
    for (index, metric) in experiment.metrics.iter().enumerate() {
        queries.extend(metric.counter.as_ref().map(|counter| query(id(index), &metric.name, counter)));
    }
    Question { from, to, period_seconds: PERIOD_SECONDS, queries }
}

fn id(index: usize) -> String {
    format!("metric{index}")
}

fn source(counter: &Counter, arm: &Arm) -> MetricSource {
    let named = |(name, value): (&String, &String)| (name.clone(), value.replace("{arm}", arm.key()));
    MetricSource {
        namespace: counter.namespace.clone(),
        name: counter.metric.clone(),
        dimensions: counter.dimensions.iter().map(named).collect::<BTreeMap<_, _>>(),
        stat: "Sum".to_owned(),
    }
}

fn counted(experiment: &Experiment, arm: &Arm, answers: &Answers) -> Result<ObservedArm, Failure> {
    let refused = |what: &str, why: String| {
        Failure::new(Kind::DataUnusable, format!("CloudWatch, arm {}, {what}: {why}", arm.name))
    };
    let sum = |id: &str, what: &str| match answers.get(id) {
        // Hours without traffic have no value, and add nothing.
        Some(Ok(values)) => {
            let sum: f64 = values.values().sum();
            let whole = (0.0..9e15).contains(&sum) && (sum - sum.round()).abs() < 1e-6;
            if whole { Ok(sum.round() as u64) } else { Err(refused(what, format!("{sum} is no count"))) }
        }
        Some(Err(why)) => Err(refused(what, why.clone())),
        None => Err(refused(what, "it was not answered".to_owned())),
    };
    let subjects = sum("subjects", "subjects")?;
    let metrics: Result<Vec<Measured>, Failure> = experiment
        .metrics
        .iter()
        .enumerate()
        .map(|(index, metric)| {
            let successes = sum(&id(index), &metric.name)?;
            if successes > subjects {
                return Err(refused(&metric.name, format!("{successes} of {subjects} is more than all")));
            }
            let values = Proportion::new(successes, subjects).map(Values::Conversion);
            Ok(Measured { values, left_out: 0 })
        })
        .collect();
    Ok(ObservedArm { subjects, metrics: metrics? })
}

#[cfg(test)]
mod tests {
    use ripcord::experiment::comparison::Outcome;
    use ripcord::experiment::document::Data;
    use ripcord::experiment::report::report;
    use ripcord::measure::Series;

    use super::*;

    fn alias() -> Experiment {
        let text = include_str!("../../../examples/experiment/alias.json");
        Experiment::parse(text).expect("the example is valid")
    }

    fn answers(lines: &[(&str, &[f64])]) -> Answers {
        let series = |values: &[f64]| -> Series {
            let hour = |index: usize| Timestamp::from_second(index as i64 * 3_600).expect("a time");
            Ok(values.iter().enumerate().map(|(index, value)| (hour(index), *value)).collect())
        };
        lines.iter().map(|(id, values)| ((*id).to_owned(), series(values))).collect()
    }

    #[test]
    fn each_version_of_an_alias_is_asked_for_in_whole_hours() {
        let experiment = alias();
        let Data::Cloudwatch { from, to, subjects } = &experiment.data else { panic!("from CloudWatch") };
        let asked = question(&experiment, &experiment.arms[1], (*from, *to), subjects);
        assert_eq!((asked.period_seconds, asked.queries.len()), (3_600, 2));
        for (query, name) in asked.queries.iter().zip(["Invocations", "Errors"]) {
            let Wanted::Metric(source) = &query.wanted else { panic!("a metric") };
            assert_eq!((source.name.as_str(), source.stat.as_str()), (name, "Sum"));
            assert_eq!(source.dimensions["ExecutedVersion"], "8");
            assert_eq!(source.dimensions["Resource"], "checkout:live");
        }
    }

    #[test]
    fn hours_add_up_and_the_report_judges_them() {
        let experiment = alias();
        let arm = |index: usize, invocations: &[f64], errors: &[f64]| {
            let answers = answers(&[("subjects", invocations), ("metric0", errors)]);
            counted(&experiment, &experiment.arms[index], &answers).expect("counted")
        };
        let stable = arm(0, &[100_000.0, 220_000.0], &[900.0, 2_300.0]);
        let candidate = arm(1, &[30_000.0, 50_200.0], &[300.0, 200.0]);
        let observed = Observed { arms: vec![stable, candidate], intake: Intake::default() };
        let report = report(&experiment, &observed);
        assert_eq!((report.checks.subjects, report.outcome), (400_200, Outcome::Better), "{}", report.answer);
    }

    #[test]
    fn an_answer_that_is_not_complete_is_no_answer() {
        let experiment = alias();
        let refused = |answers: &Answers, rule: &str| {
            let failure = counted(&experiment, &experiment.arms[0], answers).expect_err("refused");
            assert!(failure.message.contains(rule), "{}", failure.message);
        };
        refused(&answers(&[("subjects", &[100.0])]), "Errors: it was not answered");
        refused(&answers(&[("subjects", &[100.0]), ("metric0", &[101.0])]), "101 of 100 is more than all");
        refused(&answers(&[("subjects", &[100.0]), ("metric0", &[0.5])]), "0.5 is no count");
        refused(&answers(&[("subjects", &[-1.0]), ("metric0", &[0.0])]), "-1 is no count");
        let mut partial = answers(&[("metric0", &[1.0])]);
        partial.insert("subjects".to_owned(), Err("PartialData".to_owned()));
        refused(&partial, "CloudWatch, arm version 7, subjects: PartialData");
    }
}
