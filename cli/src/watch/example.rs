//! A release for tests: version 2 of `checkout` in its second stage of four, looked at a few minutes in.

use jiff::Timestamp;
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::{
    Direction, GaugeRule, GaugeVerdict, Judgement, Metric, MetricVerdict, Missing, Tally, Verdict,
};
use ripcord::names::{Generation, Weight};
use ripcord::pipeline::{Awaiting, Onward, Reached, Run, Tempo, Then, Turn};
use ripcord::preflight::{Check, Outcome};
use ripcord::release::{Phase, Release};
use ripcord::strategy::{Strategy, StrategyChoice};

use super::view::View;
use crate::status::example as status;

pub(crate) use status::at;

/// A moment in the middle of its bake.
pub(crate) const NOW: &str = "2026-03-02T12:17:30Z";

pub(crate) fn release() -> Release {
    let situation = status::shifting();
    let mut registration = situation.record.registration;
    registration.stages[2].approval = true;
    let strategy =
        Strategy::resolve(&StrategyChoice::default(), &registration).expect("the example is valid");
    let reached = |text: &str| Reached { at: at(text), approved_by: None };
    let run = Run {
        execution: "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:e1"
            .to_owned(),
        strategy,
        reached: vec![reached("2026-03-02T12:00:00Z"), reached("2026-03-02T12:12:00Z")],
        awaiting: None,
        waiver: None,
        attestations: [].into(),
        timeout_seconds: 10,
    };
    let mut release = situation.record.release.expect("a release");
    release.changes[0].weight = Weight::from_percent(25);
    Release { run: Some(Box::new(run)), opened_at: at("2026-03-02T11:59:30Z"), ..release }
}

pub(crate) fn findings() -> Vec<Finding> {
    let finding = |text: &str, found| Finding {
        service: "checkout".parse().expect("a name"),
        generation: Generation(4),
        at: at(text),
        found,
        keep_until: at("2026-06-01T00:00:00Z"),
    };
    let look = StageLook {
        stage: 1,
        judgement: judgement(),
        onward: Onward {
            next: Turn::Look,
            stage: 1,
            wait_seconds: 60,
            then: Then::Shift,
            reason: "errors 0.12% (3 of 2,500) prove no limit 1% yet: 1,200 more requests are needed"
                .to_owned(),
            measured_bad: false,
        },
        measured_until: Some(at("2026-03-02T12:16:00Z")),
    };
    vec![
        finding("2026-03-02T11:59:40Z", Found::Before(checks())),
        finding("2026-03-02T12:17:05Z", Found::Stage(Box::new(look))),
    ]
}

fn checks() -> Vec<Check> {
    let check = |name: &str, outcome, detail: &str| Check {
        name: name.to_owned(),
        outcome,
        detail: detail.to_owned(),
    };
    vec![
        check("version", Outcome::Passed, "version 2 is Active"),
        check("traffic", Outcome::Noted, "2,900 requests a minute are enough"),
        check("alarms", Outcome::Waived, "checkout-latency fires since 11:40Z"),
    ]
}

fn judgement() -> Judgement {
    let errors = MetricVerdict {
        metric: Metric::Errors,
        verdict: Verdict::Inconclusive,
        candidate: Tally { bad: 3, requests: 2_500 },
        stable: Some(Tally { bad: 9, requests: 7_512 }),
        limit: 0.01,
        evidence_against: 0.23,
        needed: Some(1_200),
        recent: vec![Some(0.0), Some(0.002), Some(0.004), None],
    };
    let slow = MetricVerdict {
        metric: Metric::Slow { latency_ms_max: 500 },
        verdict: Verdict::Pass,
        candidate: Tally { bad: 20, requests: 2_500 },
        stable: None,
        limit: 0.05,
        evidence_against: 0.0,
        needed: None,
        recent: vec![Some(0.008), Some(0.01), Some(0.004), Some(0.002)],
    };
    let p99 = GaugeVerdict {
        rule: GaugeRule {
            name: "p99".to_owned(),
            bad: Direction::Above,
            threshold: 2_000.0,
            datapoints: 3,
            of: 5,
            missing: Missing::Inconclusive,
        },
        verdict: Verdict::Pass,
        breaching: 1,
        present: 5,
        worst: Some(2_210.0),
        recent: vec![Some(600.0), Some(2_210.0), Some(640.0)],
    };
    Judgement {
        verdict: Verdict::Inconclusive,
        score: Some(77),
        reasons: Vec::new(),
        metrics: vec![errors, slow],
        gauges: vec![p99],
    }
}

/// In the middle of its second stage.
pub(crate) fn baking() -> View {
    View::of(&release(), &findings(), Tempo::REAL)
}

/// Past its second stage, and waiting for somebody to approve the third.
pub(crate) fn asking() -> View {
    let (mut release, mut findings) = (release(), findings());
    let why = "errors 0.05% (2 of 4,000) prove the limit 1%: evidence 1 : 40 against chance, 1 : 20 passes";
    let awaiting = Awaiting {
        stage: 2,
        token: "secret-token".to_owned(),
        since: at("2026-03-02T12:17:10Z"),
        until: at("2026-03-02T16:17:10Z"),
        why: why.to_owned(),
    };
    release.run.as_mut().expect("a run").awaiting = Some(awaiting);
    let Some(Finding { found: Found::Stage(look), .. }) = findings.last_mut() else { unreachable!() };
    look.judgement.verdict = Verdict::Pass;
    let errors = &mut look.judgement.metrics[0];
    (errors.verdict, errors.needed, errors.candidate) =
        (Verdict::Pass, None, Tally { bad: 2, requests: 4_000 });
    look.onward = Onward { next: Turn::Approve, stage: 2, reason: why.to_owned(), ..look.onward.clone() };
    View::of(&release, &findings, Tempo::REAL)
}

/// Ended in its second stage.
pub(crate) fn ended(phase: Phase, because: &str) -> View {
    let mut release = release();
    release.phase = phase;
    release.ended_at = Some(at("2026-03-02T12:17:20Z"));
    release.ended_because = Some(because.to_owned());
    View::of(&release, &findings(), Tempo::REAL)
}

/// Just opened: nothing was checked yet.
pub(crate) fn opened() -> View {
    let mut release = release();
    release.run.as_mut().expect("a run").reached.clear();
    release.changes[0].weight = Weight::NONE;
    release.traffic_at = None;
    View::of(&release, &[], Tempo::REAL)
}

/// A time of day on the day of the release.
pub(crate) fn now() -> Timestamp {
    at(NOW)
}
