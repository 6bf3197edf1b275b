//! The one artefact that every function of the suite runs. Lambda names the handler; this wires it up.
//!
//! One artefact instead of one per function compiles once, and its few hundred unused kilobytes are never paged in.

// The SDK nests futures deeply, and the whole of an invocation is one of them.
#![recursion_limit = "256"]

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use alarm_rollback::{Alarms, Pull};
use alias_weight_shifter::Shifter;
use anyhow::{Context, bail};
use ecs_lifecycle_hook::Checker;
use flag_evaluator::Evaluator;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use release_preflight::Inspector;
use release_recorder::Recorder;
use release_widget::Widget;
use ripcord::aws::apart::{Apart, CHECK, answer_apart};
use ripcord::aws::hook::{self, Desk, Hook, Work};
use ripcord::aws::{Aws, Connection, Credentials, Endpoints, FlagConfiguration, FlagSource, SuiteNames};
use ripcord::error_type::Failure;
use ripcord::hook::{AFTER_TRAFFIC, BEFORE_TRAFFIC};
use ripcord::pipeline::Tempo;
use serde_json::Value;
use stage_validator::Validator;

const PRE_TRAFFIC_HOOK: &str = "pre-traffic-hook";
const POST_TRAFFIC_HOOK: &str = "post-traffic-hook";

// One invocation at a time, nothing to run in parallel: a second thread would only cost its start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    if env::args().nth(1).as_deref() == Some(CHECK) {
        return check(settings).await;
    }
    match settings.handler.as_str() {
        "flag-evaluator" => evaluate_flags(settings).await,
        "flag-validator" => validate_flags().await,
        _ => serve(settings).await,
    }
}

/// A function that needs the suite's clients.
async fn serve(settings: Settings) -> anyhow::Result<()> {
    let Settings { handler, connection, names, namespace, tempo, .. } = settings;
    let (aws, clock) = (Aws::new(&connection.sdk_config(), names), Timestamp::now);
    let ended = match handler.as_str() {
        "alarm-rollback" => {
            let pull = &Pull { aws, namespace, clock, alarms: Alarms::default() };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                alarm_rollback::answer(&event.payload, deadline(&event), pull).await.map_err(named)
            }))
            .await
        }
        "alias-weight-shifter" => {
            let shifter = &Shifter { aws, clock };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                alias_weight_shifter::shift(&event.payload, deadline(&event), shifter).await.map_err(named)
            }))
            .await
        }
        PRE_TRAFFIC_HOOK | POST_TRAFFIC_HOOK => {
            let event = if handler == PRE_TRAFFIC_HOOK { BEFORE_TRAFFIC } else { AFTER_TRAFFIC };
            let hook = Hook { aws, clock, tempo };
            let desk = &Desk { hook, apart: Apart::in_this_executable(), event };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                let here = &event.context.invoked_function_arn;
                hook::answer(&event.payload, ends_at(&event), here, desk).await.map_err(named)
            }))
            .await
        }
        "ecs-lifecycle-hook" => {
            let (desk, apart) = (ecs_lifecycle_hook::Desk { clock, tempo }, &Apart::in_this_executable());
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                let work = async |request, patience| apart.run(&request, patience).await;
                let answered = ecs_lifecycle_hook::answer(&event.payload, ends_at(&event), desk, work);
                Ok::<_, Diagnostic>(answered.await)
            }))
            .await
        }
        "release-preflight" => {
            let inspector = &Inspector { aws, clock, tempo };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                release_preflight::inspect(&event.payload, deadline(&event), inspector).await.map_err(named)
            }))
            .await
        }
        "release-recorder" => {
            let recorder = &Recorder { aws, namespace };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                release_recorder::record(&event.payload, recorder).await.map_err(named)
            }))
            .await
        }
        "release-widget" => {
            let widget = &Widget { aws, clock };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                let here = &event.context.invoked_function_arn;
                Ok::<_, Diagnostic>(release_widget::answer(&event.payload, here, widget).await)
            }))
            .await
        }
        "stage-validator" => {
            let validator = &Validator { aws, namespace, clock, tempo };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
                stage_validator::validate(&event.payload, deadline(&event), validator).await.map_err(named)
            }))
            .await
        }
        other => bail!("no function of this suite is called {other:?}"),
    };
    ended.map_err(not_served)
}

/// It needs none of the suite's clients but its own.
async fn evaluate_flags(settings: Settings) -> anyhow::Result<()> {
    let Settings { connection, namespace, tempo, flags, .. } = settings;
    let Flags { configuration, poll_seconds } = flags.context("failed to read RIPCORD_FLAGS")?;
    let source = FlagSource::new(&connection.sdk_config(), configuration, poll_seconds);
    let evaluator = &Evaluator::new(source, poll_seconds, tempo, namespace, Timestamp::now);
    // Before the first event Lambda gives a process a whole CPU, and no request waits.
    evaluator.refresh().await;
    let ended = lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<_, Diagnostic>(flag_evaluator::answer(event.payload, evaluator).await)
    }));
    ended.await.map_err(not_served)
}

async fn validate_flags() -> anyhow::Result<()> {
    let ended = lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        flag_evaluator::validate(&event.payload).map_err(|rejected| Diagnostic {
            error_type: rejected.error_type.to_owned(),
            error_message: rejected.message,
        })
    }));
    ended.await.map_err(not_served)
}

fn not_served(error: lambda_runtime::Error) -> anyhow::Error {
    anyhow::anyhow!("failed to serve the runtime API: {error}")
}

/// What a function does in a process of its own, because it may hang or die of it.
async fn check(settings: Settings) -> anyhow::Result<()> {
    let Settings { handler, connection, names, tempo, .. } = settings;
    let (aws, clock) = (Aws::new(&connection.sdk_config(), names), Timestamp::now);
    match handler.as_str() {
        PRE_TRAFFIC_HOOK => {
            let hook = &Hook { aws, clock, tempo };
            answer_apart(async |work: Work| pre_traffic_hook::check(&work, hook).await).await?;
        }
        POST_TRAFFIC_HOOK => {
            let hook = &Hook { aws, clock, tempo };
            answer_apart(async |work: Work| post_traffic_hook::check(&work, hook).await).await?;
        }
        "ecs-lifecycle-hook" => {
            let checker = &Checker { aws, clock, tempo };
            answer_apart(async |request| ecs_lifecycle_hook::work(request, checker).await).await?;
        }
        other => bail!("{other:?} checks nothing in a process of its own"),
    }
    Ok(())
}

/// The runtime would name an error after its Rust type; state machines match on ours.
fn named(failure: Failure) -> Diagnostic {
    Diagnostic { error_type: failure.error_type.to_string(), error_message: failure.message }
}

/// When Lambda ends the invocation.
fn ends_at(event: &LambdaEvent<Value>) -> Timestamp {
    let deadline = i64::try_from(event.context.deadline).ok();
    deadline.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_else(Timestamp::now)
}

/// When Lambda will have ended the invocation. A lease is known by its end, and duplicates of a signal often start within
/// the same millisecond, so each invocation's ends a fraction of a second of its own later.
fn deadline(event: &LambdaEvent<Value>) -> Timestamp {
    let deadline = ends_at(event);
    let mut hasher = DefaultHasher::new();
    event.context.request_id.hash(&mut hasher);
    deadline.saturating_add(Duration::from_nanos(hasher.finish() % 1_000_000_000)).unwrap_or(deadline)
}

/// What Lambda and the template put into the environment.
struct Settings {
    handler: String,
    connection: Connection,
    names: SuiteNames,
    namespace: String,
    tempo: Tempo,
    /// Only the function that evaluates flags has them.
    flags: Option<Flags>,
}

/// Which flags are served, and how often AppConfig is asked for them.
struct Flags {
    configuration: FlagConfiguration,
    poll_seconds: u32,
}

impl Flags {
    fn from_environment() -> anyhow::Result<Option<Self>> {
        let Ok(arn) = env::var("RIPCORD_FLAGS") else { return Ok(None) };
        let poll = env::var("RIPCORD_FLAGS_POLL_SECONDS")
            .context("failed to read RIPCORD_FLAGS_POLL_SECONDS from the environment")?;
        let poll_seconds = poll.parse().with_context(|| format!("failed to read {poll:?} as seconds"))?;
        Ok(Some(Self { configuration: arn.parse()?, poll_seconds }))
    }
}

impl Settings {
    fn from_environment() -> anyhow::Result<Self> {
        let required = |name: &str| {
            env::var(name).with_context(|| format!("failed to read {name} from the environment"))
        };
        Ok(Self {
            handler: required("_HANDLER")?,
            connection: Connection {
                region: required("AWS_REGION")?,
                credentials: Credentials::from_keys(
                    required("AWS_ACCESS_KEY_ID")?,
                    required("AWS_SECRET_ACCESS_KEY")?,
                    env::var("AWS_SESSION_TOKEN").ok(),
                ),
                endpoints: Endpoints::Variables(|name| env::var(name).ok()),
            },
            names: SuiteNames {
                table: required("RIPCORD_TABLE")?,
                topic_arn: required("RIPCORD_TOPIC_ARN")?,
            },
            namespace: required("RIPCORD_NAMESPACE")?,
            tempo: tempo(env::var("RIPCORD_MINUTE_MS").ok())?,
            flags: Flags::from_environment()?,
        })
    }
}

/// Only a rehearsal says that a minute lasts less than one.
fn tempo(minute_ms: Option<String>) -> anyhow::Result<Tempo> {
    match minute_ms {
        None => Ok(Tempo::REAL),
        Some(text) => {
            let ms = text.parse().with_context(|| format!("failed to read RIPCORD_MINUTE_MS = {text:?}"))?;
            Ok(Tempo::of_minute_ms(ms))
        }
    }
}
