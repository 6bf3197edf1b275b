//! A flag document that is valid, with everything about it that is the same for all requests.

use std::fmt::Write as _;

use ripcord::flags::{Flags, Invalid, Variant};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What tells one document from another.
pub(crate) type Digest = [u8; 32];

/// A valid document.
#[derive(Debug)]
pub(crate) struct Document {
    /// What is evaluated.
    pub(crate) flags: Flags,
    /// What `GET /feature-flags` answers.
    pub(crate) listing: String,
    /// The strong validator of that answer.
    pub(crate) etag: String,
    pub(crate) digest: Digest,
}

pub(crate) fn digest(text: &[u8]) -> Digest {
    Sha256::digest(text).into()
}

impl Document {
    pub(crate) fn read(text: &[u8]) -> Result<Self, Invalid> {
        let flags = Flags::read(text)?;
        let digest = digest(text);
        let listing = listing(&flags).to_string();
        Ok(Self { listing, etag: etag(&digest), digest, flags })
    }
}

/// Half of the digest is plenty to tell versions apart.
fn etag(digest: &Digest) -> String {
    let mut etag = String::from("\"");
    for byte in digest.iter().take(16) {
        // Writing to a text cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

/// What a client may know of the flags. Allowlists and rules may hold names of people, and stay here.
fn listing(flags: &Flags) -> Value {
    let listed = flags.iter().map(|flag| {
        let variants: Vec<&str> = flag.variants().iter().map(Variant::name).collect();
        let mut listed = json!({
            "flag_key": flag.key(),
            "enabled": flag.is_enabled(),
            "variants": variants,
        });
        if let Some(description) = flag.description() {
            listed["description"] = json!(description);
        }
        listed
    });
    json!({ "flags": listed.collect::<Vec<Value>>() })
}
