//! A situation for tests: release 4 of `checkout` has moved a tenth of the traffic to version 2.

use jiff::Timestamp;
use ripcord::deployment::Deployments;
use ripcord::names::{Generation, Version, Weight};
use ripcord::registration::Registration;
use ripcord::release::{Change, KnownGood, PastRollback, Phase, Release, Report};
use ripcord::situation::{LiveAlias, ServiceRecord, Sighting, Situation};
use ripcord::traffic::{Traffic, WeightList};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn version(number: u64) -> Version {
    Version::new(number).expect("a version")
}

/// Traffic from weights, the first of which are the primary's.
pub(crate) fn traffic(weights: &str) -> Traffic {
    let list: WeightList = weights.parse().expect("weights");
    let mut versions = list.versions();
    let primary = versions.next().expect("a primary");
    Traffic { primary, secondary: versions.next().map(|version| (version, list.share_of(version))) }
}

pub(crate) fn shifting() -> Situation {
    let registration = Registration::parse(include_str!("../../../examples/checkout/ripcord.json"));
    let (service, api) = ("checkout".parse().expect("a name"), "api".parse().expect("a name"));
    let change = Change {
        target: "api".parse().expect("a name"),
        stable: version(1),
        candidate: version(2),
        artefact: Some("sha-2".to_owned()),
        weight: Weight::from_share(0.1).expect("a share"),
        intent: None,
        claim: None,
    };
    let release = Release {
        service,
        generation: Generation(4),
        seq: 9,
        phase: Phase::Shifting,
        opened_at: at("2026-03-02T11:48:00Z"),
        opened_by: "alice".to_owned(),
        changes: vec![change],
        ended_at: None,
        ended_because: None,
        report: Report::NotDue,
        traffic_at: Some(at("2026-03-02T11:48:00Z")),
        run: None,
        deployment: None,
    };
    let rollback = PastRollback {
        generation: Generation(3),
        target: "api".parse().expect("a name"),
        version: version(9),
        artefact: Some("sha-9".to_owned()),
        at: at("2026-03-01T12:00:00Z"),
        automatic: true,
        quarantines: true,
        reason: "alarm checkout-error-rate fired 3 min 2 s after release 3 was opened".to_owned(),
    };
    let good = KnownGood {
        target: "api".parse().expect("a name"),
        version: version(1),
        since: at("2026-02-01T09:00:00Z"),
    };
    let live = LiveAlias {
        function: "checkout".parse().expect("a name"),
        alias: "live".parse().expect("a name"),
        traffic: traffic("1:90,2:10"),
        revision: "rev-7".parse().expect("a revision"),
    };
    Situation {
        record: ServiceRecord {
            registration: registration.expect("the example is valid"),
            registration_version: 3,
            release: Some(release),
            rollbacks: vec![rollback],
            known_good: vec![good],
            heard: Vec::new(),
        },
        live: [(api, Sighting::Alias(live))].into(),
        deployments: Deployments::default(),
    }
}
