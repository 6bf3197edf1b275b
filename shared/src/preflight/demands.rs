//! What people have decreed: no release in a freeze, none without what its team wants to have vouched for.
//!
//! A freeze is only ever asked for here, before a release moves traffic: a release that is under way when a freeze begins
//! goes on, and goes back whenever it must.

use jiff::Timestamp;

use super::subject::{Subject, Surroundings};
use super::{Check, Remark, cut};
use crate::pipeline::Waivable;
use crate::reason::{duration, seconds_between};

impl Surroundings<'_> {
    /// No freeze holds.
    pub fn check_freeze(&self, now: Timestamp) -> Check {
        let freezes = &self.registration.freezes;
        let mut remarks = Vec::new();
        for (index, freeze) in freezes.iter().enumerate() {
            match freeze.span(&format!("freezes[{index}]")).map(|span| span.until(now)) {
                Ok(None) => {}
                Ok(Some(until)) => {
                    let left = duration(seconds_between(now, until.timestamp()));
                    let detail = format!(
                        "frozen until {} in {}, for {left} more: {}",
                        until.strftime("%Y-%m-%dT%H:%M"),
                        freeze.time_zone,
                        freeze.reason
                    );
                    remarks.push(self.failed_unless_waived(Waivable::Freeze, detail));
                }
                // It was registered by a suite with other rules. What it forbids is not known, so it may be this.
                Err(violations) => {
                    let rules: Vec<String> = violations.iter().map(ToString::to_string).collect();
                    remarks.push(self.failed_unless_waived(Waivable::Freeze, rules.join(", ")));
                }
            }
        }
        if remarks.is_empty() {
            remarks.push(Remark::passed(match freezes.len() {
                0 => "no freeze is registered".to_owned(),
                count => format!("none of {count} freezes holds"),
            }));
        }
        Check::of("freeze", remarks)
    }
}

impl Subject<'_> {
    /// Everything that must be vouched for is; nothing if nothing must.
    pub(super) fn check_attestations(&self) -> Option<Check> {
        let names = &self.record.registration.preflight.attestations;
        let vouched = |name: &&String| {
            self.run.attestations.get(*name).filter(|where_seen| !where_seen.trim().is_empty())
        };
        let missing: Vec<&str> =
            names.iter().filter(|name| vouched(name).is_none()).map(String::as_str).collect();
        if names.is_empty() {
            return None;
        }
        let remark = if missing.is_empty() {
            let seen = names.iter().filter_map(|name| Some(format!("{name} ({})", cut(vouched(&name)?))));
            Remark::passed(format!("vouched for: {}", seen.collect::<Vec<_>>().join(", ")))
        } else {
            let detail =
                format!("nobody vouches for {} of {}: {}", missing.len(), names.len(), missing.join(", "));
            self.failed_unless_waived(Waivable::Attestations, detail)
        };
        Some(remark.of("attestations"))
    }
}
