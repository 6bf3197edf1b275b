//! What is done apart: the check, and the report of what it came to.

use std::time::Duration;

use futures_util::future::{OptionFuture, join_all, try_join_all};
use jiff::Timestamp;
use ripcord::aws::{Aws, answer_of, console, take};
use ripcord::deployment::Place;
use ripcord::lifecycle::{
    EcsPlace, LifecycleEvent, Look, LookFacts, Verdict, decide_look, decide_unregistered, decide_unseen,
    report,
};
use ripcord::names::ServiceName;
use ripcord::pipeline::Tempo;
use ripcord::preflight::{Surroundings, Unseen};
use ripcord::registration::EcsService;
use ripcord::situation::ServiceRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What checking needs.
#[derive(Debug)]
pub struct Checker {
    /// The clients.
    pub aws: Aws,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// How long a minute lasts.
    pub tempo: Tempo,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Look at everything that the stage asks for, and say what ECS is answered.
    Check {
        /// What ECS told.
        event: Value,
        /// For how long the answer is waited for.
        patience: Duration,
    },
    /// Write down and tell what was answered.
    Report {
        /// What ECS told.
        event: Value,
        /// What it was answered.
        verdict: Verdict,
    },
}

/// Does what is to be done: the verdict of a check, nothing of a report.
pub async fn work(request: Request, checker: &Checker) -> Value {
    match request {
        Request::Check { event, patience } => json!(check(&event, patience, checker).await),
        Request::Report { event, verdict } => {
            tell(&LifecycleEvent::read(&event), &verdict, checker).await;
            Value::Null
        }
    }
}

async fn check(event: &Value, patience: Duration, checker: &Checker) -> Verdict {
    let call = LifecycleEvent::read(event);
    let Checker { aws, clock, tempo } = checker;
    let Some(place) = call.place() else { return decide_unregistered(&call) };
    let records = match records(&place, aws).await {
        Ok(records) if records.is_empty() => return decide_unregistered(&call),
        Ok(records) => records,
        Err(why) => return decide_unseen(&call, &why, clock(), *tempo),
    };
    let looks = records.iter().map(|record| look(&call, &place, record, patience, checker));
    let looks = join_all(looks).await;
    decide_look(&call, &looks, clock(), *tempo)
}

/// The services that the ECS service belongs to.
async fn records(place: &EcsPlace, aws: &Aws) -> Result<Vec<ServiceRecord>, String> {
    let asked = Place::Service { cluster: place.cluster.to_string(), service: place.service.to_string() };
    let placed = aws.ledger.placed_at(&asked).await.map_err(|error| error.to_string())?;
    let record = async |name: &ServiceName| {
        let record = aws.ledger.service(name).await.map_err(|error| error.to_string())?;
        record.ok_or_else(|| format!("service {name} is being registered or taken out"))
    };
    try_join_all(placed.iter().map(|placed| record(&placed.service))).await
}

/// Everything that the stage asks for, at once.
async fn look<'record>(
    call: &LifecycleEvent,
    place: &'record EcsPlace,
    record: &'record ServiceRecord,
    patience: Duration,
    Checker { aws, clock, tempo }: &Checker,
) -> Look<'record> {
    let registration = &record.registration;
    let surroundings = Surroundings::of(registration, &place.arn);
    let is_here = |known: &&EcsService| known.cluster == place.cluster && known.service == place.service;
    let mut ecs_services = registration.hooks.ecs_services.iter();
    let ecs_service = ecs_services.find(is_here);
    let health = ecs_service.and_then(|known| known.health.as_ref()).filter(|_| call.asks_health());
    let queues: &[String] = if call.asks_dead_letters() { &registration.dead_letter_queues } else { &[] };
    let names = surroundings.guards_here();
    let (guards, dead_letters, health_answer) = tokio::join!(
        aws.look_at_guards(&names),
        aws.look_at_dead_letters(queues, clock(), *tempo),
        OptionFuture::from(health.map(|health| answer_of(health, patience))),
    );
    let facts = LookFacts {
        guards,
        dead_letters,
        health: health_answer.map(|answer| answer.map_err(Unseen::because)),
    };
    Look { surroundings, health, watch_minutes: registration.hooks.watch_minutes, facts }
}

/// Keeps the answer for each service, and tells people if it stops the deployment.
async fn tell(call: &LifecycleEvent, verdict: &Verdict, Checker { aws, clock, .. }: &Checker) {
    let Some(place) = call.place() else { return };
    let services = match records(&place, aws).await {
        Ok(records) => records
            .into_iter()
            .map(|record| {
                let generation = record.release.map(|release| release.generation).unwrap_or_default();
                (record.registration.service, Some(generation))
            })
            .collect(),
        Err(why) => {
            console::record("error", &format!("whose deployment it is was not found out: {why}"), json!({}));
            Vec::new()
        }
    };
    // Nobody is registered, or nobody knows who: people are told under the name that ECS has.
    let nobody = || place.service.as_str().parse().ok().map(|name| (name, None));
    let services = if services.is_empty() { nobody().into_iter().collect() } else { services };
    for (service, generation) in services {
        let steps = report(call, verdict, &service, generation, clock());
        if let Some(interruption) = take(aws, &steps, *clock).await.interruption {
            console::record(
                "error",
                &format!("the report on {service} is not complete: {interruption}"),
                json!({}),
            );
        }
    }
}
