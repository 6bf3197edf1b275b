//! The rules that only an account can break; [`crate::doctor::account`] looks for them.

use super::{About, Scope};

pub(super) const GUARD_MISSING: About = About {
    id: "guard-missing",
    title: "a registered guard does not exist",
    why: "A guard that does not exist never pulls the cord, and no release passes its checks.",
    scope: Scope::Account,
};

pub(super) const GUARD_WITHOUT_ACTION: About = About {
    id: "guard-without-action",
    title: "a registered guard does not call the suite",
    why: "Ripcord hears of an alarm from the alarm itself. One with neither the suite's function nor a topic among its \
          actions is heard only if EventBridge routes alarms to the suite.",
    scope: Scope::Account,
};

pub(super) const LAST_KNOWN_GOOD_GONE: About = About {
    id: "last-known-good-gone",
    title: "the version to go back to is gone, or unprotected",
    why: "Rollback goes to the last known good version. A second alias pins it, because Lambda deletes no version \
          that an alias names; without both there may be nothing to go back to.",
    scope: Scope::Account,
};

pub(super) const LEFTOVER_WEIGHTS: About = About {
    id: "leftover-weights",
    title: "an alias is weighted and nothing is being released",
    why: "An alias that was left on two versions serves some requests from a version that nobody watches any more.",
    scope: Scope::Account,
};
