//! The front: the one loopback HTTP endpoint that functions, command lines and SDKs call as AWS. It keeps the journal,
//! injects faults, answers CloudWatch's alarm calls from the rehearsal's own evaluator and CodeDeploy's from its own
//! engine, and hands everything else to a backend. It must not listen anywhere but on 127.0.0.1, and it judges nothing but
//! what AWS itself would refuse.

mod admin;
mod alias_rules;
pub(crate) mod backends;
pub mod call;
pub(crate) mod fault_answers;
pub mod faults;
pub mod journal;
mod rest;
mod rules;

use crate::{
    alarms::operations,
    appconfig::AppConfig,
    codedeploy,
    ecs::Ecs,
    places::{Place, Places},
};
use backends::{Backends, Forwarded, document};
use call::Call;
use fault_answers::ServiceError;
use faults::{Fault, Faults, Strike};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use journal::{AliasChange, AliasRouting, Journal};
use rules::Restores;
use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

/// Lambda's code packages are the largest bodies that pass.
const BODY_BYTES_MAX: usize = 300 << 20;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What the front's connections share.
pub(crate) struct Front {
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) places: Arc<Places>,
    backends: Arc<Backends>,
    ecs: Arc<Ecs>,
    app_config: Arc<AppConfig>,
    restores: Restores,
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
        places: Arc<Places>,
        backends: Arc<Backends>,
        ecs: Arc<Ecs>,
        app_config: Arc<AppConfig>,
    ) -> Self {
        let (restores, alias) = (Restores::default(), Mutex::new(()));
        Self { journal, faults, places, backends, ecs, app_config, restores, alias }
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
        let mut call = Call::read(&request.method, &request.uri, &request.headers, &request.body);
        self.backends.settle(&mut call);
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
            codedeploy::answer(&self.place(call).codedeploy, call, &request.body)
        } else if let Some(answer) = self.alarm_call(call, request) {
            answer
        } else {
            self.by_rules(call, request).await
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
        operations::answer(&self.place(call).alarms, call, &request.body)
    }

    fn place(&self, call: &Call) -> Place {
        self.places.at(&call.account_id, &call.region)
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
        let (_, before) = document(self.backends.ministack(&before).await).await;
        if let Some(refusal) = self.refused_by_lambda(call, request, before.as_ref()).await {
            return (refusal.response(call), None);
        }
        let (answer, after) = document(self.backends.ministack(request).await).await;
        let before = before.as_ref().and_then(AliasRouting::of);
        let after = after.as_ref().filter(|_| answer.status().is_success()).and_then(AliasRouting::of);
        let change = before.zip(after).map(|(before, after)| AliasChange { before, after });
        (answer, change)
    }
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
