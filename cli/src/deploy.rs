//! `ripcord deploy`: checks everything that can be checked before anything moves, prints the plan, starts the state
//! machine, and watches the release. What decides is the core, by the same code as in the functions.

use std::collections::BTreeMap;

use futures_util::future::{join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use ripcord::aws::Aws;
use ripcord::decide::Moment;
use ripcord::names::{ServiceName, TargetName, Version};
use ripcord::pipeline::{ReleaseRequest, Waivable};
use ripcord::release::{Commit, CommitId};
use ripcord::shift::{Ask, Refusal, ShiftRequest, ShiftSituation, decide_shift, target_of, versions_of};
use ripcord::situation::Situation;
use ripcord::strategy::StrategyChoice;

use crate::args::Caller;
use crate::executions::state_machine;
use crate::exit_code::ExitCode;
use crate::failure::{Asked, Failure, Kind};
use crate::output;
use crate::session::{Place, Session};
use crate::watch::{Screen, Which};

mod outline;
mod proven;
mod started;

use outline::Outline;
pub(crate) use outline::limits;
use started::Started;

pub(crate) const EXAMPLES: &str = "\
Ends as the release does: 0 complete, 6 rolled back, 4 NOT rolled back, 3 refused or withdrawn (nothing moved).

Examples:
  ripcord deploy checkout --version 7                          as the service has registered
  ripcord deploy checkout --version 7 --strategy canary-cautious
  ripcord deploy checkout --version 7 --stages 5,10,25 --stage-duration 15m --no-auto-promote
  ripcord deploy checkout --version 7 --waive alarms --override 'version 7 is the fix'
  ripcord deploy checkout --version 7 --attest tests=https://ci.example/4711 --no-wait
  ripcord strategies                                           the strategies by name";

/// What to release, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    service: ServiceName,
    /// The published version to release
    #[arg(long, value_name = "NUMBER")]
    version: Version,
    /// The target; may be left out where there is only one
    #[arg(long)]
    target: Option<TargetName>,
    /// A strategy by name; else the one that the service has registered
    #[arg(long, value_name = "NAME", conflicts_with = "stages")]
    strategy: Option<String>,
    /// Percentages of its stages; one with all traffic follows if the last is less
    #[arg(long, value_name = "PERCENT,…")]
    stages: Option<String>,
    /// How long each stage is watched at least: 15m, 2h, 1d
    #[arg(long, value_name = "DURATION")]
    stage_duration: Option<String>,
    /// Ask a person before each further stage, or before the only one
    #[arg(long)]
    no_auto_promote: bool,
    /// How long a person has for an answer; then traffic goes back
    #[arg(long, value_name = "DURATION")]
    approval_timeout: Option<String>,
    /// A check that is not to stop this release: alarms, freeze, traffic, barrier, attestations, quarantine or hold; may be
    /// repeated, and needs --override
    #[arg(long, value_name = "CHECK", value_parser = waivable)]
    waive: Vec<Waivable>,
    /// Why not; recorded and told
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    /// What you vouch for, and where that can be seen: tests=https://ci.example/4711; may be repeated
    #[arg(long, value_name = "NAME=WHERE", value_parser = attestation)]
    attest: Vec<(String, String)>,
    /// The commit that the version was built from; lead times are counted from its time
    #[arg(long, value_name = "ID")]
    commit: Option<CommitId>,
    /// When it was made: git log -1 --format=%cI
    #[arg(long, value_name = "TIME", requires = "commit")]
    commit_time: Option<Timestamp>,
    /// Refuse unless the same code has completed a release in that suite, in the same account and region
    #[arg(long, value_name = "PROJECT")]
    proven_in: Option<String>,
    /// Wait for the end, and end as the release does; that is what happens anyhow, and a script may say so
    #[arg(long)]
    wait: bool,
    /// Do not wait for the end
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    caller: Caller,
}

/// Nothing is taken, so nobody is told: the lease is never used.
const LEASE: SignedDuration = SignedDuration::from_secs(1);

pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let request = request(args)?;
    let session = Session::open(place).await?;
    let (home, situation) = join(session.home(), session.observe(&args.service)).await;
    let (machine, situation) = (state_machine(&home?, &session.project), situation?);
    let now = Timestamp::now();
    let outline = check(&request, situation, &session.aws, &machine, now).await?;
    if let Some(project) = &args.proven_in {
        session.check_proven(project, &outline).await?;
    }
    let mut screen = Screen::for_output(json);
    if !json {
        output::raw(&outline.to_string());
    }
    let name = execution_name(&args.service, args.version, now);
    let execution = session.start(&machine, &name, &request).await?;
    let started = Started { outline, execution };
    if args.no_wait {
        return Ok(output::answer(&started, json, ExitCode::Done));
    }
    if json {
        output::raw(&serde_json::json!({ "event": "started", "at": now, "started": started }).to_string());
    }
    screen.remark(&format!("execution {name} was started\n"));
    session.watch(&args.service, &Which::DrivenBy(started.execution), &mut screen).await
}

fn request(args: &Args) -> Result<ReleaseRequest, Failure> {
    if let (Some(check), None) = (args.waive.first(), &args.override_reason) {
        let message = format!("waive is {}: what is waived needs a reason", check.as_str());
        return Err(Failure::new(Kind::WaiverUnexplained, message).hint("say why: --override 'WHY'"));
    }
    let mut attestations = BTreeMap::new();
    for (name, place) in &args.attest {
        if attestations.insert(name.clone(), place.clone()).is_some() {
            let message = format!("attest is {name}={place}: an attestation is given once");
            return Err(Failure::new(Kind::Usage, message));
        }
    }
    Ok(ReleaseRequest {
        service: args.service.clone(),
        version: args.version,
        target: args.target.clone(),
        progress: StrategyChoice {
            strategy: args.strategy.clone(),
            stages: args.stages.clone(),
            stage_duration: args.stage_duration.clone(),
            no_auto_promote: args.no_auto_promote,
            approval_timeout: args.approval_timeout.clone(),
        },
        requested_by: args.caller.name().map(str::to_owned),
        waive: args.waive.clone(),
        override_reason: args.override_reason.clone(),
        attestations,
        commit: args.commit.clone().map(|id| Commit { id, at: args.commit_time }),
    })
}

/// Asks the core what the weight shifter will be asked to open this release, on the same observations.
async fn check(
    request: &ReleaseRequest,
    situation: Situation,
    aws: &Aws,
    machine: &str,
    now: Timestamp,
) -> Result<Outline, Failure> {
    let shift = ShiftRequest {
        service: request.service.clone(),
        target: request.target.clone(),
        ask: Ask::Open { request: Box::new(request.clone()), execution: machine.to_owned() },
        requested_by: request.requested_by.clone(),
        override_reason: request.override_reason.clone(),
        at_once: false,
    };
    let target = target_of(&shift, &situation).map_err(refused)?;
    let not_an_alias = || refused(Refusal::NotAnAlias { target: target.name.clone() });
    let function = target.lambda().ok_or_else(not_an_alias)?.function.clone();
    let aws = aws.at(&target.reach);
    let look = |version| {
        let (aws, function) = (&aws, &function);
        async move { aws.version(function, version).await.map(|facts| (version, facts)) }
    };
    let versions = try_join_all(versions_of(&shift, &situation).into_iter().map(look)).await;
    let versions = versions.map_err(|failed| Failure::new(Kind::AwsCallFailed, failed.to_string()))?;
    let seen = ShiftSituation { situation, versions: versions.into_iter().collect(), pin: None };
    checked(request, &shift, &seen, now)
}

/// The plan of a release that nothing known so far forbids.
fn checked(
    request: &ReleaseRequest,
    shift: &ShiftRequest,
    seen: &ShiftSituation,
    now: Timestamp,
) -> Result<Outline, Failure> {
    let lease_until = now.saturating_add(LEASE).unwrap_or(now);
    decide_shift(shift, seen, Moment { now, lease_until }).map_err(refused)?;
    check_attestations(request, seen)?;
    Outline::of(request, shift, seen)
}

/// A refusal of the core, as the function would answer it.
fn refused(refusal: Refusal) -> Failure {
    let failure = Failure::of_function(Asked::Shift, refusal.error_type().as_str(), refusal.to_string());
    match failure.kind.as_str() {
        "VersionQuarantined" => {
            failure.hint("if it is right all the same: --waive quarantine --override 'WHY'")
        }
        "ServiceHeld" => failure.hint("if a person has looked: --waive hold --override 'WHY'"),
        "ReleaseConflict" => failure.hint("look with: ripcord list"),
        _ => failure,
    }
}

fn check_attestations(request: &ReleaseRequest, seen: &ShiftSituation) -> Result<(), Failure> {
    let asked = &seen.situation.record.registration.preflight.attestations;
    let missing: Vec<&str> =
        asked.iter().filter(|name| !request.attestations.contains_key(*name)).map(String::as_str).collect();
    if missing.is_empty() || request.waive.contains(&Waivable::Attestations) {
        return Ok(());
    }
    let message = format!("{} asks whoever releases to vouch for: {}", request.service, missing.join(", "));
    let example: String = missing.iter().map(|name| format!(" --attest {name}=WHERE")).collect();
    Err(Failure::new(Kind::AttestationsMissing, message)
        .hint(format!("vouch with:{example}; or --waive attestations --override 'WHY'")))
}

/// Step Functions takes 80 characters, and calls no two executions by the same name for 90 days.
const EXECUTION_NAME_MAX: usize = 80;

/// The service, the version and the moment: for people who look at a list of executions, and unique.
fn execution_name(service: &ServiceName, version: Version, now: Timestamp) -> String {
    let millisecond = now.as_millisecond().rem_euclid(1_000);
    let rest = format!("-v{version}-{}{millisecond:03}Z", now.strftime("%Y%m%dT%H%M%S"));
    // A dot is allowed in a service's name, and is of use in no log group's stream.
    let room = EXECUTION_NAME_MAX.saturating_sub(rest.len());
    let service: String = service.as_str().replace('.', "-").chars().take(room).collect();
    service + &rest
}

fn waivable(text: &str) -> Result<Waivable, String> {
    let found = Waivable::EVERY.into_iter().find(|check| check.as_str() == text);
    let names = || Waivable::EVERY.map(Waivable::as_str).join(", ");
    found.ok_or_else(|| format!("it must be one of {}", names()))
}

/// `NAME=WHERE`.
fn attestation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, place)) if !name.trim().is_empty() && !place.trim().is_empty() => {
            Ok((name.trim().to_owned(), place.trim().to_owned()))
        }
        Some(_) | None => Err("it must be NAME=WHERE, like tests=https://ci.example/4711".to_owned()),
    }
}

#[cfg(test)]
mod tests;
