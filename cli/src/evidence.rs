//! `ripcord evidence`: what the ledger keeps for the review afterwards.

use std::fmt;

use ripcord::evidence::{Evidence, LogExcerpt};
use ripcord::names::{Generation, ServiceName};
use ripcord::signal::Signal;
use ripcord::situation::Sighting;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{FAINT, NAME, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord evidence checkout             all that is kept, oldest first
  ripcord evidence checkout 4           of release 4
  ripcord evidence checkout 4 --json    with the datapoints and the whole situation";

/// Whose evidence.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    service: ServiceName,
    /// The release, by number; else everything that is kept
    #[arg(value_parser = |text: &str| text.parse().map(Generation))]
    release: Option<Generation>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    service: ServiceName,
    evidence: Vec<Evidence>,
    /// What the versions that were taken back had logged.
    logs: Vec<LogExcerpt>,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Kept, Failure> {
    let session = Session::open(place).await?;
    let service = &args.service;
    let mut evidence = session.aws.ledger.evidence(service).await?;
    if evidence.is_empty() && session.aws.ledger.service(service).await?.is_none() {
        return Err(Failure::service_unknown(service));
    }
    if let Some(release) = args.release {
        evidence.retain(|evidence| evidence.generation == Some(release));
    }
    let mut logs = session.aws.ledger.excerpts(service).await?;
    logs.retain(|excerpt| evidence.iter().any(|evidence| is_about(evidence, excerpt)));
    Ok(Kept { service: service.clone(), evidence, logs })
}

/// Whether the version that logged this is the candidate of the release that the evidence is about.
fn is_about(evidence: &Evidence, excerpt: &LogExcerpt) -> bool {
    let record = &evidence.situation.record;
    let changes = record.release.iter().flat_map(|release| &release.changes);
    let mut sources = changes.filter_map(|change| {
        let function = &record.registration.target(&change.target)?.lambda()?.function;
        Some(format!("{function}:{}", change.candidate))
    });
    sources.any(|source| source == excerpt.source)
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.evidence.is_empty() {
            return writeln!(f, "{}: no evidence is kept", styled(NAME, &self.service));
        }
        for evidence in &self.evidence {
            let release = match evidence.generation {
                Some(generation) => format!("release {generation}"),
                None => "outside a release".to_owned(),
            };
            let title = format!("{} {release}: {}", self.service, evidence.kind);
            writeln!(f, "{}  {:.0}", styled(NAME, title), evidence.decided_at)?;
            writeln!(f, "  why     {}", evidence.reason)?;
            writeln!(f, "  signal  {}", described(&evidence.signal))?;
            for (target, sighting) in &evidence.situation.live {
                match sighting {
                    Sighting::Alias(live) => writeln!(f, "  saw     {target} serving {}", live.traffic)?,
                    Sighting::Place(live) => {
                        writeln!(f, "  saw     {target} serving {}", live.traffic)?;
                        // What a place looks like differs from kind to kind; a reviewer wants all of it.
                        let seen = serde_json::to_string(&live.seen).map_err(|_| fmt::Error)?;
                        writeln!(f, "          {}", styled(FAINT, seen))?;
                    }
                    Sighting::Missing => writeln!(f, "  saw     {target} missing")?,
                    Sighting::Unseen { why } => writeln!(f, "  saw     {target} not at all: {why}")?,
                }
            }
            for step in &evidence.steps {
                writeln!(f, "  did     {step}")?;
            }
            writeln!(f, "  {}\n", styled(FAINT, format!("kept until {:.0}", evidence.keep_until)))?;
        }
        for LogExcerpt { source, lines, unread_because } in &self.logs {
            let why = unread_because.as_deref().unwrap_or("nothing that looks like an error");
            let what = if lines.is_empty() { format!(": {why}") } else { String::new() };
            writeln!(f, "{}{what}", styled(NAME, format!("{source} logged")))?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

pub(crate) fn described(signal: &Signal) -> String {
    match signal {
        Signal::Alarm(alarm) => {
            format!("alarm {} at {:.0}: {}", alarm.alarm.name(), alarm.changed_at, alarm.why)
        }
        Signal::Operator(command) => format!(
            "{} at {:.0}: {}",
            command.requested_by.as_deref().unwrap_or("an operator"),
            command.requested_at,
            command.why.as_deref().unwrap_or("no reason given")
        ),
        Signal::Deployment(change) => {
            format!(
                "deployment {} of CodeDeploy at {:.0}: {}",
                change.deployment, change.raised_at, change.state
            )
        }
        Signal::Arrival(arrival) => {
            format!("{} at {:.0}: {}", arrival.place, arrival.raised_at, arrival.what)
        }
        Signal::Pipeline(failure) => {
            format!("the release's execution at {:.0}: {}", failure.raised_at, failure.why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example::{self, at};
    use ripcord::signal::RollbackCommand;

    #[test]
    fn evidence_reads_like_a_report() {
        let situation = example::shifting();
        let service = situation.record.registration.service.clone();
        let signal = Signal::Operator(RollbackCommand {
            release: None,
            service: service.clone(),
            to: None,
            why: Some("it burns".to_owned()),
            requested_by: Some("alice".to_owned()),
            requested_at: at("2026-03-02T11:59:59.25Z"),
        });
        let evidence = Evidence {
            generation: Some(Generation(4)),
            kind: "rollback".to_owned(),
            signal,
            decided_at: at("2026-03-02T12:00:00.123456789Z"),
            situation,
            reason: "alice asked for a rollback: it burns".to_owned(),
            steps: vec!["lambda:UpdateAlias checkout:live to 1 on 100%".to_owned()],
            keep_until: at("2026-05-31T12:00:00Z"),
        };
        let logged = |source: &str| LogExcerpt {
            source: source.to_owned(),
            lines: vec!["[ERROR] ValueError: no price".to_owned()],
            unread_because: None,
        };
        assert!(is_about(&evidence, &logged("checkout:2")));
        assert!(!is_about(&evidence, &logged("checkout:1")));
        let kept = Kept { service, evidence: vec![evidence], logs: vec![logged("checkout:2")] };
        insta::assert_snapshot!(anstream::adapter::strip_str(&kept.to_string()).to_string());
    }
}
