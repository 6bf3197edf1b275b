//! What the flags are, for people and for scripts.

use std::fmt;

use ripcord::names::{ServiceName, TargetName, Version, Weight};
use ripcord::place::configuration::State;
use serde::Serialize;
use serde_json::{Map, Value};

use super::served::{Served, Sheet};
use crate::failure::{Failure, Kind};
use crate::figures::percent;
use crate::output::{FAINT, GOOD, NAME, WARN, styled};

/// All flags of a service.
#[derive(Debug, Serialize)]
pub(super) struct List {
    service: ServiceName,
    target: TargetName,
    /// The version that is served.
    version: Version,
    flags: Map<String, Value>,
    /// What a deployment brings that is under way.
    bringing: Option<Bringing>,
}

/// A deployment that is under way.
#[derive(Debug, Serialize)]
struct Bringing {
    version: Version,
    state: String,
    /// For how many percent of the clients.
    percent: f64,
    flags: Map<String, Value>,
}

/// One flag of a service.
#[derive(Debug, Serialize)]
pub(super) struct One {
    service: ServiceName,
    target: TargetName,
    version: Version,
    key: String,
    /// As it is served; nothing if it is not there yet.
    flag: Option<Value>,
    bringing: Option<BringingOne>,
}

#[derive(Debug, Serialize)]
struct BringingOne {
    version: Version,
    state: String,
    percent: f64,
    /// Nothing if it goes.
    flag: Option<Value>,
}

impl List {
    pub(super) fn of(served: &Served) -> Result<Self, Failure> {
        let bringing = served.bringing.as_ref().map(Bringing::of).transpose()?;
        let (service, target) = (served.service.clone(), served.target.clone());
        Ok(Self { service, target, version: served.sheet.version, flags: served.sheet.flags()?, bringing })
    }
}

impl Bringing {
    fn of((sheet, state, share): &(Sheet, State, Weight)) -> Result<Self, Failure> {
        let (state, percent) = (state.to_string(), share.share() * 100.0);
        Ok(Self { version: sheet.version, state, percent, flags: sheet.flags()? })
    }

    /// `version 4 for 20% of the clients (DEPLOYING)`.
    fn whereabouts(&self) -> String {
        format!(
            "version {} for {} of the clients ({})",
            self.version,
            percent(self.percent / 100.0),
            self.state
        )
    }
}

impl One {
    pub(super) fn of(served: &Served, key: &str) -> Result<Self, Failure> {
        let List { service, target, version, mut flags, bringing } = List::of(served)?;
        let (flag, known) = (flags.remove(key), flags);
        let bringing = bringing.map(|mut bringing| BringingOne {
            flag: bringing.flags.remove(key),
            version: bringing.version,
            state: bringing.state,
            percent: bringing.percent,
        });
        if flag.is_none() && bringing.as_ref().is_none_or(|bringing| bringing.flag.is_none()) {
            return Err(unknown(key, version, &known));
        }
        Ok(Self { service, target, version, key: key.to_owned(), flag, bringing })
    }
}

/// A flag that is not there; the nearest name may have been meant.
pub(super) fn unknown(key: &str, version: Version, known: &Map<String, Value>) -> Failure {
    let message = format!("version {version} has no flag {key}");
    let names: Vec<&str> = known.keys().map(String::as_str).take(NAMES_MAX).collect();
    let more = if known.len() > NAMES_MAX { ", ..." } else { "" };
    let failure = Failure::new(Kind::FlagUnknown, message);
    if names.is_empty() { failure } else { failure.hint(format!("it has {}{more}", names.join(", "))) }
}

/// A hint is read at a glance.
const NAMES_MAX: usize = 12;

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, target, version, .. } = self;
        let count = match self.flags.len() {
            1 => "1 flag".to_owned(),
            count => format!("{count} flags"),
        };
        writeln!(f, "{} ({target}) serves version {version}: {count}", styled(NAME, service))?;
        let coming = self.bringing.as_ref();
        let new = coming.into_iter().flat_map(|coming| coming.flags.keys());
        let keys: Vec<&String> =
            self.flags.keys().chain(new.filter(|key| !self.flags.contains_key(*key))).collect();
        let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or_default();
        for key in keys {
            let (is, comes) = (self.flags.get(key), coming.map(|coming| coming.flags.get(key)));
            let name = styled(NAME, format!("{key:width$}"));
            writeln!(f, "  {name}  {}", is.map_or_else(|| styled(FAINT, "not there yet"), described))?;
            if comes.is_some_and(|comes| comes != is) {
                let comes = comes.flatten().map_or_else(|| styled(FAINT, "gone"), described);
                writeln!(f, "  {:width$}  {} {comes}", "", styled(WARN, "->"))?;
            }
        }
        match coming {
            None => Ok(()),
            Some(coming) => {
                writeln!(f, "{} {}", styled(WARN, "a deployment is bringing"), coming.whereabouts())
            }
        }
    }
}

impl fmt::Display for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, target, version, key, flag, bringing } = self;
        writeln!(f, "{} of {service} ({target}), version {version}", styled(NAME, key))?;
        whole(f, flag.as_ref())?;
        let Some(bringing) = bringing.as_ref().filter(|bringing| bringing.flag != *flag) else {
            return Ok(());
        };
        let share = percent(bringing.percent / 100.0);
        let (version, state) = (bringing.version, &bringing.state);
        let words = format!("-> version {version}, for {share} of the clients ({state})");
        writeln!(f, "{}", styled(WARN, words))?;
        whole(f, bringing.flag.as_ref())
    }
}

/// A flag as it is written, field by field.
fn whole(f: &mut fmt::Formatter<'_>, flag: Option<&Value>) -> fmt::Result {
    match flag {
        None => writeln!(f, "  {}", styled(FAINT, "not there")),
        Some(Value::Object(fields)) => {
            let width = fields.keys().map(|field| field.chars().count()).max().unwrap_or_default();
            fields.iter().try_for_each(|(field, value)| writeln!(f, "  {field:width$}  {value}"))
        }
        Some(other) => writeln!(f, "  {other}"),
    }
}

/// `on, 25% of user_id, allowlist 2, rules 3, variants a 50, b 50`.
fn described(flag: &Value) -> String {
    let count = |field: &str| flag.get(field).and_then(Value::as_array).map_or(0, Vec::len);
    let text = |field: &str| flag.get(field).and_then(Value::as_str);
    let mut words = Vec::new();
    let is_on = flag.get("enabled").and_then(Value::as_bool).unwrap_or_default();
    words.push(if is_on { styled(GOOD, "on ") } else { styled(FAINT, "off") });
    if let Some(rollout) = flag.get("rollout_percentage").and_then(Value::as_f64) {
        words.push(format!("{} of {}", percent(rollout / 100.0), text("subject").unwrap_or("user_id")));
    }
    for (field, name) in [("allowlist", "allowlist"), ("prerequisites", "prerequisites"), ("rules", "rules")]
    {
        if count(field) > 0 {
            words.push(format!("{name} {}", count(field)));
        }
    }
    let variants = flag.get("variants").and_then(Value::as_array).into_iter().flatten();
    let variants: Vec<String> = variants
        .filter_map(|variant| Some(format!("{} {}", variant.get("name")?.as_str()?, variant.get("weight")?)))
        .collect();
    if !variants.is_empty() {
        words.push(format!("variants {}", variants.join("/")));
    }
    words.join("  ")
}
