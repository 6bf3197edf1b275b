//! A file with a row for each subject. Nothing is kept of a row but what its metrics add up to, and for ranks their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use ripcord::experiment::document::{Experiment, Kind, Metric, Missing};
use ripcord::experiment::mean::Moments;
use ripcord::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use ripcord::experiment::proportion::Proportion;
use ripcord::experiment::rank::Ordered;

use super::table::{self, Cell, unusable};
use crate::failure::Failure;

/// What has more answers than that is no category.
const ANSWERS_MAX: usize = 100;

pub(super) fn read(
    experiment: &Experiment,
    file: &Path,
    arm: &str,
    subject: Option<&str>,
) -> Result<Observed, Failure> {
    let keys: BTreeMap<&str, usize> =
        experiment.arms.iter().enumerate().map(|(index, arm)| (arm.key(), index)).collect();
    let known = match subject {
        Some(subject) => Some(recognise(file, &keys, arm, subject)?),
        None => None,
    };
    let mut columns = vec![arm];
    columns.extend(subject);
    let first_metric = columns.len();
    columns.extend(experiment.metrics.iter().map(|metric| metric.column.as_deref().unwrap_or_default()));
    let distinct: BTreeSet<&str> = columns.iter().copied().collect();
    let asked: Vec<&str> = distinct.into_iter().collect();
    let place = |column: &&str| asked.iter().position(|other| other == column).unwrap_or_default();
    let places: Vec<usize> = columns.iter().map(place).collect();

    let blank = || experiment.metrics.iter().map(Gathered::new).collect::<Vec<_>>();
    let mut arms: Vec<(u64, Vec<Gathered>)> = keys.iter().map(|_| (0, blank())).collect();
    let mut counted: BTreeSet<u64> = BTreeSet::new();
    table::read(file, &asked, &mut |row, cells| {
        let cell =
            |index: usize| places.get(index).and_then(|place| cells.get(*place)).and_then(Option::as_deref);
        let index = arm_of(file, row, arm, cell(0), &keys)?;
        if let Some(known) = &known {
            let who = hashed(cell(1).unwrap_or_default());
            let is_again = known.repeated.contains(&who) && !counted.insert(who);
            if known.crossed.contains(&who) || is_again {
                return Ok(());
            }
        }
        let Some((subjects, gathered)) = arms.get_mut(index) else { return Ok(()) };
        *subjects += 1;
        for (number, (metric, gathered)) in experiment.metrics.iter().zip(gathered).enumerate() {
            let column = metric.column.as_deref().unwrap_or_default();
            gathered
                .take(metric, cell(first_metric + number))
                .map_err(|why| unusable(file, format!("{row}, column {column:?}: {why}")))?;
        }
        Ok(())
    })?;
    let arms = arms.into_iter().map(|(subjects, gathered)| ObservedArm {
        subjects,
        metrics: gathered.into_iter().map(Gathered::finish).collect(),
    });
    let intake = Intake {
        source: file.display().to_string(),
        subjects_are_known: known.is_some(),
        crossed: known.as_ref().map_or(0, |known| known.crossed.len() as u64),
        repeated: known.map_or(0, |known| known.repeats),
    };
    Ok(Observed { arms: arms.collect(), intake })
}

fn arm_of(
    file: &Path,
    row: &str,
    column: &str,
    cell: Option<&str>,
    keys: &BTreeMap<&str, usize>,
) -> Result<usize, Failure> {
    let key = cell.unwrap_or_default();
    keys.get(key).copied().ok_or_else(|| {
        let arms = keys.keys().copied().collect::<Vec<_>>().join(", ");
        unusable(file, format!("{row}, column {column:?}: {key:?} is no arm; the arms are {arms}"))
    })
}

/// Who is there more than once.
struct Known {
    /// Who is in several arms.
    crossed: BTreeSet<u64>,
    /// Who has several rows in one arm.
    repeated: BTreeSet<u64>,
    /// How many rows those have beyond their first.
    repeats: u64,
}

/// Reads the file a first time, for the names alone: sixteen bytes are kept of each. Two names of ten million are taken for one
/// with a chance of 3 in a million.
fn recognise(file: &Path, keys: &BTreeMap<&str, usize>, arm: &str, subject: &str) -> Result<Known, Failure> {
    let mut seen: Vec<(u64, usize)> = Vec::new();
    table::read(file, &[arm, subject], &mut |row, cells| {
        let cell = |index: usize| cells.get(index).and_then(Cell::as_deref);
        let index = arm_of(file, row, arm, cell(0), keys)?;
        let who = cell(1).ok_or_else(|| unusable(file, format!("{row}, column {subject:?}: it is empty")))?;
        seen.push((hashed(who), index));
        Ok(())
    })?;
    seen.sort_unstable();
    let mut known = Known { crossed: BTreeSet::new(), repeated: BTreeSet::new(), repeats: 0 };
    for rows in seen.chunk_by(|one, two| one.0 == two.0) {
        let [(who, first), rest @ ..] = rows else { continue };
        if rest.iter().any(|(_, arm)| arm != first) {
            known.crossed.insert(*who);
        } else if !rest.is_empty() {
            known.repeated.insert(*who);
            known.repeats += rest.len() as u64;
        }
    }
    Ok(known)
}

fn hashed(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// What a metric has come to so far.
struct Gathered {
    numbers: Numbers,
    left_out: u64,
}

enum Numbers {
    Conversion { successes: u64, trials: u64 },
    Mean(Moments),
    Rank(Vec<f64>),
    Category(BTreeMap<String, u64>),
}

impl Gathered {
    fn new(metric: &Metric) -> Self {
        let numbers = match metric.kind {
            Kind::Conversion => Numbers::Conversion { successes: 0, trials: 0 },
            Kind::Mean => Numbers::Mean(Moments::default()),
            Kind::Rank => Numbers::Rank(Vec::new()),
            Kind::Category => Numbers::Category(BTreeMap::new()),
        };
        Self { numbers, left_out: 0 }
    }

    fn take(&mut self, metric: &Metric, cell: Option<&str>) -> Result<(), String> {
        let text = match (cell, metric.missing) {
            (Some(text), _) => text,
            (None, Missing::Zero) => "0",
            (None, Missing::LeaveOut) => {
                self.left_out += 1;
                return Ok(());
            }
            (None, Missing::Refuse) => {
                return Err("it is empty; the metric's `missing` may say leave_out or zero".to_owned());
            }
        };
        match &mut self.numbers {
            Numbers::Conversion { successes, trials } => {
                *successes += u64::from(did(text)?);
                *trials += 1;
            }
            Numbers::Mean(moments) => moments.take(number(text)?),
            Numbers::Rank(values) => values.push(number(text)?),
            Numbers::Category(answers) => {
                *answers.entry(text.to_owned()).or_default() += 1;
                if answers.len() > ANSWERS_MAX {
                    return Err(format!(
                        "it has more than {ANSWERS_MAX} different values: it is no category"
                    ));
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Measured {
        let values = match self.numbers {
            Numbers::Conversion { successes, trials } => {
                Proportion::new(successes, trials).map(Values::Conversion)
            }
            Numbers::Mean(moments) => (moments.count() > 0).then_some(Values::Mean(moments)),
            Numbers::Rank(values) => Ordered::new(values).map(Values::Rank),
            Numbers::Category(answers) => (!answers.is_empty()).then_some(Values::Category(answers)),
        };
        Measured { values, left_out: self.left_out }
    }
}

fn did(text: &str) -> Result<bool, String> {
    match text {
        "1" | "1.0" => Ok(true),
        "0" | "0.0" => Ok(false),
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(format!("{text:?} is neither 0 nor 1, nor true or false")),
    }
}

/// A finite number.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("{text:?} is no number"))
}
