//! Everything that there is to see of a release before it moves traffic, at once. What cannot be seen says why, and stops
//! nothing else.

use std::time::Duration;

use futures_util::future::{OptionFuture, join_all, try_join};
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
        let there = self.at(&subject.target.reach);
        let history = match scope {
            Scope::Whole => Some(there.look_at_history(subject, now, tempo)),
            Scope::WithoutTraffic => None,
        };
        let (live, pin, stable, candidate, invocable, provisioned, guards, history, dead_letters, answers) = tokio::join!(
            there.alias(function, alias),
            there.look_at_pin(subject),
            there.version_state(function, change.stable),
            there.version_state(function, change.candidate),
            there.may_invoke(function, change.candidate),
            there.look_at_provisioned(subject),
            self.look_at_guards_of(subject),
            OptionFuture::from(history),
            there.look_at_dead_letters(queues, now, tempo),
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
        let there = self.at(&subject.target.reach);
        let smoke = preflight.smoke.as_ref().map(|smoke| {
            there.call(&subject.alias.function, subject.change.candidate, &smoke.payload, patience)
        });
        let health = preflight.health.as_ref().map(|health| answer_of(health, patience));
        let (smoke, health) = tokio::join!(OptionFuture::from(smoke), OptionFuture::from(health));
        Answers { smoke: smoke.map(seen), health: health.map(seen) }
    }

    /// The guards of a release: those at home, and those where its target lies.
    pub async fn look_at_guards_of(&self, subject: &Subject<'_>) -> Seen<Vec<GuardState>> {
        seen(self.guards_of(subject).await)
    }

    pub(super) async fn guards_of(&self, subject: &Subject<'_>) -> Result<Vec<GuardState>, CallFailed> {
        let (here, there) = (subject.guards_here(), subject.guards_there());
        let names: Vec<String> = there.iter().map(|arn| arn.name().to_owned()).collect();
        let remote = self.at(&subject.target.reach);
        let (mut states, theirs) = try_join(self.alarms(&here), remote.alarms(&names)).await?;
        // A name means an alarm at home, so one that lies elsewhere goes by its ARN alone.
        let meant = theirs.into_iter().filter(|state| there.iter().any(|arn| arn.as_str() == state.arn));
        states.extend(meant.map(|state| GuardState { name: state.arn.clone(), ..state }));
        Ok(states)
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
