//! From wherever an experiment's numbers are to what the core is shown.

use std::path::Path;

use ripcord::experiment::document::{Data, Experiment};
use ripcord::experiment::observed::{Observed, ObservedArm};

use super::{cloudwatch, counts, subjects};
use crate::failure::{Failure, Kind};
use crate::session::{Place, Session};

/// Reads the numbers.
pub(super) async fn read(
    experiment: &Experiment,
    file: Option<&Path>,
    place: &Place,
) -> Result<Observed, Failure> {
    let missing = || {
        Failure::new(Kind::Usage, "the experiment's numbers are in a file, and none is named")
            .hint("--data FILE")
    };
    let observed = match (&experiment.data, file) {
        (Data::Subjects { arm, subject }, file) => {
            subjects::read(experiment, file.ok_or_else(missing)?, arm, subject.as_deref())?
        }
        (Data::Counts { arm, subjects }, file) => {
            counts::read(experiment, file.ok_or_else(missing)?, arm, subjects)?
        }
        (Data::Cloudwatch { .. }, Some(_)) => {
            return Err(Failure::new(Kind::Usage, "the document says that the numbers are in CloudWatch")
                .hint("leave --data out, or say `subjects` or `counts` in the document's data.layout"));
        }
        (Data::Cloudwatch { from, to, subjects }, None) => {
            let session = Session::open(place).await?;
            cloudwatch::read(experiment, &session.aws, (*from, *to), subjects).await?
        }
    };
    check_arms(experiment, &observed)?;
    Ok(observed)
}

/// What is compared must be there.
fn check_arms(experiment: &Experiment, observed: &Observed) -> Result<(), Failure> {
    let is_empty = |arm: &ObservedArm| arm.subjects == 0;
    let empty: Vec<&str> = experiment
        .arms
        .iter()
        .zip(&observed.arms)
        .filter(|(_, seen)| is_empty(seen))
        .map(|(arm, _)| arm.key())
        .collect();
    let message = match empty.len() {
        0 => return Ok(()),
        all if all == experiment.arms.len() => format!("{} holds nobody", observed.intake.source),
        _ => format!("{} holds nobody in arm {}", observed.intake.source, empty.join(", ")),
    };
    Err(Failure::new(Kind::DataUnusable, message).hint("an arm's `key` says what the data call it"))
}
