//! Is there enough traffic to prove the limits?

use jiff::Timestamp;
use ripcord::judge::{Tally, requests_to_prove};
use ripcord::measure::{Answers, Series};
use ripcord::pipeline::{Tempo, Waivable};
use ripcord::preflight::{Outcome, TrafficHistory, Unseen};
use ripcord::registration::Unproven;

use super::{Case, check, check_waivable, unseen};
use crate::worlds::{at, lambda, seconds};

/// The last day had so many requests, of which so many failed: one in 1,440 of them comes to the first stage in its ten
/// minutes at 10 %, because a tenth of ten minutes is one minute.
fn had(requests: u64, bad: u64) -> impl Fn(&mut Case) {
    move |case| {
        case.facts.history = Some(Ok(TrafficHistory { seen: Tally { bad, requests }, minutes: 1_440 }));
    }
}

/// What a proof of the default limit of 5 % takes when nothing fails.
fn needed() -> u64 {
    requests_to_prove(0.05, 0.0).unwrap()
}

fn stage_1(baked: u64, watched: u64) -> String {
    format!(
        "stage 1 at 10% needs {} requests to prove errors below 5%, and {baked} are expected in 10 min, {watched} in 20 min \
         at most",
        needed()
    )
}

fn known(requests: u64) -> String {
    format!("known from {requests} requests in 1 d 0 h, errors 0% (0 of {})", grouped(requests))
}

fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

#[test]
fn a_stage_that_its_bake_can_prove_passes_at_the_very_number() {
    let n = needed();
    let requests = n * 1_440;
    let detail = format!("{}; {}", stage_1(n, 2 * n), known(requests));
    check(had(requests, 0), "traffic", Outcome::Passed, &detail);
    let detail = format!("{}; {}", stage_1(n - 1, 2 * n - 1), known(requests - 1));
    check(had(requests - 1, 0), "traffic", Outcome::Noted, &detail);
}

#[test]
fn a_stage_that_even_its_extension_cannot_prove_fails_at_the_very_number() {
    // Twice its bake, so half of the requests are enough.
    let n = needed();
    let requests = (n * 1_440).div_ceil(2);
    let detail = format!("{}; {}", stage_1(requests / 1_440, n), known(requests));
    check(had(requests, 0), "traffic", Outcome::Noted, &detail);
    let detail = format!("{}; {}", stage_1((requests - 1) / 1_440, n - 1), known(requests - 1));
    check_waivable(Waivable::Traffic, had(requests - 1, 0), "traffic", &detail);
    let asked = |case: &mut Case| {
        had(requests - 1, 0)(case);
        case.run().strategy.unproven = Unproven::Ask;
    };
    let detail = detail.replacen("; known", "; a person will be asked; known", 1);
    check(asked, "traffic", Outcome::Noted, &detail);
}

#[test]
fn without_an_extension_the_bake_is_all_there_is() {
    let n = needed();
    let detail = format!(
        "{}; {}",
        stage_1(n - 1, n - 1).replace("20 min at most", "10 min at most"),
        known(n * 1_440 - 1)
    );
    let alter = |case: &mut Case| {
        had(n * 1_440 - 1, 0)(case);
        case.run().strategy.extend_minutes_max = Some(0);
    };
    check(alter, "traffic", Outcome::Failed, &detail);
}

#[test]
fn a_stable_version_at_the_limit_makes_every_proof_impossible_and_is_said_to() {
    let detail = "stage 1 at 10% can never prove errors below 5%: the stable version itself is too close to it or beyond it; \
         stage 2 at 50% can never prove errors below 5%: the stable version itself is too close to it or beyond it; \
         stage 3 at 100% can never prove errors below 5%: the stable version itself is too close to it or beyond it; \
         known from 1000000 requests in 1 d 0 h, errors 5.0% (50,000 of 1,000,000)";
    check(had(1_000_000, 50_000), "traffic", Outcome::Failed, detail);
}

#[test]
fn the_share_of_slow_requests_is_proved_too() {
    let needed = requests_to_prove(0.001, 0.0).unwrap();
    let alter = |case: &mut Case| {
        had(14_400, 0)(case);
        case.run().strategy.stages.truncate(1);
        case.run().strategy.stages[0].limits.slow_rate_max = Some(0.001);
    };
    let detail = format!(
        "stage 1 at 10% needs {needed} requests to prove slow requests below 0.1%, and 10 are expected in 10 min, 20 in 20 \
         min at most; known from 14400 requests in 1 d 0 h, errors 0% (0 of 14,400)"
    );
    check(alter, "traffic", Outcome::Failed, &detail);
}

#[test]
fn long_lists_of_stages_are_cut() {
    let alter = |case: &mut Case| {
        had(0, 0)(case);
        let stage = case.run().strategy.stages[0].clone();
        case.run().strategy.stages = vec![stage; 5];
    };
    let mut case = Case::well();
    alter(&mut case);
    let detail = super::found(&case.before("10:00:10"), "traffic").detail;
    assert_eq!(detail.matches("requests to prove").count(), 3, "{detail}");
    assert!(
        detail.contains("; and 2 more stages; known from 0 requests in 1 d 0 h, errors in no requests"),
        "{detail}"
    );
}

#[test]
fn traffic_that_could_not_be_seen_passes_nothing_and_is_waived_with_these_words() {
    let detail = "the requests of the last day could not be seen: AccessDenied";
    check_waivable(Waivable::Traffic, |case| case.facts.history = Some(unseen()), "traffic", detail);
    let asked = |case: &mut Case| {
        case.facts.history = Some(unseen());
        case.run().strategy.unproven = Unproven::Ask;
    };
    check(asked, "traffic", Outcome::Failed, detail);
}

#[track_caller]
fn day(now: &str, tempo: Tempo, from: Timestamp, to: &str) {
    let question = TrafficHistory::question(&lambda("api", "live"), at(now), tempo);
    assert_eq!((question.from, question.to), (from, at(to)));
}

#[test]
fn the_day_ends_with_the_last_whole_period_that_has_settled() {
    day("10:06:00", Tempo::REAL, at("10:05:00") - seconds(86_400), "10:05:00");
    day("10:05:59", Tempo::REAL, at("10:00:00") - seconds(86_400), "10:00:00");
    // A rehearsal's minute is a second long, and so is its day shorter.
    day("10:00:06", Tempo::of_minute_ms(1_000), at("10:00:05") - seconds(1_440), "10:00:05");
}

#[test]
fn the_alias_is_asked_about_and_not_its_versions() {
    let question = TrafficHistory::question(&lambda("api", "live"), at("10:06:00"), Tempo::REAL);
    assert_eq!(question.period_seconds, 300);
    let asked: Vec<String> =
        question.queries.iter().map(|query| format!("{} = {:?}", query.id, query.wanted)).collect();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    requests = Metric(MetricSource { namespace: "AWS/Lambda", name: "Invocations", dimensions: {"FunctionName": "checkout-api", "Resource": "checkout-api:live"}, stat: "Sum" })
    errors = Metric(MetricSource { namespace: "AWS/Lambda", name: "Errors", dimensions: {"FunctionName": "checkout-api", "Resource": "checkout-api:live"}, stat: "Sum" })
    "#);
}

fn series(sums: &[(&str, f64)]) -> Series {
    Ok(sums.iter().map(|(start, sum)| (at(start), *sum)).collect())
}

fn read(requests: Series, errors: Option<Series>) -> Result<TrafficHistory, Unseen> {
    let question = TrafficHistory::question(&lambda("api", "live"), at("10:01:00"), Tempo::REAL);
    let mut answers = Answers::from([("requests".to_owned(), requests)]);
    answers.extend(errors.map(|errors| ("errors".to_owned(), errors)));
    TrafficHistory::of(&question, &answers, Tempo::REAL)
}

#[track_caller]
fn history(requests: &[(&str, f64)], errors: &[(&str, f64)], expected: (u64, u64, u32)) {
    let TrafficHistory { seen: Tally { bad, requests }, minutes } =
        read(series(requests), Some(series(errors))).unwrap();
    assert_eq!((requests, bad, minutes), expected);
}

#[test]
fn the_rate_is_that_of_the_time_since_the_first_request() {
    history(&[], &[], (0, 0, 0));
    history(&[("09:00:00", 0.0), ("09:30:00", 60.0), ("09:35:00", 40.0)], &[("09:35:00", 3.0)], (100, 3, 30));
    // An error may be counted where its request is not any more.
    history(&[("09:55:00", 2.0)], &[("09:55:00", 3.0)], (2, 2, 5));
}

#[test]
fn a_day_of_which_not_everything_is_known_is_not_known() {
    let known = || series(&[("09:55:00", 2.0)]);
    let why = |requests, errors| read(requests, errors).unwrap_err().to_string();
    let partial = || Err("PartialData".to_owned());
    assert_eq!(why(partial(), Some(known())), "could not be seen: requests: PartialData");
    assert_eq!(why(known(), Some(partial())), "could not be seen: errors: PartialData");
    assert_eq!(why(known(), None), "could not be seen: errors: not answered");
}
