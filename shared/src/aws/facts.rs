//! Everything that there is to see of a release before it moves traffic, at once. What cannot be seen says why, and stops
//! nothing else.

use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use jiff::Timestamp;

use super::http::answer_of;
use super::{Aws, CallFailed};
use crate::pipeline::Tempo;
use crate::place::LambdaAlias;
use crate::preflight::{Answers, Facts, GuardState, QueueLength, Seen, Subject, TrafficHistory, Unseen};
use crate::shift::pin_alias;
use crate::situation::Sighting;

/// How far a look before a release goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Whole,
    /// Everything but the requests of the last day: they say whether stages can be proved, and CodeDeploy has none.
    WithoutTraffic,
}

impl Aws {
    /// Looks at everything before a release moves traffic. The service itself is waited for as long as `patience`.
    pub async fn look(
        &self,
        subject: &Subject<'_>,
        scope: Scope,
        patience: Duration,
        (now, tempo): (Timestamp, Tempo),
    ) -> Facts {
        let (LambdaAlias { function, alias }, change) = (subject.alias, subject.change);
        let queues = &subject.record.registration.dead_letter_queues;
        let guards = subject.guards_here();
        let history = match scope {
            Scope::Whole => Some(self.look_at_history(subject, now, tempo)),
            Scope::WithoutTraffic => None,
        };
        let (live, pin, stable, candidate, invocable, provisioned, guards, history, dead_letters, answers) = tokio::join!(
            self.alias(function, alias),
            self.look_at_pin(subject),
            self.version_state(function, change.stable),
            self.version_state(function, change.candidate),
            self.may_invoke(function, change.candidate),
            self.look_at_provisioned(subject),
            self.look_at_guards(&guards),
            OptionFuture::from(history),
            self.look_at_dead_letters(queues, now, tempo),
            self.ask(subject, patience),
        );
        Facts {
            live,
            pin,
            stable: seen(stable),
            candidate: seen(candidate),
            invocable: seen(invocable),
            provisioned,
            guards,
            history,
            dead_letters,
            answers,
        }
    }

    /// Asks the service itself: the new version by its smoke test, and the address that must answer.
    pub async fn ask(&self, subject: &Subject<'_>, patience: Duration) -> Answers {
        let preflight = &subject.record.registration.preflight;
        let smoke = preflight.smoke.as_ref().map(|smoke| {
            self.call(&subject.alias.function, subject.change.candidate, &smoke.payload, patience)
        });
        let health = preflight.health.as_ref().map(|health| answer_of(health, patience));
        let (smoke, health) = tokio::join!(OptionFuture::from(smoke), OptionFuture::from(health));
        Answers { smoke: smoke.map(seen), health: health.map(seen) }
    }

    /// The guards of these names.
    pub async fn look_at_guards(&self, names: &[String]) -> Seen<Vec<GuardState>> {
        seen(self.alarms(names).await)
    }

    /// The dead-letter queues of these names.
    pub async fn look_at_dead_letters(
        &self,
        queues: &[String],
        now: Timestamp,
        tempo: Tempo,
    ) -> Vec<Seen<QueueLength>> {
        let Some(question) = QueueLength::question(queues, now, tempo) else {
            return Vec::new();
        };
        match self.metrics(&question).await {
            Ok(answers) => QueueLength::of(queues, &answers),
            Err(failed) => vec![Err(Unseen::because(failed))],
        }
    }

    async fn look_at_pin(&self, subject: &Subject<'_>) -> Sighting {
        match pin_alias(&subject.alias.alias) {
            Some(alias) => self.alias(&subject.alias.function, &alias).await,
            None => Sighting::Missing,
        }
    }

    async fn look_at_provisioned(&self, subject: &Subject<'_>) -> Vec<(String, Seen<Option<u32>>)> {
        let qualifiers = [subject.alias.alias.to_string(), subject.change.candidate.to_string()];
        let look = |qualifier: String| async move {
            let provisioned = self.provisioned_concurrency(&subject.alias.function, &qualifier).await;
            (qualifier, seen(provisioned))
        };
        join_all(qualifiers.map(look)).await
    }

    async fn look_at_history(
        &self,
        subject: &Subject<'_>,
        now: Timestamp,
        tempo: Tempo,
    ) -> Seen<TrafficHistory> {
        let question = TrafficHistory::question(subject.alias, now, tempo);
        let answers = seen(self.metrics(&question).await)?;
        TrafficHistory::of(&question, &answers, tempo)
    }
}

fn seen<T>(looked: Result<T, CallFailed>) -> Seen<T> {
    looked.map_err(Unseen::because)
}
