//! Reads the ledger, and draws. It reads nothing else.

use futures_util::future::{join, join_all};
use jiff::Timestamp;
use ripcord::aws::{Aws, LedgerError, console};
use ripcord::finding::Finding;
use ripcord::names::{Generation, ServiceName};
use ripcord::release::Release;
use ripcord::timeline::Moment;
use serde_json::{Value, json};

use crate::request::{Asked, Surface};
use crate::view::{self, DESCRIPTION, Everything, Shown};

/// What the widget works with.
#[derive(Debug)]
pub struct Widget {
    /// The ledger.
    pub aws: Aws,
    /// What time it is.
    pub clock: fn() -> Timestamp,
}

/// So many services are listed together; a dashboard of more is looked at one service at a time.
const SERVICES_MAX: usize = 25;
/// So many of a service's latest releases are listed.
const RELEASES_MAX: usize = 8;
/// The call that reads a service's registration beside its release answers with both, so a few at a time are enough.
const TOGETHER: usize = 8;

/// Answers with HTML, or with the documentation when that is asked for. `here` is this function, which the list's buttons call.
pub async fn answer(event: &Value, here: &str, widget: &Widget) -> Value {
    let surface = Surface::read(event);
    let drawn = match Asked::read(event) {
        Ok(Asked::Describe) => return json!({ "markdown": DESCRIPTION }),
        Ok(Asked::Everything) => everything(widget).await.map(|all| view::everything(&all, here)),
        Ok(Asked::Service(service, release)) => {
            one(&service, release, widget).await.map(|shown| match shown {
                Ok(shown) => view::service(&shown, surface, here),
                Err(why) => view::message(&why),
            })
        }
        Err(why) => Ok(view::message(&why)),
    };
    let drawn = drawn.unwrap_or_else(|error| {
        let why = format!("the ledger could not be read: {error}");
        console::record("error", &why, json!({}));
        view::message(&why)
    });
    Value::String(view::framed(&drawn, surface))
}

async fn everything(widget: &Widget) -> Result<Everything, LedgerError> {
    let ledger = &widget.aws.ledger;
    let services = ledger.services().await?;
    let (mut releases, mut unreleased) = (Vec::new(), 0);
    let shown = services.get(..SERVICES_MAX).unwrap_or(&services);
    for some in shown.chunks(TOGETHER) {
        for record in join_all(some.iter().map(|service| ledger.service(service))).await {
            match record?.and_then(|record| record.release) {
                Some(release) => releases.push(release),
                None => unreleased += 1,
            }
        }
    }
    releases.sort_by_key(|release| std::cmp::Reverse(release.opened_at));
    Ok(Everything { releases, unreleased, not_shown: services.len() - shown.len(), now: (widget.clock)() })
}

/// One release and those before it, or why there is none to show.
async fn one(
    service: &ServiceName,
    wanted: Option<Generation>,
    widget: &Widget,
) -> Result<Result<Shown, String>, LedgerError> {
    let ledger = &widget.aws.ledger;
    let latest = ledger.latest_releases(service, |count, _| count < RELEASES_MAX).await?;
    let Some(newest) = latest.first().map(|release| release.generation) else {
        return Ok(Err(match ledger.service(service).await? {
            Some(_) => format!("nothing of {service} was released yet"),
            None => format!("service {service} is not registered: ripcord apply registers it"),
        }));
    };
    let wanted = wanted.unwrap_or(newest);
    let release = match latest.iter().find(|release| release.generation == wanted) {
        Some(release) => Some(release.clone()),
        None if wanted < newest => older(service, wanted, widget).await?,
        None => None,
    };
    let Some(release) = release else {
        return Ok(Err(format!(
            "the ledger knows no release {wanted} of {service}: the latest one is {newest}"
        )));
    };
    let (moments, findings) = join(ledger.timeline(service, wanted), ledger.findings(service, wanted)).await;
    let (moments, findings): (Vec<Moment>, Vec<Finding>) = (moments?, findings?);
    Ok(Ok(Shown { release, moments, findings, latest, now: (widget.clock)() }))
}

async fn older(
    service: &ServiceName,
    wanted: Generation,
    widget: &Widget,
) -> Result<Option<Release>, LedgerError> {
    let since = widget.aws.ledger.latest_releases(service, |_, release| release.generation >= wanted).await?;
    Ok(since.into_iter().find(|release| release.generation == wanted))
}
