//! `ripcord health-check`: are these services, functions and addresses well, just now? It asks what a team has registered to be
//! asked, of what takes the traffic, and changes nothing.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::aws::answer_of;
use ripcord::names::{AliasName, FunctionName, Generation, ServiceName, Version, Weight};
use ripcord::pipeline::Run;
use ripcord::place::LambdaAlias;
use ripcord::preflight::{
    Check, Outcome, Seen, Subject, Unseen, VersionState, check_health, decide_hook_after,
};
use ripcord::registration::{HealthCheck, Registration, Target};
use ripcord::release::{Change, Phase, Release, Report};
use ripcord::situation::{LiveAlias, Sighting, Situation};
use ripcord::traffic::Traffic;
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};
use crate::warning::expected;
use crate::whereabouts::whereabouts;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord health-check                                     every registered service
  ripcord health-check checkout orders --json
  ripcord health-check --function checkout:live --function mail:12
  ripcord health-check --url https://shop.example.com/health";

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The services; all of them if nothing else is named either
    services: Vec<ServiceName>,
    /// A function behind an alias, or one version of it
    #[arg(long = "function", value_name = "NAME:ALIAS_OR_VERSION", value_parser = Qualified::parse)]
    functions: Vec<Qualified>,
    /// An address that must answer with 200
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// The addresses may be private ones
    #[arg(long, requires = "urls")]
    private: bool,
}

/// A function, and which of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Qualified {
    function: FunctionName,
    of: Versions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Versions {
    One(Version),
    Behind(AliasName),
}

impl Qualified {
    fn parse(text: &str) -> Result<Self, String> {
        let (function, qualifier) = text
            .split_once(':')
            .ok_or("a function is named with its alias or version, like checkout:live")?;
        let function = function.parse().map_err(|error: ripcord::names::InvalidName| error.to_string())?;
        let of = match qualifier.parse::<Version>() {
            Ok(version) if version.number().is_some() => Versions::One(version),
            Ok(_) | Err(_) => Versions::Behind(
                qualifier.parse().map_err(|error: ripcord::names::InvalidName| error.to_string())?,
            ),
        };
        Ok(Self { function, of })
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    healthy: bool,
    subjects: Vec<Looked>,
}

/// One service, function or address, and how it is.
#[derive(Debug, Serialize)]
struct Looked {
    subject: String,
    healthy: bool,
    checks: Vec<Check>,
}

/// What a service, or an address, may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Health, Failure> {
    let nothing_named = args.services.is_empty() && args.functions.is_empty() && args.urls.is_empty();
    let mut subjects = Vec::new();
    if nothing_named || !args.services.is_empty() || !args.functions.is_empty() {
        let session = Session::open(place).await?;
        let services =
            if nothing_named { session.aws.ledger.services().await? } else { args.services.clone() };
        for service in &services {
            subjects.extend(of_service(&session, service).await?);
        }
        for function in &args.functions {
            subjects.push(of_function(&session, function).await);
        }
    }
    let urls = args.urls.iter().map(|url| of_url(url, args.private));
    subjects.extend(join_all(urls).await);
    Ok(Health { healthy: subjects.iter().all(|looked| looked.healthy), subjects })
}

impl Health {
    /// What the shell is told.
    pub(crate) fn exit(&self) -> ExitCode {
        if self.healthy { ExitCode::Done } else { ExitCode::Refused }
    }
}

impl Looked {
    fn of(subject: String, checks: Vec<Check>) -> Self {
        let healthy = checks.iter().all(|check| check.outcome != Outcome::Failed);
        Self { subject, healthy, checks }
    }
}

/// Every version that has traffic, with what surrounds it.
async fn of_service(session: &Session, service: &ServiceName) -> Result<Vec<Looked>, Failure> {
    let situation = session.observe(service).await?;
    let here = session.home().await?;
    let here = format!("arn:{}:lambda:{}:{}:function:ripcord", here.partition, here.region, here.account);
    let registration = &situation.record.registration;
    let mut looked = Vec::new();
    for target in &registration.targets {
        let name = format!("{service} ({})", whereabouts(target));
        match (situation.live.get(&target.name), target.lambda()) {
            (Some(Sighting::Alias(live)), Some(alias)) => {
                for version in live.traffic.versions() {
                    let checks = of_version(session, &situation, (target, alias, version), &here).await;
                    looked.push(Looked::of(format!("{name} version {version}"), checks));
                }
            }
            (Some(Sighting::Alias(LiveAlias { traffic, .. })), None) => {
                looked.push(Looked::of(name, vec![traffic_of(&situation, target, *traffic)]));
            }
            (Some(Sighting::Place(live)), _) => {
                looked.push(Looked::of(name, vec![traffic_of(&situation, target, live.traffic)]));
            }
            (Some(Sighting::Missing) | None, Some(_)) => {
                looked.push(failed("alias", name, "the alias does not exist"))
            }
            (Some(Sighting::Missing) | None, None) => looked.push(failed("place", name, "it does not exist")),
            (Some(Sighting::Unseen { why }), Some(_)) => looked.push(failed("alias", name, why)),
            (Some(Sighting::Unseen { why }), None) => looked.push(failed("place", name, why)),
        }
    }
    Ok(looked)
}

fn failed(check: &str, subject: String, why: &str) -> Looked {
    let check = Check { name: check.to_owned(), outcome: Outcome::Failed, detail: why.to_owned() };
    Looked::of(subject, vec![check])
}

/// Whether a place serves what the ledger says: of its versions nothing is asked, because nothing but traffic reaches them.
fn traffic_of(situation: &Situation, target: &Target, serving: Traffic) -> Check {
    let change = situation.record.release.as_ref().and_then(|release| release.change(&target.name));
    let (outcome, detail) = match expected(situation, &target.name) {
        None => (Outcome::Noted, format!("it serves {serving}, and the ledger says nothing of it")),
        Some(expected) if expected == serving => {
            (Outcome::Passed, format!("it serves {serving}, as the ledger says"))
        }
        Some(expected) if change.is_some_and(|change| change.claim.is_some()) => {
            let detail =
                format!("it serves {serving}, the ledger says {expected}, and a move is not confirmed yet");
            (Outcome::Noted, detail)
        }
        Some(expected) => (Outcome::Failed, format!("it serves {serving}, and the ledger says {expected}")),
    };
    Check { name: "traffic".to_owned(), outcome, detail }
}

async fn of_version(
    session: &Session,
    situation: &Situation,
    (target, alias, version): (&Target, &LambdaAlias, Version),
    here: &str,
) -> Vec<Check> {
    let registration = &situation.record.registration;
    let (release, change) = served(registration, target, version);
    let run = Run::of_hook(registration, here.to_owned(), None, 0);
    let record = &situation.record;
    let subject = Subject { record, release: &release, run: &run, change: &change, target, alias };
    let (aws, there) = (&session.aws, session.aws.at(&target.reach));
    let now = Timestamp::now();
    let (state, answers, guards, queues) = tokio::join!(
        there.version_state(&alias.function, version),
        aws.ask(&subject, PATIENCE),
        aws.look_at_guards_of(&subject),
        there.look_at_dead_letters(&registration.dead_letter_queues, now, session.tempo),
    );
    let state = state.map_err(Unseen::because);
    let mut checks = vec![readiness(&alias.function, version, &state)];
    checks.extend(decide_hook_after(&subject, &answers, &guards, &queues));
    checks
}

/// The checks are about a release: here, about one that has brought the version to where it is.
fn served(registration: &Registration, target: &Target, version: Version) -> (Release, Change) {
    let change = Change {
        target: target.name.clone(),
        stable: version,
        candidate: version,
        artefact: None,
        weight: Weight::ALL,
        intent: None,
        claim: None,
    };
    let release = Release {
        service: registration.service.clone(),
        generation: Generation(0),
        seq: 0,
        phase: Phase::Complete,
        opened_at: Timestamp::UNIX_EPOCH,
        opened_by: String::new(),
        changes: vec![change.clone()],
        ended_at: None,
        ended_because: None,
        report: Report::NotDue,
        traffic_at: None,
        going_back: None,
        cord: None,
        commit: None,
        run: None,
        deployment: None,
    };
    (release, change)
}

fn readiness(function: &FunctionName, version: Version, state: &Seen<Option<VersionState>>) -> Check {
    let (outcome, detail) = match state {
        Err(unseen) => (Outcome::Failed, format!("version {version} of {function} {unseen}")),
        Ok(None) => (Outcome::Failed, format!("version {version} of {function} does not exist")),
        Ok(Some(state)) => match state.facts.state.as_deref() {
            Some("Active") | None => (Outcome::Passed, format!("version {version} of {function} is Active")),
            Some(other) => {
                (Outcome::Failed, format!("version {version} of {function} is {other}, not Active"))
            }
        },
    };
    Check { name: "version".to_owned(), outcome, detail }
}

async fn of_function(session: &Session, Qualified { function, of }: &Qualified) -> Looked {
    let (subject, versions) = match of {
        Versions::One(version) => (format!("{function}:{version}"), vec![*version]),
        Versions::Behind(alias) => {
            let subject = format!("{function}:{alias}");
            match session.aws.alias(function, alias).await {
                Sighting::Alias(live) => (subject, live.traffic.versions().collect()),
                // Nothing but an alias is looked at here.
                Sighting::Missing | Sighting::Place(_) => {
                    return failed("alias", subject, "the alias does not exist");
                }
                Sighting::Unseen { why } => return failed("alias", subject, &why),
            }
        }
    };
    let mut checks = Vec::new();
    for version in versions {
        let (state, invocable) = tokio::join!(
            session.aws.version_state(function, version),
            session.aws.may_invoke(function, version),
        );
        checks.push(readiness(function, version, &state.map_err(Unseen::because)));
        let (outcome, detail) = match invocable {
            Ok(()) => (Outcome::Passed, format!("{function}:{version} may be called")),
            Err(failed) => (Outcome::Failed, failed.to_string()),
        };
        checks.push(Check { name: "invocable".to_owned(), outcome, detail });
    }
    Looked::of(subject, checks)
}

async fn of_url(url: &str, private: bool) -> Looked {
    let health = HealthCheck { url: url.to_owned(), status: 200, private };
    let answer = answer_of(&health, PATIENCE).await.map_err(Unseen::because);
    Looked::of(health.shown().to_owned(), vec![check_health(&health, Some(&answer))])
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Looked { subject, healthy, checks } in &self.subjects {
            let state = if *healthy { styled(GOOD, "well") } else { styled(BAD, "NOT well") };
            writeln!(f, "{} is {state}", styled(NAME, subject))?;
            for Check { name, outcome, detail } in checks {
                let mark = match outcome {
                    Outcome::Passed => styled(GOOD, "✓"),
                    Outcome::Noted | Outcome::Waived => styled(WARN, "·"),
                    Outcome::Failed => styled(BAD, "✗"),
                };
                writeln!(f, "  {mark} {name}: {detail}")?;
            }
        }
        if self.subjects.is_empty() {
            writeln!(f, "{}", styled(FAINT, "no service is registered: there is nothing to look at"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_with_its_alias_or_version() {
        let parsed = |text| Qualified::parse(text).map(|it| it.of);
        assert_eq!(parsed("checkout:live"), Ok(Versions::Behind("live".parse().expect("an alias"))));
        assert_eq!(parsed("checkout:12"), Ok(Versions::One("12".parse().expect("a version"))));
        for refused in ["checkout", "checkout:", "check out:live", "checkout:$LATEST"] {
            assert!(parsed(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_place_is_well_if_it_serves_what_the_ledger_says() {
        let check = |weights: &str, change: fn(&mut Change)| {
            let mut situation = crate::status::example::balanced(weights);
            change(&mut situation.record.release.as_mut().expect("a release").changes[0]);
            let targets = situation.record.registration.targets.clone();
            let [_, web] = targets.as_slice() else { unreachable!() };
            let serving = situation.live.get(&web.name).and_then(Sighting::traffic).expect("traffic");
            let Check { outcome, detail, .. } = traffic_of(&situation, web, serving);
            (outcome, detail)
        };
        let (outcome, detail) = check("blue:90,green:10", |_| {});
        assert_eq!(
            (outcome, detail.as_str()),
            (Outcome::Passed, "it serves blue on 90%, green on 10%, as the ledger says")
        );
        assert_eq!(check("blue:80,green:20", |_| {}).0, Outcome::Failed);
        let claim = |change: &mut Change| {
            let until = Timestamp::UNIX_EPOCH;
            change.claim = Some(ripcord::release::Claim { weight: Weight::ALL, until, shift_until: None });
        };
        assert_eq!(check("blue:80,green:20", claim).0, Outcome::Noted);
        let unknown = |change: &mut Change| change.target = "api".parse().expect("a name");
        assert_eq!(check("green:100", unknown).0, Outcome::Failed, "blue is the last known good one");
    }

    #[test]
    fn one_check_that_failed_makes_all_of_it_unwell() {
        let check = |outcome| Check { name: "smoke".to_owned(), outcome, detail: "as expected".to_owned() };
        let health = |outcomes: &[Outcome]| {
            let looked = Looked::of("checkout".to_owned(), outcomes.iter().copied().map(check).collect());
            Health { healthy: looked.healthy, subjects: vec![looked] }
        };
        assert_eq!(health(&[Outcome::Passed, Outcome::Noted]).exit(), ExitCode::Done);
        let unwell = health(&[Outcome::Passed, Outcome::Failed]);
        assert_eq!(unwell.exit(), ExitCode::Refused);
        let shown = anstream::adapter::strip_str(&unwell.to_string()).to_string();
        assert_eq!(shown, "checkout is NOT well\n  ✓ smoke: as expected\n  ✗ smoke: as expected\n");
    }
}
