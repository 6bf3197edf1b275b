//! An alarm, and the services that it leads to: one, a group that goes back together, or several of which it can be about any.

use futures_util::future::{join, join_all};
use jiff::Timestamp;
use ripcord::attribution::{Cast, Suspect, Unit, cast};
use ripcord::aws::{AlarmService, Observed, observe_deployed};
use ripcord::decide::{Company, Moment, decide_in_company, decide_less_likely};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::names::ServiceName;
use ripcord::registration::Target;
use ripcord::signal::{AlarmChange, Signal};
use ripcord::situation::Situation;

use super::{Answer, Cord, Pull, pull_cord, pull_cord_in_company, unreadable};

type Answered = Result<Answer, Failure>;

/// Follows what this process remembers of the alarm, and asks the ledger at the same time.
pub(super) async fn answer_alarm(
    signal: &Signal,
    alarm: &AlarmChange,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Answered> {
    let follow = Follow { signal, alarm, lease_until, pull };
    let guess = pull.alarms.guess(&alarm.alarm);
    // One service is answered at once: nothing waits for the ledger's word on the alarm. Of several, all must be seen before
    // it is known which comes first, so they are only looked at until the ledger has answered.
    let (begun, found) = join(follow.begin(&guess), pull.aws.ledger.guarded_by(&alarm.alarm)).await;
    let found = match found {
        Ok(found) => found,
        // What could be guessed is answered; whether there is more cannot be known now.
        Err(error) => {
            let answers = match begun {
                Begun::Answered(answers) => answers,
                Begun::Seen(looks) => follow.all(looks, &[]).await,
            };
            return answers.into_iter().chain([Err(unreadable(&error))]).collect();
        }
    };
    pull.alarms.learn(alarm.alarm.clone(), &found);
    let missed: Vec<AlarmService> = found.iter().filter(|known| !guess.contains(known)).cloned().collect();
    match begun {
        Begun::Answered(answers) if missed.is_empty() && (!answers.is_empty() || !found.is_empty()) => {
            answers
        }
        Begun::Answered(answers) if found.is_empty() && answers.is_empty() => {
            let message = format!("alarm {} guards no registered service", alarm.alarm);
            vec![Ok(Answer::plain("unregistered", None, message))]
        }
        Begun::Answered(answers) if answers.is_empty() => match found.as_slice() {
            [alone] => follow.one(alone).await,
            several => follow.all(follow.look(several).await, &[]).await,
        },
        // The ledger knows of more than was answered already. What was is looked at again, for the others to be ranked by.
        Begun::Answered(answers) => {
            let done: Vec<ServiceName> = guess.into_iter().map(|known| known.service).collect();
            let others = follow.all(follow.look(&found).await, &done).await;
            answers.into_iter().chain(others).collect()
        }
        Begun::Seen(mut looks) => {
            // What the ledger no longer names may have been registered anew, and its registration has the last word.
            looks.retain(|look| missed.iter().all(|known| known.service != look.known.service));
            looks.extend(follow.look(&missed).await);
            follow.all(looks, &[]).await
        }
    }
}

/// How far a guess was followed while the ledger was asked.
enum Begun {
    /// The one service, or none, was answered.
    Answered(Vec<Answered>),
    /// Several were looked at.
    Seen(Vec<Look>),
}

/// A service, and what was seen of it.
struct Look {
    known: AlarmService,
    seen: Result<Option<Box<Situation>>, Failure>,
}

#[derive(Clone, Copy)]
struct Follow<'alarm> {
    signal: &'alarm Signal,
    alarm: &'alarm AlarmChange,
    lease_until: Timestamp,
    pull: &'alarm Pull,
}

impl Follow<'_> {
    async fn begin(self, guess: &[AlarmService]) -> Begun {
        match guess {
            [] => Begun::Answered(Vec::new()),
            [alone] => Begun::Answered(self.one(alone).await),
            several => Begun::Seen(self.look(several).await),
        }
    }

    /// A service that the alarm leads to alone.
    async fn one(self, known: &AlarmService) -> Vec<Answered> {
        let Self { signal, lease_until, pull, .. } = self;
        vec![pull_cord(signal, &known.service, &known.targets, lease_until, pull).await]
    }

    async fn look(self, services: &[AlarmService]) -> Vec<Look> {
        let aws = &self.pull.aws;
        join_all(services.iter().map(|known| async move {
            let seen = match observe_deployed(aws, &known.service, &known.targets, None).await {
                Ok(Observed::Service(situation)) => Ok(Some(situation)),
                Ok(Observed::Unregistered) => Ok(None),
                Err(error) => Err(unreadable(&error)),
            };
            Look { known: known.clone(), seen }
        }))
        .await
    }

    /// Several services, each in the part that it has; those that are `done` have theirs behind them.
    async fn all(self, looks: Vec<Look>, done: &[ServiceName]) -> Vec<Answered> {
        let mut answers: Vec<Answered> = Vec::new();
        let mut company = Vec::new();
        for Look { known, seen } in looks {
            match seen {
                Ok(Some(situation)) => company.push((known, situation)),
                Ok(None) => {
                    let message = format!("service {} is not registered", known.service);
                    answers.push(Ok(Answer::plain("unregistered", Some(&known.service), message)));
                }
                Err(failure) => answers.push(Err(failure)),
            }
        }
        let situations: Vec<&Situation> = company.iter().map(|(_, situation)| &**situation).collect();
        let is_all = answers.iter().all(Result::is_ok);
        let now = (self.pull.clock)();
        let moment = Moment { now, lease_until: self.lease_until };
        let parts = cast(self.alarm, &situations, is_all, moment).without(done);
        for stranger in &parts.strangers {
            answers.push(Ok(Answer::stranger(&self.alarm.alarm, stranger)));
        }
        let stage = Stage { follow: self, company };
        let (went, rested) = join(stage.units(&parts), stage.rest(&parts.rest)).await;
        answers.extend(went);
        answers.extend(rested);
        answers
    }
}

/// The services that were seen together.
struct Stage<'alarm> {
    follow: Follow<'alarm>,
    company: Vec<(AlarmService, Box<Situation>)>,
}

impl Stage<'_> {
    /// The likeliest goes back; if it cannot, the next one does. Whoever waits is told so, after traffic is back.
    async fn units(&self, parts: &Cast) -> Vec<Answered> {
        let mut answers = Vec::new();
        let mut units = parts.units.iter();
        let mut first = parts.gone_back.clone();
        let mut waiting: Vec<&Suspect> = parts.waiting.iter().collect();
        for unit in units.by_ref() {
            let went = self.go_back(unit).await;
            let is_back = went.iter().any(is_back);
            answers.extend(went);
            // Whatever has gone back since the alarm fired, all that is cast goes with it.
            if is_back && parts.gone_back.is_none() {
                first = Some(unit.suspect.clone());
                break;
            }
        }
        waiting.extend(units.map(|unit| &unit.suspect));
        if let Some(first) = first {
            answers.extend(join_all(waiting.into_iter().map(|this| self.tell(this, &first))).await);
        }
        answers
    }

    async fn go_back(&self, unit: &Unit) -> Vec<Answered> {
        join_all(unit.members.iter().map(|(member, company)| self.play(&member.service, company)))
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    async fn rest(&self, rest: &[(ServiceName, Company)]) -> Vec<Answered> {
        let parts = rest.iter().map(|(service, company)| self.play(service, company));
        join_all(parts).await.into_iter().flatten().collect()
    }

    async fn play(&self, service: &ServiceName, company: &Company) -> Option<Answered> {
        let signal = self.follow.signal;
        let decide = |situation: &Situation, moment| decide_in_company(signal, situation, moment, company);
        self.pull(service, company, decide).await
    }

    async fn tell(&self, this: &Suspect, first: &Suspect) -> Answered {
        let alarm = self.follow.alarm;
        let decide = |situation: &Situation, moment| {
            decide_less_likely(alarm, situation, moment, this.clone(), first.clone())
        };
        let told = self.pull(&this.service, &Company::default(), decide).await;
        told.unwrap_or_else(|| {
            // Not reached: whoever is suspected was seen.
            Ok(Answer::plain("unregistered", Some(&this.service), "it was not seen".to_owned()))
        })
    }

    async fn pull(
        &self,
        service: &ServiceName,
        company: &Company,
        decide: impl Fn(&Situation, Moment) -> ripcord::decide::Decision,
    ) -> Option<Answered> {
        let (known, situation) = self.company.iter().find(|(known, _)| known.service == *service)?;
        let targets: &[Target] = &known.targets;
        let Follow { signal, lease_until, pull, .. } = self.follow;
        let cord = Cord { signal, service, known: targets, company, lease_until };
        Some(pull_cord_in_company(&cord, Some(situation.clone()), decide, pull).await)
    }
}

/// Whether traffic is back for a service, or on its way, so that the next suspect waits. What is held or could not be put back
/// makes nobody wait.
fn is_back(answered: &Answered) -> bool {
    match answered {
        Ok(answer) => {
            let is_held = answer.outcome == "hold" || answer.reason_kind.as_deref() == Some("already_heard");
            !is_held
        }
        Err(failure) => failure.error_type != ErrorType::RollbackFailed,
    }
}
