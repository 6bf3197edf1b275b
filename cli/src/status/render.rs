//! How a status looks to people: one service in full, or many with a line each.

use std::fmt;

use clap::builder::styling::Style;
use jiff::Timestamp;
use ripcord::names::ServiceName;
use ripcord::release::Phase;

use super::{RollbackStatus, RunStatus, ServiceStatus, TargetStatus};
use crate::elapsed::ago;
use crate::figures::stretch;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::warning::Warning;

/// The latest rollbacks tell enough; `--json` has all.
const ROLLBACKS_SHOWN_MAX: usize = 5;
/// CloudWatch's sentences list every datapoint. Their beginning says what fired; `evidence` and `--json` have the rest.
const REASON_LENGTH_MAX: usize = 160;

pub(super) fn in_full(f: &mut fmt::Formatter<'_>, service: &ServiceStatus) -> fmt::Result {
    let ServiceStatus { release, targets, rollbacks, warnings, now, .. } = service;
    let registration = format!("registration {}", service.registration_version);
    writeln!(f, "{}  {}", styled(NAME, &service.service), styled(FAINT, registration))?;
    match release {
        None => writeln!(f, "  nothing was released yet")?,
        Some(release) => {
            let phase = styled(style_of(release.phase), release.phase);
            let opened = ago(release.opened_at, *now);
            write!(f, "  release {} {phase}, opened {opened} by {}", release.generation, release.opened_by)?;
            if let Some(ended_at) = release.ended_at {
                write!(f, ", ended {}", ago(ended_at, *now))?;
            }
            writeln!(f)?;
            if let Some(run) = &release.run {
                writeln!(f, "    {}", driven(run, &service.service, *now))?;
            }
            if let Some(because) = &release.ended_because {
                writeln!(f, "    {}", cut(because))?;
            }
        }
    }
    for target in targets {
        in_lines(f, target)?;
    }
    for rollback in rollbacks.iter().take(ROLLBACKS_SHOWN_MAX) {
        let RollbackStatus { generation, target, version, at, automatic, reason, quarantined_until } =
            rollback;
        let by = if *automatic { "automatic" } else { "by hand" };
        let quarantine = match quarantined_until {
            Some(until) => format!("in quarantine until {until:.0}"),
            None => "out of quarantine".to_owned(),
        };
        writeln!(
            f,
            "  rolled back: {target} version {version} (release {generation}), {}, {by}, {quarantine}",
            ago(*at, *now)
        )?;
        let is_said = release.as_ref().is_some_and(|release| release.ended_because.as_ref() == Some(reason));
        if !is_said {
            writeln!(f, "    {}", styled(FAINT, cut(reason)))?;
        }
    }
    let more = rollbacks.len().saturating_sub(ROLLBACKS_SHOWN_MAX);
    if more > 0 {
        writeln!(f, "  {}", styled(FAINT, format!("and {more} earlier ones")))?;
    }
    warnings.iter().try_for_each(|warning| alert(f, "  ", warning))
}

/// `canary, stage 2 of 5 at 25%; waits for a person, 3h 2m left: ripcord approve checkout`.
fn driven(run: &RunStatus, service: &ServiceName, now: Timestamp) -> String {
    let at = format!("{}, {}", run.strategy, run.whereabouts);
    match run.awaiting_until {
        None => at,
        Some(until) => {
            let left = stretch(until.duration_since(now));
            let wait = format!("waits for a person, {left} left: ripcord approve {service}");
            format!("{at}; {}", styled(WARN, wait))
        }
    }
}

fn in_lines(f: &mut fmt::Formatter<'_>, target: &TargetStatus) -> fmt::Result {
    let TargetStatus { target: name, whereabouts, live, ledger, last_known_good, .. } = target;
    writeln!(f, "  {}  {}", styled(NAME, name), styled(FAINT, whereabouts))?;
    let unknown = || "unknown".to_owned();
    let as_text = |traffic: &Option<_>| {
        traffic.map_or_else(unknown, |traffic: ripcord::traffic::Traffic| traffic.to_string())
    };
    let style = match (live, ledger) {
        (None, _) => BAD,
        (Some(live), Some(ledger)) if live == ledger => GOOD,
        (Some(_), _) => WARN,
    };
    writeln!(f, "    live             {}", styled(style, as_text(live)))?;
    writeln!(f, "    ledger           {}", as_text(ledger))?;
    if let Some(until) = target.being_moved_until {
        writeln!(
            f,
            "    {}",
            styled(WARN, format!("being moved by an invocation until {until:.0} at the latest"))
        )?;
    }
    let good = last_known_good.map_or_else(unknown, |version| version.to_string());
    let since = target.last_known_good_since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
    writeln!(f, "    last known good  {good}{}", styled(FAINT, since))
}

/// A line per service, in columns.
pub(super) fn table(f: &mut fmt::Formatter<'_>, services: &[ServiceStatus]) -> fmt::Result {
    if services.is_empty() {
        return writeln!(f, "no service is registered yet: ripcord apply FILE");
    }
    let width = services.iter().map(|service| service.service.as_str().len()).max().unwrap_or_default();
    for service in services {
        let name = format!("{:width$}", service.service.as_str());
        let (style, release) = match &service.release {
            None => (FAINT, "nothing released".to_owned()),
            Some(release) => {
                let since = ago(release.ended_at.unwrap_or(release.opened_at), service.now);
                (style_of(release.phase), format!("release {} {} {since}", release.generation, release.phase))
            }
        };
        let live: Vec<String> = service.targets.iter().map(in_a_word).collect();
        writeln!(f, "{}  {}  {}", styled(NAME, name), live.join("; "), styled(style, release))?;
        for warning in &service.warnings {
            alert(f, "  ", warning)?;
        }
    }
    Ok(())
}

fn in_a_word(target: &TargetStatus) -> String {
    match &target.live {
        Some(live) => format!("{}: {live}", target.target),
        None => format!("{}: {}", target.target, styled(BAD, "unknown")),
    }
}

fn alert(f: &mut fmt::Formatter<'_>, indent: &str, warning: &Warning) -> fmt::Result {
    let style = match warning.kind {
        "unconfirmed" | "untold" | "nothing_known_good" => WARN,
        _ => BAD,
    };
    let about = warning.target.as_ref().map(|target| format!("{target} ")).unwrap_or_default();
    writeln!(f, "{indent}{} {about}{}", styled(style, "!"), cut(&warning.message))
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", reason[..end].trim_end()),
        None => reason.to_owned(),
    }
}

fn style_of(phase: Phase) -> Style {
    match phase {
        Phase::Shifting => WARN,
        Phase::Complete => GOOD,
        Phase::RolledBack | Phase::Withdrawn => WARN,
        Phase::RollbackFailed | Phase::Held => BAD,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::example::{self, at};
    use super::*;
    use ripcord::situation::{Sighting, Situation};

    fn rendered(situations: &[Situation], in_full: bool) -> String {
        let now = at("2026-03-02T12:00:00Z");
        let services = situations.iter().map(|situation| ServiceStatus::of(situation, now)).collect();
        anstream::adapter::strip_str(&Status { services, in_full }.to_string()).to_string()
    }

    #[test]
    fn a_service_in_full() {
        insta::assert_snapshot!(rendered(&[example::shifting()], true));
    }

    #[test]
    fn a_driven_release_says_where_it_is_and_whom_it_waits_for() {
        let mut situation = example::shifting();
        let mut release = crate::watch::example::release();
        situation.record.release = Some(release.clone());
        let text = rendered(std::slice::from_ref(&situation), true);
        assert!(text.contains("\n    registered, stage 2 of 4 at 25%\n"), "{text}");
        release.run.as_mut().expect("a run").awaiting = Some(ripcord::pipeline::Awaiting {
            stage: 2,
            token: "secret-token".to_owned(),
            since: at("2026-03-02T11:59:00Z"),
            until: at("2026-03-02T15:02:00Z"),
            why: "proved".to_owned(),
        });
        situation.record.release = Some(release);
        let text = rendered(&[situation], true);
        let wait = "; waits for a person, 3h 2m left: ripcord approve checkout\n";
        assert!(text.contains(&format!("registered, stage 2 of 4 at 25%{wait}")), "{text}");
    }

    #[test]
    fn a_place_in_another_account_that_is_being_moved() {
        let mut situation = example::balanced("blue:90,green:10");
        let change = &mut situation.record.release.as_mut().expect("a release").changes[0];
        let weight = ripcord::names::Weight::from_share(0.5).expect("a share");
        change.claim =
            Some(ripcord::release::Claim { weight, until: at("2026-03-02T12:00:20Z"), shift_until: None });
        insta::assert_snapshot!(rendered(std::slice::from_ref(&situation), true));
        let status = ServiceStatus::of(&situation, at("2026-03-02T12:00:00Z"));
        insta::assert_json_snapshot!(status.targets[1]);
    }

    #[test]
    fn a_service_in_trouble() {
        let mut situation = example::shifting();
        let release = situation.record.release.as_mut().expect("a release");
        release.phase = Phase::RollbackFailed;
        release.ended_at = Some(at("2026-03-02T11:59:30Z"));
        release.ended_because = Some("lambda:UpdateAlias of checkout:live failed: denied".to_owned());
        insta::assert_snapshot!(rendered(&[situation], true));
    }

    #[test]
    fn all_services_in_columns() {
        let mut idle = example::shifting();
        idle.record.registration.service = "address-book".parse().expect("a name");
        idle.record.release = None;
        idle.live.insert("api".parse().expect("a name"), Sighting::Missing);
        insta::assert_snapshot!(rendered(&[idle, example::shifting()], false));
        insta::assert_snapshot!(rendered(&[], false), @"no service is registered yet: ripcord apply FILE");
    }

    #[test]
    fn a_status_is_data_with_stable_names() {
        let status = ServiceStatus::of(&example::shifting(), at("2026-03-02T12:00:00Z"));
        insta::assert_json_snapshot!(status);
    }

    #[test]
    fn a_long_reason_is_cut_past_its_limit() {
        let at_the_limit = "ä".repeat(REASON_LENGTH_MAX);
        assert_eq!(cut(&at_the_limit), at_the_limit);
        assert_eq!(cut(&format!("{at_the_limit}!")), format!("{at_the_limit}…"));
    }

    #[test]
    fn colours_are_codes_that_a_stream_can_take_off() {
        let status = Status {
            services: vec![ServiceStatus::of(&example::shifting(), at("2026-03-02T12:00:00Z"))],
            in_full: true,
        };
        assert!(status.to_string().contains("\u{1b}["));
    }
}
