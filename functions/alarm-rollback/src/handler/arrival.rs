//! AWS's word that something under way at a place has ended: a way back that took longer than its invocation lived is closed,
//! a shift that did is confirmed, and one that AppConfig has taken back is booked as that.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::aws::{AlarmService, Observed, observe, take};
use ripcord::decide::Moment;
use ripcord::error_type::{ErrorType, Failure};
use ripcord::plan::Step;
use ripcord::shift::{Shift, ShiftSituation, decide_shift, unconfirmed};
use ripcord::signal::{Arrival, Signal};

use super::{Answer, Pull, pull_cord, unreadable};

/// Answers for every service that has its traffic there.
pub(super) async fn answer_arrival(
    arrival: &Arrival,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Result<Answer, Failure>> {
    let place = &arrival.place;
    match pull.aws.ledger.placed_at(place).await {
        Ok(services) if services.is_empty() => {
            vec![Ok(Answer::plain("foreign", None, format!("no service is registered at {place}")))]
        }
        Ok(services) => {
            join_all(services.iter().map(|known| of_one(arrival, known, lease_until, pull))).await
        }
        Err(error) => vec![Err(unreadable(&error))],
    }
}

async fn of_one(
    arrival: &Arrival,
    known: &AlarmService,
    lease_until: Timestamp,
    pull: &Pull,
) -> Result<Answer, Failure> {
    let place = &arrival.place;
    let signal = &Signal::Arrival(explained(arrival, known, pull).await);
    let answer = pull_cord(signal, &known.service, &known.targets, lease_until, pull).await?;
    if answer.changes_the_books() {
        return Ok(answer);
    }
    Ok(confirm(place, known, lease_until, pull).await?.unwrap_or(answer))
}

/// With who has taken back what is said to have been taken back. That is back already, so nothing waits for the answer but the
/// books; and where there is none they are closed all the same.
async fn explained(arrival: &Arrival, known: &AlarmService, pull: &Pull) -> Arrival {
    let target = known.targets.iter().find(|target| target.place.to_string() == arrival.place);
    let Some((target, taken)) = target.zip(arrival.taken_back.clone()) else { return arrival.clone() };
    let taken = pull.aws.explain_taken_back(target, taken).await;
    Arrival { taken_back: Some(taken), ..arrival.clone() }
}

/// Confirms a shift that has arrived; nothing where there is none, or none that has.
async fn confirm(
    place: &str,
    known: &AlarmService,
    lease_until: Timestamp,
    pull: &Pull,
) -> Result<Option<Answer>, Failure> {
    let observed = observe(&pull.aws, &known.service, &known.targets).await;
    let Observed::Service(situation) = observed.map_err(|error| unreadable(&error))? else { return Ok(None) };
    let Some(request) = unconfirmed(&situation, place) else { return Ok(None) };
    let seen = ShiftSituation { situation: *situation, versions: BTreeMap::new(), pin: None };
    let moment = Moment { now: (pull.clock)(), lease_until };
    // Refused where somebody is at it, or where something else was brought there: the next command or signal says so.
    let Ok(Shift { steps, traffic, .. }) = decide_shift(&request, &seen, moment) else {
        return Ok(None);
    };
    // A shift that AWS has given up is not begun again.
    if steps.iter().flatten().any(Step::moves_traffic) {
        return Ok(None);
    }
    if let Some(why) = take(&pull.aws, &steps, pull.clock).await.interruption {
        let message = format!("{}: serves {traffic}; but then {why}", known.service);
        return Err(Failure::new(ErrorType::ReportIncomplete, message));
    }
    let message = format!("{} serves {traffic}, as it was shifted to", known.service);
    Ok(Some(Answer::plain("confirm", Some(&known.service), message)))
}
