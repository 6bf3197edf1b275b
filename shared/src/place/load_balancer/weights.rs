//! The weights of two target groups: reading the candidate's share from them, and finding weights for a share.

use crate::names::Weight;

/// AWS takes weights from 0 to 999.
const WEIGHT_MAX: u32 = 999;
/// What two groups share that had nothing before.
const POOL_DEFAULT: u32 = 100;

/// The weights of the two sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) stable: u16,
    pub(super) candidate: u16,
}

impl Weights {
    /// What the two share.
    fn pool(self) -> u32 {
        u32::from(self.stable) + u32::from(self.candidate)
    }

    pub(super) fn is_empty(self) -> bool {
        self.pool() == 0
    }

    /// The candidate's share of what the two have; nothing if they have nothing.
    pub(super) fn share(self) -> Option<Weight> {
        share_of(self.candidate.into(), self.pool())
    }

    /// Everything on stable. What the two had in sum stays what they have, so that other groups keep their share; a group
    /// alone can have no more than 999, though.
    pub(super) fn back(self) -> Self {
        let pool = if self.is_empty() { POOL_DEFAULT } else { self.pool().min(WEIGHT_MAX) };
        Self { stable: narrow(pool), candidate: 0 }
    }

    /// The weights that give the candidate exactly this share, because the share is read back from them and compared. Beside
    /// other groups with weight the sum must stay as it is; otherwise it is free, and the one that was there is preferred.
    pub(super) fn sharing(self, share: Weight, is_alone: bool) -> Option<Self> {
        if share == Weight::ALL {
            let Self { stable, candidate } = self.back();
            return Some(Self { stable: candidate, candidate: stable });
        }
        let kept = (!self.is_empty()).then(|| self.pool());
        let free = std::iter::once(POOL_DEFAULT).chain(2..=2 * WEIGHT_MAX).filter(|_| is_alone);
        // Bounded by the largest sum that two weights can have.
        kept.into_iter().chain(free).find_map(|pool| split(pool, share))
    }
}

/// A sum split into a share and the rest, if that is possible exactly.
fn split(pool: u32, share: Weight) -> Option<Weights> {
    let candidate = rounded(share.share() * f64::from(pool));
    let stable = pool.checked_sub(candidate)?;
    let is_possible = candidate <= WEIGHT_MAX && stable <= WEIGHT_MAX;
    (is_possible && share_of(candidate, pool) == Some(share))
        .then(|| Weights { stable: narrow(stable), candidate: narrow(candidate) })
}

fn share_of(part: u32, pool: u32) -> Option<Weight> {
    Weight::from_share(f64::from(part) / f64::from(pool)).ok()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of at most 1998")]
fn rounded(part: f64) -> u32 {
    part.round() as u32
}

/// A weight as AWS takes it; every caller has bounded it.
fn narrow(weight: u32) -> u16 {
    u16::try_from(weight).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(share: f64) -> Weight {
        Weight::from_share(share).expect("a share")
    }

    #[track_caller]
    fn check(was: (u16, u16), wanted: f64, is_alone: bool, expected: Option<(u16, u16)>) {
        let was = Weights { stable: was.0, candidate: was.1 };
        let found = was.sharing(share(wanted), is_alone).map(|found| (found.stable, found.candidate));
        assert_eq!(found, expected, "{was:?} at {wanted}");
    }

    #[test]
    fn a_share_is_found_exactly_or_not_at_all() {
        check((100, 0), 0.1, true, Some((90, 10)));
        check((90, 10), 0.5, true, Some((50, 50)));
        check((100, 0), 1.0, true, Some((0, 100)));
        // One group alone has weight 1, of which no tenth can be given away.
        check((1, 0), 0.1, true, Some((90, 10)));
        check((1, 0), 1.0, true, Some((0, 1)));
        check((0, 0), 0.25, true, Some((75, 25)));
        check((100, 0), 0.125, true, Some((7, 1)));
        check((100, 0), 0.001, true, Some((999, 1)));
        // Steps of one in 2,000 would need a weight above 999.
        check((100, 0), 0.0005, true, None);
    }

    #[test]
    fn beside_other_groups_the_sum_stays() {
        check((100, 0), 0.1, false, Some((90, 10)));
        check((20, 0), 0.1, false, Some((18, 2)));
        check((20, 0), 0.01, false, None);
        check((1, 0), 0.5, false, None);
        check((500, 500), 1.0, false, Some((0, 999)));
    }

    #[test]
    fn going_back_keeps_the_sum_up_to_what_one_group_can_have() {
        let back = |stable, candidate| Weights { stable, candidate }.back();
        assert_eq!(back(90, 10), Weights { stable: 100, candidate: 0 });
        assert_eq!(back(0, 1), Weights { stable: 1, candidate: 0 });
        assert_eq!(back(0, 0), Weights { stable: 100, candidate: 0 });
        assert_eq!(back(499, 500), Weights { stable: 999, candidate: 0 });
        assert_eq!(back(500, 500), Weights { stable: 999, candidate: 0 });
    }

    proptest! {
        #[test]
        fn whole_percentages_are_always_possible_and_read_back_the_same(
            stable in 0_u16..=999, candidate in 0_u16..=999, percent in 1_u32..=100,
        ) {
            let wanted = Weight::from_percent(percent);
            let found = Weights { stable, candidate }.sharing(wanted, true).expect("weights");
            prop_assert_eq!(found.share(), Some(wanted));
            prop_assert!(found.stable <= 999 && found.candidate <= 999);
        }
    }
}
