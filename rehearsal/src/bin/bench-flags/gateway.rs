//! An HTTP server that does what API Gateway does: each request becomes an event of payload 2.0, and its answer a response.
//! One process handles one event at a time, so requests that come together wait for each other here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ripcord_rehearsal::runtime_api::{FunctionProcess, InvocationOutcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// More than any number of connections.
const WAITING_MAX: usize = 1_024;

type Waiting = (Value, oneshot::Sender<InvocationOutcome>);

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    cpu_us: Arc<Mutex<u64>>,
    /// Ends with it.
    _tasks: JoinSet<()>,
}

impl Gateway {
    pub(crate) async fn start(mut process: FunctionProcess, event: Value) -> anyhow::Result<Self> {
        let ready = process.ready(ANSWER_WAIT_MAX).await;
        ready.map_err(|outcome| anyhow::anyhow!("it did not start: {outcome:?}"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, waiting) = mpsc::channel::<Waiting>(WAITING_MAX);
        let cpu_us = Arc::new(Mutex::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(handle(process, waiting, Arc::clone(&cpu_us)));
        tasks.spawn(accept(listener, sender, event));
        Ok(Self { address, cpu_us, _tasks: tasks })
    }

    /// What the function's process has used of its core so far.
    pub(crate) fn cpu_us(&self) -> u64 {
        *self.cpu_us.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handle(mut process: FunctionProcess, mut waiting: mpsc::Receiver<Waiting>, cpu_us: Arc<Mutex<u64>>) {
    while let Some((event, answer)) = waiting.recv().await {
        let outcome = process.invoke(event.to_string(), ANSWER_WAIT_MAX).await;
        if waiting.is_empty()
            && let Some(used) = process.resource_use()
        {
            *cpu_us.lock().unwrap_or_else(PoisonError::into_inner) = used.cpu_us;
        }
        // Whoever asked may have gone.
        let _ = answer.send(outcome);
    }
}

async fn accept(listener: TcpListener, sender: mpsc::Sender<Waiting>, event: Value) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A delay of the kernel's is nobody's latency.
        let _ = stream.set_nodelay(true);
        let (sender, event) = (sender.clone(), event.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, sender.clone(), event.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    sender: mpsc::Sender<Waiting>,
    mut event: Value,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    event["rawPath"] = json!(parts.uri.path());
    event["requestContext"]["http"]["method"] = json!(parts.method.as_str());
    event["body"] = json!(String::from_utf8_lossy(&body));
    for (name, value) in &parts.headers {
        event["headers"][name.as_str()] = json!(value.to_str()?);
    }
    let (answer, answered) = oneshot::channel();
    sender.send((event, answer)).await?;
    let InvocationOutcome::Response(said) = answered.await? else {
        return Ok(Response::builder().status(502).body(Full::default())?);
    };
    let status = said.get("statusCode").and_then(Value::as_u64).unwrap_or(502);
    let mut response = Response::builder().status(u16::try_from(status)?);
    for (name, value) in said.get("headers").and_then(Value::as_object).into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = said.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(response.body(Full::from(body))?)
}
