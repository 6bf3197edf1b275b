//! Targets of several kinds, most of which AWS moves without comparing anything: what holds whatever happens in whatever order.
//! Everything here is pure: the world only applies calls, literally, with the preconditions that AWS checks.
//!
//! [`simulation`] lives through generated histories, [`scenarios`] through some that are written by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adopting;
mod call;
mod invocation;
mod scenarios;
mod scene;
mod simulation;
mod things;
mod world;
