//! A situation for tests: release 4 of `checkout` has moved a tenth of the traffic to version 2.

use jiff::Timestamp;
use ripcord::deployment::Deployments;
use ripcord::names::{Generation, Version, Weight};
use ripcord::place::Live;
use ripcord::registration::{Registration, Target};
use ripcord::release::{Change, KnownGood, PastRollback, Phase, Release, Report};
use ripcord::situation::{LiveAlias, ServiceRecord, Sighting, Situation};
use ripcord::traffic::{Traffic, WeightList};
use serde_json::json;

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
        going_back: None,
        cord: None,
        commit: None,
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

/// The same service with a load balancer of another account before it: release 4 moves a tenth of what it forwards from the
/// target group `blue` to `green`, and leaves the alias on version 1.
pub(crate) fn balanced(weights: &str) -> Situation {
    let group =
        |name: &str| format!("arn:aws:elasticloadbalancing:eu-central-1:222222222222:targetgroup/{name}/1");
    let web = json!({
        "name": "web",
        "kind": "load_balancer",
        "rule": "arn:aws:elasticloadbalancing:eu-central-1:222222222222:listener/app/web/1/2",
        "target_groups": [group("blue"), group("green")],
        "region": "eu-central-1",
        "role_arn": "arn:aws:iam::222222222222:role/ripcord",
    });
    let mut situation = shifting();
    let web: Target = serde_json::from_value(web).expect("a target");
    let name = web.name.clone();
    situation.record.registration.targets.push(web);
    let change = &mut situation.record.release.as_mut().expect("a release").changes[0];
    change.target = name.clone();
    change.stable = "blue".parse().expect("a version");
    change.candidate = "green".parse().expect("a version");
    let good = KnownGood { target: name.clone(), version: change.stable, since: at("2026-02-01T09:00:00Z") };
    situation.record.known_good.push(good);
    for sighting in situation.live.values_mut() {
        let Sighting::Alias(live) = sighting else { unreachable!() };
        live.traffic = traffic("1:100");
    }
    let share = |name: &str| {
        let of_it = |part: &str| part.strip_prefix(name)?.strip_prefix(':')?.parse::<u16>().ok();
        json!({ "group": group(name), "weight": weights.split(',').find_map(of_it).unwrap_or_default() })
    };
    let healthy = json!({ "counted": { "registered": 2, "able": 2, "initial": 0, "unused": 0 } });
    let seen = json!({ "load_balancer": {
        "actions": [{ "act": { "forward": { "groups": [share("blue"), share("green")] } } }],
        "health": { "blue": healthy, "green": healthy },
    } });
    let seen = serde_json::from_value(seen).expect("what is seen of one");
    let live = Live { traffic: traffic(weights), brought: None, seen };
    situation.live.insert(name, Sighting::Place(Box::new(live)));
    situation
}
