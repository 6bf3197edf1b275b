//! A file with a row for each arm, in which somebody else has counted.

use std::path::Path;

use ripcord::experiment::document::{Experiment, Kind, Metric};
use ripcord::experiment::mean::Moments;
use ripcord::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use ripcord::experiment::proportion::Proportion;

use super::subjects::number;
use super::table::{self, unusable};
use crate::failure::Failure;

/// What a double counts without rounding.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn read(
    experiment: &Experiment,
    file: &Path,
    arm: &str,
    subjects: &str,
) -> Result<Observed, Failure> {
    let mut columns = vec![arm, subjects];
    for metric in &experiment.metrics {
        columns.extend(columns_of(metric));
    }
    columns.sort_unstable();
    columns.dedup();
    let mut arms: Vec<Option<ObservedArm>> = experiment.arms.iter().map(|_| None).collect();
    table::read(file, &columns, &mut |row, cells| {
        let cell = |column: &str| {
            let place = columns.iter().position(|other| *other == column)?;
            cells.get(place)?.as_deref()
        };
        let key = cell(arm).unwrap_or_default();
        let at = |column: &str, why: String| unusable(file, format!("{row}, column {column:?}: {why}"));
        let index = experiment.arms.iter().position(|arm| arm.key() == key);
        let known = index.and_then(|index| arms.get_mut(index));
        let place = known.ok_or_else(|| at(arm, format!("{key:?} is no arm of the experiment")))?;
        if place.is_some() {
            return Err(at(arm, format!("{key:?} is there twice")));
        }
        let of = |column: &str| match cell(column) {
            Some(text) => number(text).map_err(|why| at(column, why)),
            None => Err(at(column, "it is empty".to_owned())),
        };
        let count = |column: &str| {
            let number = of(column)?;
            let whole = (0.0..=COUNT_MAX).contains(&number) && number.fract() == 0.0;
            if whole { Ok(number as u64) } else { Err(at(column, format!("{number} is no count"))) }
        };
        let all = count(subjects)?;
        let metrics: Result<Vec<Measured>, Failure> =
            experiment.metrics.iter().map(|metric| measured(metric, all, &of, &count, &at)).collect();
        *place = Some(ObservedArm { subjects: all, metrics: metrics? });
        Ok(())
    })?;
    let arms = arms.into_iter().map(Option::unwrap_or_default).collect();
    let intake = Intake { source: file.display().to_string(), ..Intake::default() };
    Ok(Observed { arms, intake })
}

fn columns_of(metric: &Metric) -> impl Iterator<Item = &str> {
    let named = [&metric.column, &metric.of, &metric.deviation].into_iter().flatten();
    named.chain(&metric.categories).map(String::as_str)
}

fn measured(
    metric: &Metric,
    subjects: u64,
    of: &dyn Fn(&str) -> Result<f64, Failure>,
    count: &dyn Fn(&str) -> Result<u64, Failure>,
    at: &dyn Fn(&str, String) -> Failure,
) -> Result<Measured, Failure> {
    let asked = match &metric.of {
        Some(column) => count(column)?,
        None => subjects,
    };
    let column = metric.column.as_deref().unwrap_or_default();
    let values = match metric.kind {
        Kind::Conversion => {
            let successes = count(column)?;
            if successes > asked {
                return Err(at(column, format!("{successes} of {asked} is more than all")));
            }
            Proportion::new(successes, asked).map(Values::Conversion)
        }
        Kind::Mean => {
            let deviation = metric.deviation.as_deref().unwrap_or_default();
            let (mean, spread) = (of(column)?, of(deviation)?);
            let moments = Moments::of(asked, mean, spread);
            if moments.is_none() && asked > 0 {
                return Err(at(deviation, format!("{spread} is no standard deviation")));
            }
            moments.map(Values::Mean)
        }
        Kind::Category => {
            let counted: Result<_, Failure> =
                metric.categories.iter().map(|name| Ok((name.clone(), count(name)?))).collect();
            Some(Values::Category(counted?))
        }
        // The document's rules refuse it before.
        Kind::Rank => None,
    };
    Ok(Measured { values, left_out: subjects.saturating_sub(asked) })
}
