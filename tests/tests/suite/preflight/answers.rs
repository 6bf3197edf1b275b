//! What the service answers, and what was expected of it.

use ripcord::preflight::{HealthAnswer, Outcome, SmokeAnswer};
use ripcord::registration::{HealthCheck, Smoke, SmokeExpectation};
use serde_json::{Value, json};

use super::{Case, check, unseen};

pub(super) fn smoke(expect: &[(&str, Value)]) -> Smoke {
    let expectation = |(pointer, equals): &(&str, Value)| SmokeExpectation {
        pointer: (*pointer).to_owned(),
        equals: equals.clone(),
    };
    Smoke { payload: json!({}), status: None, expect: expect.iter().map(expectation).collect(), schema: None }
}

fn answered(expect: &[(&str, Value)], payload: &str, error: Option<&str>) -> impl FnOnce(&mut Case) {
    let smoke = smoke(expect);
    let answer = SmokeAnswer { function_error: error.map(str::to_owned), payload: payload.to_owned() };
    move |case| {
        case.record.registration.preflight.smoke = Some(smoke);
        case.facts.answers.smoke = Some(Ok(answer));
    }
}

#[test]
fn a_version_that_may_not_be_called_is_not_released() {
    check(
        |case| case.facts.invocable = unseen(),
        "invocable",
        Outcome::Failed,
        "that checkout-api:2 may be called could not be seen: AccessDenied",
    );
}

#[test]
fn a_smoke_test_without_expectations_must_only_not_fail() {
    check(answered(&[], "anything", None), "smoke", Outcome::Passed, "version 2 answered without failing");
    check(
        answered(&[], r#"{"errorType":"KeyError"}"#, Some("Unhandled")),
        "smoke",
        Outcome::Failed,
        r#"version 2 failed (Unhandled): {"errorType":"KeyError"}"#,
    );
}

fn demanding(status: Option<u16>, schema: Option<Value>, payload: &str) -> impl FnOnce(&mut Case) {
    let smoke = Smoke { status, schema, ..smoke(&[("/ok", json!(true))]) };
    let answer = SmokeAnswer { function_error: None, payload: payload.to_owned() };
    move |case| {
        case.record.registration.preflight.smoke = Some(smoke);
        case.facts.answers.smoke = Some(Ok(answer));
    }
}

#[test]
fn a_status_may_be_a_number_or_text() {
    for answered in ["200", "200.0", "\"200\""] {
        let payload = format!("{{\"ok\":true,\"statusCode\":{answered}}}");
        let case = demanding(Some(200), None, &payload);
        check(case, "smoke", Outcome::Passed, "version 2 meets all of 2 expectations");
    }
    for (answered, shown) in
        [("201", "201"), ("\"2e2\"", "\"2e2\""), ("true", "true"), ("null", "null"), ("[200]", "[200]")]
    {
        let payload = format!("{{\"ok\":true,\"statusCode\":{answered}}}");
        let said =
            format!("version 2 does not meet 1 of 2 expectations; /statusCode is {shown}, expected 200");
        check(demanding(Some(200), None, &payload), "smoke", Outcome::Failed, &said);
    }
    let said = "version 2 does not meet 2 of 2 expectations; /statusCode is missing, expected 200; /ok is missing, expected true";
    check(demanding(Some(200), None, "{}"), "smoke", Outcome::Failed, said);
}

#[test]
fn an_answer_satisfies_its_schema_or_fails_with_the_places() {
    let schema =
        json!({ "properties": { "ok": { "const": true }, "n": { "items": { "type": "integer" } } } });
    check(
        demanding(None, Some(schema.clone()), r#"{"ok":true,"n":[1]}"#),
        "smoke",
        Outcome::Passed,
        "version 2 meets all of 1 expectations; the answer of version 2 satisfies its schema",
    );
    check(
        demanding(None, Some(schema.clone()), r#"{"ok":true,"n":["a",2,"b","c","d"]}"#),
        "smoke",
        Outcome::Failed,
        "the answer of version 2 breaks its schema in 4 places; /n/0 is \"a\", and not of type integer; /n/2 is \"b\", and \
         not of type integer; /n/3 is \"c\", and not of type integer; version 2 meets all of 1 expectations",
    );
    check(
        demanding(None, Some(schema), "no JSON"),
        "smoke",
        Outcome::Failed,
        "version 2 answered what is no JSON: no JSON",
    );
}

#[test]
fn a_schema_that_cannot_be_followed_passes_nothing() {
    check(
        demanding(None, Some(json!({ "$ref": "#" })), r#"{"ok":true}"#),
        "smoke",
        Outcome::Failed,
        "whether the answer of version 2 satisfies its schema is not known: the schema could not be followed to its end within \
         1000000 steps, 100 deep; version 2 meets all of 1 expectations",
    );
    // It was registered when such a thing was let through.
    check(
        demanding(None, Some(json!({ "minimum": null })), r#"{"ok":true}"#),
        "smoke",
        Outcome::Failed,
        "whether the answer of version 2 satisfies its schema is not known: minimum: invalid type: null, expected a JSON \
         number; version 2 meets all of 1 expectations",
    );
}

#[test]
fn a_smoke_test_is_met_at_every_pointer_or_fails_with_what_was_found() {
    let expect = [("/statusCode", json!(200)), ("/body/items/0", json!("apple")), ("", json!({ "a": 1 }))];
    let payload = r#"{"statusCode":200,"body":{"items":["apple"]}}"#;
    check(
        answered(&expect[..2], payload, None),
        "smoke",
        Outcome::Passed,
        "version 2 meets all of 2 expectations",
    );
    check(
        answered(&expect, r#"{"statusCode":"200"}"#, None),
        "smoke",
        Outcome::Failed,
        r#"version 2 does not meet 3 of 3 expectations; /statusCode is "200", expected 200; /body/items/0 is missing, expected "apple"; the answer is {"statusCode":"200"}, expected {"a":1}"#,
    );
    check(
        answered(&expect, "<html>", None),
        "smoke",
        Outcome::Failed,
        "version 2 answered what is no JSON: <html>",
    );
}

#[test]
fn long_answers_and_long_lists_are_cut() {
    let long = "ä".repeat(201);
    let expected = format!("version 2 failed (Unhandled): {}…", "ä".repeat(200));
    check(answered(&[], &long, Some("Unhandled")), "smoke", Outcome::Failed, &expected);
    let whole = "ä".repeat(200);
    let expected = format!("version 2 failed (Unhandled): {whole}");
    check(answered(&[], &whole, Some("Unhandled")), "smoke", Outcome::Failed, &expected);
    let expect = ["/a", "/b", "/c", "/d"].map(|pointer| (pointer, json!(1)));
    check(
        answered(&expect, "{}", None),
        "smoke",
        Outcome::Failed,
        "version 2 does not meet 4 of 4 expectations; /a is missing, expected 1; /b is missing, expected 1; /c is missing, expected 1",
    );
}

#[test]
fn a_registered_smoke_test_that_was_not_asked_does_not_pass() {
    check(
        |case| case.record.registration.preflight.smoke = Some(smoke(&[])),
        "smoke",
        Outcome::Failed,
        "version 2 was not asked",
    );
}

fn health(answer: Option<HealthAnswer>) -> impl FnOnce(&mut Case) {
    |case| {
        let url = "https://checkout.example/health".to_owned();
        case.record.registration.preflight.health = Some(HealthCheck { url, status: 204, private: false });
        case.facts.answers.health = answer.map_or_else(|| Some(unseen()), |answer| Some(Ok(answer)));
    }
}

#[test]
fn an_address_answers_with_its_status_or_fails() {
    let answer = |status, location: Option<&str>, body: &str| {
        Some(HealthAnswer { status, location: location.map(str::to_owned), body: body.to_owned() })
    };
    let url = "https://checkout.example/health";
    for (answer, outcome, detail) in [
        (answer(204, None, ""), Outcome::Passed, "answered 204"),
        (answer(200, None, ""), Outcome::Failed, "answered 200, expected 204"),
        (answer(503, None, "no database"), Outcome::Failed, "answered 503, expected 204: no database"),
        (
            answer(302, Some("/login"), "moved"),
            Outcome::Failed,
            "answered 302 with a redirect to /login, expected 204: redirects are not followed",
        ),
    ] {
        check(health(answer), "health", outcome, &format!("{url} {detail}"));
    }
    // The request has it; what is told and kept has not.
    let token = |case: &mut Case| {
        health(answer(302, Some("https://login.example/?next=s3cret#s3cret"), ""))(case);
        let health = case.record.registration.preflight.health.as_mut().unwrap();
        health.url = format!("{url}?token=s3cret#s3cret");
    };
    let detail = format!(
        "{url} answered 302 with a redirect to https://login.example/, expected 204: redirects are not followed"
    );
    check(token, "health", Outcome::Failed, &detail);
    let detail = format!("the answer of {url} could not be seen: AccessDenied");
    check(health(None), "health", Outcome::Failed, &detail);
}
