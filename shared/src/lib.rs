//! The core of Ripcord.
//!
//! What it reads ([`signal`], [`registration`], [`situation`]), what it decides ([`decide`], [`shift`]) and what it
//! writes ([`plan`], [`release`], [`notice`], [`metrics`], [`evidence`]) are pure: no clock, no environment, no
//! randomness, no network. Time comes in as an argument, and a decision goes out as data. The adapters that carry a
//! decision out on real AWS clients live in `aws`, behind the feature of that name.

pub mod attribution;
pub mod decide;
pub mod deployment;
pub mod dora;
pub mod draw;
pub mod error_type;
pub mod evidence;
pub mod experiment;
pub mod finding;
pub mod flags;
pub mod hook;
pub mod judge;
pub mod lifecycle;
pub mod measure;
pub mod metrics;
pub mod names;
pub mod notice;
pub mod page;
pub mod pipeline;
pub mod place;
pub mod plan;
pub mod preflight;
pub mod reason;
pub mod registration;
pub mod release;
pub mod shift;
pub mod signal;
pub mod situation;
pub mod strategy;
pub mod timeline;
pub mod traffic;
pub mod train;

#[cfg(feature = "aws")]
pub mod aws;
