//! Whatever befalls a hook, CodeDeploy has one answer, in time: the shipped artefact is hung, killed, starved, throttled
//! and cut off from its names, and what is asserted is what CodeDeploy and the journal saw.

use std::io::Write;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use jiff::Timestamp;
use ripcord::aws::{Connection, Credentials, Endpoints};
use ripcord::registration::{HealthCheck, Registration};
use ripcord_rehearsal::checkout::{Behaviour, kill_checks};
use ripcord_rehearsal::codedeploy::{
    Deployment, DeploymentStatus as Status, EventStatus, LifecycleEventName,
};
use ripcord_rehearsal::front::call::Caller;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;

use super::*;

mod deliveries;

/// What CodeDeploy gives a hook; the plan's hour lasts a minute here.
const HOOK_MINUTES_MAX: f64 = 60.0;
/// The desk's promise: the answer is out so long before Lambda ends the function.
const SPARE: Duration = Duration::from_secs(2);
const ANSWER: &str = "PutLifecycleEventHookExecutionStatus";
/// Longer than a check waits for one try of a call.
const HANGING: Fault = Fault::Delay { duration_ms: 20_000 };
/// Answers with nearly the six megabytes that Lambda lets through; read, they are thirty times as much.
const VERBOSE: &str = r#"
def handler(event, context):
    return {"status": "paid", "order": [[0]] * 1150000}
"#;

#[derive(Clone, Copy)]
enum Hook {
    Before,
    After,
}

impl Hook {
    fn event(self) -> LifecycleEventName {
        match self {
            Self::Before => LifecycleEventName::BeforeAllowTraffic,
            Self::After => LifecycleEventName::AfterAllowTraffic,
        }
    }

    fn handler(self) -> &'static str {
        match self {
            Self::Before => "pre-traffic-hook",
            Self::After => "post-traffic-hook",
        }
    }

    fn function(self) -> String {
        format!("CodeDeployHook_ripcord-{}", self.handler())
    }
}

/// What befalls a hook, and what it must say of it.
struct Mishap {
    name: &'static str,
    hook: Hook,
    /// What Lambda gives the hook's function.
    timeout_seconds: u64,
    memory_mb: u64,
    candidate: Behaviour,
    /// The version's code, if it is another than the example's. The versions after it have it, too.
    code: Option<&'static str>,
    strikes: Vec<FaultRule>,
    kills_checks: bool,
    because: &'static str,
    /// Whether the ledger can be read, so that the release ends in it and people are told.
    is_told: bool,
}

impl Mishap {
    fn new(name: &'static str, hook: Hook, because: &'static str) -> Self {
        Self {
            name,
            hook,
            timeout_seconds: 12,
            memory_mb: 256,
            candidate: Behaviour::default(),
            code: None,
            strikes: Vec::new(),
            kills_checks: false,
            because,
            is_told: true,
        }
    }

    fn struck_by(self, operation: &str, fault: Fault) -> Self {
        Self { strikes: vec![FaultRule::always(operation, fault)], ..self }
    }
}

impl Deployed {
    /// Sets how Lambda runs a hook's function.
    async fn configure(&self, hook: Hook, configuration: &Value) {
        let path = format!("/2015-03-31/functions/{}/configuration", hook.function());
        let answer = self.scene.local.client().lambda("PUT", &path, configuration).await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text());
    }

    /// Gives the example other code, which its next version is published from.
    async fn update_code(&self, code: &str) {
        let mut package = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        package.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
        package.write_all(code.as_bytes()).unwrap();
        let package = Blob::new(package.finish().unwrap().into_inner());
        let connection = Connection {
            region: self.scene.local.region().to_owned(),
            credentials: Credentials::from_keys("operator", "secret", None),
            endpoints: Endpoints::One(self.scene.local.endpoint().to_owned()),
        };
        let lambda = aws_sdk_lambda::Client::new(&connection.sdk_config());
        lambda.update_function_code().function_name(SERVICE).zip_file(package).send().await.unwrap();
    }

    /// Deploys a version all at once, with these hooks.
    async fn deploy_hooked(&self, version: &str, hooks: &[Hook]) -> String {
        let (application, group) = self.group().await;
        let serving = self.scene.routing().await.version;
        let hooks: Vec<Value> =
            hooks.iter().map(|hook| json!({ hook.event().as_str(): hook.function() })).collect();
        let resource = json!({ "Type": "AWS::Lambda::Function", "Properties": {
            "Name": SERVICE, "Alias": "live", "CurrentVersion": serving, "TargetVersion": version,
        }});
        let spec = json!({ "version": "0.0", "Resources": [{ "it": resource }], "Hooks": hooks });
        let request = json!({
            "applicationName": application,
            "deploymentGroupName": group,
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
            "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": spec.to_string() } },
        });
        let created = self.call("CreateDeployment", &request).await;
        created["deploymentId"].as_str().unwrap().to_owned()
    }

    async fn publish(&self, behaviour: Behaviour) -> String {
        self.scene.stage.publish(&self.scene.local, behaviour).await.unwrap().to_string()
    }

    /// The end of a deployment and of its way back.
    async fn ended(&self, id: &str) -> Deployment {
        let codedeploy = self.scene.local.codedeploy();
        let deployment = codedeploy.wait_for(id, WAIT_MAX).await.unwrap();
        if let Some(rollback) = &deployment.rollback_id {
            codedeploy.wait_for(rollback, WAIT_MAX).await.unwrap();
        }
        deployment
    }

    /// The answers that CodeDeploy took.
    fn accepted(&self) -> Vec<JournalEntry> {
        let is_accepted = |call: &JournalEntry| call.operation == ANSWER && call.status == Some(200);
        self.scene.local.journal().matching(is_accepted)
    }

    /// When CodeDeploy invoked the hook; the function began after that, so its deadline is later than counted from here.
    fn invoked_at(&self, hook: Hook) -> Timestamp {
        let calls = self.scene.local.journal().matching(|call| {
            call.caller == Caller::CodeDeploy
                && call.resource.as_deref().is_some_and(|it| it.contains(&hook.function()))
        });
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].time
    }

    /// The hook has answered once, long before CodeDeploy's hour and its own deadline were over.
    fn assert_answered_in_time(&self, deployment: &Deployment, hook: Hook, timeout_seconds: u64, name: &str) {
        let accepted = self.accepted();
        assert_eq!(accepted.len(), 1, "{name}: {accepted:?}; {}", self.scene.local.log());
        assert_eq!(accepted[0].caller, Caller::Function(hook.function()), "{name}");
        let minutes = self.minutes(deployment, hook);
        assert!(minutes < HOOK_MINUTES_MAX / 2.0, "{name}: CodeDeploy waited for {minutes} minutes");
        let deadline = self.invoked_at(hook) + Duration::from_secs(timeout_seconds);
        let margin = accepted[0].time.duration_until(deadline);
        assert!(accepted[0].time <= deadline - SPARE, "{name}: answered only {margin:#} before the deadline");
    }

    /// How long CodeDeploy waited for the hook, in minutes of the plan.
    fn minutes(&self, deployment: &Deployment, hook: Hook) -> f64 {
        let event = deployment.events.iter().find(|event| event.name == hook.event()).unwrap();
        let waited = event.started.unwrap().duration_until(event.ended.unwrap());
        waited.as_secs_f64() / self.scene.local.minute().as_secs_f64()
    }

    /// Deploys, has the mishap happen, and sees to it that it ended as a refusal.
    async fn befall(&self, mishap: Mishap) {
        let Mishap { name, hook, timeout_seconds, .. } = mishap;
        let serving = self.scene.routing().await;
        let memory = json!({ "Timeout": timeout_seconds, "MemorySize": mishap.memory_mb });
        self.configure(hook, &memory).await;
        if let Some(code) = mishap.code {
            self.update_code(code).await;
        }
        let version = self.publish(mishap.candidate).await;
        self.scene.local.journal().clear();
        for rule in mishap.strikes {
            self.scene.local.faults().add(rule);
        }
        let id = self.deploy_hooked(&version, &[hook]).await;
        if mishap.kills_checks {
            self.kill_a_check(hook, name).await;
        }
        let deployment = self.ended(&id).await;
        self.scene.local.faults().clear();
        let error = deployment.error.as_ref().map(|error| error.code);
        assert_eq!((deployment.status, error), (Status::Failed, Some("HOOK_EXECUTION_FAILURE")), "{name}");
        assert_eq!(deployment.event(hook.event()), Some(EventStatus::Failed), "{name}");
        self.assert_answered_in_time(&deployment, hook, timeout_seconds, name);
        assert_eq!(self.scene.routing().await, serving, "{name}");
        self.until_logged(&id, mishap.because, name).await;
        if mishap.is_told {
            self.inbox.notice(&format!("deployment {id} is refused")).await;
            let ended = |release: &Release| {
                let is_its = release.deployment.as_ref().is_some_and(|its| its.id.as_str() == id);
                is_its && matches!(release.report, Report::Sent { .. })
            };
            let release = self.until("the end of the release", ended).await;
            self.until_kept(&release, mishap.because, name).await;
        }
    }

    /// Why the hook said no stands in the release that it ended. Where CodeDeploy's event was answered before the desk could
    /// write that down, because a check that dies at once has opened nothing, it stands among what was found.
    async fn until_kept(&self, release: &Release, words: &str, name: &str) {
        let because = release.ended_because.as_deref().unwrap_or_default();
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let ledger = &self.scene.stage.aws.ledger;
            let found = ledger.findings(&release.service, release.generation).await.unwrap();
            if because.contains(words) || serde_json::to_string(&found).unwrap().contains(words) {
                return;
            }
            assert!(Instant::now() < deadline, "{name}: {because}; {found:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Kills what checks once it has begun to look at the version.
    async fn kill_a_check(&self, hook: Hook, name: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        let calls = || self.scene.local.journal().calls_of(&hook.function());
        while !calls().iter().any(|call| call.operation == "Invoke") {
            assert!(Instant::now() < deadline, "{name}: nothing was checked: {}", self.scene.local.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while kill_checks(&self.scene.local) == 0 {
            assert!(Instant::now() < deadline, "{name}: no check was started: {}", self.scene.local.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The hook's log has a record of the deployment with these words; it is written after the answer.
    async fn until_logged(&self, id: &str, words: &str, name: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let log = self.scene.local.log();
            if log.lines().any(|line| line.contains(id) && line.contains(words)) {
                return;
            }
            assert!(Instant::now() < deadline, "{name}: {words:?} is not in the log: {log}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn slow(latency_ms: u32) -> Behaviour {
    Behaviour { latency_ms, ..Behaviour::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_hang_or_die_are_refusals_in_time() {
    let deployed = Deployed::set().await;
    for mishap in [
        Mishap {
            timeout_seconds: 14,
            candidate: slow(9_000),
            ..Mishap::new("the smoke test hangs", Hook::Before, "smoke")
        },
        Mishap {
            timeout_seconds: 10,
            ..Mishap::new("the check hangs", Hook::Before, "the check did not answer within")
                .struck_by("DescribeAlarms", HANGING)
        },
        Mishap {
            timeout_seconds: 20,
            candidate: slow(3_000),
            kills_checks: true,
            ..Mishap::new("the check is killed", Hook::Before, "SIGKILL")
        },
        Mishap {
            timeout_seconds: 20,
            candidate: slow(3_000),
            kills_checks: true,
            ..Mishap::new("the check after traffic is killed", Hook::After, "SIGKILL")
        },
        // A megabyte more than what the desk keeps for itself.
        Mishap { memory_mb: 49, ..Mishap::new("the check has no memory", Hook::Before, "the check died") },
        Mishap {
            timeout_seconds: 10,
            ..Mishap::new("the check after traffic hangs", Hook::After, "the check did not answer within")
                .struck_by("DescribeAlarms", HANGING)
        },
        Mishap {
            timeout_seconds: 20,
            memory_mb: 128,
            code: Some(VERBOSE),
            ..Mishap::new("the answer is too long for the check", Hook::Before, "memory allocation of")
        },
    ] {
        deployed.befall(mishap).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_are_refusals_in_time() {
    let deployed = Deployed::set().await;
    let refused = Behaviour { error_percent: 100, ..Behaviour::default() };
    let unseen = |mishap: Mishap| Mishap { is_told: false, ..mishap };
    for mishap in [
        // With time for all of its tries.
        unseen(Mishap {
            timeout_seconds: 18,
            ..Mishap::new("CodeDeploy is throttled", Hook::Before, "codedeploy:GetDeployment")
                .struck_by("GetDeployment", Fault::Throttle)
        }),
        unseen(
            Mishap::new("the ledger is throttled", Hook::Before, "dynamodb:Query")
                .struck_by("Query", Fault::Throttle),
        ),
        unseen(
            Mishap::new("the ledger is throttled after traffic", Hook::After, "dynamodb:Query")
                .struck_by("Query", Fault::Throttle),
        ),
        Mishap {
            candidate: refused,
            strikes: vec![FaultRule::always(ANSWER, Fault::Throttle).times(4)],
            ..Mishap::new("the answer is throttled", Hook::Before, "smoke")
        },
        // More often than one invocation tries: Lambda delivers the event again.
        Mishap {
            candidate: refused,
            strikes: vec![FaultRule::always(ANSWER, Fault::Throttle).times(8)],
            ..Mishap::new("the answer is throttled for longer", Hook::Before, "smoke")
        },
    ] {
        deployed.befall(mishap).await;
    }
    let url = "https://health.nowhere.invalid/health".to_owned();
    let mut registration: Registration = registration();
    registration.preflight.health = Some(HealthCheck { url, status: 200, private: false });
    deployed.scene.stage.register_as(&registration).await.unwrap();
    for (name, hook) in [("a name does not resolve", Hook::Before), ("nor after traffic", Hook::After)] {
        deployed.befall(Mishap::new(name, hook, "health.nowhere.invalid")).await;
    }
}
