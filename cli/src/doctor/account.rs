//! `ripcord doctor --account`: what is deployed of the registered services. It reads, and changes nothing.

use futures_util::future::{join, join_all};
use ripcord::aws::{Aws, CallFailed};
use ripcord::names::{AlarmArn, ServiceName};
use ripcord::place::LambdaAlias;
use ripcord::registration::Target;
use ripcord::shift::pin_alias;
use ripcord::situation::{Sighting, Situation};

use super::Diagnosis;
use super::finding::Finding;
use crate::failure::{Failure, Kind};
use crate::session::{Place, Session};

mod alarms;
mod judge;

use alarms::AlarmSettings;

/// Enough to be quick, few enough not to be throttled.
const TOGETHER: usize = 8;

/// What is deployed of a service.
#[derive(Debug)]
struct Deployed {
    situation: Situation,
    /// The guards that CloudWatch knows here.
    alarms: Vec<AlarmSettings>,
    targets: Vec<DeployedTarget>,
}

/// What is deployed of a target that is an alias, beside the alias itself.
#[derive(Debug)]
struct DeployedTarget {
    target: Target,
    /// The alias that keeps the version to go back to.
    pin: Sighting,
    /// Whether the last known good version exists; nothing if none is known.
    known_good_exists: Option<bool>,
    provisioned: Option<u32>,
}

pub(super) async fn examine(service: Option<&ServiceName>, place: &Place) -> Result<Diagnosis, Failure> {
    let session = Session::open(place).await?;
    let services = match service {
        Some(service) => vec![service.clone()],
        None => session.aws.ledger.services().await?,
    };
    let mut findings: Vec<Finding> = Vec::new();
    for some in services.chunks(TOGETHER) {
        for deployed in join_all(some.iter().map(|service| observe(&session, service))).await {
            findings.extend(judge::judge(&deployed?, &session.project));
        }
    }
    findings.sort_by_key(Finding::order);
    let looked_at = services.iter().map(|service| format!("service {service}")).collect();
    Ok(Diagnosis { looked_at, findings, unreadable: Vec::new() })
}

async fn observe(session: &Session, service: &ServiceName) -> Result<Deployed, Failure> {
    let situation = session.observe(service).await?;
    let registration = &situation.record.registration;
    let names: Vec<String> = registration.guards.iter().map(|guard| name_of(&guard.alarm)).collect();
    let aliases = registration.targets.iter().filter_map(|target| Some((target, target.lambda()?)));
    let looks = aliases.map(|target| look(&session.aws, &situation, target));
    let (alarms, targets) = join(alarms::settings(&session.alarms, &names), join_all(looks)).await;
    let targets = targets.into_iter().collect::<Result<_, _>>().map_err(|error: CallFailed| {
        Failure::new(Kind::AwsCallFailed, error.to_string())
            .hint("the doctor needs to read aliases and versions")
    })?;
    let alarms = alarms.map_err(|why| {
        Failure::new(Kind::AwsCallFailed, format!("cloudwatch:DescribeAlarms of {service} failed: {why}"))
    })?;
    Ok(Deployed { alarms, targets, situation })
}

async fn look(
    aws: &Aws,
    situation: &Situation,
    (target, alias): (&Target, &LambdaAlias),
) -> Result<DeployedTarget, CallFailed> {
    let aws = aws.at(&target.reach);
    let good = situation.record.known_good.iter().find(|good| good.target == target.name);
    let pin = async {
        match pin_alias(&alias.alias) {
            Some(pin) => aws.alias(&alias.function, &pin).await,
            None => Sighting::Unseen { why: "the alias's own name is too long to be pinned".to_owned() },
        }
    };
    let exists = async {
        match good {
            Some(good) => Ok(Some(aws.version(&alias.function, good.version).await?.is_some())),
            None => Ok(None),
        }
    };
    let provisioned = aws.provisioned_concurrency(&alias.function, alias.alias.as_str());
    let (pin, (known_good_exists, provisioned)) = join(pin, join(exists, provisioned)).await;
    Ok(DeployedTarget {
        target: target.clone(),
        pin,
        known_good_exists: known_good_exists?,
        provisioned: provisioned?,
    })
}

/// A guard is registered by its name or by its ARN.
fn name_of(alarm: &str) -> String {
    alarm.parse::<AlarmArn>().map_or_else(|_| alarm.to_owned(), |arn| arn.name().to_owned())
}
