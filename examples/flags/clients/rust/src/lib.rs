//! Asks the flag-evaluator whether a flag is on.
//!
//! ```no_run
//! # use flag_client::{Fallback, FlagClient};
//! # let user = "u1";
//! let flags = FlagClient::new("https://abc.execute-api.eu-west-1.amazonaws.com/feature-flags");
//! let context = serde_json::json!({ "user_id": user, "country": "AT" });
//! if flags.evaluate("new-search", &context, Fallback::OFF).enabled { /* .. */ }
//! ```
//!
//! A flag must never be why a request fails: whatever happens, there is an answer, in bounded time. It is the service's,
//! else the last one that the service gave to the same question, else the caller's own fallback.
//!
//! The API asks for IAM by default, and this client does not sign: put it behind something that does, as a sidecar that
//! signs, or use an agent with a middleware of your own through [`FlagClient::with_agent`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

/// How long a request may take.
const REQUEST_SECONDS_MAX: f64 = 0.5;
/// How many answers are kept for when the service is away.
const KEPT_MAX: usize = 1_000;

/// What the caller does when nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback<'d> {
    pub enabled: bool,
    pub variant: Option<&'d str>,
}

impl Fallback<'_> {
    pub const OFF: Self = Self { enabled: false, variant: None };
    pub const ON: Self = Self { enabled: true, variant: None };
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub enabled: bool,
    pub variant: Option<String>,
    /// A sentence for people. Its words may change: do not compare them.
    pub reason: String,
    pub from: Source,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The service, now.
    Service,
    /// The service, earlier: it could not be asked now.
    Kept,
    /// The caller.
    Fallback,
}

/// Why the service did not answer.
#[derive(Debug)]
pub enum Problem {
    /// It was not reached in time, or did not speak JSON.
    Away(ureq::Error),
    /// It refused the question, as `{"error", "message"}` says.
    Refused { status: u16, error: String, message: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Flag {
    pub flag_key: String,
    pub enabled: bool,
    pub variants: Vec<String>,
    pub description: Option<String>,
}

pub struct FlagClient {
    agent: Agent,
    url: String,
    on_problem: Box<dyn Fn(&Problem) + Send + Sync>,
    kept: Mutex<Kept>,
    listed: Mutex<Option<Listed>>,
}

/// The last good answers, and their questions from the oldest on.
#[derive(Default)]
struct Kept {
    answers: BTreeMap<String, Answer>,
    order: VecDeque<String>,
}

#[derive(Clone)]
struct Listed {
    etag: Option<String>,
    flags: Vec<Flag>,
}

impl FlagClient {
    /// `url` is where the API is: the output `FlagApiUrl` of the suite, which ends with `/feature-flags`.
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(REQUEST_SECONDS_MAX)))
            .http_status_as_error(false);
        Self::with_agent(url, config.build().into())
    }

    /// The agent must have a timeout, and must not make statuses into errors.
    pub fn with_agent(url: &str, agent: Agent) -> Self {
        Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            on_problem: Box::new(|_| ()),
            kept: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// Who is told why the service did not answer. Without it nobody notices a misspelt URL.
    #[must_use]
    pub fn on_problem(mut self, tell: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        self.on_problem = Box::new(tell);
        self
    }

    /// A flag that the document does not have is off.
    pub fn evaluate(&self, flag_key: &str, context: &Value, fallback: Fallback<'_>) -> Answer {
        let asked = json!({ "flag_key": flag_key, "context": context });
        match self.post::<Evaluation>("/evaluate", &asked) {
            Ok(evaluation) => self.keep(context, evaluation),
            Err(problem) => {
                (self.on_problem)(&problem);
                self.without(flag_key, context, fallback)
            }
        }
    }

    /// Several flags in one request; each with what the caller does without an answer.
    pub fn evaluate_all(&self, flags: &[(&str, Fallback<'_>)], context: &Value) -> BTreeMap<String, Answer> {
        let keys: Vec<&str> = flags.iter().map(|(key, _)| *key).collect();
        let asked = json!({ "flag_keys": keys, "context": context });
        let mut answers = BTreeMap::new();
        match self.post::<Evaluations>("/evaluate-batch", &asked) {
            Ok(Evaluations { evaluations }) => {
                for evaluation in evaluations {
                    answers.insert(evaluation.flag_key.clone(), self.keep(context, evaluation));
                }
            }
            Err(problem) => (self.on_problem)(&problem),
        }
        for (key, fallback) in flags {
            answers.entry((*key).to_owned()).or_insert_with(|| self.without(key, context, *fallback));
        }
        answers
    }

    /// Which flags there are; downloaded again only if they changed, and as last known if the service is away.
    pub fn list(&self) -> Result<Vec<Flag>, Problem> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.fetch_list(listed.as_ref()), listed.as_ref()) {
            (Ok(fetched), _) => Ok(listed.insert(fetched).flags.clone()),
            (Err(problem), Some(known)) => {
                (self.on_problem)(&problem);
                Ok(known.flags.clone())
            }
            (Err(problem), None) => Err(problem),
        }
    }

    fn fetch_list(&self, known: Option<&Listed>) -> Result<Listed, Problem> {
        let mut request = self.agent.get(&self.url);
        if let Some(etag) = known.and_then(|known| known.etag.as_deref()) {
            request = request.header("if-none-match", etag);
        }
        let response = request.call().map_err(Problem::Away)?;
        if let Some(known) = known.filter(|_| response.status() == 304) {
            return Ok(known.clone());
        }
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(Listed { etag, flags: read::<Listing>(response)?.flags })
    }

    fn post<T: for<'de> Deserialize<'de>>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        let response =
            self.agent.post(format!("{}{path}", self.url)).send_json(body).map_err(Problem::Away)?;
        read(response)
    }

    fn keep(&self, context: &Value, evaluation: Evaluation) -> Answer {
        let Evaluation { flag_key, enabled, variant, reason } = evaluation;
        let answer = Answer { enabled, variant, reason, from: Source::Service };
        let question = question(&flag_key, context);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = kept.answers.insert(question.clone(), Answer { from: Source::Kept, ..answer.clone() });
        if earlier.is_none() {
            kept.order.push_back(question);
        }
        if kept.order.len() > KEPT_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.answers.remove(&oldest);
        }
        answer
    }

    fn without(&self, flag_key: &str, context: &Value, fallback: Fallback<'_>) -> Answer {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.answers.get(&question(flag_key, context)).cloned().unwrap_or_else(|| Answer {
            enabled: fallback.enabled,
            variant: fallback.variant.map(str::to_owned),
            reason: "the flags could not be asked".to_owned(),
            from: Source::Fallback,
        })
    }
}

#[derive(Deserialize)]
struct Evaluation {
    flag_key: String,
    enabled: bool,
    variant: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
struct Evaluations {
    evaluations: Vec<Evaluation>,
}

#[derive(Deserialize)]
struct Listing {
    flags: Vec<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    message: String,
}

/// The same question whichever way round its attributes stand.
fn question(flag_key: &str, context: &Value) -> String {
    let attributes: Option<BTreeMap<&String, &Value>> =
        context.as_object().map(|object| object.iter().collect());
    json!([flag_key, attributes]).to_string()
}

fn read<T: for<'de> Deserialize<'de>>(mut response: ureq::http::Response<ureq::Body>) -> Result<T, Problem> {
    let status = response.status();
    if status.is_success() {
        return response.body_mut().read_json().map_err(Problem::Away);
    }
    let Refusal { error, message } = response.body_mut().read_json().unwrap_or_default();
    Err(Problem::Refused { status: status.as_u16(), error, message })
}
