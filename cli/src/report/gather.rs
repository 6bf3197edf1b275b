//! What is known about a release, from everywhere that knows something. Only the ledger's record must be there; whatever else
//! cannot be had is noted as missing.

use futures_util::future::join4;
use jiff::{SignedDuration, Timestamp};
use ripcord::aws::LedgerError;
use ripcord::evidence::{Evidence, LogExcerpt};
use ripcord::finding::Finding;
use ripcord::names::Generation;
use ripcord::release::{Phase, Release};
use ripcord::situation::ServiceRecord;
use ripcord::timeline::Moment;

use super::measured::{Measured, measured};
use crate::failure::{Failure, Kind};
use crate::release_name::ReleaseName;
use crate::session::Session;

/// Everything that a report is made of.
pub(crate) struct Material {
    pub(crate) release: Release,
    pub(crate) moments: Vec<Moment>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) logs: Vec<LogExcerpt>,
    /// What CloudWatch counted, or why nothing is known of that.
    pub(crate) measured: Result<Measured, String>,
    /// What could not be had, in sentences.
    pub(crate) missing: Vec<String>,
    pub(crate) now: Timestamp,
    /// How long a minute lasts.
    pub(crate) minute: SignedDuration,
}

pub(super) async fn gather(name: &ReleaseName, session: &Session) -> Result<Material, Failure> {
    let (ledger, service) = (&session.aws.ledger, &name.service);
    let record = ledger.service(service).await?.ok_or_else(|| Failure::service_unknown(service))?;
    let release = named(name, &record, session).await?;
    let generation = release.generation;
    let (moments, evidence, findings, logs) = join4(
        ledger.timeline(service, generation),
        ledger.evidence(service),
        ledger.findings(service, generation),
        ledger.excerpts(service),
    )
    .await;
    let mut missing = Vec::new();
    let moments = given("the timeline", moments, &mut missing);
    let mut evidence = given("the evidence", evidence, &mut missing);
    evidence.retain(|evidence| evidence.generation == Some(generation));
    let findings = given("what the checks found", findings, &mut missing);
    let mut logs = given("the excerpts of logs", logs, &mut missing);
    logs.retain(|excerpt| logged_by(&record, &release).contains(&excerpt.source));
    let now = Timestamp::now();
    missing.extend(gaps(&release, &moments, &evidence));
    let measured = measured(&record, &release, &moments, (now, session)).await;
    Ok(Material {
        release,
        moments,
        evidence,
        findings,
        logs,
        measured,
        missing,
        now,
        minute: session.tempo.minute(),
    })
}

/// The release that is meant.
async fn named(name: &ReleaseName, record: &ServiceRecord, session: &Session) -> Result<Release, Failure> {
    let service = &name.service;
    let latest = record.release.as_ref().map(|release| release.generation);
    let wanted = match name.release {
        None => return Ok(name.latest(record)?.clone()),
        Some(wanted) => wanted,
    };
    if let Some(release) = record.release.as_ref().filter(|release| release.generation == wanted) {
        return Ok(release.clone());
    }
    let since =
        session.aws.ledger.latest_releases(service, |_, release| release.generation >= wanted).await?;
    since
        .into_iter()
        .find(|release| release.generation == wanted)
        .ok_or_else(|| unknown(name, wanted, latest))
}

fn unknown(name: &ReleaseName, wanted: Generation, latest: Option<Generation>) -> Failure {
    let service = &name.service;
    match latest {
        Some(latest) => Failure::new(
            Kind::OtherRelease,
            format!("the ledger knows no release {wanted} of {service}: the latest one is {latest}"),
        )
        .hint(format!("ripcord history {service} lists them")),
        None => Failure::new(Kind::NothingReleased, format!("nothing of {service} was released yet"))
            .hint(format!("start a release with: ripcord deploy {service} --version N")),
    }
}

fn given<T>(what: &str, read: Result<Vec<T>, LedgerError>, missing: &mut Vec<String>) -> Vec<T> {
    read.unwrap_or_else(|error| {
        missing.push(format!("Missing: {what} ({error})."));
        Vec::new()
    })
}

/// What the ledger should have and does not.
fn gaps(release: &Release, moments: &[Moment], evidence: &[Evidence]) -> Vec<String> {
    let mut gaps = Vec::new();
    if moments.is_empty() {
        gaps.push(
            "No timeline was kept of this release: what happened is told from its record alone.".to_owned(),
        );
    }
    let is_decided = match release.phase {
        Phase::RolledBack | Phase::RollbackFailed | Phase::Held => true,
        Phase::Shifting | Phase::Complete | Phase::Withdrawn => false,
    };
    if is_decided && evidence.is_empty() {
        gaps.push(
            "No evidence of this release is kept any more: what was seen and decided, and which calls followed, is lost."
                .to_owned(),
        );
    }
    gaps
}

/// Whose logs are the candidates'.
fn logged_by(record: &ServiceRecord, release: &Release) -> Vec<String> {
    let sources = release.changes.iter().filter_map(|change| {
        let function = &record.registration.target(&change.target)?.lambda()?.function;
        Some(format!("{function}:{}", change.candidate))
    });
    sources.collect()
}
