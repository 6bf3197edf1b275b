//! AWS's word that something under way at a place has ended: a way back that took longer than its invocation lived is closed,
//! and a shift that did is confirmed.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::aws::{AlarmService, Observed, console, observe, take};
use ripcord::decide::Moment;
use ripcord::error_type::{ErrorType, Failure};
use ripcord::metrics::emf_line;
use ripcord::plan::Step;
use ripcord::shift::{Shift, ShiftSituation, decide_shift, unconfirmed};
use ripcord::signal::Signal;

use super::{Answer, Pull, pull_cord, unreadable};

/// Answers for every service that has its traffic there.
pub(super) async fn answer_arrival(
    signal: &Signal,
    place: &str,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Result<Answer, Failure>> {
    match pull.aws.ledger.placed_at(&place).await {
        Ok(services) if services.is_empty() => {
            vec![Ok(Answer::plain("foreign", None, format!("no service is registered at {place}")))]
        }
        Ok(services) => {
            join_all(services.iter().map(|known| of_one(signal, place, known, lease_until, pull))).await
        }
        Err(error) => vec![Err(unreadable(&error))],
    }
}

async fn of_one(
    signal: &Signal,
    place: &str,
    known: &AlarmService,
    lease_until: Timestamp,
    pull: &Pull,
) -> Result<Answer, Failure> {
    let answer = pull_cord(signal, &known.service, &known.targets, lease_until, pull).await?;
    if answer.changes_the_books() {
        return Ok(answer);
    }
    Ok(confirm(place, known, lease_until, pull).await?.unwrap_or(answer))
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
    let Ok(Shift { steps, metrics, traffic, .. }) = decide_shift(&request, &seen, moment) else {
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
    if !metrics.is_empty() {
        console::line(&emf_line(&pull.namespace, &known.service, &metrics, moment.now));
    }
    let message = format!("{} serves {traffic}, as it was shifted to", known.service);
    Ok(Some(Answer::plain("confirm", Some(&known.service), message)))
}
