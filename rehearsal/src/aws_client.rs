//! The rehearsal's own AWS calls, through the front like everybody's: deployments, alarm actions, traffic. It signs with
//! names that the journal knows instead of secrets, because nothing here verifies a signature.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};

/// Longer than any function's timeout in a rehearsal.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(120);

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request could not be built.
    #[error("failed to build the request")]
    Request(#[from] hyper::http::Error),
    /// The connection failed.
    #[error("failed to reach the local AWS")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing came back in time.
    #[error("failed to get an answer within {limit_s} s")]
    Slow {
        /// The bound.
        limit_s: u64,
    },
}

/// One answer, whole.
#[derive(Debug)]
pub struct AwsAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// True when a function was invoked and failed.
    pub function_error: bool,
    /// `x-amzn-errortype`, by which REST services name an error.
    pub error_type: Option<String>,
    /// Every header.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl AwsAnswer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to ask.
#[derive(Debug)]
pub struct AwsRequest<'a> {
    /// The signing name, such as `lambda`.
    pub service: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Further headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Bytes,
}

/// A client of the front under one caller's name.
#[derive(Debug, Clone)]
pub struct AwsClient {
    front: SocketAddr,
    region: String,
    access_key_id: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl AwsClient {
    pub(crate) fn new(front: SocketAddr, region: &str, access_key_id: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { front, region: region.to_owned(), access_key_id: access_key_id.to_owned(), client }
    }

    /// The region that it calls.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same caller in another region.
    #[must_use]
    pub fn in_region(self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self }
    }

    /// Sends any request.
    pub async fn send(&self, request: AwsRequest<'_>) -> Result<AwsAnswer, CallError> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{}/aws4_request, SignedHeaders=host, Signature=rehearsal",
            self.access_key_id, self.region, request.service,
        );
        let mut builder = Request::builder()
            .method(request.method)
            .uri(format!("http://{}{}", self.front, request.path))
            .header(AUTHORIZATION, authorization);
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        let http = builder.body(Full::new(request.body))?;
        let exchange = async {
            let answer = self.client.request(http).await.map_err(|e| CallError::Connection(e.into()))?;
            let status = answer.status();
            let function_error = answer.headers().contains_key("x-amz-function-error");
            let error_type = answer.headers().get("x-amzn-errortype");
            let error_type = error_type.and_then(|value| Some(value.to_str().ok()?.to_owned()));
            let headers = answer.headers().clone();
            let body = answer.into_body().collect().await.map_err(|e| CallError::Connection(e.into()))?;
            Ok(AwsAnswer { status, function_error, error_type, headers, body: body.to_bytes() })
        };
        let slow = CallError::Slow { limit_s: ANSWER_DURATION_MAX.as_secs() };
        tokio::time::timeout(ANSWER_DURATION_MAX, exchange).await.unwrap_or(Err(slow))
    }

    /// A call of a query service: a form in, XML out.
    pub async fn query(&self, service: &str, fields: &[(&str, &str)]) -> Result<AwsAnswer, CallError> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        self.send(AwsRequest { service, method: "POST", path: "/", headers: &headers, body: form.into() })
            .await
    }

    /// A call of a JSON service, such as `DynamoDB_20120810.Query` or `AmazonSQS.ReceiveMessage`.
    pub async fn json(&self, service: &str, target: &str, document: &Value) -> Result<AwsAnswer, CallError> {
        let headers = [("x-amz-target", target), (CONTENT_TYPE.as_str(), "application/x-amz-json-1.0")];
        let body = document.to_string().into();
        self.send(AwsRequest { service, method: "POST", path: "/", headers: &headers, body }).await
    }

    /// A call of Lambda: a method, a path such as `/2015-03-31/functions/f/aliases/live`, and a document.
    pub async fn lambda(&self, method: &str, path: &str, document: &Value) -> Result<AwsAnswer, CallError> {
        let body = if document.is_null() { Bytes::new() } else { document.to_string().into() };
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        self.send(AwsRequest { service: "lambda", method, path, headers: &headers, body }).await
    }
}
