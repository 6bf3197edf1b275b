//! One of CodeDeploy's events: whose deployment it is about, and what follows for each of them.

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::aws::{AlarmService, Aws, CallFailed};
use ripcord::deployment::{DeploymentChange, DeploymentState, Place, Resource, SpecUnknown};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::signal::Signal;

use super::{Answer, Pull, pull_cord, unreadable};

/// One event may end the release before, open its own and find that one over already.
const DECISIONS_MAX: usize = 3;

/// Answers a deployment's event for every service that is deployed where the deployment deploys to.
pub(super) async fn answer_deployment(
    signal: &Signal,
    change: &DeploymentChange,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Result<Answer, Failure>> {
    let services = match services_of(change, &pull.aws).await {
        Ok(Ok(services)) => services,
        Ok(Err(nobodys)) => return vec![Ok(nobodys)],
        Err(failure) => return vec![Err(failure)],
    };
    let follow = |known| follow(signal, known, lease_until, pull);
    join_all(services.iter().map(follow)).await.into_iter().flatten().collect()
}

/// The services that a deployment is about, or the answer that it is about none.
async fn services_of(
    change: &DeploymentChange,
    aws: &Aws,
) -> Result<Result<Vec<AlarmService>, Answer>, Failure> {
    let id = &change.deployment;
    let Some(state) = aws.deployment(id).await.map_err(|failed| unseen(&failed))? else {
        let message = format!("CodeDeploy knows of no deployment {id}");
        return Ok(Err(Answer::plain("foreign", None, message)));
    };
    let places = places_of(&state, aws).await?;
    if places.is_empty() {
        let message = match &state.spec {
            Ok(_) => format!("deployment {id} deploys to no alias and to no service of ECS"),
            // The rule hears of every deployment in the account, and nobody can register what is not understood.
            Err(why) => format!("deployment {id} is not understood: {why}"),
        };
        return Ok(Err(Answer::plain("foreign", None, message)));
    }
    let found = join_all(places.iter().map(|place| aws.ledger.placed_at(place))).await;
    let found: Vec<Vec<AlarmService>> =
        found.into_iter().collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
    let mut services = found.concat();
    services.sort_by(|one, other| one.service.cmp(&other.service));
    services.dedup_by(|one, other| one.service == other.service);
    if services.is_empty() {
        let at: Vec<String> = places.iter().map(ToString::to_string).collect();
        let message = format!("deployment {id} deploys to {}, where no service is registered", at.join(", "));
        return Ok(Err(Answer::plain("unregistered", None, message)));
    }
    Ok(Ok(services))
}

/// Where a deployment shifts traffic. That of an ECS service stands in its group only.
async fn places_of(state: &DeploymentState, aws: &Aws) -> Result<Vec<Place>, Failure> {
    match state.spec.as_ref().map(|spec| &spec.resource) {
        Ok(Resource::Alias(shift)) => {
            Ok(vec![Place::Alias { function: shift.function.clone(), alias: shift.alias.clone() }])
        }
        Ok(Resource::Instances) => Ok(Vec::new()),
        Ok(Resource::TaskSet { .. }) | Err(_) => {
            let group = aws.deployment_group(&state.application, &state.group).await;
            let places =
                group.map_err(|failed| unseen(&failed))?.map(|group| group.services).unwrap_or_default();
            match &state.spec {
                Err(SpecUnknown::NotSeen(why)) if places.is_empty() => {
                    let message = format!("what deployment {} deploys cannot be seen: {why}", state.id);
                    Err(Failure::new(ErrorType::DeploymentUnreadable, message))
                }
                Ok(_) | Err(_) => Ok(places),
            }
        }
    }
}

/// Decides until there is nothing more to do, because each decision is about one release and the event may concern two.
async fn follow(
    signal: &Signal,
    known: &AlarmService,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Result<Answer, Failure>> {
    let mut answers: Vec<Result<Answer, Failure>> = Vec::new();
    for _ in 0..DECISIONS_MAX {
        let answer = pull_cord(signal, &known.service, &known.targets, lease_until, pull).await;
        let did_something = answer.as_ref().is_ok_and(Answer::changes_the_books);
        // That nothing more was to be done is no news after what was done.
        if did_something || answers.is_empty() || answer.is_err() {
            answers.push(answer);
        }
        if !did_something {
            break;
        }
    }
    answers
}

fn unseen(failed: &CallFailed) -> Failure {
    Failure::new(ErrorType::DeploymentUnreadable, failed)
}
