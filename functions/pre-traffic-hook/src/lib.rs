//! Checks what CodeDeploy is about to give traffic to: a version behind an alias, or the tasks of an ECS service.
//!
//! It must not decide anything itself: [`ripcord::hook`] and [`ripcord::preflight`] do. It moves no traffic, and vetoes no
//! rollback. The desk that answers CodeDeploy is [`ripcord::aws::hook::answer`]; what is here runs apart from it, and may
//! hang or die.

use std::time::Duration;

use ripcord::aws::Scope;
use ripcord::aws::hook::{Deployed, Hook, Opened, Work};
use ripcord::hook::{BEFORE_TRAFFIC, Checked, HookVerdict};
use ripcord::pipeline::Run;
use ripcord::preflight::decide_hook_before;

/// Checks, and keeps what was found.
pub async fn check(work: &Work, hook: &Hook) -> Checked {
    let deployed = match hook.deployed(work, BEFORE_TRAFFIC).await {
        Deployed::Alias(opened) => hook.unanswered(work, BEFORE_TRAFFIC, *opened).await,
        other @ (Deployed::Settled(_) | Deployed::Service(_)) => other,
    };
    match deployed {
        Deployed::Settled(checked) => *checked,
        Deployed::Service(installed) => hook.check_service(work, *installed).await,
        Deployed::Alias(opened) => check_version(work, &opened, hook).await,
    }
}

/// Lambda prepares a version for a moment after it was published. So many looks in ten seconds, which is ample.
const READY_LOOKS_MAX: u32 = 40;
const READY_LOOK_EVERY: Duration = Duration::from_millis(250);

async fn check_version(work: &Work, opened: &Opened, hook: &Hook) -> Checked {
    wait_until_prepared(work, opened, hook).await;
    let now = (hook.clock)();
    // No stage has begun, and no request to the version has been made whose end would have to be waited for.
    let run = Run::of_hook(&opened.record.registration, work.here.clone(), None, 0);
    let subject = opened.subject(&run);
    let facts = hook.aws.look(&subject, Scope::WithoutTraffic, work.patience(now), (now, hook.tempo)).await;
    let checks = decide_hook_before(&subject, &facts, (hook.clock)());
    let verdict = HookVerdict::of(&checks);
    let owner = Some(opened.owner());
    hook.kept(work, Checked { owner, event: BEFORE_TRAFFIC.to_owned(), checks, verdict }).await
}

/// Waits while the version is being prepared. What becomes of it is for the checks to say.
async fn wait_until_prepared(work: &Work, opened: &Opened, hook: &Hook) {
    for _ in 0..READY_LOOKS_MAX {
        let version = hook.aws.version(&opened.alias.function, opened.change.candidate).await;
        let is_prepared = |state: Option<String>| state.as_deref() != Some("Pending");
        let is_prepared = version.ok().flatten().is_none_or(|version| is_prepared(version.state));
        if is_prepared || work.patience((hook.clock)()).is_zero() {
            return;
        }
        tokio::time::sleep(READY_LOOK_EVERY).await;
    }
}
