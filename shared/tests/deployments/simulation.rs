//! A world in which anything may happen in any order: CodeDeploy deploys, shifts, fails, is stopped and rolls back; its
//! events, alarms and commands are delivered late, twice and out of order; invocations are interleaved call by call, end
//! between any two calls, and see CodeDeploy only in part; people move the alias by hand. Through thousands of such
//! histories the invariants of [`checks`] must hold.
//!
//! `DEPLOYMENTS_SEED` lives through one history again, `DEPLOYMENTS_HISTORIES` through more of them.

use history::History;

mod checks;
mod history;
mod invocation;

const FIRST_SEED: u64 = 20_260_302;
const HISTORIES: u64 = 4_000;

#[test]
fn whatever_codedeploy_and_people_do_traffic_goes_back_once_and_stays_back() {
    let (first, count) = match (setting("DEPLOYMENTS_SEED"), setting("DEPLOYMENTS_HISTORIES")) {
        (Some(seed), _) => (seed, 1),
        (None, count) => (FIRST_SEED, count.unwrap_or(HISTORIES)),
    };
    let mut tally = checks::Tally::default();
    for seed in first..first + count {
        let mut history = History::begin(seed, tally);
        // Short histories come first: they are the ones that people can read.
        for _ in 0..10 + (seed - FIRST_SEED.min(seed)) / 20 % 150 {
            history.happen();
        }
        tally = history.end_well();
    }
    if count >= HISTORIES {
        tally.covers_every_way_back();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever looks for a failure asks for one history, or for more"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
