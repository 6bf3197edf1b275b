//! `ripcord weights`: asks the weight shifter for explicit shares.

use std::fmt;

use ripcord::names::{Generation, ServiceName, TargetName};
use ripcord::traffic::{Traffic, WeightList, WeightListError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Caller;
use crate::failure::{Asked, Failure};
use crate::function::Function;
use crate::output::{GOOD, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord weights checkout 1:90,2:10       version 2 takes 10 %, version 1 the rest
  ripcord weights checkout 2:100           version 2 takes everything
  ripcord weights checkout 1:90,2:10 --override 'the payment provider was down, version 2 is good'";

/// Which shares.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    service: ServiceName,
    /// Versions and their shares in percent
    #[arg(value_name = "VERSION:PERCENT,…", value_parser = checked)]
    weights: String,
    /// The target; may be left out where there is only one
    #[arg(long)]
    target: Option<TargetName>,
    /// Go ahead in spite of a quarantine, a hold or leftover weights; the reason is recorded and told
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

/// What the weight shifter answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shifted {
    /// The release that moved, if one did.
    pub(crate) release: Option<Generation>,
    /// What the alias serves.
    pub(crate) traffic: Traffic,
    /// The same in words.
    pub(crate) summary: String,
    /// Whether anything had to be done.
    pub(crate) changed: bool,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Shifted, Failure> {
    Session::open(place).await?.shift(&event(args)).await
}

impl Session {
    /// Asks the weight shifter.
    pub(crate) async fn shift(&self, event: &Value) -> Result<Shifted, Failure> {
        let answer = self.ask(Function::AliasWeightShifter, event).await.map_err(explain)?;
        serde_json::from_value(answer).map_err(|error| {
            let why = format!("the weight shifter's answer is of another form: {error}");
            Failure::of_function(Asked::Shift, "AnswerUnreadable", why)
        })
    }
}

/// What may be done about a refusal.
fn explain(failure: Failure) -> Failure {
    match failure.kind.as_str() {
        "VersionQuarantined" | "ServiceHeld" => {
            failure.hint("if a person has looked and it is right all the same: --override 'WHY'")
        }
        "ServiceUnknown" => failure.hint("ripcord apply FILE registers it"),
        _ => failure,
    }
}

/// Checked here as well, so that a slip costs no round trip; the text goes on as it is.
fn checked(text: &str) -> Result<String, WeightListError> {
    text.parse::<WeightList>().map(|_| text.to_owned())
}

fn event(args: &Args) -> Value {
    json!({
        "service": args.service,
        "target": args.target,
        "weights": args.weights,
        "requested_by": args.caller.name(),
        "override": args.override_reason,
    })
}

impl fmt::Display for Shifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&styled(GOOD, &self.summary))
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
        let words =
            ["weights", "checkout", "1:90,2:10", "--target", "api", "--override", "look", "--as", "alice"];
        let request =
            ShiftRequest::read(&event(&Line::parse_from(words).args)).expect("the shifter reads it");
        assert_eq!(request.ask, Ask::Weights("1:90,2:10".parse().expect("weights")));
        assert_eq!(request.target.expect("a target").as_str(), "api");
        assert_eq!(request.requested_by.as_deref(), Some("alice"));
        assert_eq!(request.override_reason.as_deref(), Some("look"));
        assert!(ShiftRequest::read(&event(&Line::parse_from(&words[..3]).args)).is_ok());
    }
}
