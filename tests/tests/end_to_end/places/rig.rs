//! The suite on the local AWS with a service whose only target is a place: releasing, firing, cutting and counting, whatever
//! the place is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ripcord::registration::Registration;
use ripcord::release::{Phase, Release};
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::crashes::{CALLS_MAX, cut};
use crate::round_trips::depths;
use crate::scene::{Scene, alarm_now, outcome, workspace};

/// Long against everything else, so that calls which overlap are told from calls which follow.
const ANSWER_DELAY_MS: u64 = 100;
/// A lease lasts as long as its invocation may, which is 30 seconds at most.
const LEASE_LOOKS_MAX: usize = 200;
/// As many deliveries of one alarm come at once.
const AT_ONCE: usize = 20;

/// A place on the stage, as a test sees it.
pub(super) trait Subject: Sync {
    /// The call that moves it.
    const MOVES: &'static str;
    /// The share of the candidate in releases that are put back again and again.
    const PERCENT: u32 = 10;

    /// The versions, stable first.
    fn versions(&self) -> (String, String);

    /// What it serves, in words that are the same whenever it is the same.
    fn state(&self, scene: &Scene) -> impl Future<Output = String> + Send;

    /// What that is when everything is on stable.
    fn restored(&self) -> String;

    /// Releases the candidate: by the real shifter, unless only its team can.
    fn release(&self, scene: &Scene) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        release(scene, self, Self::PERCENT)
    }
}

/// The example's service, but for its targets: these are its only ones, and it may be put back again and again.
pub(super) async fn register(scene: &Scene, targets: Value) {
    let document = std::fs::read_to_string(workspace().join("examples/checkout/ripcord.json")).unwrap();
    let mut document: Value = serde_json::from_str(&document).unwrap();
    document["targets"] = targets;
    document.as_object_mut().unwrap().remove("preflight");
    let mut registration = Registration::parse(&document.to_string()).unwrap();
    registration.rollback.rollbacks_max = 100;
    registration.rollback.quarantine_hours = 0;
    scene.stage.register_as(&registration).await.unwrap();
}

/// Gives the candidate a share by the real shifter, and forgets how.
pub(super) async fn release(scene: &Scene, subject: &impl Subject, percent: u32) {
    let (stable, candidate) = subject.versions();
    let weights = format!("{stable}:{},{candidate}:{percent}", 100 - percent);
    let mut last = None;
    // A call of an invocation that was cut may still land until its lease has ended: until then nothing is opened.
    for _ in 0..LEASE_LOOKS_MAX {
        match scene.stage.weights(&scene.local, &weights).await {
            Ok(_) => {
                scene.local.journal().clear();
                return;
            }
            Err(error) if error.to_string().contains("being moved by another") => last = Some(error),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the lease never ended: {last:?}");
}

/// The calls that moved the place, or tried to and were answered as done.
pub(super) fn moves<S: Subject>(scene: &Scene, _: &S) -> Vec<JournalEntry> {
    scene.local.journal().matching(|call| call.operation == S::MOVES && call.status != Some(400))
}

pub(super) async fn latest(scene: &Scene) -> Release {
    scene.latest().await
}

/// One alarm, one new process: traffic is back, the books are closed. How many answers were awaited one after the other until
/// the call that moved it had come.
pub(super) async fn trips_until_restored<S: Subject>(scene: &Scene, subject: &S) -> Trips {
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let answered = scene.deliver(&alarm_now()).await;
    scene.local.faults().clear();
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    assert_eq!(subject.state(scene).await, subject.restored());
    assert_eq!(latest(scene).await.phase, Phase::RolledBack);
    let calls = scene.local.journal().calls_of("ripcord-alarm-rollback");
    let moved = calls.iter().position(|call| call.operation == S::MOVES).expect("a call moved it");
    let depths = depths(&calls);
    let names = calls.iter().zip(&depths).map(|(call, depth)| format!("{depth} {}", call.operation));
    Trips { count: depths[moved], calls: names.collect() }
}

/// How many answers were awaited one after the other, and which.
pub(super) struct Trips {
    count: usize,
    calls: Vec<String>,
}

impl PartialEq<usize> for Trips {
    fn eq(&self, count: &usize) -> bool {
        self.count == *count
    }
}

impl fmt::Debug for Trips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.count, self.calls.join(", "))
    }
}

/// The same alarm many times at once. Every delivery is answered, and the answers are counted by outcome.
pub(super) async fn storm(scene: &Arc<Scene>) -> BTreeMap<String, usize> {
    let alarm = alarm_now();
    let deliver = |scene: Arc<Scene>, alarm: Value| async move {
        scene.stage.invoke(&scene.local, "alarm-rollback", &alarm).await.unwrap()
    };
    let mut deliveries: JoinSet<_> =
        (0..AT_ONCE).map(|_| deliver(Arc::clone(scene), alarm.clone())).collect();
    let mut outcomes = BTreeMap::new();
    while let Some(answered) = deliveries.join_next().await {
        let outcome = match answered.unwrap() {
            Ok(answered) => answered["answers"][0]["outcome"].as_str().unwrap().to_owned(),
            Err(error) => error["errorType"].as_str().unwrap_or_default().to_owned(),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

/// The process is cut at every point between two calls, before and after each takes effect, and the alarm is delivered again:
/// it always ends in the same place, and the place was moved as often as it may be. How many cuts were made.
pub(super) async fn cut_everywhere<S: Subject>(scene: &Scene, subject: &S, effects_max: usize) -> usize {
    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            subject.release(scene).await;
            let alarm = alarm_now();
            if !cut(scene, "alarm-rollback", &alarm, call, is_effective).await {
                // What AWS takes longer over than that invocation may last is finished by the next.
                deliver_until_reported(scene, &alarm, "not cut").await;
                break;
            }
            cuts += 1;
            let place = format!("cut {} call {call}", if is_effective { "after" } else { "before" });
            deliver_until_reported(scene, &alarm, &place).await;
            assert_eq!(subject.state(scene).await, subject.restored(), "{place}");
            let moved = moves(scene, subject);
            let effects = moved.iter().filter(|call| !call.faults.contains(&"crash_before")).count();
            assert!((1..=effects_max).contains(&effects), "{place}: moved {effects} times: {moved:?}");
            assert_eq!(latest(scene).await.phase, Phase::RolledBack, "{place}");
            let again = outcome(&scene.deliver(&alarm).await);
            assert_eq!(again, "stand_down", "{place}: a further delivery has nothing to do");
        }
    }
    cuts
}

/// Lambda delivers again after a minute, when every lease of the first delivery has ended; here the wait is shorter. A
/// delivery that comes while another may still be at it ends as an error, which Lambda would deliver again as well.
async fn deliver_until_reported(scene: &Scene, alarm: &Value, place: &str) {
    let mut last = None;
    for _ in 0..60 {
        let answered = scene.deliver(alarm).await;
        assert!(
            matches!(answered, InvocationOutcome::Response(_) | InvocationOutcome::Error { .. }),
            "{place}: {answered:?}"
        );
        if scene.is_reported().await {
            return;
        }
        last = Some(answered);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{place}: nobody was told: {last:?}, {:?}", latest(scene).await);
}

/// An alarm that finds no way back: a named outcome, a page that says why, and nothing moved.
pub(super) async fn is_stuck<S: Subject>(scene: &Scene, subject: &S, said: &str) {
    let before = subject.state(scene).await;
    scene.local.journal().clear();
    let answered = scene.deliver(&alarm_now()).await;
    let text = format!("{answered:?}");
    assert!(text.contains(said), "{said:?} is not said: {text}");
    assert_eq!(subject.state(scene).await, before);
    assert_eq!(moves(scene, subject).len(), 0);
    let told = scene.count("Publish");
    assert!(told >= 1, "nobody was told: {text}");
    let phase = latest(scene).await.phase;
    assert!(matches!(phase, Phase::RollbackFailed | Phase::Held), "{phase:?}");
}

/// The body of a call by the rehearsal's own client, for what a team or somebody else does.
pub(super) fn patch(operations: &[(&str, &str, &str)]) -> Value {
    operations.iter().map(|(op, path, value)| json!({ "op": op, "path": path, "value": value })).collect()
}
