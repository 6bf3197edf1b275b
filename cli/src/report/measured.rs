//! What CloudWatch counted of a release, as the judge was shown it, and what the judge knew when.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord::draw;
use ripcord::judge::{Course, Minute, replay};
use ripcord::measure::{LookBack, Served};
use ripcord::names::Weight;
use ripcord::pipeline::{Reached, Run};
use ripcord::preflight::Subject;
use ripcord::registration::Registration;
use ripcord::release::{Change, Release};
use ripcord::situation::ServiceRecord;
use ripcord::strategy::{PlannedStage, Strategy};
use ripcord::timeline::Moment;

use crate::session::Session;

/// What was counted.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Minute by minute, what of it could be judged.
    pub(crate) minutes: Vec<Minute>,
    /// The limits of each stage: how many requests may fail, and how many may be slow.
    pub(crate) error_limits: Vec<f64>,
    pub(crate) slow_limits: Vec<Option<(u32, f64)>>,
    /// What the judge knew when; nothing where nobody judged.
    pub(crate) courses: Vec<Course>,
    /// What the candidate answered in all.
    pub(crate) served: Option<Served>,
    /// What could not be read.
    pub(crate) unmeasured: Vec<String>,
    /// How long a minute lasts.
    pub(crate) minute: SignedDuration,
}

/// Enough to draw, and few enough to be computed while somebody waits.
const LOOKS_MAX: usize = 160;
/// A report is no rollback: it may wait for CloudWatch a little.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks CloudWatch about a release, and lets the judge judge it again.
pub(super) async fn measured(
    record: &ServiceRecord,
    release: &Release,
    moments: &[Moment],
    (now, session): (Timestamp, &Session),
) -> Result<Measured, String> {
    let none = || "only an alias's versions are counted apart, and this release moved none".to_owned();
    let is_driven = |change: &Change| release.driven().is_none_or(|driven| *driven == change.target);
    let of_alias = |change: &&Change| {
        is_driven(change)
            && record.registration.target(&change.target).is_some_and(|target| target.lambda().is_some())
    };
    let change = release.changes.iter().find(of_alias).ok_or_else(none)?;
    let target = record.registration.target(&change.target).ok_or_else(none)?;
    let alias = target.lambda().ok_or_else(none)?;
    let by_hand;
    let run = match release.run.as_deref() {
        Some(run) => run,
        None => {
            by_hand = shifted_by_hand(release, moments, change, &record.registration)?;
            &by_hand
        }
    };
    if run.reached.is_empty() {
        return Err("its candidate never had traffic".to_owned());
    }
    let subject = Subject { record, release, run, change, target, alias };
    let back = LookBack::new(subject, release.ended_at, now, session.tempo);
    let question = back.question().ok_or_else(|| {
        "CloudWatch has no whole minute of it: its candidate had traffic for less than one, or longer ago than the fifteen \
         days for which minutes are kept"
            .to_owned()
    })?;
    let there = session.aws.at(&target.reach);
    let answers = match tokio::time::timeout(PATIENCE, there.metrics(question)).await {
        Ok(answers) => answers.map_err(|failed| failed.to_string())?,
        Err(_) => return Err(format!("CloudWatch did not answer within {} s", PATIENCE.as_secs())),
    };
    let answers = Ok(answers);
    let observations = back.observations(&answers);
    let courses = if release.run.is_some() { replay(&observations, LOOKS_MAX) } else { Vec::new() };
    let latency = |limits: &ripcord::judge::StageLimits| {
        limits.latency.map(|limit| (limit.latency_ms_max, limit.slow_rate_max))
    };
    Ok(Measured {
        error_limits: observations.stages.iter().map(|stage| stage.error_rate_max).collect(),
        slow_limits: observations.stages.iter().map(latency).collect(),
        courses,
        served: back.served(&answers),
        unmeasured: observations.unmeasured.iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect(),
        minutes: observations.minutes,
        minute: session.tempo.minute(),
    })
}

/// A release that people have shifted, told as if it had stages: each share that it had is one.
fn shifted_by_hand(
    release: &Release,
    moments: &[Moment],
    change: &Change,
    registration: &Registration,
) -> Result<Run, String> {
    let steps = draw::steps(release, moments, &change.target)
        .ok_or("when its shares changed was not written down, so its minutes cannot be told apart")?;
    let mut run = Run::of_hook(registration, String::new(), None, 0);
    let planned = run.strategy.stages.first().cloned();
    let planned = planned.ok_or("its registration has no limits")?;
    let given: Vec<_> = steps.into_iter().filter(|(_, weight)| *weight > Weight::NONE).collect();
    run.reached = given.iter().map(|(at, _)| Reached { at: *at, approved_by: None }).collect();
    let stages = given.iter().map(|(_, weight)| PlannedStage { weight: *weight, ..planned.clone() });
    run.strategy = Strategy { name: "by hand".to_owned(), stages: stages.collect(), ..run.strategy };
    Ok(run)
}
