//! The benchmark's endpoints, as a client sees them: truthful aliases, and connections that die in two ways.
#![cfg(feature = "bench")]
#![expect(clippy::expect_used, reason = "a test that cannot go on says so by failing")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ripcord_rehearsal::tls_endpoint::{SocketDeath, TlsEndpoint, TlsEndpointError, World};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const ALIAS: &str = "/2015-03-31/functions/checkout/aliases/live";
const DELAY: Duration = Duration::from_millis(5);

async fn endpoint() -> TlsEndpoint {
    let mut world = World::default();
    world.put_alias("checkout", "live", "1", &json!({"2": 0.1}));
    TlsEndpoint::start(world, DELAY).await.expect("loopback and a certificate")
}

async fn connect(endpoint: &TlsEndpoint) -> TlsStream<TcpStream> {
    let env = endpoint.env();
    let (_, url) =
        env.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL_LAMBDA").expect("an endpoint for Lambda");
    let stream = TcpStream::connect(url.trim_start_matches("https://")).await.expect("it listens");
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(endpoint.ca_pem().as_bytes()).expect("a certificate");
    roots.add(ca).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("it is trusted")
}

async fn ask(stream: &mut TlsStream<TcpStream>, method: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let body = body.to_string();
    let request = format!(
        "{method} {ALIAS} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 8192];
    let length = stream.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

#[tokio::test]
async fn alias_changes_only_from_the_revision_that_it_has() {
    let endpoint = endpoint().await;
    let stream = &mut connect(&endpoint).await;
    let (_, before) = ask(stream, "GET", &json!({})).await.expect("an answer");
    assert_eq!(before["RoutingConfig"]["AdditionalVersionWeights"], json!({"2": 0.1}));
    let update = |revision: &Value| json!({"FunctionVersion": "1", "RevisionId": revision, "RoutingConfig": {"AdditionalVersionWeights": {}}});
    let (status, _) = ask(stream, "PUT", &update(&json!("another"))).await.expect("an answer");
    assert_eq!(status, 412);
    let kept = json!({"FunctionVersion": "1", "RevisionId": before["RevisionId"]});
    let (_, kept) = ask(stream, "PUT", &kept).await.expect("an answer");
    assert_eq!(kept["RoutingConfig"], before["RoutingConfig"], "weights that are left out stay");
    let (status, after) = ask(stream, "PUT", &update(&kept["RevisionId"])).await.expect("an answer");
    assert_eq!((status, &after["RoutingConfig"]), (200, &Value::Null));
    assert_eq!(ask(stream, "GET", &json!({})).await.expect("an answer").1, after);

    let log = endpoint.take_log();
    assert_eq!(log.depth_max(), 5);
    assert!(log.busy() >= 5 * DELAY, "{:?}", log.busy());
    assert_eq!(endpoint.connections_opened(), 1);
}

#[tokio::test]
async fn closed_connection_says_so() {
    let endpoint = endpoint().await;
    let mut stream = connect(&endpoint).await;
    ask(&mut stream, "GET", &json!({})).await.expect("an answer");
    assert_eq!(endpoint.end_connections(SocketDeath::Orderly).expect("no right is needed"), 1);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("an orderly end");
    assert!(rest.is_empty());
    assert_eq!(endpoint.end_connections(SocketDeath::Orderly).expect("no right is needed"), 0);
}

#[tokio::test]
async fn dead_connection_says_nothing_until_it_is_used() {
    let endpoint = endpoint().await;
    let mut stream = connect(&endpoint).await;
    ask(&mut stream, "GET", &json!({})).await.expect("an answer");
    // The delayed acknowledgement of that answer would find nobody, and be told so.
    tokio::time::sleep(Duration::from_millis(250)).await;
    match endpoint.end_connections(SocketDeath::Silent) {
        Ok(ended) => assert_eq!(ended, 1),
        // Without the right to administer the network there is nothing to see.
        Err(TlsEndpointError::Silence(_)) => return,
        Err(other) => assert_eq!(other.to_string(), "", "only the right may be missing"),
    }
    let nothing = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 16])).await;
    assert!(nothing.is_err(), "it must not be told: {nothing:?}");
    let error = ask(&mut stream, "GET", &json!({})).await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
