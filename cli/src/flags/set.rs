//! `ripcord flags set`: a change of the served document, shown before anything is stored, stored before anything is released, and
//! released by the weight shifter alone.

use std::fmt;
use std::path::PathBuf;

use ripcord::aws::NewVersion;
use ripcord::flags::Flags;
use ripcord::names::{Generation, ServiceName, TargetName, Version};
use ripcord::place::configuration::{Edit, EditError, Hosted};
use ripcord::release::{Phase, Release};
use serde::Serialize;
use serde_json::{Value, json};

use super::follow::Followed;
use super::served::{Holder, Sheet};
use super::show::unknown;
use crate::args::Caller;
use crate::changes::{FieldChange, changes};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{self, FAINT, GOOD, NAME, styled};
use crate::session::{Place, Session};

/// What is to be different.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["on", "off", "rollout", "allow", "disallow", "document"]))]
pub(super) struct Args {
    /// The service
    service: ServiceName,
    /// The flag
    #[arg(required_unless_present = "document", conflicts_with = "document")]
    flag: Option<String>,
    /// Switch it on
    #[arg(long, conflicts_with_all = ["off", "document"])]
    on: bool,
    /// Switch it off, whatever its rules say
    #[arg(long, conflicts_with = "document")]
    off: bool,
    /// For how many percent of the subjects
    #[arg(long, value_name = "PERCENT", conflicts_with = "document")]
    rollout: Option<f64>,
    /// Put these on its allowlist
    #[arg(long, value_name = "SUBJECT,…", value_delimiter = ',', conflicts_with = "document")]
    allow: Vec<String>,
    /// Take these off its allowlist
    #[arg(long, value_name = "SUBJECT,…", value_delimiter = ',', conflicts_with = "document")]
    disallow: Vec<String>,
    /// Replace the whole document by this file
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// The target; may be left out where only one is a configuration
    #[arg(long)]
    target: Option<TargetName>,
    /// Bring it to everybody at once, and watch for ten minutes: for an emergency
    #[arg(long)]
    at_once: bool,
    /// Follow the release to its end, and end as it does
    #[arg(long)]
    wait: bool,
    /// Go ahead in spite of a quarantine or a hold; the reason is recorded and told
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Change {
    service: ServiceName,
    target: TargetName,
    /// What was served.
    from: Version,
    /// What is released; nothing where nothing is to be changed.
    to: Option<Version>,
    release: Option<Generation>,
    changes: Vec<FieldChange>,
    summary: String,
    /// How it ended, if it was followed.
    #[serde(flatten)]
    end: Option<Followed>,
}

/// A document that is to replace the one that is served.
struct Planned {
    holder: Holder,
    served: Sheet,
    text: String,
    changes: Vec<FieldChange>,
}

/// What begins the label of a version that was stored here.
const LABEL: &str = "ripcord-set-after-";
/// Of those, so many of the newest may be what an earlier attempt has stored and not released.
const STORED_BEFORE_MAX: usize = 5;

pub(super) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let session = Session::open(place).await?;
    let planned = session.planned(args).await?;
    if planned.changes.is_empty() {
        let summary = format!("version {} is so already: nothing is done", planned.served.version);
        return Ok(output::answer(&planned.into_change(args, summary), json, ExitCode::Done));
    }
    if !json {
        output::raw(planned.diff(&args.service).trim_end());
    }
    planned.holder.check_free()?;
    let version = planned.stored().await?;
    let shifted = session.shift(&event(args, &planned, version)).await.map_err(|failure| Failure {
        message: format!("version {version} is stored and not released: {}", failure.message),
        ..failure
    })?;
    let mut change = planned.into_change(args, shifted.summary);
    (change.to, change.release) = (Some(version), shifted.release);
    if !json {
        output::raw(change.to_string().trim_end());
    }
    if let Some(release) = change.release.filter(|_| args.wait) {
        let end = session.follow_flags(&args.service, &change.target, release, &args.caller, json).await?;
        let exit = end.exit();
        change.end = Some(end);
        return Ok(if json { output::answer(&change, true, exit) } else { exit });
    }
    Ok(if json { output::answer(&change, true, ExitCode::Done) } else { ExitCode::Done })
}

/// `STABLE:0` says what the change was made from: the shifter refuses if something else is served by now.
fn event(args: &Args, planned: &Planned, version: Version) -> Value {
    json!({
        "service": args.service,
        "target": planned.holder.target.name,
        "weights": format!("{}:0,{version}:100", planned.served.version),
        "requested_by": args.caller.name(),
        "override": args.override_reason,
        "at_once": args.at_once,
    })
}

impl Session {
    /// What is to replace what is served. Nothing is written yet, and nothing will be that is not valid.
    async fn planned(&self, args: &Args) -> Result<Planned, Failure> {
        let mut holder = self.holder(&args.service, args.target.as_ref()).await?;
        // Where nobody tells Ripcord how AppConfig's deployments end, the release before may still be open.
        if self.settle(&holder, &args.caller).await? {
            holder = self.holder(&args.service, args.target.as_ref()).await?;
        }
        let served = holder.sheet(holder.serving()?).await?;
        let text = wanted(args, &served)?;
        if let Err(invalid) = Flags::read(text.as_bytes()) {
            let message = format!("what would be released is no valid flag document:\n{invalid}");
            return Err(Failure::new(Kind::DocumentInvalid, message));
        }
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let changes = changes(&parsed(&served.text), &parsed(&text));
        Ok(Planned { holder, served, text, changes })
    }
}

/// The text that is wanted in place of the one that is served.
fn wanted(args: &Args, served: &Sheet) -> Result<String, Failure> {
    if let Some(file) = &args.document {
        return std::fs::read_to_string(file).map_err(|error| {
            let message = format!("failed to read {}: {error}", file.display());
            Failure::new(Kind::DocumentUnreadable, message)
        });
    }
    let flags = served.flags()?;
    let key = args.flag.as_deref().unwrap_or_default();
    let edit = Edit {
        enabled: (args.on || args.off).then_some(args.on),
        rollout_percentage: args.rollout,
        allow: args.allow.clone(),
        disallow: args.disallow.clone(),
    };
    edit.apply(&served.text, key).map_err(|error| match error {
        EditError::NoSuchFlag { .. } => unknown(key, served.version, &flags),
        EditError::NoDocument | EditError::WrongType { .. } => {
            Failure::new(Kind::DocumentInvalid, format!("version {}: {error}", served.version))
        }
    })
}

impl Holder {
    /// Nothing is stored that could not be released just now. The shifter has the last word on that.
    fn check_free(&self) -> Result<(), Failure> {
        let seen = self.seen()?;
        let service = &self.situation.record.registration.service;
        let open = self.situation.record.release.as_ref().filter(|release| self.is_changed_by(release));
        if let Some(Release { generation, .. }) = open {
            let message =
                format!("release {generation} changes {} just now: nothing is done", self.target.name);
            return Err(Failure::new(Kind::FlagsOvertaken, message).hint(format!(
                "wait for it: ripcord flags list {service}; or put it back first: ripcord flags rollback {service}"
            )));
        }
        match seen.busy.clone().or_else(|| seen.bringing().map(ToString::to_string)) {
            Some(with) => {
                let message = format!("{with} is under way in the environment: nothing is done");
                Err(Failure::new(Kind::FlagsOvertaken, message).hint("AppConfig deploys one thing at a time"))
            }
            None => Ok(()),
        }
    }

    /// Whether a release is open, and the flags are a part of it.
    pub(super) fn is_changed_by(&self, release: &Release) -> bool {
        release.phase == Phase::Shifting && release.change(&self.target.name).is_some()
    }
}

impl Planned {
    /// The version that holds the text, stored now unless an attempt before this one has stored it.
    async fn stored(&self) -> Result<Version, Failure> {
        let Holder { aws, profile, .. } = &self.holder;
        let hosted = aws.hosted_versions(profile).await?;
        let version = match self.stored_before(&hosted).await {
            Some(version) => version,
            None => {
                let after = hosted.first().map(|newest| newest.number);
                let label = format!("{LABEL}{}", after.unwrap_or_default());
                let description = format!("ripcord flags set, from version {}", self.served.version);
                let new = NewVersion {
                    text: &self.text,
                    content_type: &self.served.content_type,
                    label: &label,
                    description: &description,
                    after,
                };
                aws.store_hosted(profile, &new).await?
            }
        };
        aws.check_hosted(profile, version).await?;
        Ok(version)
    }

    /// Newer than what is served, stored by this command, and the same to the byte: an attempt that was cut short, or one that
    /// was rolled back. The latter is in quarantine under its number.
    async fn stored_before(&self, hosted: &[Hosted]) -> Option<Version> {
        let served = self.served.version.number()?;
        let ours = |version: &&Hosted| {
            u64::from(version.number) > served
                && version.label.as_deref().is_some_and(|label| label.starts_with(LABEL))
        };
        for candidate in hosted.iter().filter(ours).take(STORED_BEFORE_MAX) {
            let version = Version::new(candidate.number.into())?;
            let text = self.holder.aws.hosted_text(&self.holder.profile, version).await;
            if text.is_ok_and(|(text, _)| text == self.text) {
                return Some(version);
            }
        }
        None
    }

    fn diff(&self, service: &ServiceName) -> String {
        let mut diff = format!(
            "{} ({}), from version {}:\n",
            styled(NAME, service),
            self.holder.target.name,
            self.served.version
        );
        for change in &self.changes {
            diff.push_str(&format!("  {change}\n"));
        }
        diff
    }

    fn into_change(self, args: &Args, summary: String) -> Change {
        Change {
            service: args.service.clone(),
            target: self.holder.target.name,
            from: self.served.version,
            to: None,
            release: None,
            changes: self.changes,
            summary,
            end: None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        match (self.to, self.release) {
            (Some(version), Some(release)) => {
                writeln!(f, "{}", styled(GOOD, format!("release {release} brings version {version}")))?;
                let put_back =
                    format!("an alarm of {service} puts it back; so does ripcord flags rollback {service}");
                writeln!(f, "{}", styled(FAINT, put_back))
            }
            (_, _) => writeln!(f, "{}", styled(GOOD, &self.summary)),
        }
    }
}
