//! Clients that ask one request after the other over connections that are kept alive.

use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::document::ASKED;
use crate::gateway::Gateway;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    One,
    Batch,
    List,
    Unchanged,
}

impl Ask {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::One => "one flag of 1,000",
            Self::Batch => "all 1,000 flags",
            Self::List => "the list",
            Self::Unchanged => "the list, unchanged (304)",
        }
    }

    /// Whether an answer is many kilobytes long.
    pub(crate) fn is_large(self) -> bool {
        match self {
            Self::Batch | Self::List => true,
            Self::One | Self::Unchanged => false,
        }
    }

    fn request(self, known: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let context = json!({ "user_id": "u-1042", "plan": "pro", "country": "DE", "app_version": "2.10.0" });
        let (method, path, body) = match self {
            Self::One => ("POST", "/evaluate", json!({ "flag_key": ASKED, "context": context }).to_string()),
            Self::Batch => ("POST", "/evaluate-batch", json!({ "context": context }).to_string()),
            Self::List | Self::Unchanged => ("GET", "", String::new()),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/feature-flags{path}"))
            .header("host", "bench")
            .header("content-type", "application/json");
        let request = if self == Self::Unchanged { request.header("if-none-match", known) } else { request };
        Ok(request.body(Full::from(body))?)
    }

    fn status(self) -> u16 {
        if self == Self::Unchanged { 304 } else { 200 }
    }
}

pub(crate) struct Load {
    pub(crate) ask: Ask,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
}

pub(crate) struct Measured {
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
    took: Duration,
    pub(crate) cpu_us_per_request: f64,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        count(self.latencies.len()) / self.took.as_secs_f64()
    }

    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

impl Load {
    pub(crate) async fn run(&self, gateway: &Gateway) -> anyhow::Result<Measured> {
        let mut first = connected(gateway).await?;
        let (list, _) = asked(&mut first, Ask::List.request("")?).await?;
        let said = || format!("{}: {}", list.status(), String::from_utf8_lossy(list.body()));
        let etag = list.headers().get("etag").with_context(said)?.to_str()?.to_owned();
        let each = self.requests.div_ceil(self.connections);
        let (ask, cpu_before) = (self.ask, gateway.cpu_us());
        let mut clients = JoinSet::new();
        let started_at = Instant::now();
        for _ in 0..self.connections {
            let (mut connection, etag) = (connected(gateway).await?, etag.clone());
            clients.spawn(async move {
                let mut latencies = Vec::with_capacity(each);
                for _ in 0..each {
                    let (response, latency) = asked(&mut connection, ask.request(&etag)?).await?;
                    anyhow::ensure!(response.status() == ask.status(), "{}", response.status());
                    latencies.push(latency);
                }
                Ok(latencies)
            });
        }
        let mut latencies = Vec::with_capacity(self.requests);
        while let Some(client) = clients.join_next().await {
            latencies.extend(client??);
        }
        let took = started_at.elapsed();
        latencies.sort_unstable();
        let cpu_us = gateway.cpu_us().saturating_sub(cpu_before);
        let cpu_us_per_request = count(usize::try_from(cpu_us)?) / count(latencies.len());
        Ok(Measured { latencies, took, cpu_us_per_request })
    }
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

async fn connected(gateway: &Gateway) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(gateway.address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn asked(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(Response<Bytes>, Duration)> {
    connection.ready().await?;
    let started_at = Instant::now();
    let (parts, body) = connection.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((Response::from_parts(parts, body), started_at.elapsed()))
}
