//! The live view of a rehearsal: a line a second with weights, errors per version and alarms, and between them every
//! call that a function makes. Lines are only ever added, so that the same view serves a terminal and a log file.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ripcord::registration::Registration;
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::front::call::Caller;
use ripcord_rehearsal::front::journal::{AliasRouting, JournalEntry};
use ripcord_rehearsal::traffic::{TrafficCounts, VersionCounts};

use clap::builder::styling::Style;
use ripcord_rehearsal::alarms::AlarmChange;
use ripcord_rehearsal::checkout::{PROJECT, SERVICE};

use crate::output::{self, BAD, FAINT, GOOD, NAME, WARN, styled};

/// How soon a call is shown.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LINE_EVERY: Duration = Duration::from_secs(1);
/// What a terminal shows in a line; the summary has all of it.
const NOTE_LENGTH_MAX: usize = 100;
const BAR_LENGTH: usize = 10;
/// `1 on 90%, 2 on 10%`, and a little.
const WORDS_LENGTH: usize = 19;

/// Which calls of functions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    All,
    /// Those that move traffic or tell people.
    ThatMatter,
}

pub(super) struct Timeline<'rehearsal> {
    local: &'rehearsal LocalAws,
    traffic: &'rehearsal dyn Fn() -> TrafficCounts,
    calls: Calls,
    guards: Vec<String>,
    started: Instant,
    line_due: Instant,
    calls_seen: u64,
    alarms_seen: usize,
    counted: BTreeMap<String, VersionCounts>,
}

impl<'rehearsal> Timeline<'rehearsal> {
    pub(super) fn new(
        local: &'rehearsal LocalAws,
        traffic: &'rehearsal dyn Fn() -> TrafficCounts,
        registration: &Registration,
        calls: Calls,
    ) -> Self {
        let now = Instant::now();
        Self {
            local,
            traffic,
            calls,
            guards: registration.guards.iter().map(|guard| guard.alarm.clone()).collect(),
            started: now,
            line_due: now + LINE_EVERY,
            calls_seen: 0,
            alarms_seen: local.alarms().changes().len(),
            counted: BTreeMap::new(),
        }
    }

    pub(super) fn headline(&self) -> String {
        let columns = format!(
            "{:>6}  {:<width$} requests/errors by version; alarms",
            "time",
            "traffic",
            width = BAR_LENGTH + 1 + WORDS_LENGTH
        );
        format!("\n{}", styled(NAME, columns))
    }

    /// Shows what happens for a while.
    pub(super) async fn run_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            tokio::time::sleep(LOOK_EVERY).await;
            self.show_alarms();
            self.show_calls();
            if Instant::now() >= self.line_due {
                self.line_due += LINE_EVERY;
                self.show_line();
            }
        }
    }

    fn show_line(&mut self) {
        let counts = (self.traffic)();
        let routing = counts.routing.as_ref().map_or_else(String::new, bar);
        let mut requests = String::new();
        for (version, now) in &counts.versions {
            let before = self.counted.get(version).copied().unwrap_or_default();
            let (served, failed) = (now.invocations - before.invocations, now.errors - before.errors);
            if served > 0 {
                let failed = styled(if failed > 0 { BAD } else { FAINT }, failed);
                requests.push_str(&format!("{version}: {served:>2}/{failed}  "));
            }
        }
        self.counted = counts.versions;
        let alarms: Vec<String> = self.guards.iter().filter_map(|name| self.alarm(name)).collect();
        output::raw(&format!("{}  {routing} {requests} {}", self.time(), alarms.join("  ")));
    }

    fn alarm(&self, name: &str) -> Option<String> {
        let (style, state) = rendered(self.local.alarms().state(name)?.state);
        // All alarms here are the one service's, which need not be said in every line.
        let name = name.strip_prefix(SERVICE).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
        Some(format!("{name} {}", styled(style, state)))
    }

    fn show_alarms(&mut self) {
        let changes = self.local.alarms().changes();
        let ours = |change: &&AlarmChange| self.guards.contains(&change.name);
        for change in changes.iter().skip(self.alarms_seen).filter(ours) {
            let (style, state) = rendered(change.to);
            // The datapoints stand in the summary; here they would wrap.
            let why = change.reason.split(" [").next().unwrap_or_default();
            let what = styled(style, format!("alarm {} goes to {state}", change.name));
            output::raw(&format!("{}  {what} {}", self.time(), styled(FAINT, why)));
        }
        self.alarms_seen = changes.len();
    }

    fn show_calls(&mut self) {
        for call in self.local.journal().since(self.calls_seen) {
            // A call that still runs is shown once it is answered.
            if call.duration_ms.is_none() {
                break;
            }
            self.calls_seen = call.seq;
            let matters = call.change.is_some() || call.operation == "Publish";
            if self.calls == Calls::ThatMatter && !matters {
                continue;
            }
            if let Caller::Function(function) = &call.caller {
                output::raw(&format!("{}  {}", self.time(), describe(function, &call)));
            }
        }
    }

    /// Says something between the lines.
    pub(super) fn note(&self, text: &str) {
        let cut: String = text.chars().take(NOTE_LENGTH_MAX).collect();
        let more = if cut.len() < text.len() { " …" } else { "" };
        output::raw(&format!("{}  {}{more}", self.time(), styled(NAME, cut)));
    }

    fn time(&self) -> String {
        styled(FAINT, format!("{:>5.1}s", self.started.elapsed().as_secs_f64()))
    }
}

fn rendered(state: AlarmState) -> (Style, &'static str) {
    match state {
        AlarmState::Alarm => (BAD, "ALARM"),
        AlarmState::Ok => (GOOD, "OK"),
        AlarmState::InsufficientData => (FAINT, "no data"),
    }
}

/// The call in a line; one that moves traffic stands out.
fn describe(function: &str, call: &JournalEntry) -> String {
    let status = call.status.map_or("no answer".to_owned(), |status| status.to_string());
    let took = call.duration_ms.map_or(String::new(), |ms| format!(", {ms:.0} ms"));
    let resource = call.resource.as_deref().unwrap_or_default();
    let resource = resource.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()).unwrap_or(resource);
    let function = function.strip_prefix(PROJECT).map_or(function, |rest| rest.trim_start_matches('-'));
    let line = format!("{function}: {}:{} {resource} ({status}{took})", call.service, call.operation);
    match &call.change {
        Some(change) => {
            let moved = format!("{} → {}", words(&change.before), words(&change.after));
            format!("{} {}", styled(WARN, line), styled(NAME, moved))
        }
        None => styled(FAINT, line),
    }
}

fn words(routing: &AliasRouting) -> String {
    let rest = 1.0 - routing.weights.values().sum::<f64>();
    let mut words = format!("{} on {:.0}%", routing.version, rest * 100.0);
    for (version, weight) in &routing.weights {
        words.push_str(&format!(", {version} on {:.0}%", weight * 100.0));
    }
    words
}

/// `█████████▒ 1 on 90%, 2 on 10%`, as long for every split.
fn bar(routing: &AliasRouting) -> String {
    let weight: f64 = routing.weights.values().sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to 10"
    )]
    let secondary = (weight * BAR_LENGTH as f64).round() as usize;
    let bar = "█".repeat(BAR_LENGTH.saturating_sub(secondary)) + &styled(WARN, "▒".repeat(secondary));
    format!("{bar} {:<WORDS_LENGTH$}", words(routing))
}
