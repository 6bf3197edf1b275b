//! `ripcord promote`: asks the weight shifter to give the open release's candidates all traffic.

use std::fmt;

use ripcord::names::{Generation, ServiceName, TargetName, Weight};
use ripcord::release::{Change, Phase, Release};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Caller;
use crate::failure::{Failure, Kind};
use crate::session::{Place, Session};
use crate::weights::Shifted;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord promote checkout
  ripcord promote checkout --target api    one target of several
  ripcord promote checkout --override 'the fix must out, and I answer for it'

A release that a state machine drives proves itself stage by stage. Promoting it skips the proof that is left, so it needs
--override; the release is complete with that, and its execution ends by itself.";

/// What to promote.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    service: ServiceName,
    /// One target; else every target of the release
    #[arg(long)]
    target: Option<TargetName>,
    /// Go ahead in spite of a quarantine or a hold, or without the proof that is left; the reason is recorded and told
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

#[derive(Debug, Serialize)]
pub(crate) struct Promotion {
    service: ServiceName,
    release: Generation,
    targets: Vec<Promoted>,
}

#[derive(Debug, Serialize)]
struct Promoted {
    target: TargetName,
    #[serde(flatten)]
    shifted: Shifted,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Promotion, Failure> {
    let session = Session::open(place).await?;
    let service = &args.service;
    let record =
        session.aws.ledger.service(service).await?.ok_or_else(|| Failure::service_unknown(service))?;
    let release = record.release.ok_or_else(|| {
        Failure::new(Kind::NothingReleased, format!("nothing of {service} is being released"))
            .hint(format!("open a release with: ripcord weights {service} STABLE:90,CANDIDATE:10"))
    })?;
    check_proof(args, &release)?;
    let mut targets = Vec::new();
    for target in meant(args, &release)? {
        let shifted = session.shift(&event(args, &release, &target)).await.map_err(|failure| Failure {
            message: format!("{}{}", already(&targets), failure.message),
            ..failure
        })?;
        targets.push(Promoted { target, shifted });
    }
    Ok(Promotion { service: service.clone(), release: release.generation, targets })
}

/// A person may take the place of the proof that is left, but not by habit.
fn check_proof(args: &Args, release: &Release) -> Result<(), Failure> {
    let Some(run) = release.run.as_deref().filter(|_| release.phase == Phase::Shifting) else {
        return Ok(());
    };
    if args.override_reason.is_some() {
        return Ok(());
    }
    let (service, generation) = (&args.service, release.generation);
    let (begun, stages) = (run.reached.len(), run.strategy.stages.len());
    let message = format!(
        "a state machine drives release {generation} of {service}, and {begun} of its {stages} stages have begun: \
         promoting it skips the proof that is left"
    );
    Err(Failure::new(Kind::ProofSkipped, message).hint(format!(
        "let it prove itself: ripcord watch {service}; or answer for it yourself: ripcord promote {service} --override 'WHY'"
    )))
}

/// The targets that are meant: the one named, or all that the release has touched.
fn meant(args: &Args, release: &Release) -> Result<Vec<TargetName>, Failure> {
    let touched: Vec<&TargetName> = release.changes.iter().map(|Change { target, .. }| target).collect();
    match &args.target {
        None => Ok(touched.into_iter().cloned().collect()),
        Some(named) if touched.contains(&named) => Ok(vec![named.clone()]),
        Some(named) => {
            let message = format!("release {} does not change {named}", release.generation);
            Err(Failure::new(Kind::NothingReleased, message))
        }
    }
}

fn event(args: &Args, release: &Release, target: &TargetName) -> Value {
    json!({
        "service": args.service,
        "target": target,
        "release": release.generation,
        "weight": Weight::ALL,
        "requested_by": args.caller.name(),
        "override": args.override_reason,
    })
}

/// What was done before a failure must not go unsaid.
fn already(targets: &[Promoted]) -> String {
    targets.iter().map(|Promoted { target, .. }| format!("{target} was promoted; then ")).collect()
}

impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Promoted { target, shifted } in &self.targets {
            writeln!(f, "{target}: {shifted}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use ripcord::shift::{Ask, ShiftRequest};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_is_asked_is_what_the_shifter_reads() {
        let release = crate::status::example::shifting().record.release.expect("a release");
        let args = Line::parse_from(["promote", "checkout", "--as", "alice"]).args;
        let targets = meant(&args, &release).expect("its targets");
        assert_eq!(targets.iter().map(TargetName::as_str).collect::<Vec<_>>(), ["api"]);
        let request = ShiftRequest::read(&event(&args, &release, &targets[0])).expect("the shifter reads it");
        assert_eq!(request.ask, Ask::Stage { release: release.generation, weight: Weight::ALL });

        let args = Line::parse_from(["promote", "checkout", "--target", "worker"]).args;
        assert_eq!(meant(&args, &release).expect_err("it is not touched").kind, "nothing_released");
    }

    #[test]
    fn the_proof_that_is_left_is_skipped_only_with_a_reason() {
        let mut release = crate::watch::example::release();
        let plain = Line::parse_from(["promote", "checkout"]).args;
        let reasoned = Line::parse_from(["promote", "checkout", "--override", "urgent"]).args;
        let failure = check_proof(&plain, &release).expect_err("two stages are left");
        assert_eq!(
            (failure.kind.as_str(), failure.exit),
            ("proof_skipped", crate::exit_code::ExitCode::Refused)
        );
        assert!(failure.message.contains("2 of its 4 stages have begun"), "{}", failure.message);
        assert!(check_proof(&reasoned, &release).is_ok());
        release.run = None;
        assert!(check_proof(&plain, &release).is_ok());
    }
}
