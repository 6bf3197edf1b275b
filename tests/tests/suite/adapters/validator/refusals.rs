//! What is not looked at: releases that are not open, and requests of another form.

use ripcord::release::{Phase, Release};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_open_is_not_looked_at() {
    let in_phase = |phase| {
        let mut record = baked();
        let release = record.release.take().unwrap();
        record.release =
            Some(Release { phase, ended_because: Some("alarm errors fired".to_owned()), ..release });
        record
    };
    for (phase, error_type) in [
        (Phase::RolledBack, ErrorType::ReleaseClosed),
        (Phase::RollbackFailed, ErrorType::ReleaseClosed),
        (Phase::Withdrawn, ErrorType::ReleaseClosed),
        (Phase::Held, ErrorType::ServiceHeld),
    ] {
        let scene = Scene::new(&[&recorded(&in_phase(phase))]);
        let failure = validated(&scene, &look()).await.unwrap_err();
        assert_eq!(failure.error_type, error_type, "{failure}");
        assert_eq!(scene.calls(), "dynamodb:Query service#checkout");
    }
    let scene = Scene::new(&[&recorded(&in_phase(Phase::Complete))]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!((answer.verdict, answer.onward.next), (None, Turn::End));

    let other = json!({ "service": SERVICE, "release": 4 });
    let failure = validated(&Scene::new(&[&recorded(&baked())]), &other).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReleaseConflict);
    let mut undriven = baked();
    undriven.release.as_mut().unwrap().run = None;
    let failure = validated(&Scene::new(&[&recorded(&undriven)]), &look()).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RequestInvalid);
    let nobody = Scene::new(&[&holds("service#checkout", Vec::new())]);
    assert_eq!(validated(&nobody, &look()).await.unwrap_err().error_type, ErrorType::ServiceUnknown);
    let denied = mock!(DynamoDb::query)
        .sequence()
        .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
        .build();
    let failure = validated(&Scene::new(&[&denied]), &look()).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::LedgerUnreadable);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_another_form_costs_no_call() {
    let ask = |field: &str, value: Value| {
        let mut event = json!({
            "service": SERVICE, "release": 5,
            "ask": { "token": "t", "stage": 1, "why": "w", "wait_seconds": 60 },
        });
        event["ask"][field] = value;
        event
    };
    for (event, message) in [
        (json!({}), "service"),
        (json!({ "service": SERVICE }), "release"),
        (json!({ "service": SERVICE, "release": "5" }), "release"),
        (json!({ "service": SERVICE, "release": 5, "stage": 1 }), "stage"),
        (ask("token", json!("")), "ask.token is empty"),
        (ask("token", json!(7)), "ask.token"),
        (ask("stage", json!(-1)), "ask.stage"),
        (ask("wait_seconds", json!(0)), "ask.wait_seconds is 0"),
        (ask("until", json!("x")), "until"),
    ] {
        let scene = Scene::new(&[]);
        let failure = validated(&scene, &event).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::RequestInvalid, "{event}: {failure}");
        assert!(failure.message.starts_with("the request is not valid: "), "{failure}");
        assert!(failure.message.contains(message), "{event}: {failure}");
        assert_eq!(scene.calls(), "");
    }
}
