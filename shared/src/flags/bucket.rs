//! Which share of its subjects a flag is on for: the same subject lies in the same bucket of a flag, wherever and whenever
//! it is asked.
//!
//! Both numbers of a subject come from one SHA-256 of the flag's key, a zero byte, and the subject. Another language makes
//! the same in five lines, and the vectors in `docs/flags.md` say whether it does. Changing anything here moves every
//! subject of every flag.

use std::fmt;

use sha2::{Digest, Sha256};

/// A flag's subjects lie in so many buckets, each of 0.01 %.
pub(super) const BUCKETS: u16 = 10_000;

/// A share of a flag's subjects, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// None of them.
    pub(super) const NONE: Self = Self(0);
    /// All of them.
    pub(super) const ALL: Self = Self(BUCKETS);

    /// The share of so many percent; nothing if it is out of range or finer than a bucket.
    pub(super) fn of_percent(percent: f64) -> Result<Self, InvalidShare> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(InvalidShare::Range);
        }
        let hundredths = percent * 100.0;
        // What 33.33 and the like lose as binary fractions is far less than this.
        if (hundredths - hundredths.round()).abs() > 1e-6 {
            return Err(InvalidShare::Precision);
        }
        Ok(Self(hundredths.round() as u16))
    }

    /// In percent, between 0 and 100.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    pub(super) fn hundredths(self) -> u16 {
        self.0
    }

    /// Whether it holds the bucket. A larger share holds what a smaller one held.
    pub(super) fn holds(self, bucket: u16) -> bool {
        bucket < self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

/// Why a number is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidShare {
    Range,
    Precision,
}

/// Where a subject of a flag lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Its bucket, from 0 to 9,999: inside a share of P percent if it is below 100 × P.
    pub rollout: u16,
    /// Its point among the variants, from 0 to 9,999, which its bucket says nothing about.
    pub variant: u16,
}

impl Draw {
    /// Where this subject of this flag lies.
    pub fn of(flag: &str, subject: &str) -> Self {
        // No key holds a zero byte, so no two pairs of key and subject are the same bytes.
        let digest = Sha256::new().chain_update(flag).chain_update([0]).chain_update(subject).finalize();
        let (numbers, _) = digest.as_chunks::<8>();
        let bucket = |number: Option<&[u8; 8]>| {
            let number = number.map_or(0, |bytes| u64::from_be_bytes(*bytes));
            // 2^64 is no multiple of 10,000: the first 1,616 buckets are likelier than the others by one part in 10^15.
            (number % u64::from(BUCKETS)) as u16
        };
        Self { rollout: bucket(numbers.first()), variant: bucket(numbers.get(1)) }
    }
}
