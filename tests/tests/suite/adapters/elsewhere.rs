//! A release whose target lies in another region: everything about it is looked at there, and the suite's own things at home.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::{Aws, Connection, Credentials, Endpoints, Scope, SuiteNames, take};
use ripcord::names::Generation;
use ripcord::pipeline::Tempo;
use ripcord::plan::{KeepLogs, Step};
use ripcord::preflight::{PreflightRequest, Standing, standing};
use ripcord::registration::{Guard, Reach};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::preflight::Case;
use crate::worlds::{SERVICE, at, v};

const HOME: &str = "eu-west-1";
const THERE: &str = "ap-south-1";

/// Which service was called in which region, and with what.
type Calls = Arc<Mutex<Vec<(String, String, String)>>>;

/// An AWS that refuses everything and notes for which region it was signed.
async fn refusing() -> (Aws, Calls) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Calls::default();
    let noted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(refuse(stream, Arc::clone(&noted)));
        }
    });
    let connection = Connection {
        region: HOME.to_owned(),
        credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
        endpoints: Endpoints::One(url),
    };
    let names = SuiteNames { table: "ripcord-ledger".to_owned(), topic_arn: String::new() };
    (Aws::new(&connection.sdk_config(), names), calls)
}

/// Answers the requests of one connection, until the client closes it.
async fn refuse(mut stream: TcpStream, calls: Calls) {
    let mut received = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut received).await {
        let text = String::from_utf8_lossy(&received).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        if received.len() < head.len() + 4 + length {
            continue;
        }
        // `AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, …`.
        let authorization = header("authorization").unwrap();
        let scope: Vec<&str> = authorization.split('/').collect();
        calls.lock().unwrap().push((scope[3].to_owned(), scope[2].to_owned(), format!("{head}\n{body}")));
        let refusal = r#"{"__type":"ValidationException","message":"no"}"#;
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{refusal}",
            refusal.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        received.clear();
    }
}

fn regions(calls: &Calls, service: &str) -> BTreeSet<String> {
    let calls = calls.lock().unwrap();
    calls.iter().filter(|(called, ..)| called == service).map(|(_, region, _)| region.clone()).collect()
}

fn only(region: &str) -> BTreeSet<String> {
    [region.to_owned()].into()
}

fn reach() -> Reach {
    Reach { region: Some(THERE.parse().unwrap()), ..Reach::default() }
}

/// The case of the checks, with its target elsewhere, a guard at home and one where the target lies.
fn case() -> Case {
    let mut case = Case::well();
    let registration = &mut case.record.registration;
    registration.targets[0].reach = reach();
    let guard = |alarm: &str| Guard { alarm: alarm.to_owned() };
    let there = format!("arn:aws:cloudwatch:{THERE}:123456789012:alarm:their-errors");
    registration.guards = vec![guard("errors"), guard(&there)];
    registration.preflight.smoke = Some(serde_json::from_value(json!({ "payload": {} })).unwrap());
    case
}

#[tokio::test]
async fn everything_about_a_release_is_looked_at_where_its_target_lies() {
    let (aws, calls) = refusing().await;
    let case = case();
    let request = json!({ "service": SERVICE, "release": 5, "when": "before" });
    let request = PreflightRequest::read(&request).unwrap();
    let Ok(Standing::Open(subject)) = standing(&request, &case.record) else { panic!("it is open") };
    let patience = Duration::from_secs(5);
    aws.look(&subject, Scope::Whole, patience, (at("10:00:00"), Tempo::REAL)).await;
    aws.sights(&subject, patience, (at("10:20:00"), Tempo::REAL)).await;

    assert_eq!(regions(&calls, "lambda"), only(THERE));
    let calls = calls.lock().unwrap();
    let alarms: BTreeSet<(&str, bool, bool)> = calls
        .iter()
        .filter(|(service, _, text)| service == "monitoring" && text.contains("DescribeAlarms"))
        .map(|(_, region, text)| (&**region, text.contains("their-errors"), text.contains("errors")))
        .collect();
    assert_eq!(alarms, BTreeSet::from([(HOME, false, true), (THERE, true, true)]));
    let metrics: BTreeSet<&str> = calls
        .iter()
        .filter(|(service, _, text)| service == "monitoring" && text.contains("GetMetricData"))
        .map(|(_, region, _)| &**region)
        .collect();
    assert_eq!(metrics, BTreeSet::from([THERE]));
}

#[tokio::test]
async fn the_log_lines_of_a_target_elsewhere_are_kept_at_home() {
    let (aws, calls) = refusing().await;
    let keep = KeepLogs {
        service: SERVICE.parse().unwrap(),
        generation: Generation(5),
        reach: reach(),
        function: "checkout".parse().unwrap(),
        version: v(2),
        from: at("10:00:00"),
        to: at("10:05:00"),
        keep_until: at("11:00:00"),
    };
    let taken = take(&aws, &vec![vec![Step::KeepLogs(keep)]], Timestamp::now).await;
    assert!(taken.interruption.is_none(), "what cannot be read stops nothing: {:?}", taken.interruption);
    assert_eq!(regions(&calls, "logs"), only(THERE));
    assert_eq!(regions(&calls, "dynamodb"), only(HOME));
}
