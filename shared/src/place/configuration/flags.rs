//! Flags that go off on every way back: what the versions of a configuration say of them, and the version in which they are off.
//!
//! A version is never edited in place. The one that is served is copied, with nothing changed but its flags' `enabled`, and the
//! copy is deployed; between those two calls it is recognised by its label.

use serde::{Deserialize, Serialize};

use super::history::{Deployment, Seen, State};
use super::{Call, Profile, document, rolled_back, stop};
use crate::names::Version;
use crate::place::{Blocked, Call as PlaceCall, Way};

/// What is seen of the flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// Whether the profile is one of AppConfig's own feature flags, and no free form.
    pub are_feature_flags: bool,
    /// The newest hosted version, deployed or not; or why it is not known.
    pub newest: Result<Hosted, String>,
    /// The versions that were read: what is served, what is being deployed, and the newest.
    pub sheets: Vec<Sheet>,
}

/// A hosted version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// Its number.
    pub number: u32,
    /// Its label, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A version, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// The version.
    pub version: Version,
    /// What is in it.
    pub content: Content,
}

/// What is in a version. One that cannot be read stands in the way of its flags, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text of some type.
    Text {
        /// The type.
        content_type: String,
        /// The text.
        text: String,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        why: String,
    },
}

/// What begins the label of a version that was made by switching flags off.
const LABEL: &str = "ripcord-off-from-";

/// The label of a version that is made from another, after the newest. It is unique, because numbers only grow.
fn label(from: Version, after: u32) -> String {
    format!("{LABEL}{from}-{after}")
}

/// The version that one with this label was made from.
pub(super) fn comes_from(label: &str) -> Option<Version> {
    label.strip_prefix(LABEL)?.rsplit_once('-')?.0.parse().ok()
}

/// How the flags that are switched off on every way back get there. What is being deployed and would turn one on is stopped
/// first, because AppConfig deploys one thing at a time.
pub fn flags_off(place: &Profile, seen: &Seen) -> Way {
    if place.flags_off.is_empty() {
        return Way::There;
    }
    let newest = &seen.newest;
    match newest.state {
        State::Deploying | State::Validating | State::Baking => match seen.has_on(place, newest.version) {
            Ok(true) if seen.goes_back() => Way::Coming { what: newest.to_string() },
            Ok(true) => stop(place, newest),
            Ok(false)
                if seen.settled().is_some_and(|served| seen.has_on(place, served.version) == Ok(false)) =>
            {
                Way::There
            }
            Ok(false) => seen.arriving(),
            Err(why) => Way::Blocked(why),
        },
        State::RollingBack => Way::Coming { what: newest.to_string() },
        State::Complete | State::Reverted | State::RolledBack => {
            let Some(served) = seen.settled().map(|served| served.version) else { return Way::There };
            match seen.has_on(place, served) {
                Ok(false) => match seen.missing(place, served) {
                    Some(flag) => Way::Blocked(Blocked::NoSuchFlag { flag, version: served }),
                    None => Way::There,
                },
                Ok(true) => seen.switch_off(place, served),
                Err(why) => Way::Blocked(why),
            }
        }
    }
}

impl Seen {
    /// Whether a version has one of the flags on.
    fn has_on(&self, place: &Profile, version: Version) -> Result<bool, Blocked> {
        let (are_feature_flags, text, _) = self.text_of(version)?;
        let found = document::find(text, are_feature_flags, &place.flags_off);
        found.map(|found| !found.on.is_empty()).map_err(|why| unreadable(version, why))
    }

    /// A flag that a version does not have.
    fn missing(&self, place: &Profile, version: Version) -> Option<String> {
        let (are_feature_flags, text, _) = self.text_of(version).ok()?;
        document::find(text, are_feature_flags, &place.flags_off).ok()?.missing.into_iter().next()
    }

    fn text_of(&self, version: Version) -> Result<(bool, &str, &str), Blocked> {
        let not_read = || unreadable(version, "it was not read".to_owned());
        let flags = self.flags.as_ref().ok_or_else(not_read)?;
        let sheet = flags.sheets.iter().find(|sheet| sheet.version == version).ok_or_else(not_read)?;
        match &sheet.content {
            Content::Text { text, content_type } => Ok((flags.are_feature_flags, text, content_type)),
            Content::Unreadable { why } => Err(unreadable(version, why.clone())),
        }
    }

    /// Whether what is being deployed is older than what it replaces, or was served before: that is somebody's way back, and
    /// stopping it would end that.
    fn goes_back(&self) -> bool {
        let newest = self.newest.version;
        let was_served = |earlier: &Deployment| earlier.state == State::Complete && earlier.version == newest;
        self.before().is_some_and(|before| newest < before.version) || self.earlier.iter().any(was_served)
    }

    /// The next of the two calls that switch the flags off.
    fn switch_off(&self, place: &Profile, served: Version) -> Way {
        if let Some(other) = &self.busy {
            return Way::Blocked(Blocked::Busy { with: other.clone() });
        }
        let call = match self.stored(place, served) {
            Some(version) if self.newest.version == version && self.newest.state == State::RolledBack => {
                return Way::Blocked(rolled_back(&self.newest));
            }
            Some(version) => Call::Start {
                place: place.clone(),
                version,
                strategy: place.strategy_of(true),
                after: self.latest,
            },
            None => match self.copy(place, served) {
                Ok(call) => call,
                Err(why) => return Way::Blocked(why),
            },
        };
        Way::Call { call: PlaceCall::Configuration(call), is_claimed: false }
    }

    /// The version that an earlier call has stored, made from what is served and with all flags off. Another's newest version
    /// is a draft of theirs, which is not ours to deploy.
    fn stored(&self, place: &Profile, served: Version) -> Option<Version> {
        let hosted = self.flags.as_ref()?.newest.as_ref().ok()?;
        let version = Version::new(hosted.number.into())?;
        let is_ours = hosted.label.as_deref().and_then(comes_from) == Some(served);
        (is_ours && self.has_on(place, version) == Ok(false)).then_some(version)
    }

    fn copy(&self, place: &Profile, served: Version) -> Result<Call, Blocked> {
        let (are_feature_flags, text, content_type) = self.text_of(served)?;
        let found = document::find(text, are_feature_flags, &place.flags_off)
            .map_err(|why| unreadable(served, why))?;
        if let Some(flag) = found.missing.into_iter().next() {
            return Err(Blocked::NoSuchFlag { flag, version: served });
        }
        let after = match self.flags.as_ref().map(|flags| &flags.newest) {
            Some(Ok(hosted)) => hosted.number,
            Some(Err(why)) => return Err(unreadable(served, why.clone())),
            None => return Err(unreadable(served, "it was not read".to_owned())),
        };
        Ok(Call::SwitchOff {
            place: place.clone(),
            from: served,
            content: document::switched_off(text, &found.on),
            content_type: content_type.to_owned(),
            label: label(served, after),
            after,
        })
    }
}

fn unreadable(version: Version, why: String) -> Blocked {
    Blocked::State { state: format!("version {version}"), why: format!("its flags cannot be told: {why}") }
}
