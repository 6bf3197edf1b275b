//! What one write of a release's record says, and what of it is counted.

use jiff::{SignedDuration, Timestamp};

use super::{Moment, What, Written};
use crate::metrics::Metric;
use crate::names::Weight;
use crate::release::{Change, Phase, Release};

/// What a write says, from the record before it (none for the first write of a release) and after it.
pub fn moments(before: Option<&Release>, after: &Release, written_at: Timestamp) -> Vec<Moment> {
    let before = before.filter(|before| before.generation == after.generation);
    let at = not_before_what_it_names(after, written_at);
    let said = [
        opening(before, after),
        signals(before, after, at),
        weights(before, after, at),
        stages(before, after, at),
        phase(before, after, at),
    ];
    let moment = |(at, what)| Moment {
        service: after.service.clone(),
        write: Some(Written { generation: after.generation, seq: after.seq }),
        at,
        what,
    };
    said.into_iter().flatten().map(moment).collect()
}

/// The write's own time is known to the second only, rounded down. It was made after everything that it names.
fn not_before_what_it_names(record: &Release, written_at: Timestamp) -> Timestamp {
    let reached = record.run.as_ref().and_then(|run| run.reached.last()).map(|reached| reached.at);
    let named = [Some(record.opened_at), record.traffic_at, record.ended_at, reached];
    named.into_iter().flatten().fold(written_at, Timestamp::max)
}

type Said = Vec<(Timestamp, What)>;

fn opening(before: Option<&Release>, after: &Release) -> Said {
    let commit = after.commit.as_deref().cloned();
    let opened = || (after.opened_at, What::Opened { by: after.opened_by.clone(), commit });
    before.is_none().then(opened).into_iter().collect()
}

fn signals(before: Option<&Release>, after: &Release, at: Timestamp) -> Said {
    let mut said = Said::new();
    let cord_before = before.and_then(|before| before.cord.as_ref());
    if let Some(cord) = after.cord.as_ref().filter(|cord| cord_before != Some(cord)) {
        said.push((cord.at, What::Signalled { cord: (**cord).clone() }));
    }
    let going_back = |release: &Release| {
        let pulled = release.deployment.as_ref().and_then(|deployment| deployment.pulled.as_ref());
        let why = release.going_back.as_ref().map(|going_back| &going_back.why);
        why.or(pulled.map(|pulled| &pulled.why)).cloned()
    };
    let was_going_back = before.and_then(going_back).is_some();
    if let Some(why) = going_back(after).filter(|_| !was_going_back) {
        said.push((at, What::GoingBack { why }));
    }
    said
}

fn weights(before: Option<&Release>, after: &Release, at: Timestamp) -> Said {
    let is_news = |change: &&Change| {
        before.and_then(|before| before.change(&change.target)).map(|change| change.weight)
            != Some(change.weight)
    };
    let what = |change: &Change| What::Weights { target: change.target.clone(), weight: change.weight };
    after.changes.iter().filter(is_news).map(|change| (at, what(change))).collect()
}

fn stages(before: Option<&Release>, after: &Release, at: Timestamp) -> Said {
    let run = |release: &Release| release.run.as_deref().cloned();
    let Some(run_after) = run(after) else { return Said::new() };
    let run_before = before.and_then(run);
    let reached_before = run_before.as_ref().map(|run| run.reached.as_slice()).unwrap_or_default();
    let mut said = Said::new();
    for (stage, reached) in run_after.reached.iter().enumerate() {
        if reached_before.get(stage) != Some(reached) {
            let approved_by = reached.approved_by.clone();
            said.push((reached.at, What::StageReached { stage, approved_by }));
        }
    }
    let asked_before = run_before.and_then(|run| run.awaiting);
    if let Some(asked) = run_after.awaiting.filter(|asked| asked_before.as_ref() != Some(asked)) {
        let (stage, why, until) = (asked.stage, asked.why, asked.until);
        said.push((asked.since.min(at), What::Asked { stage, why, until }));
    }
    said
}

fn phase(before: Option<&Release>, after: &Release, at: Timestamp) -> Said {
    let phase_before = before.map_or(Phase::Shifting, |before| before.phase);
    let what = || What::Phase { phase: after.phase, because: after.ended_because.clone() };
    (after.phase != phase_before).then(|| (at, what())).into_iter().collect()
}

/// What is counted for a moment of a write. Each number follows from this write alone, so that it does not matter what was
/// counted before.
pub fn what_counts(moment: &Moment, before: Option<&Release>, after: &Release) -> Vec<Metric> {
    match &moment.what {
        What::Opened { .. } => vec![Metric::DeploymentCount],
        What::Weights { weight, .. } => vec![Metric::CanaryTrafficPercentage(weight.share() * 100.0)],
        What::Phase { phase, .. } => {
            let phase_before = before.map_or(Phase::Shifting, |before| before.phase);
            counted_of_phase(*phase, phase_before, after, moment.at)
        }
        What::StageReached { .. }
        | What::Asked { .. }
        | What::Signalled { .. }
        | What::GoingBack { .. }
        | What::Aws(_) => Vec::new(),
    }
}

fn counted_of_phase(phase: Phase, before: Phase, after: &Release, at: Timestamp) -> Vec<Metric> {
    match phase {
        Phase::Complete => {
            let ended_at = after.ended_at.unwrap_or(at);
            let minutes = minutes(ended_at.duration_since(after.opened_at));
            let mut counted = vec![Metric::SuccessfulDeployments, Metric::DeploymentDurationMinutes(minutes)];
            counted.extend(after.lead_time().map(|lead| Metric::LeadTimeHours(lead.as_secs_f64() / 3600.0)));
            counted
        }
        Phase::RolledBack => {
            let mut counted = vec![Metric::RollbackCount];
            // A failure to go back has been counted as the failure that it is.
            counted.extend((before != Phase::RollbackFailed).then_some(Metric::FailedDeployments));
            counted.push(Metric::CanaryTrafficPercentage(Weight::NONE.share()));
            if let Some(cord) = &after.cord {
                let by = if cord.automatic { Metric::AutoRollbackCount } else { Metric::ManualRollbackCount };
                counted.push(by);
                // How long AWS took over what it did by itself nobody here has seen.
                let took = cord.by.is_answered_here().then(|| minutes(at.duration_since(cord.at)));
                counted.extend(took.map(Metric::RollbackTimeMinutes));
            }
            counted
        }
        Phase::RollbackFailed => vec![Metric::FailedDeployments],
        Phase::Shifting | Phase::Held | Phase::Withdrawn => Vec::new(),
    }
}

/// Clocks differ a little; nothing takes less than no time.
fn minutes(took: SignedDuration) -> f64 {
    took.as_secs_f64().max(0.0) / 60.0
}
