//! A world in which anything may happen in any order: alarms fire, are delivered up to twenty times at once, late and again;
//! people shift, complete, open the next release and pull the cord; invocations are interleaved call by call, end between any
//! two calls, and are repeated; calls are refused, lose their answers, are sent twice, or land when nobody waits for them any
//! more; places refuse every call, or have no way back. Through thousands of such histories the invariants of [`checks`] must
//! hold.
//!
//! A call that is given up lands before its invocation's lease ends, or never: Lambda has ended the invocation by then.
//!
//! `PLACES_SEED` lives through one history again, `PLACES_HISTORIES` through so many from there on.

use history::History;

mod checks;
mod history;
mod tally;

const FIRST_SEED: u64 = 20_260_302;
const HISTORIES: u64 = 4_000;

#[test]
fn whatever_happens_every_place_goes_back_once_and_stays_back() {
    let (seed, count) = (setting("PLACES_SEED"), setting("PLACES_HISTORIES"));
    let first = seed.unwrap_or(FIRST_SEED);
    let count = count.unwrap_or(if seed.is_some() { 1 } else { HISTORIES });
    let mut tally = tally::Tally::default();
    for seed in first..first + count {
        let mut history = History::begin(seed, tally);
        // Short histories come first: they are the ones that people can read.
        for _ in 0..10 + (seed - FIRST_SEED.min(seed)) / 20 % 150 {
            history.happen();
        }
        tally = history.end_well();
    }
    if count >= HISTORIES {
        tally.covers_everything();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever looks for a failure asks for one history, or for more"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
