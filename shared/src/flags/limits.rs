//! How much a document may hold. What the JSON Schema can say of it, it says with the same numbers.

/// A document is no larger, in bytes.
pub const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A document has no more flags.
pub const FLAGS_MAX: usize = 2_000;
/// A flag has no more rules.
pub const RULES_MAX: usize = 100;
/// A rule has no more values.
pub const VALUES_MAX: usize = 1_000;
/// A flag's allowlist is no longer.
pub const ALLOWLIST_MAX: usize = 10_000;
/// A flag has no more variants.
pub const VARIANTS_MAX: usize = 20;
/// A flag asks no more other flags itself.
pub const PREREQUISITES_MAX: usize = 8;
/// A flag is answered by asking no more flags, those that its prerequisites ask included.
pub const FLAGS_ASKED_MAX: usize = 64;

/// A description or an owner is no longer, in characters.
pub(super) const DESCRIPTION_LENGTH_MAX: usize = 1_024;
/// A value or an entry of an allowlist is no longer, in characters.
pub(super) const VALUE_LENGTH_MAX: usize = 256;
/// The name of a rule is no longer, in characters.
pub(super) const RULE_NAME_LENGTH_MAX: usize = 128;
/// A flag's key, and a variant's name.
pub(super) const NAME_LENGTH_MAX: usize = 64;

/// Whether a text can be a flag's key or a variant's name.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
