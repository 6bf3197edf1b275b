//! How often everything took place.

/// How often everything took place, so that nothing goes untried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) histories: u32,
    pub(super) rolled_back: u32,
    pub(super) complete: u32,
    pub(super) failed: u32,
    pub(super) swapped: u32,
    pub(super) claimed: u32,
    pub(super) compared: u32,
    pub(super) unclaimed: u32,
    pub(super) landed_late: u32,
    pub(super) landed_under_a_claim: u32,
    pub(super) taken_over: u32,
    pub(super) awaited_another: u32,
    pub(super) awaited_a_shift: u32,
    pub(super) refusing: u32,
    pub(super) blocked: u32,
    pub(super) several: u32,
}

impl Tally {
    pub(super) fn covers_everything(&self) {
        let Self {
            histories,
            rolled_back,
            complete,
            failed,
            swapped,
            claimed,
            compared,
            unclaimed,
            landed_late,
            landed_under_a_claim,
            taken_over,
            awaited_another,
            awaited_a_shift,
            refusing,
            blocked,
            several,
        } = self;
        for count in [
            histories,
            rolled_back,
            complete,
            failed,
            swapped,
            claimed,
            compared,
            unclaimed,
            landed_late,
            landed_under_a_claim,
            taken_over,
            awaited_another,
            awaited_a_shift,
            refusing,
            blocked,
            several,
        ] {
            assert!(*count >= 20, "something hardly ever happens: {self:?}");
        }
    }
}
