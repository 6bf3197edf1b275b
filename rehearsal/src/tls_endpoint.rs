//! DynamoDB, Lambda, SNS and CloudWatch Logs over TLS on loopback, each answering after a fixed time, for measuring.
//!
//! Every service has its own port, as every AWS service has its own host, so that nobody saves a handshake that
//! would be needed in a real region. Each request is recorded with the time at which it arrived and was answered:
//! that is where "until `UpdateAlias` arrives" and the number of sequential round trips come from.
//!
//! What this module must not do: stand in for a local AWS in tests. It knows the calls of one rollback, takes every
//! condition of the ledger as met, and does not check who calls.

mod log;
mod world;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt::TcpRepair};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::runtime_api::{lock, request_id_new};
pub use log::{Exchange, RequestLog};
pub use world::{Answer, World};

/// No request of a rollback comes near this.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The AWS services that a rollback speaks to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Service {
    /// The ledger.
    DynamoDb,
    /// The alias.
    Lambda,
    /// The notice.
    Sns,
    /// What the version that is taken back had logged.
    CloudWatchLogs,
}

impl Service {
    /// All of them.
    pub const EVERY: [Self; 4] = [Self::DynamoDb, Self::Lambda, Self::Sns, Self::CloudWatchLogs];

    /// The variable by which every AWS SDK takes an endpoint for this service alone.
    #[must_use]
    pub fn endpoint_variable(self) -> &'static str {
        match self {
            Self::DynamoDb => "AWS_ENDPOINT_URL_DYNAMODB",
            Self::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
            Self::Sns => "AWS_ENDPOINT_URL_SNS",
            Self::CloudWatchLogs => "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        }
    }
}

/// How connections end while their user sleeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketDeath {
    /// The service closes and says so: the next read finds the end.
    Orderly,
    /// The service forgets the connection and the goodbye is lost, as it is for a frozen machine: the next write
    /// is answered with a reset.
    Silent,
}

/// Why the endpoint could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsEndpointError {
    /// No loopback port.
    #[error("failed to listen on a loopback port")]
    Listen(#[source] std::io::Error),
    /// No certificate.
    #[error("failed to make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library refused the certificate.
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
    /// The system does not let a socket be forgotten silently.
    #[error("failed to end a connection silently, which takes the right to administer the network")]
    Silence(#[source] nix::Error),
}

/// The endpoints of one world. They end when this is dropped.
#[derive(Debug)]
pub struct TlsEndpoint {
    addresses: HashMap<Service, SocketAddr>,
    ca_pem: String,
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    log: Mutex<RequestLog>,
    answer_delay: Mutex<Duration>,
    connections: Mutex<HashMap<u64, Connection>>,
    connections_opened: AtomicU64,
}

/// What it takes to end a connection from outside.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    end: oneshot::Sender<SocketDeath>,
}

impl TlsEndpoint {
    /// Starts all services over one world. Every answer takes `answer_delay`.
    pub async fn start(world: World, answer_delay: Duration) -> Result<Self, TlsEndpointError> {
        let (ca_pem, config) = certificates()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            log: Mutex::default(),
            answer_delay: Mutex::new(answer_delay),
            connections: Mutex::default(),
            connections_opened: AtomicU64::new(0),
        });
        let mut addresses = HashMap::new();
        let mut listeners = Vec::new();
        for service in Service::EVERY {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(TlsEndpointError::Listen)?;
            addresses.insert(service, listener.local_addr().map_err(TlsEndpointError::Listen)?);
            listeners.push(tokio::spawn(accept(listener, acceptor.clone(), Arc::clone(&shared))));
        }
        Ok(Self { addresses, ca_pem, shared, listeners })
    }

    /// The certificate that a client has to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The variables that send an SDK here. One that knows no endpoint per service is sent to one port for all.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let url = |service: Service| format!("https://{}", self.addresses[&service]);
        let mut env = vec![("AWS_ENDPOINT_URL".to_owned(), url(Service::DynamoDb))];
        env.extend(Service::EVERY.map(|service| (service.endpoint_variable().to_owned(), url(service))));
        env
    }

    /// Changes the world, for preparing a run or for looking at the end of one.
    pub fn with_world<T>(&self, use_it: impl FnOnce(&mut World) -> T) -> T {
        use_it(&mut lock(&self.shared.world))
    }

    /// Sets how long every later answer takes.
    pub fn set_answer_delay(&self, delay: Duration) {
        *lock(&self.shared.answer_delay) = delay;
    }

    /// Everything that was asked since the last time this was called.
    #[must_use]
    pub fn take_log(&self) -> RequestLog {
        std::mem::take(&mut lock(&self.shared.log))
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections_opened(&self) -> u64 {
        self.shared.connections_opened.load(Ordering::Relaxed)
    }

    /// Ends every open connection and says how many those were. One that is in the middle of an exchange would
    /// lose its answer, so this is for the time between two events.
    pub fn end_connections(&self, death: SocketDeath) -> Result<usize, TlsEndpointError> {
        let connections: Vec<_> = lock(&self.shared.connections).drain().collect();
        for (_, connection) in &connections {
            if death == SocketDeath::Silent {
                // A socket under repair is closed without a word on the wire.
                setsockopt(&connection.socket, TcpRepair, &1).map_err(TlsEndpointError::Silence)?;
            }
        }
        let count = connections.len();
        for (_, connection) in connections {
            // The connection may just have ended by itself, which is as good.
            let _ = connection.end.send(death);
        }
        Ok(count)
    }
}

impl Drop for TlsEndpoint {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

/// A certificate authority for one run, and a server certificate of it for loopback.
fn certificates() -> Result<(String, ServerConfig), TlsEndpointError> {
    let made = || -> Result<_, rcgen::Error> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "Ripcord benchmark");
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_key = KeyPair::generate()?;
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = KeyPair::generate()?;
        let leaf_certificate = leaf.signed_by(&leaf_key, &issuer)?;
        Ok((ca_certificate.pem(), leaf_certificate, leaf_key))
    };
    let (ca_pem, leaf, leaf_key) = made().map_err(TlsEndpointError::Certificate)?;
    let key = PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key))
        .map_err(TlsEndpointError::Tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_pem, config))
}

/// Accepts until the task is aborted.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _peer)) = accepted else { return };
                open.spawn(serve(stream, acceptor.clone(), Arc::clone(&shared)));
            }
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let number = shared.connections_opened.fetch_add(1, Ordering::Relaxed);
    let (Ok(()), Ok(socket)) = (stream.set_nodelay(true), stream.as_fd().try_clone_to_owned()) else {
        return;
    };
    let (end, mut ended) = oneshot::channel();
    lock(&shared.connections).insert(number, Connection { socket, end });
    // A client that gives up in the handshake or later is none of this side's business.
    if let Ok(stream) = acceptor.accept(stream).await {
        let service = service_fn(|request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(exchange(request, number, &shared).await) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let death = tokio::select! {
            _ = connection.as_mut() => None,
            death = &mut ended => death.ok(),
        };
        if death == Some(SocketDeath::Orderly) {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    lock(&shared.connections).remove(&number);
}

async fn exchange(request: Request<Incoming>, connection: u64, shared: &Shared) -> Response<Full<Bytes>> {
    let arrived_at = Instant::now();
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Response::new(Full::default()),
    };
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    // The protocols cannot be mistaken for one another, whichever port a request comes in by.
    let answer = match (target, head.uri.path()) {
        (Some(target), _) if target.starts_with("Logs_") => World::logs(target),
        (Some(target), _) => lock(&shared.world).dynamodb(target, &body),
        (None, "/") => lock(&shared.world).sns(&body),
        (None, path) => lock(&shared.world).lambda(&head.method, path, &body),
    };
    let delay = *lock(&shared.answer_delay);
    // The runtime's timer counts in whole milliseconds, rounded up; a thread's sleep is exact.
    drop(
        tokio::task::spawn_blocking(move || std::thread::sleep(delay.saturating_sub(arrived_at.elapsed())))
            .await,
    );
    let Answer { call, status, content_type, body } = answer;
    let built = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", content_type)
        .header("x-amzn-requestid", request_id_new())
        .body(Full::new(Bytes::from(body)));
    lock(&shared.log).push(Exchange { call, connection, arrived_at, answered_at: Instant::now(), status });
    built.unwrap_or_default()
}
