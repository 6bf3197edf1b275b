//! The health check and the smoke test over real sockets: they ask once, follow nobody, and neither wait nor read for long.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use release_preflight::{Inspector, inspect};
use ripcord::aws::{Aws, CallFailed, Connection, Credentials, Endpoints, SuiteNames, answer_of};
use ripcord::error_type::ErrorType;
use ripcord::pipeline::Tempo;
use ripcord::preflight::HealthAnswer;
use ripcord::registration::HealthCheck;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, pause};

use super::super::scene::{FUNCTION, Item, clock, deadline, items_of};
use crate::worlds::v;

/// A server that serves each connection so, after it has read the request's head; its address, and how often it was asked.
async fn server<Served>(serve: fn(TcpStream, String) -> Served) -> (String, Arc<AtomicUsize>)
where
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let head = head_of(&mut stream).await;
                count.fetch_add(1, Ordering::SeqCst);
                serve(stream, head).await;
            });
        }
    });
    (format!("http://{address}"), asked)
}

/// A request's head, once its body has been read, too.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut chunk = vec![0; 65_536];
    loop {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the request ends early");
        request.extend_from_slice(&chunk[..read]);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
        });
        if request.len() >= end + 4 + length.unwrap_or(0) {
            return head;
        }
    }
}

/// Says all of it and hangs up.
async fn say(mut stream: TcpStream, answer: &str) {
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// The suite's own client.
fn aws(lambda: Endpoints) -> Aws {
    let connection = Connection {
        region: "eu-west-1".to_owned(),
        credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
        endpoints: lambda,
    };
    let names = SuiteNames { table: "ripcord-ledger".to_owned(), topic_arn: String::new() };
    Aws::new(&connection.sdk_config(), names)
}

async fn get(url: &str, patience: Duration) -> Result<HealthAnswer, CallFailed> {
    answer_of(&HealthCheck { url: url.to_owned(), status: 200, private: true }, patience).await
}

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_address_is_asked_for_what_its_url_says() {
    let echo = |stream, head: String| async move {
        let line = head.lines().next().unwrap_or_default().to_owned();
        say(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{line}", line.len())).await;
    };
    let (url, asked) = server(echo).await;
    for (path, line) in [
        ("/health?deep=1&x=%20", "GET /health?deep=1&x=%20 HTTP/1.1"),
        ("", "GET / HTTP/1.1"),
        ("?deep=1", "GET /?deep=1 HTTP/1.1"),
        ("/a/", "GET /a/ HTTP/1.1"),
    ] {
        let answer = get(&format!("{url}{path}"), PATIENT).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, line));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn any_status_is_an_answer_and_asked_for_once() {
    let unwell = |stream, _| async move {
        say(stream, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 11\r\n\r\nno database").await;
    };
    let (url, asked) = server(unwell).await;
    let answer = get(&url, PATIENT).await.unwrap();
    assert_eq!(answer, HealthAnswer { status: 503, location: None, body: "no database".to_owned() });
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let redirect = |stream, _| async move {
        say(stream, "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    };
    let (url, asked) = server(redirect).await;
    let answer = get(&url, PATIENT).await.unwrap();
    assert_eq!((answer.status, answer.location.as_deref()), (302, Some("/elsewhere")));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[track_caller]
fn unseen(answer: &Result<HealthAnswer, CallFailed>, why: &str) {
    let failed = answer.as_ref().expect_err("nothing was answered").to_string();
    assert!(failed.starts_with("GET of http") && failed.contains(why), "{failed}");
}

#[tokio::test]
async fn an_address_that_says_nothing_is_given_up_after_five_seconds() {
    let silent = |stream: TcpStream, _| async move {
        // With nothing left to happen the clock goes to the next moment at which something does.
        pause();
        tokio::time::sleep(PATIENT).await;
        drop(stream);
    };
    let (url, asked) = server(silent).await;
    let started = Instant::now();
    unseen(&get(&url, PATIENT).await, "no whole answer within 5s");
    let waited = started.elapsed();
    assert!((5_000..5_500).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_begins_and_does_not_end_is_given_up_too() {
    let stalled = |mut stream: TcpStream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        tokio::time::sleep(PATIENT).await;
    };
    let (url, _) = server(stalled).await;
    let started = Instant::now();
    unseen(&get(&url, Duration::from_millis(200)).await, "no whole answer within 200ms");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn no_more_than_64_kib_of_an_answer_are_read() {
    let endless = |mut stream: TcpStream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await.unwrap();
        // Until the other side has had enough.
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    };
    let (url, _) = server(endless).await;
    let answer = get(&url, PATIENT).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 64 * 1024));
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unseen_at_once_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    drop(listener);
    let started = Instant::now();
    unseen(&get(&url, PATIENT).await, "Connection refused");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_an_address_has_for_a_token_is_told_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (url, private) in [
        (format!("http://{address}/health?token=s3cret"), true),
        (format!("http://{address}/health?token=s3cret"), false),
        (format!("http://{address}?token=s3cret"), true),
        ("http://no-such-host.invalid/health?token=s3cret".to_owned(), true),
        ("gopher://checkout.example/health?token=s3cret".to_owned(), true),
    ] {
        for patience in [PATIENT, Duration::ZERO] {
            let check = HealthCheck { url: url.clone(), status: 200, private };
            let failed = answer_of(&check, patience).await.unwrap_err();
            assert_eq!(failed.subject, url.split('?').next().unwrap());
            assert!(!failed.to_string().contains("s3cret"), "{failed}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_asked() {
    let (url, asked) = server(|stream, _| async move { say(stream, "HTTP/1.1 200 OK\r\n\r\n").await }).await;
    let port = url.rsplit_once(':').unwrap().1.to_owned();
    // The system's resolver reads 2130706433, 0x7f.1 and 127.1 as addresses; nobody before it does.
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("localhost", ""),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
    ] {
        let url = format!("http://{host}:{port}/");
        let answer = answer_of(&HealthCheck { url, status: 200, private: false }, PATIENT).await;
        unseen(&answer, &format!("{address} is not public, and the check does not say \"private\": true"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let url = format!("http://localhost:{port}/");
    let answer = answer_of(&HealthCheck { url, status: 200, private: true }, PATIENT).await;
    assert_eq!(answer.map(|answer| answer.status), Ok(200));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_not_http_is_unseen() {
    let (url, _) = server(|stream, _| async move { say(stream, "SSH-2.0-OpenSSH_9.2\r\n").await }).await;
    unseen(&get(&url, PATIENT).await, "invalid HTTP version");
}

#[tokio::test]
async fn without_any_time_left_nothing_is_waited_for() {
    let (url, _) = server(|stream: TcpStream, _| async move {
        tokio::time::sleep(PATIENT).await;
        drop(stream);
    })
    .await;
    unseen(&get(&url, Duration::ZERO).await, "no whole answer within 0ns");
}

#[tokio::test]
async fn a_version_that_takes_its_time_is_called_once_and_given_up_in_time() {
    let silent = |stream: TcpStream, _| async move {
        tokio::time::sleep(PATIENT).await;
        drop(stream);
    };
    let (url, asked) = server(silent).await;
    let aws = aws(Endpoints::One(url));
    let started = Instant::now();
    let call = aws.call(&FUNCTION.parse().unwrap(), v(2), &json!({}), Duration::from_millis(200)).await;
    let failed = call.unwrap_err().to_string();
    assert!(failed.starts_with("lambda:InvokeFunction of checkout-api:2 failed: "), "{failed}");
    assert!(failed.contains("timeout"), "{failed}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_version_may_take_longer_than_the_suite_gives_aws() {
    // The suite gives up an answer of AWS's after three seconds.
    let slow = |stream, _| async move {
        pause();
        tokio::time::sleep(Duration::from_secs(20)).await;
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    };
    let (url, asked) = server(slow).await;
    let answer = aws(Endpoints::One(url)).call(&FUNCTION.parse().unwrap(), v(2), &json!({}), PATIENT).await;
    assert_eq!(answer.unwrap().payload, "{}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// The whole of AWS, and the service: each answer takes a second of a clock that stands still otherwise.
async fn in_a_second(stream: TcpStream, head: String) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let body = if head.contains("DynamoDB_20120810.Query") {
        json!({ "Items": items().iter().map(on_the_wire).collect::<Vec<_>>() }).to_string()
    } else {
        "{}".to_owned()
    };
    let length = body.len();
    say(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"))
        .await;
}

/// A release that is about to move, with a smoke test and a health check at an address that nobody serves.
fn items() -> Vec<Item> {
    let mut record = super::smoked();
    record.registration.preflight.health =
        Some(HealthCheck { url: "http://127.0.0.1:9/health".to_owned(), status: 200, private: true });
    items_of(&record)
}

fn on_the_wire(item: &Item) -> Value {
    // The ledger writes texts and numbers alone.
    let typed = |value: &AttributeValue| {
        let number = || json!({ "N": value.as_n().unwrap() });
        value.as_s().map_or_else(|_| number(), |text| json!({ "S": text }))
    };
    item.iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

#[tokio::test]
async fn a_check_before_a_release_takes_three_round_trips_one_after_the_other() {
    let (url, asked) = server(in_a_second).await;
    let aws = aws(Endpoints::One(url));
    let inspector = Inspector { aws, clock, tempo: Tempo::REAL };
    pause();
    let started = Instant::now();
    let failure = inspect(&super::event("before"), deadline(), &inspector).await.unwrap_err();
    // What this AWS answers is nonsense, and takes as many round trips as sense would.
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    let waited = started.elapsed();
    assert!((3_000..3_500).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 12);
}
