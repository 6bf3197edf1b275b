//! A group that is put back by a person: every member at once, one answer for each, and the worst of them as the end.

use std::fmt;

use futures_util::future::join_all;
use ripcord::names::{GroupName, ServiceName};
use serde::Serialize;

use super::{Args, Cord, Rollback};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{BAD, NAME, styled};
use crate::session::Session;

/// What became of a command for a group.
#[derive(Debug, Serialize)]
pub(crate) struct GroupRollback {
    group: GroupName,
    services: Vec<Member>,
}

/// What became of one of its services.
#[derive(Debug, Serialize)]
struct Member {
    service: ServiceName,
    /// What was answered, unless nothing was.
    rollback: Option<Rollback>,
    /// Why not.
    failed: Option<Failure>,
}

impl Session {
    /// Puts every service of a group back. One that fails stops none of the others.
    pub(super) async fn pull_together(
        &self,
        args: &Args,
        group: &GroupName,
    ) -> Result<GroupRollback, Failure> {
        let found = self.aws.ledger.group(group).await?;
        let found = found.ok_or_else(|| {
            let message = format!("no service has registered the group {group}");
            Failure::new(Kind::ServiceUnknown, message)
                .hint("a service joins a group by its document: \"rollback\": {\"group\": \"NAME\"}")
        })?;
        let pulled = found.members.iter().map(|member| async move {
            let pulled = self.pull_the_cord(&Cord::new(args, &member.service)).await;
            let service = member.service.clone();
            match pulled {
                Ok(rollback) => Member { service, rollback: Some(rollback), failed: None },
                Err(failure) => Member { service, rollback: None, failed: Some(failure) },
            }
        });
        Ok(GroupRollback { group: group.clone(), services: join_all(pulled).await })
    }
}

impl Member {
    fn exit(&self) -> ExitCode {
        match (&self.rollback, &self.failed) {
            (_, Some(failure)) => failure.exit,
            (Some(rollback), None) => rollback.exit(),
            (None, None) => ExitCode::Unexpected,
        }
    }
}

impl GroupRollback {
    /// The worst of its services' ends.
    pub(super) fn exit(&self) -> ExitCode {
        self.services.iter().map(Member::exit).max_by_key(|exit| gravity(*exit)).unwrap_or(ExitCode::Done)
    }
}

/// How bad an end is: above all, traffic that is not back.
fn gravity(exit: ExitCode) -> u8 {
    match exit {
        ExitCode::Done => 0,
        ExitCode::RolledBack => 1,
        ExitCode::Refused => 2,
        ExitCode::Usage => 3,
        ExitCode::Unexpected => 4,
        ExitCode::Unreachable => 5,
        ExitCode::RollbackFailed => 6,
    }
}

impl fmt::Display for GroupRollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group {}: {} services", styled(NAME, &self.group), self.services.len())?;
        for Member { service, rollback, failed } in &self.services {
            if let Some(rollback) = rollback {
                write!(f, "{rollback}")?;
            }
            if let Some(failure) = failed {
                let name = styled(NAME, service);
                writeln!(f, "{name}: {}\n  {}", styled(BAD, "not known to be back"), failure.message)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_ends_as_the_worst_of_its_services() {
        let back = |service: &str| Member {
            service: service.parse().expect("a name"),
            rollback: Some(super::super::example("alice asked for a rollback")),
            failed: None,
        };
        let failed = |kind| Member {
            service: "payments".parse().expect("a name"),
            rollback: None,
            failed: Some(Failure::new(kind, "it did not answer")),
        };
        let group = |services| GroupRollback { group: "shop".parse().expect("a name"), services };
        assert_eq!(group(vec![back("cart"), back("checkout")]).exit(), ExitCode::Done);
        let unreachable =
            group(vec![back("cart"), failed(Kind::AwsCallFailed), failed(Kind::ServiceUnknown)]);
        assert_eq!(unreachable.exit(), ExitCode::Unreachable);
        assert_eq!(group(vec![failed(Kind::NotBack), back("cart")]).exit(), ExitCode::RollbackFailed);
        let text = anstream::adapter::strip_str(&unreachable.to_string()).to_string();
        assert!(text.contains("checkout: traffic is back"), "{text}");
        assert!(text.contains("payments: not known to be back\n  it did not answer"), "{text}");
    }
}
