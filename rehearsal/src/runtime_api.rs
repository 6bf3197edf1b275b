//! Lambda's Runtime API, and a host for the processes that speak it.
//!
//! A function's real binary runs here as it does in Lambda: it asks for its next event over HTTP, posts a
//! response or an error, and may crash, hang or be killed at any moment. One process handles one event at a
//! time, so it gets one [`RuntimeApi`] of its own, which is also how the two always know each other.
//!
//! What this module must not do: interpret events, retry anything, or know what a function is for.

mod process;
mod spec;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

pub use process::{
    FunctionProcess, InvocationOutcome, InvocationTimes, KillSwitch, LogLine, LogStream, ProcessExit,
    ResourceUse, SpawnError,
};
pub use spec::FunctionSpec;

/// Lambda refuses synchronous answers above this size.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// One event on its way to a function process.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline_epoch_ms: u128,
    pub(crate) function_arn: String,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What a function process said about one event, and when.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) said: Result<Value, FunctionError>,
    pub(crate) delivered_at: Instant,
    pub(crate) answered_at: Instant,
}

/// An error that a function reported, either about an event or about its own initialisation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FunctionError {
    /// The name that `Catch` and `Retry` of a state machine would see.
    pub error_type: String,
    /// What went wrong, in the function's words.
    pub message: String,
    /// The stack trace, if the runtime sends one.
    pub stack: Vec<String>,
}

/// The Runtime API of one function process, on a free loopback port. It ends when it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<VecDeque<Delivery>>,
    queued: Notify,
    in_flight: Mutex<Option<InFlight>>,
    first_next: watch::Sender<Option<Instant>>,
    init_error: watch::Sender<Option<FunctionError>>,
}

#[derive(Debug)]
struct InFlight {
    request_id: String,
    delivered_at: Instant,
    answer: oneshot::Sender<Answer>,
}

impl RuntimeApi {
    /// Starts serving. Fails only where no loopback port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, server })
    }

    /// What belongs into `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the function asked for its first event, which is when it was ready; changes once.
    #[must_use]
    pub fn first_next(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.first_next.subscribe()
    }

    /// What the function reported about a failed initialisation, if it did.
    #[must_use]
    pub fn init_error(&self) -> watch::Receiver<Option<FunctionError>> {
        self.shared.init_error.subscribe()
    }

    /// Hands an event to whoever asks next. One whose receiver is gone by then is passed over.
    pub(crate) fn offer(&self, delivery: Delivery) {
        lock(&self.shared.queue).push_back(delivery);
        self.shared.queued.notify_one();
    }

    /// When the event in flight, if any, was handed over.
    pub(crate) fn in_flight_since(&self) -> Option<Instant> {
        lock(&self.shared.in_flight).as_ref().map(|in_flight| in_flight.delivered_at)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An id of the form that Lambda gives, unlike any other of this or another host process.
pub(crate) fn request_id_new() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let nanos = epoch().as_nanos();
    let process = std::process::id() & 0xffff;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff_ffff;
    format!("{:08x}-{process:04x}-4{:03x}-8000-{count:012x}", nanos & 0xffff_ffff, (nanos >> 32) & 0xfff)
}

/// The time since 1970, for the deadline header.
pub(crate) fn epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A poisoned lock only means that some other thread panicked; what it guards here is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts until the task is aborted. A function opens one or two connections and keeps them.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping the set with this task ends every connection, so that an orphaned function notices.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                // The listener itself is gone: nothing more can come.
                Err(_) => return,
            },
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Without this a small answer may wait 40 ms for an acknowledgement, which would drown what is measured.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(route(request, &shared).await) }
    });
    // A connection that breaks is a function that died, which its host learns from the process itself.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn route(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let Some(path) = request.uri().path().strip_prefix("/2018-06-01/runtime/").map(str::to_owned) else {
        return refusal(StatusCode::NOT_FOUND, "NotFound");
    };
    let parts: Vec<&str> = path.split('/').collect();
    let method = request.method().clone();
    match (method, parts.as_slice()) {
        (Method::GET, ["invocation", "next"]) => next(shared).await,
        (Method::POST, ["invocation", id, "response"]) => answer(shared, id, response_value(request).await),
        (Method::POST, ["invocation", id, "error"]) => answer(shared, id, Err(function_error(request).await)),
        (Method::POST, ["init", "error"]) => {
            shared.init_error.send_replace(Some(function_error(request).await));
            accepted()
        }
        _ => refusal(StatusCode::NOT_FOUND, "NotFound"),
    }
}

/// The long poll: answers when there is an event. A caller that goes away while it waits loses none.
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    let asked_at = Instant::now();
    shared.first_next.send_if_modified(|first| {
        let is_first = first.is_none();
        first.get_or_insert(asked_at);
        is_first
    });
    loop {
        let delivery = lock(&shared.queue).pop_front();
        match delivery {
            Some(delivery) if delivery.answer.is_closed() => {}
            Some(delivery) => return hand_over(shared, delivery),
            None => shared.queued.notified().await,
        }
    }
}

fn hand_over(shared: &Shared, delivery: Delivery) -> Response<Full<Bytes>> {
    let trace = format!("Root=1-{:08x}-{:024x};Sampled=0", epoch().as_secs(), delivery.deadline_epoch_ms);
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &delivery.request_id)
        .header("Lambda-Runtime-Deadline-Ms", delivery.deadline_epoch_ms.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", &delivery.function_arn)
        .header("Lambda-Runtime-Trace-Id", trace)
        .body(Full::new(delivery.payload));
    *lock(&shared.in_flight) = Some(InFlight {
        request_id: delivery.request_id,
        delivered_at: Instant::now(),
        answer: delivery.answer,
    });
    response.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "InvalidHeader"))
}

fn answer(shared: &Shared, request_id: &str, said: Result<Value, FunctionError>) -> Response<Full<Bytes>> {
    let mut in_flight = lock(&shared.in_flight);
    let Some(current) = in_flight.take_if(|current| current.request_id == request_id) else {
        return refusal(StatusCode::BAD_REQUEST, "InvalidRequestID");
    };
    let answer = Answer { said, delivered_at: current.delivered_at, answered_at: Instant::now() };
    // Nobody waits any more when the invocation timed out in the meantime; Lambda accepts the post all the same.
    drop(current.answer.send(answer));
    accepted()
}

async fn response_value(request: Request<Incoming>) -> Result<Value, FunctionError> {
    let body = read_body(request).await?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body)
        .map_err(|error| own_error("Runtime.InvalidResponse", format!("the response is not JSON: {error}")))
}

async fn function_error(request: Request<Incoming>) -> FunctionError {
    let header = request
        .headers()
        .get("Lambda-Runtime-Function-Error-Type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("Unknown")
        .to_owned();
    let body = match read_body(request).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let stack = body.get("stackTrace").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    FunctionError {
        error_type: text("errorType").unwrap_or(header),
        message: text("errorMessage").unwrap_or_default(),
        stack: stack.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

async fn read_body(request: Request<Incoming>) -> Result<Bytes, FunctionError> {
    match Limited::new(request.into_body(), ANSWER_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(own_error(
            "Function.ResponseSizeTooLarge",
            format!("the body could not be read within {ANSWER_BYTES_MAX} bytes: {error}"),
        )),
    }
}

fn own_error(error_type: &str, message: String) -> FunctionError {
    FunctionError { error_type: error_type.to_owned(), message, stack: Vec::new() }
}

fn accepted() -> Response<Full<Bytes>> {
    with_status(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn refusal(status: StatusCode, error_type: &str) -> Response<Full<Bytes>> {
    with_status(status, &json!({"errorType": error_type, "errorMessage": error_type}))
}

fn with_status(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
}
