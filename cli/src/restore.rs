//! `ripcord restore`: a database instance of RDS as it was, under another name and beside the old one, which it never touches.
//! Only a person asks for that, with their own rights: what was written since is not in it, and nobody but a person can say
//! whether that is better.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use ripcord::names::{Arn, InvalidName};
use ripcord::registration::Reach;
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::output::{FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};

mod databases;
mod source;
mod wait;

use databases::Databases;
use source::{Moment, Source, Twin};

pub(crate) const EXAMPLES: &str = "\
The old instance is left as it is: look at the new one, then point your service at it.

Examples:
  ripcord restore orders --to-time 2026-03-02T11:55:00Z --as orders-restored --confirm orders
  ripcord restore orders --latest --as orders-restored --confirm orders --wait
  ripcord restore orders --latest --as orders-restored --confirm orders --region eu-central-1 \\
      --role-arn arn:aws:iam::222222222222:role/restores --external-id 4711";

/// What to restore, and to when.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("moment").required(true).args(["to_time", "latest"]))]
pub(crate) struct Args {
    /// The instance that is gone back from; it is left as it is
    #[arg(value_name = "INSTANCE", value_parser = instance)]
    instance: String,
    /// As it was then: 2026-03-02T11:55:00Z
    #[arg(long, value_name = "TIME", value_parser = whole_second)]
    to_time: Option<Timestamp>,
    /// As it was last backed up, which is minutes ago
    #[arg(long)]
    latest: bool,
    /// The name of the instance to be
    #[arg(long = "as", value_name = "NEW_INSTANCE", value_parser = instance)]
    new: String,
    /// The instance's name once more, so that nobody restores another than they mean
    #[arg(long, value_name = "INSTANCE")]
    confirm: Option<String>,
    /// A role to assume, of the account where the instance lies
    #[arg(long, value_name = "ARN", value_parser = role)]
    role_arn: Option<Arn>,
    /// What the role's trust policy asks for besides
    #[arg(long, value_name = "ID", requires = "role_arn")]
    external_id: Option<String>,
    /// Wait until it is available, for three hours at most
    #[arg(long)]
    wait: bool,
}

/// What became of the command.
#[derive(Debug, Serialize)]
pub(crate) struct Restored {
    instance: String,
    new_instance: String,
    /// The moment, as it was asked for.
    to: Moment,
    /// Whether it was asked for before, so that nothing had to be done now.
    already: bool,
    /// As RDS says: `creating`, `available`.
    status: String,
    /// Where it listens, once RDS knows.
    endpoint: Option<String>,
    /// What was taken over from the old instance.
    copied: Vec<String>,
    /// What was not, and has to be set by hand.
    not_copied: Vec<String>,
    next: Vec<String>,
}

/// RDS takes its time over a restore that it accepts.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Restored, Failure> {
    check_confirmed(args)?;
    let session = Session::open(place).await?;
    let reach =
        Reach { region: None, role_arn: args.role_arn.clone(), external_id: args.external_id.clone() };
    let databases = Databases::new(&session.aws.at(&reach).settings(), CALL_TIMEOUT);
    let moment = args.to_time.map_or(Moment::Latest, Moment::At);
    let (source, there) =
        futures_util::future::try_join(databases.source(&args.instance), databases.twin(&args.new)).await?;
    let source = source.ok_or_else(|| gone(&args.instance))?;
    let (twin, already) = match there {
        Some(twin) => (source.recognise(twin, &args.new, moment)?, true),
        None => {
            source.check(moment, Timestamp::now())?;
            (databases.restore(&source, &args.new, moment).await?, false)
        }
    };
    let twin = if args.wait {
        wait::until_available(&databases, &args.new, twin, wait::PAUSE_FIRST).await?
    } else {
        twin
    };
    Ok(Restored::of(args, &source, moment, (twin, already)))
}

fn check_confirmed(args: &Args) -> Result<(), Failure> {
    let Args { instance, new, confirm, .. } = args;
    let refused = |message: String| {
        let hint = format!("what is to be gone back from is named twice: --confirm {instance}");
        Err(Failure::new(Kind::RestoreUnconfirmed, message).hint(hint))
    };
    match confirm {
        _ if instance == new => {
            refused(format!("--as {new} is the instance itself, which is never touched: name another"))
        }
        None => refused(format!("{instance} is to be restored as {new}, and nobody has confirmed that")),
        Some(confirmed) if confirmed != instance => {
            refused(format!("--confirm {confirmed} is not {instance}"))
        }
        Some(_) => Ok(()),
    }
}

fn gone(instance: &str) -> Failure {
    Failure::new(Kind::RestoreRefused, format!("there is no instance {instance} here")).hint(
        "one that was deleted may have kept its backups: aws rds describe-db-instance-automated-backups",
    )
}

impl Restored {
    fn of(args: &Args, source: &Source, to: Moment, (twin, already): (Twin, bool)) -> Self {
        let Args { instance, new, .. } = args;
        let next = vec![
            format!(
                "look at {new} before anybody depends on it: what was written to {instance} since is not in it"
            ),
            format!(
                "point the service at the new endpoint, or let {new} take the name once it is free: aws rds modify-db-instance --new-db-instance-identifier"
            ),
            format!(
                "{instance} still takes whatever is written to it; stop that before the switch, and keep it until nobody misses anything"
            ),
        ];
        Self {
            instance: instance.clone(),
            new_instance: new.clone(),
            to,
            already,
            status: twin.status,
            endpoint: twin.endpoint,
            copied: source.copied(),
            not_copied: source.not_copied(),
            next,
        }
    }
}

/// A name as RDS takes it: it begins with a letter, and its hyphens are single and inside.
fn instance(text: &str) -> Result<String, String> {
    let is_valid = (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    // RDS keeps names in lower case.
    if is_valid {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("it must be 1 to 63 letters, digits or single hyphens, beginning with a letter".to_owned())
    }
}

/// RDS restores to whole seconds. One that is cut off goes back a little further, not less far.
fn whole_second(text: &str) -> Result<Timestamp, String> {
    let time: Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let second = time.as_millisecond().div_euclid(1_000);
    Timestamp::from_second(second).map_err(|error| error.to_string())
}

fn role(text: &str) -> Result<Arn, String> {
    let role: Arn = text.parse().map_err(|error: InvalidName| error.to_string())?;
    if role.service() == "iam" && role.resource().starts_with("role/") {
        Ok(role)
    } else {
        Err("it must be the ARN of a role, like arn:aws:iam::123456789012:role/restores".to_owned())
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, new_instance, to, status, .. } = self;
        let done = match (status == "available", self.already) {
            (true, _) => styled(GOOD, format!("there, as {instance} was {to}")),
            (false, true) => styled(WARN, format!("being restored from {instance} already, {to}: {status}")),
            (false, false) => styled(WARN, format!("being restored from {instance}, {to}: {status}")),
        };
        writeln!(f, "{}: {done}", styled(NAME, new_instance))?;
        match &self.endpoint {
            Some(endpoint) => writeln!(f, "  listens at {endpoint}")?,
            None => writeln!(f, "  {}", styled(FAINT, "where it listens is known once it is available"))?,
        }
        writeln!(f, "  with the old instance's {}", self.copied.join(", "))?;
        writeln!(f, "  {} {}", styled(WARN, "not copied:"), self.not_copied.join(", "))?;
        writeln!(f, "  {instance} was not touched\n")?;
        self.next.iter().zip(1..).try_for_each(|(step, number)| writeln!(f, "{number:>4}. {step}"))
    }
}

#[cfg(test)]
mod tests;
