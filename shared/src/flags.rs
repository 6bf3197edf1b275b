//! Feature flags: the document that AppConfig serves, and what it answers for whom.
//!
//! A flag is asked in one stated order: kill switch, prerequisites, allowlist, rules in their order, rollout, default. An
//! answer depends on nothing but the document and the context: no clock, no randomness, no memory. `docs/flags.md`
//! describes the document, and how another language finds the same bucket.
//!
//! It is not AppConfig's own form of feature flags, and knows nothing of how the document is fetched.

mod bucket;
mod condition;
mod context;
mod fields;
mod flag;
mod json;
mod limits;
mod prerequisites;
mod problem;
mod read;
mod reason;
mod schema;
#[cfg(test)]
mod tests;

pub use bucket::{Draw, Share};
pub use condition::Operator;
pub use context::{
    ATTRIBUTE_NAME_LENGTH_MAX, ATTRIBUTE_TEXT_LENGTH_MAX, ATTRIBUTES_MAX, Context, ContextError,
};
pub use flag::{Flag, Variant};
pub use limits::{
    ALLOWLIST_MAX, FLAGS_ASKED_MAX, FLAGS_MAX, PREREQUISITES_MAX, RULES_MAX, TEXT_BYTES_MAX, VALUES_MAX,
    VARIANTS_MAX,
};
pub use problem::{Invalid, Problem};
pub use reason::{Because, Drawn, Evaluation, Reason};
pub use schema::schema;

/// A valid document, made ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    /// Sorted by key.
    flags: Vec<Flag>,
}

impl Flags {
    /// Reads a document, or says everything that is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, Invalid> {
        read::read(text)
    }

    /// The flag of this name.
    pub fn get(&self, key: &str) -> Option<&Flag> {
        let place = self.flags.binary_search_by(|flag| flag.key().cmp(key)).ok()?;
        self.flags.get(place)
    }

    /// Every flag, sorted by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Flag> {
        self.flags.iter()
    }

    /// Every flag's key, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.flags.iter().map(Flag::key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// What a flag answers. One that the document does not have is off.
    pub fn evaluate(&self, key: &str, context: &Context) -> Evaluation<'_> {
        match self.get(key) {
            Some(flag) => self.answer(flag, context),
            None => Evaluation { enabled: false, variant: None, reason: Reason::UnknownFlag },
        }
    }

    /// Asks no more than [`FLAGS_ASKED_MAX`] flags: a document whose prerequisites lead further is not valid.
    fn answer<'f>(&'f self, flag: &'f Flag, context: &Context) -> Evaluation<'f> {
        let off = |reason| Evaluation { enabled: false, variant: None, reason };
        if !flag.is_enabled {
            return off(Reason::Off { flag: flag.key() });
        }
        for prerequisite in &flag.prerequisites {
            let variant = prerequisite.variant.as_deref();
            let other = self.flags.get(prerequisite.flag).map(|other| self.answer(other, context));
            let is_on = other.is_some_and(|other| other.enabled);
            if !is_on || (variant.is_some() && other.and_then(|other| other.variant) != variant) {
                return off(Reason::Prerequisite {
                    flag: flag.key(),
                    needs: &prerequisite.key,
                    variant,
                    is_on,
                });
            }
        }
        flag.answer(context)
    }
}

impl<'f> IntoIterator for &'f Flags {
    type Item = &'f Flag;
    type IntoIter = std::slice::Iter<'f, Flag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
