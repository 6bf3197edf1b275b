//! Which configuration of a service holds its flags, which version of it is served, and what a deployment is bringing.

use ripcord::aws::{Aws, HostedError};
use ripcord::flags::Flags;
use ripcord::names::{ServiceName, TargetName, Version, Weight};
use ripcord::place::configuration::{Profile, Seen, State};
use ripcord::place::{Place, Seen as PlaceSeen};
use ripcord::registration::{Registration, Target};
use ripcord::situation::{Sighting, Situation};
use serde_json::{Map, Value};

use crate::failure::{Failure, Kind};
use crate::session::Session;

/// The flags of a service as they are now.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) service: ServiceName,
    pub(super) target: TargetName,
    /// What is served, and stays unless a deployment is under way.
    pub(super) sheet: Sheet,
    /// What a deployment brings that is under way.
    pub(super) bringing: Option<(Sheet, State, Weight)>,
}

/// A version of the document.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) version: Version,
    pub(super) text: String,
    pub(super) content_type: String,
}

/// A service's configuration, where it lies.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) target: Target,
    pub(super) profile: Profile,
    /// The clients that reach it.
    pub(super) aws: Aws,
    pub(super) situation: Situation,
}

impl Session {
    /// What the flags of a service are.
    pub(super) async fn flags_of(
        &self,
        service: &ServiceName,
        target: Option<&TargetName>,
    ) -> Result<Served, Failure> {
        let holder = self.holder(service, target).await?;
        let seen = holder.seen()?;
        let bringing = match seen.bringing() {
            None => None,
            Some(newest) => Some((holder.sheet(newest.version).await?, newest.state, newest.share)),
        };
        let sheet = holder.sheet(holder.serving()?).await?;
        Ok(Served { service: service.clone(), target: holder.target.name, sheet, bringing })
    }

    /// The configuration that holds the flags of a service, and how everything stands.
    pub(super) async fn holder(
        &self,
        service: &ServiceName,
        named: Option<&TargetName>,
    ) -> Result<Holder, Failure> {
        let situation = self.observe(service).await?;
        let (target, profile) = configuration(&situation.record.registration, named)?;
        let (target, profile) = (target.clone(), profile.clone());
        let aws = self.aws.at(&target.reach);
        Ok(Holder { target, profile, aws, situation })
    }
}

/// The target that is a configuration: the one named, or the only one.
pub(super) fn configuration<'a>(
    registration: &'a Registration,
    named: Option<&TargetName>,
) -> Result<(&'a Target, &'a Profile), Failure> {
    let service = &registration.service;
    let all = registration.targets.iter().filter_map(|target| Some((target, target.configuration()?)));
    let found: Vec<_> = all.filter(|(target, _)| named.is_none_or(|named| *named == target.name)).collect();
    match (found.as_slice(), named) {
        ([only], _) => Ok(*only),
        ([], Some(named)) => {
            let message = format!("{service} has no target {named} that is a configuration of AppConfig");
            Err(Failure::new(Kind::FlagsMissing, message))
        }
        ([], None) => {
            let message = format!("{service} has no target that is a configuration of AppConfig");
            Err(Failure::new(Kind::FlagsMissing, message)
                .hint("register one of kind configuration; examples/flags shows how"))
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|(target, _)| target.name.to_string()).collect();
            let message = format!("{service} has {} configurations: {}", several.len(), names.join(", "));
            Err(Failure::new(Kind::FlagsUnclear, message).hint("say which with --target NAME"))
        }
    }
}

impl Holder {
    /// How the configuration was seen.
    pub(super) fn seen(&self) -> Result<&Seen, Failure> {
        let place = &self.target.place;
        match self.situation.live.get(&self.target.name) {
            Some(Sighting::Place(live)) => match &live.seen {
                PlaceSeen::Configuration(seen) => Ok(seen),
                PlaceSeen::EcsService(_)
                | PlaceSeen::LoadBalancer(_)
                | PlaceSeen::ApiStage(_)
                | PlaceSeen::DnsRecords(_)
                | PlaceSeen::Stack(_)
                | PlaceSeen::StateMachineAlias(_) => {
                    Err(Failure::new(Kind::Unexpected, format!("{place} was seen as something else")))
                }
            },
            Some(Sighting::Unseen { why }) => Err(Failure::new(Kind::AwsCallFailed, why.clone())),
            Some(Sighting::Missing | Sighting::Alias(_)) | None => Err(nothing_deployed(place)),
        }
    }

    /// The version that is served, and stays unless a deployment is under way.
    pub(super) fn serving(&self) -> Result<Version, Failure> {
        self.seen()?.serving().ok_or_else(|| nothing_deployed(&self.target.place))
    }

    pub(super) async fn sheet(&self, version: Version) -> Result<Sheet, Failure> {
        let (text, content_type) = self.aws.hosted_text(&self.profile, version).await?;
        Ok(Sheet { version, text, content_type })
    }
}

fn nothing_deployed(place: &Place) -> Failure {
    Failure::new(Kind::FlagsMissing, format!("nothing was ever deployed at {place}, or it does not exist"))
        .hint("deploy the first document with the configuration's own stack, as examples/flags does")
}

impl Sheet {
    /// The flags by their names, as they are written; a failure where it is not a valid document.
    pub(super) fn flags(&self) -> Result<Map<String, Value>, Failure> {
        if let Err(invalid) = Flags::read(self.text.as_bytes()) {
            let message = format!("version {} is no valid flag document:\n{invalid}", self.version);
            return Err(Failure::new(Kind::DocumentInvalid, message)
                .hint("replace it whole with: ripcord flags set SERVICE --document FILE"));
        }
        let mut root: Value = serde_json::from_str(&self.text).unwrap_or_default();
        match root.get_mut("flags").map(Value::take) {
            Some(Value::Object(flags)) => Ok(flags),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_))
            | None => Ok(Map::new()),
        }
    }
}

impl From<HostedError> for Failure {
    fn from(error: HostedError) -> Self {
        let message = error.to_string();
        match error {
            HostedError::Call(_) => Self::new(Kind::AwsCallFailed, message),
            HostedError::Unreadable { .. } | HostedError::TooMany => Self::new(Kind::FlagsMissing, message),
            HostedError::Overtaken { .. } => Self::new(Kind::FlagsOvertaken, message)
                .hint("look with ripcord flags list, and say it again if it still holds"),
            HostedError::Invalid { .. } => Self::new(Kind::DocumentInvalid, message),
        }
    }
}
