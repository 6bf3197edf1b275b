//! One request to an address that a team has registered, on the HTTP stack that the clients of AWS have: no second one is
//! linked.
//!
//! Redirects are not followed, nothing is tried twice, and neither the waiting nor the reading is without a bound. Whether
//! an address may be asked is found out where it is connected to: a name that resolves to another address by then, or a
//! number that is written so that only the resolver reads it as one, gets around nothing.

use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::timeout::TimeoutConfig;

use super::CallFailed;
use crate::preflight::HealthAnswer;
use crate::registration::HealthCheck;

const CALL: &str = "GET";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For all of it, from the name being looked up to the last byte that is read.
const TIMEOUT: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What an address answers, within `patience` and five seconds at most.
pub async fn answer_of(health: &HealthCheck, patience: Duration) -> Result<HealthAnswer, CallFailed> {
    let patience = patience.min(TIMEOUT);
    let asked = Timeout::new(ask(health), TokioSleep::new().sleep(patience));
    asked.await.unwrap_or_else(|_| Err(failed(health, format!("no whole answer within {patience:?}"))))
}

async fn ask(health: &HealthCheck) -> Result<HealthAnswer, CallFailed> {
    let Some((server, path)) = HealthCheck::parts(&health.url) else {
        return Err(failed(health, "it is no address of HTTP".to_owned()));
    };
    // What is an address already is not resolved.
    if let Some(address) = health.forbidden_address() {
        return Err(failed(health, Forbidden { address }.to_string()));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_with_resolver(Vetting { health: health.clone() });
    let request = Operation::builder()
        .service_name("health")
        .operation_name(CALL)
        .behavior_version(BehaviorVersion::latest())
        .http_client(client)
        .endpoint_url(server)
        .no_auth()
        .no_retry()
        .sleep_impl(TokioSleep::new())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .serializer(move |path: String| Ok(HttpRequest::get(path)?))
        .deserializer_impl::<HttpResponse, std::convert::Infallible>(Unread)
        .build();
    let mut response =
        request.invoke(path).await.map_err(|error| CallFailed::new(CALL, health.shown(), &error))?;
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    Ok(HealthAnswer {
        status: response.status().as_u16(),
        location: response.headers().get("location").map(str::to_owned),
        body: beginning(ByteStream::new(body)).await.map_err(|why| failed(health, why))?,
    })
}

/// An address that must not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{address} is not public, and the check does not say \"private\": true")]
struct Forbidden {
    address: IpAddr,
}

/// Resolves a name as the system does, and to nothing if one of its addresses must not be asked.
#[derive(Clone, Debug)]
struct Vetting {
    health: HealthCheck,
}

impl ResolveDns for Vetting {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let addresses: Vec<IpAddr> = found.map(|socket| socket.ip()).collect();
            match addresses.iter().find(|address| !self.health.may_ask(**address)) {
                Some(address) => Err(ResolveDnsError::new(Forbidden { address: *address })),
                None => Ok(addresses),
            }
        })
    }
}

fn failed(health: &HealthCheck, why: String) -> CallFailed {
    CallFailed { call: CALL, subject: health.shown().to_owned(), why }
}

/// As much of a body as is read at most.
async fn beginning(mut body: ByteStream) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await.map_err(|error| super::causes(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= BODY_BYTES_MAX {
            bytes.truncate(BODY_BYTES_MAX);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Hands the answer over with its body unread, whatever its status: otherwise all of the body would be read first.
#[derive(Debug)]
struct Unread;

impl DeserializeResponse for Unread {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<Error>>> {
        let status = response.status();
        Some(Ok(Output::erase(std::mem::replace(response, HttpResponse::new(status, SdkBody::taken())))))
    }

    fn deserialize_nonstreaming_with_config(
        &self,
        _: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        Err(OrchestratorError::other("the answer was taken unread"))
    }
}
