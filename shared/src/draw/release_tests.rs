use super::*;
use crate::names::{Generation, Version};
use crate::pipeline::{Reached, Run};
use crate::registration::Registration;
use crate::release::{Change, Report};
use crate::timeline::Written;

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T12:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

fn release(phase: Phase, ended: Option<i64>) -> Release {
    let change = Change {
        target: "api".parse().expect("a name"),
        stable: Version::new(1).expect("a version"),
        candidate: Version::new(2).expect("a version"),
        artefact: None,
        weight: Weight::from_percent(10),
        intent: None,
        claim: None,
    };
    Release {
        service: "checkout".parse().expect("a name"),
        generation: Generation(4),
        seq: 3,
        phase,
        opened_at: at(0),
        opened_by: "alice".to_owned(),
        changes: vec![change],
        ended_at: ended.map(at),
        ended_because: Some("it burns".to_owned()),
        report: Report::NotDue,
        traffic_at: Some(at(1)),
        run: None,
        going_back: None,
        deployment: None,
        cord: None,
        commit: None,
    }
}

fn driven(phase: Phase, ended: Option<i64>) -> Release {
    let registration = Registration::parse(include_str!("../../../examples/checkout/ripcord.json"));
    let registration = registration.expect("the example is valid");
    let mut run = Run::of_hook(&registration, "arn:aws:states:r:a:execution:m:mine".to_owned(), None, 30);
    let planned = run.strategy.stages.first().cloned().expect("a stage");
    run.strategy
        .stages
        .insert(0, crate::strategy::PlannedStage { weight: Weight::from_percent(10), ..planned });
    run.reached = vec![
        Reached { at: at(1), approved_by: None },
        Reached { at: at(60), approved_by: Some("bob".to_owned()) },
    ];
    Release { run: Some(Box::new(run)), ..release(phase, ended) }
}

fn moment(seconds: i64, what: What) -> Moment {
    let write = Some(Written { generation: Generation(4), seq: 1 });
    Moment { service: "checkout".parse().expect("a name"), write, at: at(seconds), what }
}

fn share(seconds: i64, percent: u32) -> Moment {
    let target = "api".parse().expect("a name");
    moment(seconds, What::Weights { target, weight: Weight::from_percent(percent) })
}

fn told(seconds: i64, source: Source, about: &str) -> Moment {
    let told = Told {
        source,
        about: about.to_owned(),
        state: "FAILED".to_owned(),
        meaning: Meaning::WentBack,
        because: None,
    };
    Moment { write: None, ..moment(seconds, What::Aws(told)) }
}

fn percents(steps: Option<Vec<(Timestamp, Weight)>>) -> Option<Vec<(i64, String)>> {
    let step =
        |(when, weight): (Timestamp, Weight)| (when.duration_since(at(0)).as_secs(), weight.to_string());
    steps.map(|steps| steps.into_iter().map(step).collect())
}

#[test]
fn shares_follow_the_timeline_and_end_with_the_rollback() {
    let release = release(Phase::RolledBack, Some(90));
    let back = moment(90, What::Phase { phase: Phase::RolledBack, because: None });
    let steps = steps(&release, &[share(60, 50), back, share(1, 10)], &release.changes[0].target);
    let expected = [(1, "10%"), (60, "50%"), (90, "0%")].map(|(at, share)| (at, share.to_owned()));
    assert_eq!(percents(steps), Some(expected.to_vec()));
}

#[test]
fn without_a_timeline_the_record_tells_what_it_can() {
    let target = "api".parse().expect("a name");
    let known = |release: &Release| percents(steps(release, &[], &target)).map(|steps| steps.len());
    assert_eq!(known(&driven(Phase::RolledBack, Some(90))), Some(3), "two stages and the way back");
    assert_eq!(known(&driven(Phase::Complete, Some(90))), Some(2));
    assert_eq!(known(&release(Phase::Complete, Some(90))), Some(1));
    assert_eq!(known(&release(Phase::RolledBack, Some(90))), None, "it was shifted by hand");
    assert!(shares(&release(Phase::RolledBack, Some(90)), &[], at(90)).is_none());
    let sentences: Vec<String> =
        happenings(&driven(Phase::RolledBack, Some(90)), &[]).into_iter().map(|one| one.sentence).collect();
    assert_eq!(
        sentences,
        [
            "Opened by alice: api from version 1 to version 2.",
            "Stage 1 of 2 began with 10%.",
            "Stage 2 of 2 began with 100%, approved by bob.",
            "Traffic is back: it burns.",
        ]
    );
}

#[test]
fn what_aws_says_of_other_releases_is_not_told_of_this_one() {
    let release = driven(Phase::RolledBack, Some(90));
    let mine = "arn:aws:states:r:a:execution:m:mine";
    let told_of = |moment: Moment| happenings(&release, &[moment]).len();
    assert_eq!(told_of(told(90, Source::StepFunctions, mine)), 1);
    assert_eq!(told_of(told(90, Source::StepFunctions, "arn:aws:states:r:a:execution:m:other")), 0);
    for (seconds, expected) in [(-61, 0), (-60, 1), (90, 1), (690, 1), (691, 0)] {
        assert_eq!(told_of(told(seconds, Source::CodeDeploy, "d-1")), expected, "{seconds}");
    }
    assert_eq!(told_of(share(0, 0)), 0, "it has just been opened");
    assert_eq!(told_of(share(0, 10)), 1);
    assert_eq!(told_of(share(1, 0)), 1);
}

#[test]
fn a_picture_of_many_targets_says_which_it_does_not_draw() {
    let mut release = release(Phase::Complete, Some(90));
    let change = release.changes[0].clone();
    for name in ["web", "jobs", "mail"] {
        release.changes.push(Change { target: name.parse().expect("a name"), ..change.clone() });
    }
    let chart = shares(&release, &[share(1, 10)], at(90)).expect("a picture");
    assert_eq!(chart.lines.len(), TARGETS_MAX);
    assert!(chart.description.ends_with(" 1 more targets are not drawn."), "{}", chart.description);
}
