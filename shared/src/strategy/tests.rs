use super::*;

fn registration(json: &str) -> Registration {
    let document = format!(
        r#"{{"service": "checkout", "guards": [{{"alarm": "errors"}}],
            "targets": [{{"name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live"}}]{json}}}"#
    );
    Registration::parse(&document).expect("a valid registration")
}

fn given(stages: &str, duration: Option<&str>) -> StrategyChoice {
    StrategyChoice {
        stages: Some(stages.to_owned()),
        stage_duration: duration.map(str::to_owned),
        ..StrategyChoice::default()
    }
}

/// Percentages and minutes, like `10@10 100@5`.
fn shape(strategy: &Strategy) -> String {
    let stage = |stage: &PlannedStage| {
        let approval = if stage.approval { "!" } else { "" };
        format!("{approval}{}@{}", stage.weight.to_string().trim_end_matches('%'), stage.bake_minutes)
    };
    strategy.stages.iter().map(stage).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(choice: &StrategyChoice, expect: &str) {
    let resolved = Strategy::resolve(choice, &registration("")).expect("it resolves");
    assert_eq!(shape(&resolved), expect);
}

#[track_caller]
fn refused(choice: &StrategyChoice, expect: &str) {
    let violations = Strategy::resolve(choice, &registration("")).expect_err("it is refused");
    let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.starts_with(expect)), "{said:?} has not {expect:?}");
}

#[test]
fn presets_have_the_figures_that_they_are_known_for() {
    for (name, expect) in [
        ("all-at-once", "100@10"),
        ("blue-green", "100@5"),
        ("canary", "10@10 25@10 50@10 75@10 100@10"),
        ("canary-cautious", "5@30 25@120 50@240 100@10"),
        ("canary-graded", "10@10 25@30 50@60 100@10"),
        ("linear", "10@10 20@10 50@10 100@10"),
        ("progressive", "10@10 25@10 50@10 75@10 100@10"),
        ("ab-50-50", "50@10080 !100@10"),
        ("ab-80-20", "20@10080 !100@10"),
    ] {
        check(&StrategyChoice { strategy: Some(name.to_owned()), ..StrategyChoice::default() }, expect);
    }
    assert_eq!(presets().len(), 9);
}

#[test]
fn stages_are_written_as_percentages_and_end_with_all_traffic() {
    check(&given("5,10,25,50,100", Some("15m")), "5@15 10@15 25@15 50@15 100@15");
    check(&given("5, 10%,25", Some("2h")), "5@120 10@120 25@120 100@120");
    check(&given("0.5,100", None), "0.5@10 100@10");
}

#[test]
fn what_cannot_be_a_stage_list_is_refused_by_field_value_and_rule() {
    refused(
        &given("10,5", None),
        "stages[1].weight is 5%: weights rise from stage to stage, and the one before is 10%",
    );
    refused(&given("10,10", None), "stages[1].weight is 10%: weights rise");
    refused(&given("0,50", None), "stages[0].weight is 0%: above 0%");
    refused(&given("50,100.1", None), "stages[1] is \"100.1\": a percentage above 0 and up to 100");
    refused(&given("10,,50", None), "stages[1] is \"\": a percentage");
    refused(&given("", None), "stages[0] is \"\": a percentage");
    refused(&given("10,x", None), "stages[1] is \"x\": a percentage");
    refused(&given("10", Some("59s")), "stage_duration is \"59s\": whole minutes, at least one");
    refused(&given("10", Some("90s")), "stage_duration is \"90s\": whole minutes");
    refused(&given("10", Some("soon")), "stage_duration is \"soon\": a duration such as 15m");
    refused(
        &given("10", Some("8d")),
        "stages[0].bake_minutes is 11520: a stage is watched for 1 to 10080 minutes",
    );
    check(&given("10", Some("60s")), "10@1 100@1");
    check(&given("10", Some("7d")), "10@10080 100@10080");
    let unknown = StrategyChoice { strategy: Some("yolo".to_owned()), ..StrategyChoice::default() };
    refused(&unknown, "strategy is \"yolo\": one of canary, canary-cautious");
    let both = StrategyChoice { strategy: Some("linear".to_owned()), ..given("10", None) };
    refused(&both, "strategy is \"linear\": give either a strategy or stages");
}

#[test]
fn approval_is_asked_before_every_further_stage() {
    let by_hand = |stages| StrategyChoice { no_auto_promote: true, ..given(stages, None) };
    check(&by_hand("10,100"), "10@10 !100@10");
    check(&by_hand("100"), "!100@10");
}

#[test]
fn limits_come_from_the_stage_then_the_service_then_a_default() {
    let service = registration(r#", "limits": {"error_rate_max": 0.02, "latency_ms_max": 500}"#);
    let graded = StrategyChoice { strategy: Some("canary-graded".to_owned()), ..StrategyChoice::default() };
    let limits = |service: &Registration, choice: &StrategyChoice| {
        Strategy::resolve(choice, service).expect("it resolves").stages[0].limits.clone()
    };
    let expected = Limits {
        error_rate_max: Some(0.01),
        latency_ms_max: Some(500),
        slow_rate_max: Some(SLOW_RATE_MAX),
        throttles_max: None,
    };
    assert_eq!(limits(&service, &graded), expected);
    assert_eq!(limits(&service, &given("10", None)).error_rate_max, Some(0.02));
    let bare = limits(&registration(""), &given("10", None));
    assert_eq!(bare, Limits { error_rate_max: Some(ERROR_RATE_MAX), ..Limits::default() });
}

#[test]
fn a_service_follows_what_it_registered_unless_told_otherwise() {
    let document = r#", "stages": [{"weight": 0.2, "bake_minutes": 3}]"#;
    let resolve = |json: &str, choice: &StrategyChoice| {
        let strategy = Strategy::resolve(choice, &registration(json)).expect("it resolves");
        (strategy.name.clone(), shape(&strategy))
    };
    let none = StrategyChoice::default();
    let is = |name: &str, shape: &str| (name.to_owned(), shape.to_owned());
    assert_eq!(resolve(document, &none), is("registered", "20@3 100@3"));
    assert_eq!(resolve("", &none).0, "canary");
    let preset = r#", "release": {"strategy": "blue-green"}"#;
    assert_eq!(resolve(preset, &none), is("blue-green", "100@5"));
    assert_eq!(resolve(preset, &given("30", None)), is("custom", "30@10 100@10"));
}

#[test]
fn long_releases_are_looked_at_less_often_so_that_an_execution_holds_them() {
    let look = |stages, duration| {
        Strategy::resolve(&given(stages, Some(duration)), &registration(""))
            .expect("it resolves")
            .look_minutes
    };
    // Two stages, each watched for up to twice its bake: 4 × 375 looks are 1,500.
    assert_eq!(look("50,100", "375m"), 1);
    assert_eq!(look("50,100", "376m"), 2);
    assert_eq!(look("50,100", "7d"), 27);
}
