//! Where a call goes that the front does not answer itself: to moto what only moto keeps, and to ministack all else. It
//! hands on what it was given; what AWS would refuse is told apart in `rules`.

use super::{
    Answer,
    call::{Call, Caller},
    plain,
};
use crate::moto::Moto;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

/// A synchronous invocation may take Lambda's fifteen minutes.
const FORWARD_DURATION_MAX: Duration = Duration::from_secs(900);
/// Only these concern one connection alone.
const HOP_BY_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE, header::TE];
/// How moto is told whose call it is.
const MOTO_ACCOUNT: HeaderName = HeaderName::from_static("x-moto-account-id");

/// A request whose body was read.
#[derive(Clone)]
pub(crate) struct Forwarded {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Forwarded {
    /// The same caller asking for something else.
    pub(super) fn get(&self, path: &str) -> Option<Self> {
        let uri = path.parse().ok()?;
        Some(Self { method: Method::GET, uri, headers: self.headers.clone(), body: Bytes::new() })
    }

    /// The same call with another body.
    pub(crate) fn with_body(&self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    /// The same caller calling another operation of a JSON service.
    pub(crate) fn json(&self, operation: &str, document: &Value) -> Self {
        let mut asked = self.with_body(document.to_string());
        let target = self.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let prefix = target.and_then(|target| Some(target.rsplit_once('.')?.0)).unwrap_or_default();
        if let Ok(target) = HeaderValue::from_str(&format!("{prefix}.{operation}")) {
            asked.headers.insert("x-amz-target", target);
        }
        asked
    }
}

/// The backends, as the front reaches them.
pub(crate) struct Backends {
    /// Known only once ministack is up: ministack needs the front's address first.
    ministack: OnceLock<SocketAddr>,
    moto: Arc<Moto>,
    client: Client<HttpConnector, Full<Bytes>>,
    /// The account that calls are made in unless their key says otherwise.
    account_id: String,
    /// The account of each assumed role's session, and who assumed it, by its key.
    sessions: Mutex<BTreeMap<String, (String, Caller)>>,
}

impl Backends {
    pub(crate) fn new(moto: Arc<Moto>, account_id: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            ministack: OnceLock::new(),
            moto,
            client: Client::builder(TokioExecutor::new()).build(connector),
            account_id: account_id.to_owned(),
            sessions: Mutex::default(),
        }
    }

    pub(crate) fn set_ministack(&self, address: SocketAddr) {
        // Set once by the start; a second value would be a bug there, and the first one stays right.
        let _ = self.ministack.set(address);
    }

    /// Says whose call it is: a session acts for whoever assumed its role, in the role's account; and a key of twelve digits
    /// stands for that account.
    pub(super) fn settle(&self, call: &mut Call) {
        call.account_id.clone_from(&self.account_id);
        let Caller::Other(key) = &call.caller else { return };
        if key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()) {
            call.account_id.clone_from(key);
            return;
        }
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((account_id, caller)) = sessions.get(key).cloned() {
            call.account_id = account_id;
            call.caller = caller;
        }
    }

    /// Remembers whose session a key is.
    pub(super) fn opened(&self, key: &str, account_id: &str, caller: &Caller) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(key.to_owned(), (account_id.to_owned(), caller.clone()));
    }

    /// Hands a call to ministack.
    pub(crate) async fn ministack(&self, request: &Forwarded) -> Answer {
        match self.ministack.get() {
            Some(address) => self.send(*address, request, None).await,
            None => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "failed to forward: the local AWS is still starting")
            }
        }
    }

    /// Hands a call to moto, which starts if this is the first.
    pub(super) async fn moto(&self, call: &Call, request: &Forwarded) -> Answer {
        match self.moto.address().await {
            Ok(address) => self.send(address, request, Some(&call.account_id)).await,
            Err(error) => plain(StatusCode::BAD_GATEWAY, &format!("failed to start moto: {error}")),
        }
    }

    async fn send(&self, to: SocketAddr, request: &Forwarded, account_id: Option<&str>) -> Answer {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut forwarded =
            Request::builder().method(request.method.clone()).uri(format!("http://{to}{path}"));
        if let Some(headers) = forwarded.headers_mut() {
            *headers = request.headers.clone();
            headers.remove(header::CONTENT_LENGTH);
            HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(name)));
            if let Some(account) = account_id.and_then(|account| HeaderValue::from_str(account).ok()) {
                headers.insert(MOTO_ACCOUNT, account);
            }
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
            Ok(Err(error)) => plain(StatusCode::BAD_GATEWAY, &format!("failed to reach a backend: {error}")),
            Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "failed to get a backend's answer in time"),
        }
    }
}

/// An answer and its body as a text.
pub(super) async fn text(answer: Answer) -> (Answer, String) {
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    (Response::from_parts(parts, Full::new(body)), text)
}

/// An answer and its JSON, if it has any.
pub(crate) async fn document(answer: Answer) -> (Answer, Option<Value>) {
    let (answer, text) = text(answer).await;
    let document = serde_json::from_str(&text).ok();
    (answer, document)
}

/// The same answer with another body, whose length the old headers must not tell.
pub(super) fn reworded(answer: Answer, body: impl Into<Bytes>) -> Answer {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Full::new(body.into()))
}
