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
    Smoke { payload: json!({}), expect: expect.iter().map(expectation).collect() }
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
        case.record.registration.preflight.health = Some(HealthCheck { url, status: 204 });
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
    let detail = format!("the answer of {url} could not be seen: AccessDenied");
    check(health(None), "health", Outcome::Failed, &detail);
}
