//! `ripcord flags`: what the flags of a service are, and changing them. A change is a release: a version of the configuration is
//! stored, which nobody is served yet, and the weight shifter releases it as it releases everything else.

use ripcord::names::{ServiceName, TargetName};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output;
use crate::session::{Place, Session};

mod follow;
mod rollback;
mod served;
mod set;
mod show;
mod validate;

pub(crate) const EXAMPLES: &str = "\
A change is stored, checked by the profile's validators, and released by degrees; an alarm of the service puts it back.

Examples:
  ripcord flags list checkout
  ripcord flags get checkout new-search
  ripcord flags set checkout new-search --rollout 25 --wait      10 % more of the clients every two minutes
  ripcord flags set checkout new-search --off --at-once          an emergency: everybody at once
  ripcord flags set checkout new-search --allow u1,u2
  ripcord flags set checkout --document flags.json               the whole document
  ripcord flags rollback checkout --reason 'search is slow'
  ripcord flags validate flags.json";

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON; errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The flags that are served, and those that a deployment is bringing
    List(Which),
    /// One flag, as it is served and as a deployment is bringing it
    Get(Get),
    /// Change a flag, or the whole document: a release of its own
    Set(set::Args),
    /// Put the flags back: the whole release that has changed them
    Rollback(rollback::Args),
    /// Check flag documents, without AWS
    Validate(validate::Args),
}

/// Whose flags.
#[derive(Debug, clap::Args)]
struct Which {
    /// The service
    service: ServiceName,
    /// The target; may be left out where only one is a configuration
    #[arg(long)]
    target: Option<TargetName>,
}

#[derive(Debug, clap::Args)]
struct Get {
    #[command(flatten)]
    which: Which,
    /// The flag
    flag: String,
}

pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    Ok(match &args.command {
        Command::List(which) => {
            let served = Session::open(place).await?.flags_of(&which.service, which.target.as_ref()).await?;
            output::answer(&show::List::of(&served)?, json, ExitCode::Done)
        }
        Command::Get(Get { which, flag }) => {
            let served = Session::open(place).await?.flags_of(&which.service, which.target.as_ref()).await?;
            output::answer(&show::One::of(&served, flag)?, json, ExitCode::Done)
        }
        Command::Set(args) => set::run(args, place, json).await?,
        Command::Rollback(args) => {
            let report = rollback::run(args, place).await?;
            output::answer(&report, json, report.exit())
        }
        Command::Validate(args) => {
            let report = validate::run(args);
            output::answer(&report, json, report.exit())
        }
    })
}
