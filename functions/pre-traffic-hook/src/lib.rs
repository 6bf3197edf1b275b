//! Checks what CodeDeploy is about to give traffic to: a version behind an alias, or the tasks of an ECS service.
//!
//! It must not decide anything itself: [`ripcord::hook`] and [`ripcord::preflight`] do. It moves no traffic, and vetoes no
//! rollback. The desk that answers CodeDeploy is [`ripcord::aws::hook::answer`]; what is here runs apart from it, and may
//! hang or die.

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

async fn check_version(work: &Work, opened: &Opened, hook: &Hook) -> Checked {
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
