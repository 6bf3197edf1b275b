//! Releases that nobody told Ripcord of: a service of ECS that a team's pipeline updated, a stack that was deployed by hand.
//! AWS says what was brought to a place and when, so that what was released is found by looking.

use jiff::Timestamp;

use super::Case;
use crate::place::{Brought, Live};
use crate::reason::seconds_between;
use crate::registration::Target;
use crate::release::{Change, Phase, Release};
use crate::shift::fresh;
use crate::signal::AlarmChange;
use crate::situation::Sighting;

/// Who opened a release that was found.
const FOUND: &str = "somebody outside Ripcord";

impl Case<'_> {
    /// The release that an alarm may be about although the ledger holds none: what was brought to the service's places since
    /// its latest release ended, inside the window, and is not known to be good.
    pub(super) fn adopted(&self, alarm: &AlarmChange) -> Option<Release> {
        let record = &self.situation.record;
        let latest = record.release.as_ref();
        let since = match latest.map(|latest| (latest.phase, latest.ended_at)) {
            None => None,
            Some((Phase::Complete | Phase::RolledBack | Phase::Withdrawn, Some(ended_at))) => Some(ended_at),
            // What is open, or waits for a person, is not overtaken by what was found.
            Some(_) => return None,
        };
        let found: Vec<(Change, Timestamp)> = record
            .registration
            .targets
            .iter()
            .filter_map(|target| self.brought_to(target, since, alarm.changed_at))
            .collect();
        let began_at = found.iter().map(|(_, at)| *at).min()?;
        let service = record.registration.service.clone();
        Some(Release {
            changes: found.into_iter().map(|(change, _)| change).collect(),
            traffic_at: Some(began_at),
            ..fresh(service, latest, FOUND.to_owned(), began_at)
        })
    }

    fn brought_to(
        &self,
        target: &Target,
        since: Option<Timestamp>,
        fired_at: Timestamp,
    ) -> Option<(Change, Timestamp)> {
        let record = &self.situation.record;
        let Some(Sighting::Place(live)) = self.situation.live.get(&target.name) else { return None };
        let Live { traffic, brought: Some(Brought { version, at }), .. } = &**live else { return None };
        let good = record.known_good.iter().find(|good| good.target == target.name)?.version;
        let window_s = i64::from(record.registration.rollback.window_hours) * 3600;
        // What a way back brings is no release, though another invocation may be bringing it this very moment.
        let latest = record.release.as_ref().and_then(|latest| latest.change(&target.name));
        let goes_back = latest.is_some_and(|change| change.stable == *version);
        let is_new = *version != good && !goes_back && since.is_none_or(|since| since < *at);
        let is_inside = *at <= fired_at && seconds_between(*at, fired_at) <= window_s;
        let change = || Change {
            target: target.name.clone(),
            stable: good,
            candidate: *version,
            artefact: None,
            weight: traffic.share_of(*version),
            intent: None,
            claim: None,
        };
        (is_new && is_inside).then(|| (change(), *at))
    }
}
