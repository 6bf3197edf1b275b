//! Where a target lies, in words for people.

use ripcord::place::LambdaAlias;
use ripcord::registration::{Reach, Target};

/// What a target is: an alias as everybody writes it, any other place by its name.
pub(crate) fn what(target: &Target) -> String {
    match target.lambda() {
        Some(LambdaAlias { function, alias }) => format!("{function}:{alias}"),
        None => target.place.to_string(),
    }
}

/// The account whose role is assumed to reach it, if one is.
pub(crate) fn account(reach: &Reach) -> Option<&str> {
    // `arn:PARTITION:iam::ACCOUNT:role/NAME`.
    reach.role_arn.as_ref().and_then(|role| role.as_str().split(':').nth(4))
}

/// What a target is, and where it lies if that is elsewhere than the suite.
pub(crate) fn whereabouts(target: &Target) -> String {
    let mut words = what(target);
    if let Some(region) = &target.reach.region {
        words.push_str(&format!(" in {region}"));
    }
    if let Some(account) = account(&target.reach) {
        words.push_str(&format!(" of account {account}"));
    }
    words
}
