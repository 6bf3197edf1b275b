use ripcord::names::{Generation, Version, Weight};
use ripcord::release::{Change, Phase, Report};
use ripcord::timeline::{What, Written};

use super::*;

const HOSTILE: &str = "</svg></style><script>alert(1)</script><use href=x><iframe>";
const HERE: &str = "arn:aws:lambda:eu-west-1:123456789012:function:ripcord-release-widget";

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T12:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

fn release(generation: u64, phase: Phase, why: &str) -> Release {
    let change = Change {
        target: "api".parse().expect("a name"),
        stable: Version::new(1).expect("a version"),
        candidate: Version::new(2).expect("a version"),
        artefact: None,
        weight: Weight::NONE,
        intent: None,
        claim: None,
    };
    Release {
        service: "checkout".parse().expect("a name"),
        generation: Generation(generation),
        seq: 3,
        phase,
        opened_at: at(0),
        opened_by: why.to_owned(),
        changes: vec![change],
        ended_at: Some(at(300)),
        ended_because: Some(why.to_owned()),
        report: Report::NotDue,
        traffic_at: Some(at(1)),
        run: None,
        going_back: None,
        deployment: None,
        cord: None,
        commit: None,
    }
}

fn shown(why: &str) -> Shown {
    let moment = |seq, at, what| Moment {
        service: "checkout".parse().expect("a name"),
        write: Some(Written { generation: Generation(4), seq }),
        at,
        what,
    };
    let share = Weight::from_percent(10);
    let moments = vec![
        moment(1, at(0), What::Opened { by: why.to_owned(), commit: None }),
        moment(2, at(1), What::Weights { target: "api".parse().expect("a name"), weight: share }),
        moment(3, at(300), What::Phase { phase: Phase::RolledBack, because: Some(why.to_owned()) }),
    ];
    let latest = vec![release(4, Phase::RolledBack, why), release(3, Phase::Complete, why)];
    Shown { release: release(4, Phase::RolledBack, why), moments, findings: Vec::new(), latest, now: at(900) }
}

const SURFACE: Surface = Surface { is_dark: false, width: 588, height: 369 };

#[test]
fn a_release_is_drawn_with_those_before_it() {
    let drawn = service(&shown("the alarm fired"), SURFACE, HERE).into_string();
    for expected in ["rolled back", "the alarm fired", "<svg", "traffic is back", "checkout #3", "complete"] {
        assert!(drawn.contains(expected), "{expected}: {drawn}");
    }
    let action = format!("<cwdb-action action=\"call\" display=\"widget\" endpoint=\"{HERE}\">");
    assert_eq!(drawn.matches(&action).count(), 2, "a button for each release: {drawn}");
    assert!(drawn.contains("&quot;release&quot;:4") && drawn.contains("&quot;release&quot;:3"));
}

#[test]
fn nothing_that_a_dashboard_would_remove_is_in_it() {
    let everything = Everything {
        releases: vec![release(4, Phase::Held, HOSTILE)],
        unreleased: 1,
        not_shown: 0,
        now: at(900),
    };
    for drawn in
        [service(&shown(HOSTILE), SURFACE, HERE), super::everything(&everything, HERE), message(HOSTILE)]
    {
        let framed = framed(&drawn, SURFACE);
        for removed in ["<script", "<use", "<iframe", "onclick", "javascript:"] {
            assert!(!framed.contains(removed), "{removed}: {framed}");
        }
        assert_eq!(framed.matches("</style>").count(), 1);
    }
}

#[test]
fn the_widget_is_as_dark_as_its_dashboard() {
    let light = framed(&message("x"), SURFACE);
    let dark = framed(&message("x"), Surface { is_dark: true, ..SURFACE });
    assert!(light.contains("color-scheme:light") && !light.contains("color-scheme:dark"));
    assert!(dark.contains("color-scheme:dark") && !dark.contains("color-scheme:light"));
}

#[test]
fn what_is_left_out_is_counted() {
    let all = |unreleased, not_shown| {
        let releases = vec![release(4, Phase::Complete, "good")];
        super::everything(&Everything { releases, unreleased, not_shown, now: at(900) }, HERE).into_string()
    };
    assert!(!all(0, 0).contains("more services"));
    assert!(all(2, 0).contains("2 more services have no release yet."));
    assert!(all(0, 3).contains("3 more services are not shown"));
    let none = Everything { releases: Vec::new(), unreleased: 2, not_shown: 0, now: at(900) };
    assert!(super::everything(&none, HERE).into_string().contains("nothing was released yet"));
}
