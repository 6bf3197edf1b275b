//! Checks what CodeDeploy has given all traffic to, and lets the judge watch its first minutes.
//!
//! It must not decide anything itself: [`ripcord::hook`], [`ripcord::preflight`] and [`ripcord::judge`] do. It moves no
//! traffic, and vetoes no rollback. The desk that answers CodeDeploy is [`ripcord::aws::hook::answer`]; what is here runs
//! apart from it, and may hang or die.

use ripcord::aws::hook::{Deployed, Hook, Opened, Work};
use ripcord::hook::{AFTER_TRAFFIC, Checked, HookVerdict, is_judged};
use ripcord::names::Weight;
use ripcord::pipeline::Run;
use ripcord::preflight::{Subject, decide_hook_after};
use ripcord::release::Change;

mod watch;

/// A request may take so long where Lambda does not say: the longest there is.
const TIMEOUT_SECONDS_MAX: u32 = 900;

/// Checks, watches, and keeps what was found.
pub async fn check(work: &Work, hook: &Hook) -> Checked {
    let deployed = match hook.deployed(work, AFTER_TRAFFIC).await {
        Deployed::Alias(opened) => hook.unanswered(work, AFTER_TRAFFIC, *opened).await,
        other @ (Deployed::Settled(_) | Deployed::Service(_)) => other,
    };
    match deployed {
        Deployed::Settled(checked) => *checked,
        Deployed::Service(installed) => hook.check_service(work, *installed).await,
        Deployed::Alias(opened) => check_version(work, *opened, hook).await,
    }
}

async fn check_version(work: &Work, opened: Opened, hook: &Hook) -> Checked {
    // CodeDeploy calls this hook when its shift is over. Whether that is so is seen at every look.
    let opened = Opened { change: Change { weight: Weight::ALL, ..opened.change }, ..opened };
    let registration = &opened.record.registration;
    let (function, candidate) = (&opened.alias.function, opened.change.candidate);
    let since = (hook.clock)();
    let version = hook.aws.version(function, candidate).await;
    let timeout_seconds =
        version.ok().flatten().map_or(TIMEOUT_SECONDS_MAX, |version| version.timeout_seconds);
    let run = Run::of_hook(registration, work.here.clone(), Some(since), timeout_seconds);
    let subject = opened.subject(&run);
    let checks = look(&subject, work, hook).await;
    let mut verdict = HookVerdict::of(&checks);
    if verdict.succeeded && is_judged(registration) {
        verdict = watch::watch(&subject, since, work, hook).await;
    }
    let owner = Some(opened.owner());
    hook.kept(work, Checked { owner, event: AFTER_TRAFFIC.to_owned(), checks, verdict }).await
}

async fn look(subject: &Subject<'_>, work: &Work, hook: &Hook) -> Vec<ripcord::preflight::Check> {
    let now = (hook.clock)();
    let queues = &subject.record.registration.dead_letter_queues;
    let (answers, guards, dead_letters) = tokio::join!(
        hook.aws.ask(subject, work.patience(now)),
        hook.aws.look_at_guards_of(subject),
        hook.aws.look_at_dead_letters(queues, now, hook.tempo),
    );
    decide_hook_after(subject, &answers, &guards, &dead_letters)
}
