//! `ripcord apply`: registers a service, if nobody has registered it anew since it was read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use ripcord::aws::{KeepError, Triggers};
use ripcord::deployment::Place as Shifted;
use ripcord::names::{ServiceName, TargetName, Version};
use ripcord::place::stack::Stack;
use ripcord::place::{LambdaAlias, Place as TargetPlace};
use ripcord::registration::{Home, Registration, Target};
use ripcord::release::KnownGood;
use ripcord::situation::{ServiceRecord, Sighting};
use ripcord::traffic::Traffic;
use serde::Serialize;

use crate::changes::{FieldChange, changes};
use crate::failure::{Failure, Kind};
use crate::output::{FAINT, GOOD, NAME, styled};
use crate::session::{Place, Session};
use crate::validate;
use crate::whereabouts::{misplaced, whereabouts};

pub(crate) const EXAMPLES: &str = "\
What a target serves now is registered as its last known good version, unless the ledger knows one already.

Examples:
  ripcord apply ripcord.json
  ripcord apply ripcord.json --environment staging
  ripcord apply ripcord.json --stable api=7      version 7 of target api is known to be good
  ripcord apply ripcord.json --expect 3          only over registration 3 (0: only if there is none)";

/// What to register.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The registration document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Register it as this environment of the document has it
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A version known to be good; once per target
    #[arg(long, value_name = "TARGET=VERSION", value_parser = stable)]
    stable: Vec<(TargetName, Version)>,
    /// The registration that this one replaces; else the one found
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Applied {
    service: ServiceName,
    /// The registration's version now.
    registration_version: u64,
    /// Whether anything had to be written.
    changed: bool,
    changes: Vec<FieldChange>,
    /// The places that did not lead to the service, as those of a service that an older suite has registered.
    mended: Vec<String>,
    /// The versions that were registered as last known good by this command.
    stable: BTreeMap<TargetName, Version>,
    /// What is to be known of rollback triggers that CloudFormation was given, or did not take.
    triggers: Vec<String>,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Applied, Failure> {
    let registration = validate::read(&args.file, args.environment.as_deref())?;
    let service = &registration.service;
    check_targets(&registration, &args.stable)?;
    let session = Session::open(place).await?;
    let home = session.home().await?;
    check_whereabouts(&registration, &home)?;
    let before = session.aws.ledger.service(service).await?;
    check_expectation(service, args.expect, before.as_ref())?;

    let good = session.known_good(&registration, before.as_ref(), &args.stable).await?;
    let changes = match &before {
        Some(record) => changes(&record.registration, &registration),
        None => Vec::new(),
    };
    let mended = match &before {
        Some(_) if changes.is_empty() => session.leading_nowhere(&registration).await?,
        Some(_) | None => Vec::new(),
    };
    let stable = good.iter().map(|good| (good.target.clone(), good.version)).collect();
    let triggers = session.write_triggers(&registration).await?;
    let service = service.clone();
    match before {
        Some(record) if changes.is_empty() && good.is_empty() && mended.is_empty() => {
            let registration_version = record.registration_version;
            Ok(Applied { service, registration_version, changed: false, changes, mended, stable, triggers })
        }
        before => {
            let registration_version =
                session.aws.ledger.register(&registration, before.as_ref(), good, &home).await?;
            Ok(Applied { service, registration_version, changed: true, changes, mended, stable, triggers })
        }
    }
}

/// `TARGET=VERSION`.
fn stable(text: &str) -> Result<(TargetName, Version), String> {
    let (target, version) = text.split_once('=').ok_or("it must be TARGET=VERSION, like api=7")?;
    let target = target.parse().map_err(|error: ripcord::names::InvalidName| error.to_string())?;
    let version = version.parse().map_err(|error: ripcord::names::InvalidName| error.to_string())?;
    Ok((target, version))
}

fn check_targets(registration: &Registration, stable: &[(TargetName, Version)]) -> Result<(), Failure> {
    for (name, version) in stable {
        let message = match registration.target(name) {
            Some(target) if target.place.has_versions_like(*version) => continue,
            Some(target) => {
                let place = whereabouts(target);
                format!("--stable {name}={version}: {place} has no versions of such a name")
            }
            None => {
                let names: Vec<&str> =
                    registration.targets.iter().map(|target| target.name.as_str()).collect();
                format!("--stable names {name}, and the targets are: {}", names.join(", "))
            }
        };
        return Err(Failure::new(Kind::StableUnclear, message));
    }
    Ok(())
}

/// Nothing is registered that would never be found.
fn check_whereabouts(registration: &Registration, home: &Home) -> Result<(), Failure> {
    match registration.targets.iter().find_map(|target| misplaced(target, home)) {
        None => Ok(()),
        Some(message) => Err(Failure::new(Kind::DocumentInvalid, message)
            .hint("a target elsewhere has a region, and a role_arn if that is another account's")),
    }
}

fn check_expectation(
    service: &ServiceName,
    expect: Option<u64>,
    before: Option<&ServiceRecord>,
) -> Result<(), Failure> {
    let found = before.map_or(0, |record| record.registration_version);
    match expect {
        Some(expected) if expected != found => {
            let found =
                if found == 0 { "not registered".to_owned() } else { format!("at registration {found}") };
            let message = format!("{service} is {found}, not at registration {expected}");
            Err(Failure::new(Kind::RegistrationStale, message)
                .hint("somebody else registered it: look, and try again"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the ledger already knows what is good for a target as it is now registered.
fn is_known(target: &Target, before: Option<&ServiceRecord>) -> bool {
    before.is_some_and(|record| {
        // The version of another function, or of another alias, says nothing about this one.
        record.registration.target(&target.name) == Some(target)
            && record.known_good.iter().any(|good| good.target == target.name)
    })
}

impl Session {
    /// The versions that are to be registered as last known good: those that were named, and for every target of which
    /// the ledger knows none, the one that serves alone.
    async fn known_good(
        &self,
        registration: &Registration,
        before: Option<&ServiceRecord>,
        stable: &[(TargetName, Version)],
    ) -> Result<Vec<KnownGood>, Failure> {
        let since = Timestamp::now();
        let mut good = Vec::new();
        for target in &registration.targets {
            let named = stable.iter().rev().find(|(name, _)| *name == target.name);
            let version = match named {
                Some((_, version)) if is_good_already(target, *version, before) => continue,
                Some((_, version)) => match &target.place {
                    TargetPlace::Stack(stack) => {
                        self.kept(&registration.service, target, stack, Some(*version)).await?
                    }
                    TargetPlace::LambdaAlias(_)
                    | TargetPlace::EcsService(_)
                    | TargetPlace::LoadBalancer(_)
                    | TargetPlace::ApiStage(_)
                    | TargetPlace::Configuration(_)
                    | TargetPlace::DnsRecords(_)
                    | TargetPlace::StateMachineAlias(_) => self.existing(target, *version).await?,
                },
                None if is_known(target, before) => continue,
                None => match &target.place {
                    TargetPlace::Stack(stack) => {
                        self.kept(&registration.service, target, stack, None).await?
                    }
                    TargetPlace::LambdaAlias(_)
                    | TargetPlace::EcsService(_)
                    | TargetPlace::LoadBalancer(_)
                    | TargetPlace::ApiStage(_)
                    | TargetPlace::Configuration(_)
                    | TargetPlace::DnsRecords(_)
                    | TargetPlace::StateMachineAlias(_) => {
                        serving_alone(target, &self.aws.sight(target).await)?
                    }
                },
            };
            good.push(KnownGood { target: target.name.clone(), version, since });
        }
        Ok(good)
    }

    /// What a stack is deployed from now, kept in the ledger: CloudFormation itself keeps no earlier template to go back to.
    async fn kept(
        &self,
        service: &ServiceName,
        target: &Target,
        stack: &Stack,
        named: Option<Version>,
    ) -> Result<Version, Failure> {
        let kept = self.aws.keep_stack(service, (&target.reach, stack), Timestamp::now()).await;
        let kept = kept.map_err(|error| match error {
            KeepError::Call(failed) => Failure::new(Kind::AwsCallFailed, failed.to_string()),
            KeepError::Ledger(error) => Failure::from(error),
            refused @ (KeepError::Missing { .. }
            | KeepError::Unsettled { .. }
            | KeepError::TooLarge { .. }) => {
                Failure::new(Kind::StableUnclear, format!("{}: {refused}", target.name))
            }
        })?;
        match named {
            Some(version) if version != kept => {
                let message = format!(
                    "--stable {}={version}: the stack is deployed from {kept}, and only what is deployed can be kept",
                    target.name
                );
                Err(Failure::new(Kind::StableUnclear, message))
            }
            Some(_) | None => Ok(kept),
        }
    }

    /// Gives each stack the rollback triggers that are registered for it.
    async fn write_triggers(&self, registration: &Registration) -> Result<Vec<String>, Failure> {
        let mut said = Vec::new();
        for target in &registration.targets {
            let TargetPlace::Stack(stack) = &target.place else { continue };
            let written = self.aws.write_rollback_triggers(&target.reach, stack).await;
            match written.map_err(|failed| Failure::new(Kind::AwsCallFailed, failed.to_string()))? {
                Triggers::AsTheyShouldBe => {}
                Triggers::Written => said.push(format!("{}: its rollback triggers are being written", target.name)),
                Triggers::WithNextDeployment => said.push(format!(
                    "{}: CloudFormation takes rollback triggers only along with a change; give them to the next deployment \
                     of {} (--rollback-configuration)",
                    target.name, stack.stack
                )),
            }
        }
        Ok(said)
    }

    /// The places of a registration for which the ledger does not name its service.
    async fn leading_nowhere(&self, registration: &Registration) -> Result<Vec<String>, Failure> {
        let mut places = Vec::new();
        for place in Shifted::of(registration) {
            let placed = self.aws.ledger.placed_at(&place).await?;
            if !placed.iter().any(|placed| placed.service == registration.service) {
                places.push(place.to_string());
            }
        }
        Ok(places)
    }

    async fn existing(&self, target: &Target, version: Version) -> Result<Version, Failure> {
        // Whether another place has the version is seen when traffic is to go there.
        let Some(LambdaAlias { function, .. }) = target.lambda() else { return Ok(version) };
        match self.aws.at(&target.reach).version(function, version).await {
            Ok(Some(_)) => Ok(version),
            Ok(None) => {
                let name = &target.name;
                let message = format!("--stable {name}={version}: function {function} has no such version");
                Err(Failure::new(Kind::StableUnclear, message))
            }
            Err(failed) => Err(Failure::new(Kind::AwsCallFailed, failed.to_string())),
        }
    }
}

/// Whether the ledger says the same already, so that repeating the command changes nothing.
fn is_good_already(target: &Target, version: Version, before: Option<&ServiceRecord>) -> bool {
    let said = |record: &ServiceRecord| {
        record.known_good.iter().any(|good| good.target == target.name && good.version == version)
    };
    is_known(target, before) && before.is_some_and(said)
}

/// The version that has all traffic. Of two that share it nobody can tell which one is good.
fn serving_alone(target: &Target, sighting: &Sighting) -> Result<Version, Failure> {
    let name = &target.name;
    let unclear = |message: String| {
        Failure::new(Kind::StableUnclear, message)
            .hint(format!("name the version that is known to be good: --stable {name}=VERSION"))
    };
    let alone = |traffic: Traffic| match traffic.secondary {
        None => Ok(traffic.primary),
        Some(_) => {
            let place = whereabouts(target);
            Err(unclear(format!("{name} ({place}) serves {traffic}: which one is good?")))
        }
    };
    match sighting {
        Sighting::Alias(live) => alone(live.traffic),
        Sighting::Place(live) => alone(live.traffic),
        Sighting::Missing => Err(unclear(format!("{name}: {} does not exist", whereabouts(target)))),
        Sighting::Unseen { why } => {
            Err(Failure::new(Kind::AwsCallFailed, format!("{name} could not be observed: {why}")))
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = styled(NAME, &self.service);
        let version = self.registration_version;
        if !self.changed {
            return writeln!(
                f,
                "{service}: already registered so, {}",
                styled(FAINT, format!("registration {version}"))
            );
        }
        writeln!(f, "{service}: {}", styled(GOOD, format!("registered, registration {version}")))?;
        for change in &self.changes {
            writeln!(f, "  {change}")?;
        }
        for place in &self.mended {
            writeln!(f, "  {place} did not lead to it before")?;
        }
        for (target, version) in &self.stable {
            writeln!(f, "  {target}: version {version} is the last known good one")?;
        }
        for said in &self.triggers {
            writeln!(f, "  {said}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::status::example;
    use ripcord::situation::Situation;

    fn target() -> Target {
        example::shifting().record.registration.targets.remove(0)
    }

    #[test]
    fn a_registration_replaces_only_the_one_that_was_expected() {
        let record = example::shifting().record;
        let service = record.registration.service.clone();
        assert!(check_expectation(&service, None, Some(&record)).is_ok());
        assert!(check_expectation(&service, Some(3), Some(&record)).is_ok());
        assert!(check_expectation(&service, Some(0), None).is_ok());
        let failure = check_expectation(&service, Some(2), Some(&record)).expect_err("it is at 3");
        assert_eq!((failure.kind.as_str(), failure.exit), ("registration_stale", ExitCode::Refused));
        assert_eq!(failure.message, "checkout is at registration 3, not at registration 2");
        let failure = check_expectation(&service, Some(1), None).expect_err("there is none");
        assert_eq!(failure.message, "checkout is not registered, not at registration 1");
    }

    #[test]
    fn only_a_version_that_serves_alone_is_taken_for_good() {
        let Situation { mut live, .. } = example::shifting();
        let mut sighting = live.remove(&target().name).expect("the target");
        let failure = serving_alone(&target(), &sighting).expect_err("two versions serve");
        assert_eq!(failure.message, "api (checkout:live) serves 1 on 90%, 2 on 10%: which one is good?");
        assert_eq!(failure.exit, ExitCode::Refused);
        if let Sighting::Alias(live) = &mut sighting {
            live.traffic = example::traffic("7:100");
        }
        assert_eq!(
            serving_alone(&target(), &sighting).map(|version| version.to_string()),
            Ok("7".to_owned())
        );
        assert_eq!(
            serving_alone(&target(), &Sighting::Missing).expect_err("missing").exit,
            ExitCode::Refused
        );
        let Situation { record, mut live, .. } = example::balanced("green:100");
        let [_, web] = record.registration.targets.as_slice() else { unreachable!() };
        let seen = live.remove(&web.name).expect("the target");
        assert_eq!(serving_alone(web, &seen).map(|version| version.to_string()), Ok("green".to_owned()));
        let seen = example::balanced("blue:90,green:10").live.remove(&web.name).expect("the target");
        let failure = serving_alone(web, &seen).expect_err("two groups serve");
        assert_eq!(
            failure.message,
            format!("web ({}) serves blue on 90%, green on 10%: which one is good?", whereabouts(web))
        );
        let unseen = Sighting::Unseen { why: "throttled".to_owned() };
        assert_eq!(serving_alone(&target(), &unseen).expect_err("unseen").exit, ExitCode::Unreachable);
    }

    #[test]
    fn what_was_good_for_another_alias_is_not_known_to_be_good() {
        let record = example::shifting().record;
        assert!(is_known(&target(), Some(&record)));
        assert!(!is_known(&target(), None));
        let prod = LambdaAlias {
            function: "checkout".parse().expect("a name"),
            alias: "prod".parse().expect("a name"),
        };
        let moved = Target { place: ripcord::place::Place::LambdaAlias(prod), ..target() };
        assert!(!is_known(&moved, Some(&record)));
        let one = Version::new(1).expect("a version");
        assert!(is_good_already(&target(), one, Some(&record)));
        assert!(!is_good_already(&moved, one, Some(&record)));
    }

    #[test]
    fn a_stable_version_is_named_by_its_target() {
        assert_eq!(
            stable("api=7").map(|(target, version)| format!("{target} {version}")),
            Ok("api 7".to_owned())
        );
        for refused in ["api", "api=", "=7", "api=$LATEST"] {
            assert!(stable(refused).is_err(), "{refused}");
        }
        let worker = ("worker".parse().expect("a name"), Version::new(1).expect("a version"));
        let failure =
            check_targets(&example::shifting().record.registration, &[worker]).expect_err("unknown");
        assert_eq!(failure.message, "--stable names worker, and the targets are: api");
        // Lambda would take the name of an alias for the version behind it.
        let by_alias = stable("api=live").expect("a version's name can be any");
        let failure =
            check_targets(&example::shifting().record.registration, &[by_alias]).expect_err("no number");
        assert_eq!(failure.message, "--stable api=live: checkout:live has no versions of such a name");
        let by_group = stable("web=blue").expect("the name of a target group");
        assert!(
            check_targets(&example::balanced("blue:90,green:10").record.registration, &[by_group]).is_ok()
        );
    }

    #[test]
    fn a_registration_says_what_changed() {
        let mut registration = example::shifting().record.registration;
        registration.rollback.window_hours = 48;
        let applied = Applied {
            service: registration.service.clone(),
            registration_version: 4,
            changed: true,
            changes: changes(&example::shifting().record.registration, &registration),
            mended: vec!["lambda:checkout:live".to_owned()],
            stable: [("api".parse().expect("a name"), Version::new(7).expect("a version"))].into(),
            triggers: Vec::new(),
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&applied.to_string()).to_string(), @r"
        checkout: registered, registration 4
          ~ rollback.window_hours: 24 -> 48
          lambda:checkout:live did not lead to it before
          api: version 7 is the last known good one
        ");
    }
}
