//! Requests and what they are answered: what a client may rely on, and what it is told when it is wrong.

use std::collections::BTreeSet;

use aws_smithy_types::base64;
use flag_evaluator::{BODY_BYTES_MAX, FLAG_KEYS_MAX};
use proptest::prelude::*;

use super::*;

const ONE: &str = "/feature-flags/evaluate";
const BATCH: &str = "/feature-flags/evaluate-batch";

fn json_headers() -> Value {
    json!({ "content-type": "application/json" })
}

/// The status, the word and the message of a refusal.
async fn refused(event: Value) -> (u16, String, String) {
    let reply = answer(event, &loaded().await).await;
    let said = body(&reply);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.headers["cache-control"], "no-store");
    let text = |field: &str| said[field].as_str().unwrap().to_owned();
    (reply.status_code, text("error"), text("message"))
}

#[track_caller]
fn is_refused(refusal: (u16, String, String), expected: (u16, &str, &str)) {
    let (status, code, message) = refusal;
    assert_eq!((status, code.as_str()), (expected.0, expected.1), "{message}");
    assert!(message.contains(expected.2), "{message}");
}

#[tokio::test]
async fn a_flag_is_answered_with_the_rule_of_that_flag() {
    let evaluator = loaded().await;
    let context = json!({ "user_id": "u1", "app_version": "1.9.0" });
    for (flag_key, enabled, part) in
        [("new-search", false, "old apps"), ("old-cart", false, "old-cart"), ("gone", false, "")]
    {
        let asked = json!({ "flag_key": flag_key, "context": context }).to_string();
        let reply = answer(posted(ONE, &asked), &evaluator).await;
        let said = body(&reply);
        assert_eq!((reply.status_code, &said["flag_key"]), (200, &json!(flag_key)));
        assert_eq!(said["enabled"], enabled);
        assert!(said["reason"].as_str().unwrap().contains(part), "{said}");
        assert_eq!(said["timestamp"], clock().to_string());
        let fields: BTreeSet<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, BTreeSet::from(["enabled", "flag_key", "reason", "timestamp", "variant"]));
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_batch_is_answered_in_the_order_asked_and_without_names_in_full() {
    let evaluator = loaded().await;
    let keys = |reply: &Reply| -> Vec<String> {
        let said = body(reply);
        let all = said["evaluations"].as_array().unwrap().iter();
        all.map(|one| one["flag_key"].as_str().unwrap().to_owned()).collect()
    };
    let named = json!({ "flag_keys": ["old-cart", "gone", "new-search"], "context": { "user_id": "u1" } });
    let reply = answer(posted(BATCH, &named.to_string()), &evaluator).await;
    assert_eq!(keys(&reply), ["old-cart", "gone", "new-search"]);
    // One of a batch is what it is alone, but for the time, which is said once.
    let alone = body(&evaluate(&evaluator, "new-search").await);
    let mut of_batch = body(&reply)["evaluations"][2].clone();
    of_batch["timestamp"] = body(&reply)["timestamp"].clone();
    assert_eq!(of_batch, alone);
    assert_eq!(keys(&answer(posted(BATCH, "{}"), &evaluator).await), ["new-search", "old-cart"]);
    assert_eq!(keys(&answer(posted(BATCH, r#"{"flag_keys": []}"#), &evaluator).await), [""; 0]);
}

#[tokio::test]
async fn the_list_tells_what_a_client_may_know_and_nobodys_name() {
    let reply = answer(request("GET", "/feature-flags", json!({}), None), &loaded().await).await;
    assert_eq!(
        body(&reply),
        json!({ "flags": [
            {
                "flag_key": "new-search", "enabled": true, "description": "Search by meaning",
                "variants": ["wide", "narrow"],
            },
            { "flag_key": "old-cart", "enabled": false, "variants": [] },
        ]})
    );
    assert_eq!(reply.headers["cache-control"], "private, max-age=15");
}

#[tokio::test]
async fn a_list_that_is_known_already_is_not_sent_again() {
    let evaluator = loaded().await;
    let ask = async |method: &str, known: Option<&str>| {
        let headers = known.map_or_else(|| json!({}), |known| json!({ "If-None-Match": known }));
        answer(request(method, "/feature-flags", headers, None), &evaluator).await
    };
    let etag = ask("GET", None).await.headers["etag"].clone();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 34, "{etag}");
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let reply = ask("GET", Some(&known)).await;
        assert_eq!((reply.status_code, reply.body.as_str()), (304, ""), "{known}");
        assert_eq!(reply.headers["etag"], etag);
    }
    for other in ["\"other\"", etag.trim_matches('"'), ""] {
        assert_eq!(ask("GET", Some(other)).await.status_code, 200, "{other}");
    }
    let head = ask("HEAD", None).await;
    assert_eq!((head.status_code, head.body.as_str(), &head.headers["etag"]), (200, "", &etag));
}

#[tokio::test]
async fn another_document_has_another_etag() {
    let other = r#"{"version": 1, "flags": {"old-cart": {"enabled": false}}}"#;
    let second = evaluator(&[&session("t0"), &latest("t0", "t1", other)]);
    let list = request("GET", "/feature-flags", json!({}), None);
    let (first, second) = (answer(list.clone(), &loaded().await).await, answer(list, &second).await);
    assert_ne!(first.headers["etag"], second.headers["etag"]);
}

#[tokio::test]
async fn an_api_may_stand_below_a_stage_or_a_mapping() {
    let evaluator = loaded().await;
    for path in ["/prod/feature-flags", "/shop/v1/feature-flags/", "/feature-flags"] {
        assert_eq!(
            answer(request("GET", path, json!({}), None), &evaluator).await.status_code,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_a_status_and_a_word() {
    let get = |path: &str| request("GET", path, json!({}), None);
    for path in ["", "/", "/flags", "/feature-flagsx", "/feature-flags/other", "/feature-flags/evaluate/x"] {
        is_refused(refused(get(path)).await, (404, "not_found", "POST /feature-flags/evaluate"));
    }
    for (method, path, allowed) in [
        ("DELETE", "/feature-flags", "GET, HEAD"),
        ("POST", "/feature-flags", "GET, HEAD"),
        ("GET", ONE, "POST"),
        ("PUT", BATCH, "POST"),
    ] {
        let reply = answer(request(method, path, json!({}), None), &loaded().await).await;
        assert_eq!((reply.status_code, reply.headers["allow"].as_str()), (405, allowed));
    }
    for headers in [json!({}), json!({ "content-type": "text/plain" }), json!({ "content-type": "" })] {
        let refusal = refused(request("POST", ONE, headers, Some("{}"))).await;
        is_refused(refusal, (415, "media_type_unsupported", "application/json"));
    }
    let with_charset = json!({ "Content-Type": "Application/JSON; charset=utf-8" });
    let asked = r#"{"flag_key": "old-cart"}"#;
    let reply = answer(request("POST", ONE, with_charset, Some(asked)), &loaded().await).await;
    assert_eq!(reply.status_code, 200, "{}", reply.body);
    for (path, sent, code, part) in [
        (ONE, "", "json_unreadable", "EOF"),
        (ONE, "{", "json_unreadable", "EOF"),
        (ONE, "{} {}", "request_invalid", "flag_key"),
        (ONE, r#"{"flag_key": "a"} {}"#, "json_unreadable", "behind"),
        (ONE, "[]", "request_invalid", "an object"),
        (ONE, r#" ["old-cart", {}]"#, "request_invalid", "an object"),
        (ONE, "7", "request_invalid", "an object with `flag_key`"),
        (ONE, "null", "request_invalid", "null"),
        (ONE, r#"{"flag_key": 7}"#, "request_invalid", "flag_key: invalid type: integer"),
        (ONE, r#"{"flag_key": "a", "flag_key": "b"}"#, "request_invalid", "duplicate field"),
        (ONE, r#"{"flag": "a"}"#, "request_invalid", "unknown field `flag`"),
        (ONE, r#"{"flag_key": "a", "context": "me"}"#, "context_invalid", "object"),
        (ONE, r#"{"flag_key": "a", "context": {"user": {"id": 1}}}"#, "context_invalid", "`user`"),
        (ONE, r#"{"flag_key": "a", "context": {"roles": ["x"]}}"#, "context_invalid", "`roles`"),
        (BATCH, r#"{"flag_keys": "a"}"#, "request_invalid", "flag_keys"),
        (BATCH, r#"{"flag_keys": ["a", 1]}"#, "request_invalid", "flag_keys[1]"),
    ] {
        is_refused(refused(posted(path, sent)).await, (400, code, part));
    }
}

#[tokio::test]
async fn a_body_may_be_as_long_as_it_may_and_no_longer() {
    let evaluator = loaded().await;
    let asked = r#"{"flag_key": "old-cart"}"#;
    let padded = |length: usize| asked.to_owned() + &" ".repeat(length - asked.len());
    for is_base64_encoded in [false, true] {
        for (length, status) in [(BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413), (4 << 20, 413)] {
            let sent = if is_base64_encoded { base64::encode(padded(length)) } else { padded(length) };
            let mut event = posted(ONE, &sent);
            event["isBase64Encoded"] = json!(is_base64_encoded);
            let reply = answer(event, &evaluator).await;
            assert_eq!(reply.status_code, status, "{length} {is_base64_encoded}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn no_more_flags_may_be_named_than_a_document_has_at_most() {
    let batch = |count: usize| posted(BATCH, &json!({ "flag_keys": vec!["old-cart"; count] }).to_string());
    let reply = answer(batch(FLAG_KEYS_MAX), &loaded().await).await;
    assert_eq!(body(&reply)["evaluations"].as_array().unwrap().len(), FLAG_KEYS_MAX);
    is_refused(refused(batch(FLAG_KEYS_MAX + 1)).await, (400, "too_many_flags", "2001"));
}

#[tokio::test]
async fn nesting_without_end_is_a_refusal_and_no_crash() {
    for depth in [2, 126, 127, 128, 50_000] {
        let nested = format!(r#"{{"flag_key": "a", "context": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let (status, ..) = refused(posted(ONE, &nested)).await;
        assert_eq!(status, 400, "{depth}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_base64_or_no_text_is_refused() {
    for (sent, code) in [("not base64!", "body_unreadable"), ("/////w==", "json_unreadable")] {
        let mut event = posted(ONE, sent);
        event["isBase64Encoded"] = json!(true);
        is_refused(refused(event).await, (400, code, ""));
    }
}

#[tokio::test]
async fn an_event_that_is_no_request_is_refused_too() {
    for event in [json!(null), json!([]), json!("x"), json!({ "rawPath": 7 }), json!({ "headers": [1] })] {
        is_refused(refused(event).await, (400, "event_invalid", "HTTP API"));
    }
    is_refused(refused(json!({})).await, (404, "not_found", ""));
    let headers = json_headers();
    assert_eq!(refused(request("POST", ONE, headers, None)).await.0, 400);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("flag_key".to_owned()),
            Just("flag_keys".to_owned()),
            Just("context".to_owned()),
            ".{0,6}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_request_makes_an_error_of_the_servers(
        method in prop_oneof![Just("POST".to_owned()), Just("GET".to_owned()), "[A-Z]{0,7}"],
        path in prop_oneof![Just(ONE.to_owned()), Just(BATCH.to_owned()), Just("/feature-flags".to_owned()), ".{0,30}"],
        sent in prop_oneof![any_json().prop_map(|value| value.to_string()), ".{0,60}"],
        is_base64_encoded in any::<bool>(),
        is_json in prop::bool::weighted(0.9),
    ) {
        let media_type = if is_json { "application/json" } else { "text/plain" };
        let mut event = request(&method, &path, json!({ "content-type": media_type }), Some(&sent));
        event["isBase64Encoded"] = json!(is_base64_encoded);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = runtime.block_on(async { answer(event, &loaded().await).await });
        prop_assert!((200..500).contains(&reply.status_code), "{} {}", reply.status_code, reply.body);
        if reply.status_code != 304 && method != "HEAD" {
            prop_assert!(serde_json::from_str::<Value>(&reply.body).is_ok(), "{}", reply.body);
        }
    }

    #[test]
    fn no_event_makes_a_crash(event in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = runtime.block_on(async { answer(event.clone(), &loaded().await).await });
        prop_assert!((400..500).contains(&reply.status_code), "{}", reply.body);
        prop_assert!(flag_evaluator::validate(&event).is_err());
    }
}
