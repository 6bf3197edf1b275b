//! What a rehearsal showed, for people and as data.

use std::fmt;

use ripcord::names::Version;
use ripcord::release::{Phase, Report};
use ripcord::situation::ServiceRecord;
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::checkout::SERVICE;
use ripcord_rehearsal::front::call::Caller;
use ripcord_rehearsal::front::journal::{AliasRouting, JournalEntry};
use ripcord_rehearsal::traffic::TrafficCounts;
use serde::Serialize;

use crate::output::{BAD, FAINT, GOOD, NAME, styled};

/// The outcome of a rehearsal. The names of its fields are stable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    /// Whether the release was rolled back by exactly one change of traffic, and people were told.
    pub(super) passed: bool,
    /// How often the rollback changed traffic.
    rollback_traffic_changes: usize,
    /// How often the release changed traffic.
    release_traffic_changes: usize,
    /// What the alias serves at the end.
    serving: Option<AliasRouting>,
    /// The release's phase in the ledger.
    phase: Option<Phase>,
    /// Why it was rolled back.
    reason: Option<String>,
    /// From the alarm's change of state to the answer of the call that put traffic back.
    alarm_to_traffic_ms: Option<f64>,
    /// From the first call of the rollback to that answer.
    function_to_traffic_ms: Option<f64>,
    /// The calls of the rollback up to and including the one that put traffic back.
    calls_to_traffic: Vec<String>,
    /// Requests that the candidate served, and those that it failed.
    candidate_requests: u64,
    candidate_errors: u64,
    /// Notices that were published.
    notices: usize,
    /// Where the evidence lies.
    evidence: Option<String>,
    /// What was not real.
    simulated: Vec<String>,
}

const ROLLBACK: &str = "ripcord-alarm-rollback";

impl Summary {
    pub(super) fn of(
        local: &LocalAws,
        counts: &TrafficCounts,
        candidate: Version,
        record: Option<ServiceRecord>,
    ) -> Self {
        let calls = local.journal().entries();
        let by_rollback = |call: &&JournalEntry| call.caller == Caller::Function(ROLLBACK.to_owned());
        let rollback_calls: Vec<&JournalEntry> = calls.iter().filter(by_rollback).collect();
        let restores: Vec<&&JournalEntry> =
            rollback_calls.iter().filter(|call| call.changed_an_alias()).collect();
        let all_changes = calls.iter().filter(|call| call.changed_an_alias()).count();
        let release = record.and_then(|record| record.release);
        let candidate_counts = counts.versions.get(&candidate.to_string()).copied().unwrap_or_default();
        let restore = restores.first();
        let answered_at =
            restore.and_then(|call| Some(call.time.as_millisecond() as f64 + call.duration_ms?));
        let fired_at = local.alarms().changes().into_iter().find(|change| change.to == AlarmState::Alarm);
        let ms_since = |start: Option<jiff::Timestamp>| Some(answered_at? - start?.as_millisecond() as f64);
        let serving = restores.last().and_then(|call| Some(call.change.as_ref()?.after.clone()));
        let was_told = release.as_ref().is_some_and(|release| matches!(release.report, Report::Sent { .. }));
        let phase = release.as_ref().map(|release| release.phase);
        Self {
            passed: restores.len() == 1
                && phase == Some(Phase::RolledBack)
                && was_told
                && serving
                    .as_ref()
                    .is_some_and(|serving| serving.weights.is_empty() && serving.version == "1"),
            rollback_traffic_changes: restores.len(),
            release_traffic_changes: all_changes - restores.len(),
            serving,
            phase,
            reason: release.as_ref().and_then(|release| release.ended_because.clone()),
            alarm_to_traffic_ms: ms_since(fired_at.map(|change| change.time)),
            function_to_traffic_ms: ms_since(rollback_calls.first().map(|call| call.time)),
            calls_to_traffic: rollback_calls
                .iter()
                .take_while(|call| restore.is_some_and(|restore| call.seq <= restore.seq))
                .map(|call| format!("{}:{}", call.service, call.operation))
                .collect(),
            candidate_requests: candidate_counts.invocations,
            candidate_errors: candidate_counts.errors,
            notices: rollback_calls.iter().filter(|call| call.operation == "Publish").count(),
            evidence: release.map(|release| {
                format!(
                    "table ripcord-ledger, pk = evidence#{SERVICE}, sk = {:010}#rollback",
                    release.generation.0
                )
            }),
            simulated: vec![
                "AWS itself: ministack, with an alarm evaluator, weighted routing and metrics of our own"
                    .to_owned(),
                "alarm periods last 1/60 of their time: 60 s are 1 s".to_owned(),
                "the users: a traffic driver on this machine".to_owned(),
            ],
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed {
            styled(GOOD, "rolled back: traffic is on the stable version, by one change")
        } else {
            styled(BAD, "NOT as it should be")
        };
        let ms = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
        writeln!(f, "\n{} {verdict}", styled(NAME, "Summary:"))?;
        writeln!(f, "  why                  {}", self.reason.as_deref().unwrap_or("-"))?;
        writeln!(
            f,
            "  traffic changes      {} by the rollback, {} by the release",
            self.rollback_traffic_changes, self.release_traffic_changes
        )?;
        writeln!(
            f,
            "  alarm to traffic     {}, of which in the function {}",
            ms(self.alarm_to_traffic_ms),
            ms(self.function_to_traffic_ms)
        )?;
        writeln!(f, "  calls until then     {}", self.calls_to_traffic.join(", "))?;
        writeln!(
            f,
            "  the bad version      served {} requests and failed {}",
            self.candidate_requests, self.candidate_errors
        )?;
        writeln!(f, "  notices              {}", self.notices)?;
        writeln!(f, "  evidence             {}", self.evidence.as_deref().unwrap_or("-"))?;
        let simulated = self.simulated.join("\n                       ");
        write!(f, "  simulated            {}", styled(FAINT, simulated))
    }
}
