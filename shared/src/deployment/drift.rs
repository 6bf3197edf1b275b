//! Where the alias, CodeDeploy and the stack believe in different versions, and what brings them together again.

use crate::names::{Version, Weight};
use crate::release::{Change, Phase, Release};
use crate::situation::{LiveAlias, ServiceRecord};
use crate::traffic::Traffic;

/// A disagreement, and its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Who believes what.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// Whether what an alias serves is what CodeDeploy, which moved it, and the stack, which asked for that, believe.
pub fn drift(record: &ServiceRecord, release: &Release, live: &LiveAlias) -> Option<Drift> {
    let (deployment, change) = (release.deployment.as_deref()?, release.changes.first()?);
    let (serving, Change { stable, candidate, .. }) = (live.traffic, change);
    let was_taken_back =
        record.rollbacks.iter().any(|past| past.target == change.target && past.version == *stable);
    match release.phase {
        // The stack goes from a version that was put back since. It must not be served again for the stack's sake.
        Phase::Shifting if was_taken_back && serving.share_of(*stable) == Weight::NONE => Some(Drift {
            what: format!(
                "serves {serving}, and deployment {} goes from version {stable}, which was put back: CodeDeploy refuses that as INVALID_LAMBDA_CONFIGURATION",
                deployment.id
            ),
            mend: RECONCILE_STACK.to_owned(),
        }),
        Phase::Shifting => {
            let is_shift = serving.versions().all(|version| version == *stable || version == *candidate);
            (!is_shift).then(|| Drift {
                what: format!(
                    "serves {serving}, while deployment {} moves it from version {stable} to {candidate}: somebody else moved it, and CodeDeploy refuses to go on from there",
                    deployment.id
                ),
                mend: set(live, *stable),
            })
        }
        Phase::Complete => (serving != Traffic::all_on(*candidate)).then(|| Drift {
            what: format!(
                "serves {serving}, and CodeDeploy and the stack believe in version {candidate}: their next deployment will fail as INVALID_LAMBDA_CONFIGURATION"
            ),
            mend: format!(
                "ripcord rollback {}, if version {candidate} is to go: CodeDeploy then knows; or {}",
                release.service,
                set(live, *candidate)
            ),
        }),
        // CodeDeploy was told by the deployment that went back; a stack learns of nothing that it has not done itself.
        Phase::RolledBack if deployment.reversal_until.is_some() => Some(Drift {
            what: format!(
                "serves {serving}, and the stack still believes in version {candidate}: its next deployment with CodeDeploy will fail as INVALID_LAMBDA_CONFIGURATION"
            ),
            mend: RECONCILE_STACK.to_owned(),
        }),
        Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => None,
    }
}

/// Brings a stack back in step with an alias that was put back after the stack had been updated.
pub const RECONCILE_STACK: &str = "deploy the stack once from the good code with `DeploymentPreference: { Enabled: false }`, which sets the alias without CodeDeploy; then release the fix as usual";

fn set(live: &LiveAlias, version: Version) -> String {
    format!(
        "aws lambda update-alias --function-name {} --name {} --function-version {version} --routing-config AdditionalVersionWeights={{}}",
        live.function, live.alias
    )
}
