//! What does not fit together between the ledger and what is live, and what wants a person's eye. Pure.

use jiff::{SignedDuration, Timestamp};
use ripcord::names::{TargetName, Weight};
use ripcord::registration::Target;
use ripcord::release::{Change, Claim, Intent, PastRollback, Phase, Release, Report};
use ripcord::situation::{LiveAlias, Sighting, Situation};
use ripcord::traffic::Traffic;
use serde::Serialize;

use crate::whereabouts::what;

/// Something that wants a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    /// Its stable name.
    pub(crate) kind: &'static str,
    /// The target that it is about, if it is about one.
    pub(crate) target: Option<TargetName>,
    /// The same in words.
    pub(crate) message: String,
}

/// Everything that wants a look, the gravest first.
pub(crate) fn warnings(situation: &Situation, now: Timestamp) -> Vec<Warning> {
    let record = &situation.record;
    let of_service = |kind, message| Warning { kind, target: None, message };
    let mut warnings = Vec::new();
    if let Some(release) = &record.release {
        let because = release.ended_because.as_deref().unwrap_or("no reason was noted");
        match release.phase {
            Phase::RollbackFailed => {
                warnings.push(of_service(
                    "rollback_failed",
                    format!("traffic should be back and is not: {because}"),
                ));
            }
            Phase::Held => {
                warnings.push(of_service("held", format!("held, a person has to decide: {because}")))
            }
            Phase::Shifting | Phase::Complete | Phase::RolledBack | Phase::Withdrawn => {}
        }
        if let Report::Leased { until } = release.report
            && until < now
        {
            let message =
                format!("release {} ended and nobody was told; the next signal tells", release.generation);
            warnings.push(of_service("untold", message));
        }
    }
    for target in &record.registration.targets {
        let found = of_target(situation, target, now).map(|(kind, message)| Warning {
            kind,
            target: Some(target.name.clone()),
            message,
        });
        warnings.extend(found);
    }
    warnings.extend(near_the_limit(situation, now).map(|message| of_service("rollback_limit", message)));
    warnings
}

/// When a rolled-back version may be released again; nothing once it may.
pub(crate) fn quarantined_until(
    situation: &Situation,
    rollback: &PastRollback,
    now: Timestamp,
) -> Option<Timestamp> {
    let hours = i64::from(situation.record.registration.rollback.quarantine_hours);
    let until = rollback.at.saturating_add(SignedDuration::from_hours(hours)).ok()?;
    (until > now).then_some(until)
}

/// What a target should serve as far as the ledger knows; nothing if it knows nothing.
pub(crate) fn expected(situation: &Situation, target: &TargetName) -> Option<Traffic> {
    let record = &situation.record;
    let known_good = || {
        let good = record.known_good.iter().find(|good| good.target == *target);
        good.map(|good| Traffic::all_on(good.version))
    };
    let release = record.release.as_ref();
    match release.and_then(|release| Some((release.phase, release.change(target)?))) {
        Some((Phase::RolledBack | Phase::RollbackFailed | Phase::Withdrawn, change)) => {
            Some(Traffic::all_on(change.stable))
        }
        // How much CodeDeploy has shifted is CodeDeploy's to know.
        Some((Phase::Shifting | Phase::Held, _)) if release.is_some_and(|it| it.deployment.is_some()) => None,
        Some((Phase::Shifting | Phase::Complete | Phase::Held, change)) => Some(confirmed(change)),
        None => known_good(),
    }
}

fn confirmed(change: &Change) -> Traffic {
    Traffic::split(change.stable, change.candidate, change.weight)
}

/// Until when an invocation may be moving a target.
pub(crate) fn being_moved_until(change: &Change, now: Timestamp) -> Option<Timestamp> {
    change.claim.filter(|claim| now < claim.until).map(|claim| claim.until)
}

/// What a target is seen to serve, and the alias with its revision, if it is one.
#[derive(Clone, Copy)]
struct Serving<'seen> {
    traffic: Traffic,
    alias: Option<&'seen LiveAlias>,
}

fn of_target(situation: &Situation, target: &Target, now: Timestamp) -> Option<(&'static str, String)> {
    let name = &target.name;
    let live = match situation.live.get(name) {
        Some(Sighting::Alias(live)) => Serving { traffic: live.traffic, alias: Some(live) },
        Some(Sighting::Place(live)) => Serving { traffic: live.traffic, alias: None },
        Some(Sighting::Missing) | None => {
            let kind = if target.lambda().is_some() { "the alias " } else { "" };
            return Some(("missing", format!("{kind}{} does not exist", what(target))));
        }
        Some(Sighting::Unseen { why }) => return Some(("unseen", why.clone())),
    };
    let release = situation.record.release.as_ref();
    match release.and_then(|release| Some((release, release.change(name)?))) {
        Some((release, change)) => of_change(situation, (release, change), live, now),
        None => unreleased(situation, name, live.traffic),
    }
}

fn of_change(
    situation: &Situation,
    (release, change): (&Release, &Change),
    live: Serving<'_>,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    let (serving, generation) = (live.traffic, release.generation);
    let by_codedeploy =
        live.alias.and_then(|alias| ripcord::deployment::drift(&situation.record, release, alias));
    if let Some(drift) = by_codedeploy {
        return Some(("drift", format!("{}; {}", drift.what, drift.mend)));
    }
    match release.phase {
        Phase::Shifting | Phase::Held if release.deployment.is_some() => None,
        Phase::Shifting | Phase::Complete | Phase::Held => match (&change.intent, &change.claim) {
            (Some(intent), _) => unfinished(change, intent, live),
            (None, Some(claim)) => claimed(change, claim, serving, now),
            (None, None) if serving == confirmed(change) => None,
            (None, None) => Some(drift(serving, confirmed(change))),
        },
        Phase::RolledBack
            if serving.share_of(change.candidate) != Weight::NONE && change.candidate != change.stable =>
        {
            let candidate = change.candidate;
            let message =
                format!("release {generation} was rolled back, yet {candidate} takes traffic: {serving}");
            Some(("drift", message))
        }
        Phase::Withdrawn => {
            let stable = Traffic::all_on(change.stable);
            (serving != stable).then(|| drift(serving, stable))
        }
        // A person may have named another version than the stable one to go back to: no drift.
        Phase::RolledBack => serving.secondary.map(|_| ("leftover_weights", leftover(serving))),
        Phase::RollbackFailed if serving == Traffic::all_on(change.stable) => {
            let message =
                format!("serves {serving} by now; a rollback closes the books of release {generation}");
            Some(("unsettled", message))
        }
        Phase::RollbackFailed => Some((
            "not_back",
            format!("still serves {serving}, and should serve {}", Traffic::all_on(change.stable)),
        )),
    }
}

/// A shift that was written down and not confirmed. It may be on its way this very moment.
fn unfinished(change: &Change, intent: &Intent, live: Serving<'_>) -> Option<(&'static str, String)> {
    let intended = Traffic::split(change.stable, change.candidate, intent.weight);
    let (serving, weight) = (live.traffic, intent.weight);
    if serving == intended {
        Some(("unconfirmed", format!("the shift to {weight} was made and is not confirmed yet")))
    } else if live.alias.is_some_and(|alias| alias.revision == intent.revision) {
        Some(("unconfirmed", format!("a shift to {weight} is on its way, or was cut off")))
    } else {
        Some(drift(serving, intended))
    }
}

/// A move of a place that was claimed and not confirmed. Nothing but its traffic tells how far it has come.
fn claimed(
    change: &Change,
    claim: &Claim,
    serving: Traffic,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    let Claim { weight, until, shift_until: _ } = claim;
    let intended = Traffic::split(change.stable, change.candidate, *weight);
    if serving == intended {
        Some(("unconfirmed", format!("the shift to {weight} was made and is not confirmed yet")))
    } else if now < *until {
        let message = format!("serves {serving} and is being moved to {weight} until {until} at the latest");
        Some(("unconfirmed", message))
    } else if serving == confirmed(change) {
        Some(("unconfirmed", format!("a shift to {weight} was cut off")))
    } else {
        Some(drift(serving, intended))
    }
}

fn unreleased(
    situation: &Situation,
    target: &TargetName,
    serving: Traffic,
) -> Option<(&'static str, String)> {
    let good = situation.record.known_good.iter().find(|good| good.target == *target);
    match good {
        _ if serving.secondary.is_some() => Some(("leftover_weights", leftover(serving))),
        None => {
            let message = "no version is known to be good, so there is nothing to go back to".to_owned();
            Some(("nothing_known_good", message))
        }
        Some(good) if good.version != serving.primary => {
            let message =
                format!("serves {serving}, and version {} is the last known good one", good.version);
            Some(("drift", message))
        }
        Some(_) => None,
    }
}

fn drift(serving: Traffic, ledger: Traffic) -> (&'static str, String) {
    ("drift", format!("serves {serving}, but the ledger says {ledger}: somebody else moved it"))
}

fn leftover(serving: Traffic) -> String {
    format!("serves {serving} outside any release; clear it with {}:100", serving.primary)
}

/// One more rollback than the limit allows is held: whoever is on call should know before it happens.
fn near_the_limit(situation: &Situation, now: Timestamp) -> Option<String> {
    let policy = &situation.record.registration.rollback;
    let window = SignedDuration::from_mins(i64::from(policy.rollbacks_window_minutes));
    let mut recent: Vec<_> = (situation.record.rollbacks.iter())
        .filter(|rollback| rollback.automatic && now.duration_since(rollback.at) <= window)
        .map(|rollback| rollback.generation)
        .collect();
    recent.sort_unstable();
    recent.dedup();
    let (count, max) = (recent.len(), policy.rollbacks_max);
    (u32::try_from(count).unwrap_or(u32::MAX) >= max).then(|| {
        let minutes = policy.rollbacks_window_minutes;
        format!(
            "{count} automatic rollbacks in {minutes} minutes >= limit {max}: the next alarm holds and pages"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example::{self, at};

    const NOW: &str = "2026-03-02T12:00:00Z";

    #[track_caller]
    fn check(change: impl FnOnce(&mut Situation), expected: &[&str]) -> Vec<Warning> {
        let mut situation = example::shifting();
        change(&mut situation);
        let warnings = warnings(&situation, at(NOW));
        assert_eq!(warnings.iter().map(|warning| warning.kind).collect::<Vec<_>>(), expected, "{warnings:?}");
        warnings
    }

    fn end(situation: &mut Situation, phase: Phase) {
        let release = situation.record.release.as_mut().expect("a release");
        release.phase = phase;
        release.ended_because = Some("the alarm fired".to_owned());
    }

    fn serve(situation: &mut Situation, weights: &str) {
        let api = "api".parse().expect("a name");
        let Some(Sighting::Alias(live)) = situation.live.get_mut(&api) else { unreachable!() };
        live.traffic = example::traffic(weights);
        live.revision = "rev-8".parse().expect("a revision");
    }

    fn intend(situation: &mut Situation, share: f64) {
        let change = &mut situation.record.release.as_mut().expect("a release").changes[0];
        let revision = "rev-7".parse().expect("a revision");
        change.intent = Some(Intent { weight: Weight::from_share(share).expect("a share"), revision });
    }

    #[test]
    fn what_fits_together_warns_of_nothing() {
        check(|_| {}, &[]);
        check(
            |situation| {
                end(situation, Phase::RolledBack);
                serve(situation, "1:100");
            },
            &[],
        );
    }

    #[test]
    fn traffic_that_the_ledger_does_not_know_of_is_drift() {
        let warnings = check(|situation| serve(situation, "1:50,2:50"), &["drift"]);
        assert_eq!(
            warnings[0].message,
            "serves 1 on 50%, 2 on 50%, but the ledger says 1 on 90%, 2 on 10%: somebody else moved it"
        );
        check(|situation| end(situation, Phase::RolledBack), &["drift"]);
        check(|situation| (situation.record.release = None, serve(situation, "3:100")).1, &["drift"]);
    }

    #[test]
    fn a_rollback_to_a_version_that_a_person_named_is_no_drift() {
        let elsewhere = |weights: &'static str| {
            move |situation: &mut Situation| {
                end(situation, Phase::RolledBack);
                serve(situation, weights);
            }
        };
        check(elsewhere("5:100"), &[]);
        check(elsewhere("5:50,6:50"), &["leftover_weights"]);
    }

    #[test]
    fn an_unfinished_shift_is_told_from_drift() {
        check(|situation| intend(situation, 0.5), &["unconfirmed"]);
        check(|situation| (intend(situation, 0.5), serve(situation, "1:50,2:50")).1, &["unconfirmed"]);
        check(|situation| (intend(situation, 0.5), serve(situation, "1:75,2:25")).1, &["drift"]);
    }

    #[track_caller]
    fn check_place(weights: &str, change: impl FnOnce(&mut Situation), expected: &[&str]) -> Vec<Warning> {
        check(|situation| (*situation = example::balanced(weights), change(situation)).1, expected)
    }

    #[test]
    fn a_place_is_judged_by_its_traffic_alone() {
        check_place("blue:90,green:10", |_| {}, &[]);
        let warnings = check_place("blue:50,green:50", |_| {}, &["drift"]);
        assert_eq!(
            warnings[0].message,
            "serves blue on 50%, green on 50%, but the ledger says blue on 90%, green on 10%: somebody else moved it"
        );
        check_place("blue:100", |situation| end(situation, Phase::RolledBack), &[]);
        check_place("green:100", |situation| end(situation, Phase::RolledBack), &["drift"]);
        check_place(
            "green:100",
            |situation| end(situation, Phase::RollbackFailed),
            &["rollback_failed", "not_back"],
        );
        check_place("blue:100", |situation| situation.record.release = None, &[]);
        check_place("green:100", |situation| situation.record.release = None, &["drift"]);
        let gone = |situation: &mut Situation| {
            situation.live.insert("web".parse().expect("a name"), Sighting::Missing);
        };
        let warnings = check_place("blue:100", gone, &["missing"]);
        assert!(warnings[0].message.starts_with("elb:arn:aws:"), "{warnings:?}");
    }

    #[test]
    fn a_place_that_an_invocation_moves_is_no_drift_until_that_has_ended() {
        let claimed = |until: &'static str| {
            move |situation: &mut Situation| {
                let change = &mut situation.record.release.as_mut().expect("a release").changes[0];
                let weight = Weight::from_share(0.5).expect("a share");
                change.claim = Some(Claim { weight, until: at(until), shift_until: None });
            }
        };
        let (before, after) = ("2026-03-02T12:00:01Z", NOW);
        for (weights, until, kind, words) in [
            ("blue:90,green:10", before, "unconfirmed", "is being moved to 50% until"),
            ("blue:75,green:25", before, "unconfirmed", "is being moved to 50% until"),
            ("blue:50,green:50", before, "unconfirmed", "the shift to 50% was made"),
            ("blue:90,green:10", after, "unconfirmed", "a shift to 50% was cut off"),
            ("blue:75,green:25", after, "drift", "somebody else moved it"),
        ] {
            let warnings = check_place(weights, claimed(until), &[kind]);
            assert!(warnings[0].message.contains(words), "{weights} {warnings:?}");
        }
    }

    #[test]
    fn what_needs_a_person_comes_first() {
        check(|situation| end(situation, Phase::Held), &["held"]);
        check(|situation| end(situation, Phase::RollbackFailed), &["rollback_failed", "not_back"]);
        check(
            |situation| {
                end(situation, Phase::RollbackFailed);
                serve(situation, "1:100");
            },
            &["rollback_failed", "unsettled"],
        );
    }

    #[test]
    fn people_who_were_not_told_are_told_of_once_the_lease_has_ended() {
        let leased = |until: &'static str| {
            move |situation: &mut Situation| {
                end(situation, Phase::RolledBack);
                serve(situation, "1:100");
                situation.record.release.as_mut().expect("a release").report =
                    Report::Leased { until: at(until) };
            }
        };
        check(leased(NOW), &[]);
        check(leased("2026-03-02T11:59:59Z"), &["untold"]);
    }

    #[test]
    fn an_alias_that_cannot_be_seen_is_said_so() {
        let api = || "api".parse().expect("a name");
        check(|situation| drop(situation.live.insert(api(), Sighting::Missing)), &["missing"]);
        let unseen = Sighting::Unseen { why: "throttled".to_owned() };
        check(|situation| drop(situation.live.insert(api(), unseen)), &["unseen"]);
        check(
            |situation| (situation.record.release = None, situation.record.known_good.clear()).1,
            &["leftover_weights"],
        );
        check(
            |situation| {
                situation.record.release = None;
                situation.record.known_good.clear();
                serve(situation, "1:100");
            },
            &["nothing_known_good"],
        );
    }

    #[test]
    fn the_limit_on_rollbacks_warns_at_it_and_not_before() {
        let rollbacks = |count: u64| {
            move |situation: &mut Situation| {
                let one = situation.record.rollbacks[0].clone();
                let recent = |generation| PastRollback {
                    generation: ripcord::names::Generation(generation),
                    at: at("2026-03-02T11:30:00Z"),
                    ..one.clone()
                };
                situation.record.rollbacks = (1..=count).map(recent).collect();
            }
        };
        check(rollbacks(2), &[]);
        check(rollbacks(3), &["rollback_limit"]);
    }

    #[test]
    fn a_quarantine_ends() {
        let situation = example::shifting();
        let rollback = &situation.record.rollbacks[0];
        let end = rollback.at + SignedDuration::from_hours(168);
        assert_eq!(quarantined_until(&situation, rollback, end - SignedDuration::from_secs(1)), Some(end));
        assert_eq!(quarantined_until(&situation, rollback, end), None);
    }
}
