//! Everything that there is to see of a release, at once. What cannot be seen says why, and stops nothing else.

use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use jiff::Timestamp;
use ripcord::aws::{Aws, CallFailed};
use ripcord::preflight::{Answers, Facts, QueueLength, Seen, Subject, TrafficHistory, Unseen};
use ripcord::shift::pin_alias;
use ripcord::situation::Sighting;

use crate::Inspector;

/// What is left of the invocation after the service has answered, or has not: for noting what was found.
const RESERVE: Duration = Duration::from_secs(5);

/// Looks at everything before a release moves traffic.
pub(crate) async fn look(subject: &Subject<'_>, deadline: Timestamp, inspector: &Inspector) -> Facts {
    let (aws, target, change) = (&inspector.aws, subject.target, subject.change);
    let function = &target.function;
    let guards = subject.guards_here();
    let (live, pin, stable, candidate, invocable, provisioned, guards, history, dead_letters, answers) = tokio::join!(
        aws.alias(function, &target.alias),
        look_at_pin(subject, aws),
        aws.version_state(function, change.stable),
        aws.version_state(function, change.candidate),
        aws.may_invoke(function, change.candidate),
        look_at_provisioned(subject, aws),
        aws.alarms(&guards),
        look_at_history(subject, inspector),
        look_at_dead_letters(subject, inspector),
        ask(subject, deadline, inspector),
    );
    Facts {
        live,
        pin,
        stable: seen(stable),
        candidate: seen(candidate),
        invocable: seen(invocable),
        provisioned,
        guards: seen(guards),
        history,
        dead_letters,
        answers,
    }
}

/// Asks the service itself: the new version by its smoke test, and the address that must answer.
pub(crate) async fn ask(subject: &Subject<'_>, deadline: Timestamp, inspector: &Inspector) -> Answers {
    let (aws, preflight) = (&inspector.aws, &subject.record.registration.preflight);
    // Nothing is left of a time that is over.
    let left = Duration::try_from(deadline.duration_since((inspector.clock)())).unwrap_or_default();
    let patience = left.saturating_sub(RESERVE);
    let smoke = preflight
        .smoke
        .as_ref()
        .map(|smoke| aws.call(&subject.target.function, subject.change.candidate, &smoke.payload, patience));
    let health = preflight.health.as_ref().map(|health| aws.get(&health.url, patience));
    let (smoke, health) = tokio::join!(OptionFuture::from(smoke), OptionFuture::from(health));
    Answers { smoke: smoke.map(seen), health: health.map(seen) }
}

async fn look_at_pin(subject: &Subject<'_>, aws: &Aws) -> Sighting {
    match pin_alias(&subject.target.alias) {
        Some(alias) => aws.alias(&subject.target.function, &alias).await,
        None => Sighting::Missing,
    }
}

async fn look_at_provisioned(subject: &Subject<'_>, aws: &Aws) -> Vec<(String, Seen<Option<u32>>)> {
    let qualifiers = [subject.target.alias.to_string(), subject.change.candidate.to_string()];
    let look = |qualifier: String| async move {
        let provisioned = aws.provisioned_concurrency(&subject.target.function, &qualifier).await;
        (qualifier, seen(provisioned))
    };
    join_all(qualifiers.map(look)).await
}

async fn look_at_history(subject: &Subject<'_>, inspector: &Inspector) -> Seen<TrafficHistory> {
    let question = TrafficHistory::question(subject.target, (inspector.clock)(), inspector.tempo);
    let answers = seen(inspector.aws.metrics(&question).await)?;
    TrafficHistory::of(&question, &answers, inspector.tempo)
}

async fn look_at_dead_letters(subject: &Subject<'_>, inspector: &Inspector) -> Vec<Seen<QueueLength>> {
    let queues = &subject.record.registration.dead_letter_queues;
    let Some(question) = QueueLength::question(queues, (inspector.clock)(), inspector.tempo) else {
        return Vec::new();
    };
    match inspector.aws.metrics(&question).await {
        Ok(answers) => QueueLength::of(queues, &answers),
        Err(failed) => vec![Err(Unseen::because(failed))],
    }
}

fn seen<T>(looked: Result<T, CallFailed>) -> Seen<T> {
    looked.map_err(Unseen::because)
}
