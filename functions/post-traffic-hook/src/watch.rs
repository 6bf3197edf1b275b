//! The first minutes of all traffic: a look every minute, until the judge knows or the watch is over.

use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::hook::{Hook, Work};
use ripcord::hook::{HookVerdict, Watched, decide_watch, judged};
use ripcord::judge::Verdict;
use ripcord::measure::measure;
use ripcord::preflight::Subject;

/// What is looked at may take so long.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// One a minute, of thirteen at most, and one at the end.
const LOOKS_MAX: u32 = 15;

/// Watches the version since it has had all traffic.
pub(crate) async fn watch(subject: &Subject<'_>, since: Timestamp, work: &Work, hook: &Hook) -> HookVerdict {
    let registration = &subject.record.registration;
    let minute = Duration::try_from(hook.tempo.minute()).unwrap_or_default();
    // So many minutes of requests: until then they also settle, and the slowest are told.
    let until = subject.run.watched_for(0, registration.hooks.watch_minutes, hook.tempo).unwrap_or(since);
    for count in 1..=LOOKS_MAX {
        let now = (hook.clock)();
        let left = work.patience(now);
        let to_the_end = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let pause = minute.min(to_the_end).min(left.saturating_sub(LOOK_MAX));
        tokio::time::sleep(pause).await;
        let now = (hook.clock)();
        let is_last = count == LOOKS_MAX || now >= until || work.patience(now) <= LOOK_MAX;
        let (verdict, why) = look(subject, now, work, hook).await;
        match decide_watch(registration, verdict, &why, is_last) {
            Watched::Over(verdict) => return verdict,
            Watched::Again => {}
        }
    }
    // The last look is always over; without one nothing was seen.
    HookVerdict::failed("the watch ended without a look")
}

async fn look(subject: &Subject<'_>, now: Timestamp, work: &Work, hook: &Hook) -> (Verdict, String) {
    let patience = work.patience(now).min(LOOK_MAX);
    let sights = hook.aws.sights(subject, patience, (now, hook.tempo)).await;
    match measure(subject, &sights, now, hook.tempo) {
        Ok(measured) => judged(&measured),
        // Somebody has moved the alias: what is measured is not what was deployed.
        Err(refusal) => (Verdict::Fail, refusal.to_string()),
    }
}
