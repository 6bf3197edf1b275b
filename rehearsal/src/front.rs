//! The front: the one loopback HTTP endpoint that functions, command lines and SDKs call as AWS. It keeps the journal,
//! injects faults, answers CloudWatch's alarm calls from the rehearsal's own evaluator and CodeDeploy's from its own
//! engine, and hands everything else to ministack unchanged. It must not listen anywhere but on 127.0.0.1, and it judges nothing but what Lambda itself
//! would refuse.

mod admin;
mod alias_rules;
pub mod call;
pub(crate) mod fault_answers;
pub mod faults;
pub mod journal;

use crate::{
    alarms::{AlarmBoard, operations},
    codedeploy::{self, CodeDeploy},
};
use call::Call;
use fault_answers::ServiceError;
use faults::{Fault, Faults, Strike};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{self, HeaderName},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use journal::{AliasChange, AliasRouting, Journal};
use serde_json::Value;
use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

/// Lambda's code packages are the largest bodies that pass.
const BODY_BYTES_MAX: usize = 300 << 20;
/// A synchronous invocation may take Lambda's fifteen minutes.
const FORWARD_DURATION_MAX: Duration = Duration::from_secs(900);
/// Only these concern one connection alone.
const HOP_BY_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE, header::TE];

type Answer = Response<Full<Bytes>>;

/// What the front's connections share.
pub(crate) struct Front {
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) alarms: Arc<AlarmBoard>,
    codedeploy: Arc<CodeDeploy>,
    /// Known only once ministack is up: ministack needs the front's address first.
    ministack: OnceLock<SocketAddr>,
    client: Client<HttpConnector, Full<Bytes>>,
    /// `UpdateAlias` calls go one by one, so that what each of them changed is certain.
    alias: Mutex<()>,
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped by an injected fault")]
struct Dropped;

/// A bound front, before it serves.
pub(crate) struct BoundFront {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundFront {
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the returned future is dropped.
    pub(crate) async fn serve(self, front: Arc<Front>) -> Infallible {
        let mut connections = JoinSet::new();
        // Unbounded on purpose: it ends with the rehearsal, whose drop ends this task and every connection in the set.
        loop {
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, most likely: those of ending connections come back.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let front = Arc::clone(&front);
            connections.spawn(async move {
                let service = service_fn(move |request| Arc::clone(&front).serve(request));
                // A client that goes away is no concern of the front's.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

impl Front {
    pub(crate) fn new(
        journal: Arc<Journal>,
        faults: Arc<Faults>,
        alarms: Arc<AlarmBoard>,
        codedeploy: Arc<CodeDeploy>,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            journal,
            faults,
            alarms,
            codedeploy,
            ministack: OnceLock::new(),
            client,
            alias: Mutex::new(()),
        }
    }

    pub(crate) fn set_ministack(&self, address: SocketAddr) {
        // Set once by the start; a second value would be a bug there, and the first one stays right.
        let _ = self.ministack.set(address);
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Dropped> {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "failed to read the request's body"));
        };
        let body = body.to_bytes();
        if parts.uri.path().starts_with("/_rehearsal/") {
            return Ok(self.administer(&parts.method, &parts.uri, &body));
        }
        // In a task of its own: AWS goes on with what it received when the caller hangs up, and so does the front.
        let forwarded = Forwarded { method: parts.method, uri: parts.uri, headers: parts.headers, body };
        tokio::spawn(async move { self.call(forwarded).await }).await.unwrap_or(Err(Dropped))
    }

    async fn call(&self, request: Forwarded) -> Result<Answer, Dropped> {
        let call = Call::read(&request.method, &request.uri, &request.headers, &request.body);
        let strike = self.faults.strike(&call);
        let arrived = Instant::now();
        let seq = self.arrived(&call, &request, &strike);
        let Strike { delay, fault, .. } = strike;
        tokio::time::sleep(delay).await;
        let refusal = match &fault {
            Some(Fault::Throttle) => Some(ServiceError::throttled(&call)),
            Some(Fault::Deny) => Some(ServiceError::denied(&call)),
            Some(Fault::ServerError { status }) => Some(ServiceError::server(&call, *status)),
            Some(Fault::DropBefore) => return Err(Dropped),
            Some(Fault::CrashBefore(callback)) => {
                callback();
                return Err(Dropped);
            }
            Some(Fault::Delay { .. } | Fault::DropAfter | Fault::Duplicate | Fault::CrashAfter(_)) | None => {
                None
            }
        };
        if let Some(error) = refusal {
            let answer = error.response(&call);
            self.journal.complete(seq, |entry| {
                entry.status = Some(error.status);
                entry.duration_ms = Some(milliseconds(arrived));
            });
            return Ok(answer);
        }
        let mut answer = self.effect(&call, &request, seq, arrived).await;
        match fault {
            Some(Fault::Duplicate) => {
                let again = self.journal.arrived(&call, None, vec!["duplicate"]);
                answer = self.effect(&call, &request, again, arrived).await;
            }
            Some(Fault::DropAfter) => return Err(self.unanswered(seq)),
            Some(Fault::CrashAfter(callback)) => {
                let dropped = self.unanswered(seq);
                callback();
                return Err(dropped);
            }
            Some(
                Fault::Throttle
                | Fault::Deny
                | Fault::ServerError { .. }
                | Fault::Delay { .. }
                | Fault::DropBefore
                | Fault::CrashBefore(_),
            )
            | None => {}
        }
        Ok(answer)
    }

    fn arrived(&self, call: &Call, request: &Forwarded, strike: &Strike) -> Option<u64> {
        let body = call.updated_alias().and_then(|_| serde_json::from_slice(&request.body).ok());
        self.journal.arrived(call, body, strike.names.clone())
    }

    fn unanswered(&self, seq: Option<u64>) -> Dropped {
        self.journal.complete(seq, |entry| entry.status = None);
        Dropped
    }

    /// Lets the call take effect, and completes its journal entry.
    async fn effect(&self, call: &Call, request: &Forwarded, seq: Option<u64>, arrived: Instant) -> Answer {
        let mut change = None;
        let answer = if call.updated_alias().is_some() {
            let (answer, changed) = self.update_alias(call, request).await;
            change = changed;
            answer
        } else if call.service == "codedeploy" {
            codedeploy::answer(&self.codedeploy, call, &request.body)
        } else if let Some(answer) = self.alarm_call(call, request) {
            answer
        } else {
            self.forward(request).await
        };
        self.journal.complete(seq, |entry| {
            entry.status = Some(answer.status().as_u16());
            entry.duration_ms = Some(milliseconds(arrived));
            entry.change = change;
        });
        answer
    }

    fn alarm_call(&self, call: &Call, request: &Forwarded) -> Option<Answer> {
        if call.service != "monitoring" {
            return None;
        }
        operations::answer(&self.alarms, call, &request.body)
    }

    /// Reads the alias before, so that the journal can say what the call changed.
    async fn update_alias(&self, call: &Call, request: &Forwarded) -> (Answer, Option<AliasChange>) {
        let _one_by_one = self.alias.lock().await;
        let before = Forwarded {
            method: Method::GET,
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            body: Bytes::new(),
        };
        let (_, before) = document(self.forward(&before).await).await;
        if let Some(refusal) = self.refused_by_lambda(call, request, before.as_ref()).await {
            return (refusal.response(call), None);
        }
        let (answer, after) = document(self.forward(request).await).await;
        let before = before.as_ref().and_then(AliasRouting::of);
        let after = after.as_ref().filter(|_| answer.status().is_success()).and_then(AliasRouting::of);
        let change = before.zip(after).map(|(before, after)| AliasChange { before, after });
        (answer, change)
    }

    async fn forward(&self, request: &Forwarded) -> Answer {
        let Some(ministack) = self.ministack.get() else {
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "failed to forward: the local AWS is still starting",
            );
        };
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut forwarded =
            Request::builder().method(request.method.clone()).uri(format!("http://{ministack}{path}"));
        if let Some(headers) = forwarded.headers_mut() {
            *headers = request.headers.clone();
            headers.remove(header::CONTENT_LENGTH);
            HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(name)));
        }
        let Ok(forwarded) = forwarded.body(Full::new(request.body.clone())) else {
            return plain(StatusCode::BAD_REQUEST, "failed to forward: not a valid path");
        };
        let exchange = async {
            let (mut parts, body) =
                self.client.request(forwarded).await.map_err(|e| e.to_string())?.into_parts();
            let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            HOP_BY_HOP.iter().for_each(|name| drop(parts.headers.remove(name)));
            Ok::<_, String>(Response::from_parts(parts, Full::new(body)))
        };
        match tokio::time::timeout(FORWARD_DURATION_MAX, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => plain(StatusCode::BAD_GATEWAY, &format!("failed to reach ministack: {error}")),
            Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "failed to get ministack's answer in time"),
        }
    }
}

/// A request whose body was read.
struct Forwarded {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Forwarded {
    /// The same caller asking for something else.
    fn get(&self, path: &str) -> Option<Self> {
        let uri = path.parse().ok()?;
        Some(Self { method: Method::GET, uri, headers: self.headers.clone(), body: Bytes::new() })
    }
}

/// An answer and its JSON, if it has any.
async fn document(answer: Answer) -> (Answer, Option<Value>) {
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let document = serde_json::from_slice(&body).ok();
    (Response::from_parts(parts, Full::new(body)), document)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// For what no AWS client is expected to see.
fn plain(status: StatusCode, message: &str) -> Answer {
    let mut answer = Response::new(Full::from(message.to_owned()));
    *answer.status_mut() = status;
    answer
}

/// An operation of CloudWatch that this local AWS does not have.
pub(crate) fn not_implemented(call: &Call) -> Answer {
    let message = format!("the local AWS does not implement {}:{}", call.service, call.operation);
    ServiceError::new(501, "NotImplemented", message).response(call)
}
