//! A rolled back release from end to end of the report: what the review says, and that nothing that anybody wrote becomes markup.

use jiff::SignedDuration;
use ripcord::evidence::{Evidence, LogExcerpt};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::{Counts, Metric, Minute, Observations, StageLimits, Tally, judge, replay};
use ripcord::measure::Served;
use ripcord::names::{Generation, Weight};
use ripcord::page::Tone;
use ripcord::pipeline::{Onward, Reached, Run, Turn};
use ripcord::release::{Cord, Phase, PulledBy, Report as Told};
use ripcord::signal::{RollbackCommand, Signal};
use ripcord::strategy::PlannedStage;
use ripcord::timeline::{Moment, What, Written};

use super::gather::Material;
use super::measured::Measured;
use super::story::{KnownFrom, Story};
use super::*;
use crate::status::example;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Release 4 of `checkout` had a tenth of the traffic for six minutes, failed two requests in five, and went back.
fn material() -> Material {
    let situation = example::shifting();
    let mut release = situation.record.release.clone().expect("a release");
    let began = release.opened_at;
    let pulled = began + SECOND * 400;
    let ended = pulled + SignedDuration::from_millis(440);
    let mut run = Run::of_hook(&situation.record.registration, "arn:run".to_owned(), None, 30);
    let planned = run.strategy.stages[0].clone();
    run.strategy.stages =
        vec![PlannedStage { weight: Weight::from_percent(10), bake_minutes: 5, ..planned.clone() }, planned];
    run.reached = vec![Reached { at: began + SECOND, approved_by: None }];
    release.run = Some(Box::new(run));
    release.phase = Phase::RolledBack;
    release.ended_at = Some(ended);
    release.ended_because = Some("alice asked for a rollback: it burns".to_owned());
    release.report = Told::Sent { at: ended + SECOND };
    let cord = Cord { by: PulledBy::Person { name: Some("alice".to_owned()) }, at: pulled, automatic: false };
    release.cord = Some(Box::new(cord.clone()));
    let observations = observations(began);
    let measured = Measured {
        error_limits: vec![0.01],
        slow_limits: vec![None],
        courses: replay(&observations, 100),
        served: Some(Served { candidate: Tally { bad: 120, requests: 300 }, minutes: 6 }),
        unmeasured: Vec::new(),
        minute: SECOND * 60,
        minutes: observations.minutes.clone(),
    };
    let moment = |seq, at, what| Moment {
        service: release.service.clone(),
        write: Some(Written { generation: Generation(4), seq }),
        at,
        what,
    };
    let target = release.changes[0].target.clone();
    let share = Weight::from_percent(10);
    let moments = vec![
        moment(1, began, What::Opened { by: "alice".to_owned(), commit: None }),
        moment(2, began + SECOND, What::Weights { target, weight: share }),
        moment(3, pulled, What::Signalled { cord }),
        moment(4, ended, What::Phase { phase: Phase::RolledBack, because: release.ended_because.clone() }),
    ];
    let signal = Signal::Operator(RollbackCommand {
        release: None,
        service: release.service.clone(),
        to: None,
        why: Some("it burns".to_owned()),
        requested_by: Some("alice".to_owned()),
        requested_at: pulled,
    });
    let judgement = judge(&observations);
    let look = StageLook {
        stage: 0,
        onward: Onward::to(Turn::RollBack, 0, "stage 1 failed".to_owned()),
        judgement,
        measured_until: Some(pulled),
    };
    let finding = Finding::of(&release, Found::Stage(Box::new(look)), pulled);
    let evidence = Evidence {
        generation: Some(Generation(4)),
        kind: "rollback".to_owned(),
        signal,
        decided_at: pulled,
        situation: example::shifting(),
        reason: "alice asked for a rollback: it burns".to_owned(),
        steps: vec!["lambda:UpdateAlias checkout:live to 1 on 100%".to_owned()],
        keep_until: ended,
    };
    let logged = LogExcerpt {
        source: "checkout:2".to_owned(),
        lines: vec!["[ERROR] ValueError: no price ``` | <b>".to_owned()],
        unread_because: None,
    };
    Material {
        release,
        moments,
        evidence: vec![evidence],
        findings: vec![finding],
        logs: vec![logged],
        measured: Ok(measured),
        missing: Vec::new(),
        now: ended + SECOND * 3_600,
        minute: SECOND * 60,
    }
}

fn observations(began: jiff::Timestamp) -> Observations {
    let minute = |index: i32| Minute {
        start: began + SECOND * 60 * index,
        stage: 0,
        weight: Weight::from_percent(10),
        candidate: Counts { requests: 50, errors: 20, timed: 0, slow: 0 },
        stable: Some(Counts { requests: 450, errors: 1, timed: 0, slow: 0 }),
    };
    Observations {
        stage: 0,
        stages: vec![StageLimits { error_rate_max: 0.01, latency: None }],
        minutes: (0..6).map(minute).collect(),
        gauges: Vec::new(),
        alarms: Vec::new(),
        unmeasured: Vec::new(),
    }
}

#[test]
fn a_review_tells_what_is_known_and_leaves_the_rest_blank() {
    insta::assert_snapshot!(markdown::review(&Story::of(&material())));
}

#[test]
fn the_answer_comes_first() {
    let material = material();
    let story = Story::of(&material);
    let report = Report { story, written: vec!["checkout-4.html".into()] };
    insta::assert_snapshot!(anstream::adapter::strip_str(&report.to_string()).to_string());
}

#[test]
fn a_page_has_a_curve_for_each_thing_that_was_judged() {
    let material = material();
    let page = html::page(&Story::of(&material), &material);
    for title in ["Share of traffic", "Share of requests that failed", "The case against the candidate"] {
        assert!(page.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    assert!(!page.contains("over 500 ms"), "nothing was limited in time");
    assert!(page.contains("not excluded yet") && page.contains("fails here"));
    assert!(page.contains("lambda:UpdateAlias checkout:live to 1 on 100%"));
}

#[test]
fn hostile_words_stay_words_wherever_they_come_from() {
    const HOSTILE: &str = "</svg></style></title><script>alert(1)</script><img src=x onerror=alert(1)>";
    let mut material = material();
    let hostile = || HOSTILE.to_owned();
    material.release.opened_by = hostile();
    material.release.ended_because = Some(hostile());
    material.evidence[0].reason = hostile();
    material.evidence[0].kind = hostile();
    material.evidence[0].steps.push(hostile());
    material.logs[0].lines.push(hostile());
    material.missing.push(hostile());
    let Moment { what: What::Phase { because, .. }, .. } = &mut material.moments[3] else { unreachable!() };
    *because = Some(hostile());
    let Moment { what: What::Signalled { cord }, .. } = &mut material.moments[2] else { unreachable!() };
    cord.by = PulledBy::Person { name: Some(hostile()) };
    let story = Story::of(&material);
    let page = html::page(&story, &material);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.matches("&lt;script&gt;").count() >= 9);
    let review = markdown::review(&story);
    let outside = review.split("````").step_by(2).collect::<String>();
    assert!(!outside.contains("<script") && !outside.contains("<img"), "{outside}");
}

#[test]
fn what_expired_is_said_and_the_rest_is_drawn() {
    let mut material = material();
    material.evidence.clear();
    material.logs.clear();
    material.moments.clear();
    material.measured = Err("CloudWatch has no whole minute of it".to_owned());
    material.missing.push("No evidence of this release is kept any more.".to_owned());
    let story = Story::of(&material);
    assert_eq!(story.served.known_from, KnownFrom::Looks);
    assert_eq!((story.served.requests, story.served.errors), (Some(300), Some(120)));
    let page = html::page(&story, &material);
    assert!(page.contains("No curves by version: CloudWatch has no whole minute of it."));
    assert!(page.contains("No evidence of this release is kept any more."));
    assert!(page.contains("<h2>Share of traffic</h2>"), "the record knows its stages");
    assert!(page.contains("From the last look at each stage"), "the ledger's looks are drawn instead");
    material.findings.clear();
    let story = Story::of(&material);
    assert_eq!((story.served.requests, story.served.known_from), (None, KnownFrom::Nothing));
    assert!(markdown::review(&story).contains("How many requests the candidate answered is not known."));
}

#[test]
fn every_way_to_end_has_an_answer_of_its_own() {
    let mut answers = std::collections::BTreeSet::new();
    for phase in Phase::EVERY {
        let mut material = material();
        material.release.phase = phase;
        let story = Story::of(&material);
        assert_eq!(story.tone == Tone::Bad, matches!(phase, Phase::RollbackFailed | Phase::Held), "{phase}");
        assert_eq!(story.back_after_s.is_some(), phase == Phase::RolledBack, "{phase}");
        answers.insert(story.answer);
    }
    assert_eq!(answers.len(), Phase::EVERY.len());
}

#[test]
fn the_judge_that_is_asked_again_says_what_it_said() {
    let material = material();
    let Found::Stage(look) = &material.findings[0].found else { unreachable!() };
    let errors =
        look.judgement.metrics.iter().find(|verdict| verdict.metric == Metric::Errors).expect("errors");
    let course = &material.measured.as_ref().expect("measured").courses[0];
    assert_eq!(course.known.last().map(|known| known.evidence_against), Some(errors.evidence_against));
}
