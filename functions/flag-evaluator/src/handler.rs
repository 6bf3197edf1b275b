//! One request, from being read to being answered.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use ripcord::aws::{FlagSource, console};
use ripcord::flags::Context;
use ripcord::pipeline::Tempo;
use serde_json::{Value, json};

use crate::document::Document;
use crate::keeper::{Keeper, News, Trouble};
use crate::reply::{Refusal, Reply};
use crate::request::Request;

/// At most so many problems of a refused document are logged; a validator has told whoever wrote it.
const PROBLEMS_LOGGED_MAX: usize = 20;

/// What answering needs.
#[derive(Debug)]
pub struct Evaluator {
    source: FlagSource,
    keeper: Mutex<Keeper>,
    namespace: String,
    poll_seconds: u32,
    clock: fn() -> Timestamp,
}

impl Evaluator {
    /// Nothing is fetched yet.
    pub fn new(
        source: FlagSource,
        poll_seconds: u32,
        tempo: Tempo,
        namespace: String,
        clock: fn() -> Timestamp,
    ) -> Self {
        let keeper = Mutex::new(Keeper::new(poll_seconds, tempo));
        Self { source, keeper, namespace, poll_seconds, clock }
    }

    /// Asks AppConfig for a newer document if that is due, for a bounded time. Called once while the process starts, when
    /// Lambda gives it a whole CPU, and then before each answer.
    pub async fn refresh(&self) {
        let Some(look) = self.with_keeper(|keeper| keeper.begin((self.clock)())) else { return };
        let latest = tokio::time::timeout(look.patience, self.source.latest(look.token)).await;
        let outcome = match latest {
            Ok(latest) => latest.map_err(|error| error.to_string()),
            Err(_) => Err(format!("AppConfig has not answered within {:?}", look.patience)),
        };
        let now = (self.clock)();
        if let Some(news) = self.with_keeper(|keeper| keeper.end(outcome, now)) {
            tell(&news, &self.namespace, now);
        }
    }

    /// Never held while anything is waited for.
    fn with_keeper<T>(&self, act: impl FnOnce(&mut Keeper) -> T) -> T {
        act(&mut self.keeper.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn served(&self) -> Result<(Arc<Document>, Option<Trouble>), Refusal> {
        let now = (self.clock)();
        self.with_keeper(|keeper| match keeper.served() {
            (Some(document), trouble) => Ok((document, trouble)),
            (None, trouble) => {
                let why = trouble.map_or("AppConfig is being asked", Trouble::code);
                Err(Refusal::no_flags(why, keeper.retry_after_seconds(now)))
            }
        })
    }
}

/// Answers a request.
pub async fn answer(event: Value, evaluator: &Evaluator) -> Reply {
    try_answer(event, evaluator).await.unwrap_or_else(Reply::from)
}

async fn try_answer(event: Value, evaluator: &Evaluator) -> Result<Reply, Refusal> {
    let request = Request::read(event)?;
    evaluator.refresh().await;
    let (document, trouble) = evaluator.served()?;
    let reply = answered(&request, &document, evaluator.poll_seconds, (evaluator.clock)());
    Ok(match trouble {
        Some(trouble) => reply.header("x-flags-stale", trouble.code()),
        None => reply,
    })
}

fn answered(request: &Request, document: &Document, poll_seconds: u32, now: Timestamp) -> Reply {
    match request {
        Request::List { known, is_head } => listed(document, known.as_deref(), *is_head, poll_seconds),
        Request::Evaluate { flag_key, context } => {
            let mut answer = evaluated(document, flag_key, context);
            answer["timestamp"] = json!(now);
            Reply::json(200, &answer).header("cache-control", "no-store")
        }
        Request::Batch { flag_keys, context } => {
            let evaluations: Vec<Value> = match flag_keys {
                Some(keys) => keys.iter().map(|key| evaluated(document, key, context)).collect(),
                None => document.flags.keys().map(|key| evaluated(document, key, context)).collect(),
            };
            let answer = json!({ "evaluations": evaluations, "timestamp": now });
            Reply::json(200, &answer).header("cache-control", "no-store")
        }
    }
}

/// A flag that is not there is off, and no error: a client that still asks must not break when a flag is removed.
fn evaluated(document: &Document, flag_key: &str, context: &Context) -> Value {
    let evaluation = document.flags.evaluate(flag_key, context);
    json!({
        "flag_key": flag_key,
        "enabled": evaluation.enabled,
        "variant": evaluation.variant,
        "reason": evaluation.reason.to_string(),
    })
}

fn listed(document: &Document, known: Option<&str>, is_head: bool, poll_seconds: u32) -> Reply {
    let is_known = known.is_some_and(|known| holds(known, &document.etag));
    let (status, body) = match (is_known, is_head) {
        (true, _) => (304, String::new()),
        (false, true) => (200, String::new()),
        (false, false) => (200, document.listing.clone()),
    };
    // Whoever keeps it for as long as AppConfig is not asked either sees a change at most twice as late.
    Reply::new(status, body)
        .header("etag", document.etag.clone())
        .header("cache-control", format!("private, max-age={poll_seconds}"))
}

/// Whether `If-None-Match` names the validator; weak comparison, as the standard wants it.
fn holds(known: &str, etag: &str) -> bool {
    let mut listed = known.split(',').map(str::trim);
    listed.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// Each thing is told once, however many requests it lasts for.
fn tell(news: &News, namespace: &str, now: Timestamp) {
    match news {
        News::Loaded { flags, bytes } => {
            let fields = json!({ "flags": flags, "bytes": bytes });
            console::record("info", "another flag document is served", fields);
        }
        News::Reached => console::record("info", "AppConfig answers again", json!({})),
        News::Unreachable(why) => {
            let message = "AppConfig could not be asked, and the last good flag document is served on";
            console::record("warn", message, json!({ "why": why }));
            console::line(&metric("FlagRefreshFailed", namespace, now));
        }
        News::Rejected(invalid) => {
            let problems: Vec<String> =
                invalid.problems.iter().take(PROBLEMS_LOGGED_MAX).map(ToString::to_string).collect();
            let fields = json!({ "count": invalid.problems.len(), "problems": problems });
            let message = "the deployed flag document is invalid, and the last good one is served on";
            console::record("error", message, fields);
            console::line(&metric("FlagDocumentRejected", namespace, now));
        }
    }
}

/// A count of one in the embedded metric format. A suite serves one configuration, so nothing tells two apart.
fn metric(name: &str, namespace: &str, now: Timestamp) -> String {
    let metrics = json!([{ "Name": name, "Unit": "Count" }]);
    let directive = json!({ "Namespace": namespace, "Dimensions": [[]], "Metrics": metrics });
    let mut line = json!({ "_aws": { "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] } });
    line[name] = json!(1.0);
    line.to_string()
}
