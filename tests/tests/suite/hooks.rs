//! What a hook decides: the whole table of the watch, what is written down, and who is told.

use ripcord::hook::{Watched, decide_watch, is_judged};
use ripcord::judge::Verdict;
use ripcord::registration::Unproven;

use crate::worlds::registration;

#[test]
fn what_is_not_proved_in_time_goes_back_or_is_told_and_what_was_not_measured_goes_back() {
    let mut table = String::new();
    for unproven in [Unproven::RollBack, Unproven::Ask] {
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Error] {
            for is_last in [false, true] {
                let mut registration = registration(&["api"]);
                registration.release.unproven = unproven;
                let follows = match decide_watch(&registration, verdict, "so it is", is_last) {
                    Watched::Again => "look again".to_owned(),
                    Watched::Over(verdict) => {
                        let word = if verdict.succeeded { "yes" } else { "no" };
                        let told = if verdict.is_doubtful { ", and people are told" } else { "" };
                        format!("{word}{told}: {}", verdict.why)
                    }
                };
                let last = if is_last { "at last" } else { "early" };
                table.push_str(&format!("{unproven:?}, {verdict:?} {last}: {follows}\n"));
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_service_without_limits_and_metrics_or_with_no_minutes_to_watch_is_not_judged() {
    let mut registration = registration(&["api"]);
    assert!(!is_judged(&registration));
    registration.limits.error_rate_max = Some(0.01);
    assert!(is_judged(&registration));
    registration.hooks.watch_minutes = 0;
    assert!(!is_judged(&registration));
}
