//! Moves a release's share of an alias's traffic: observe, decide, act, report.
//!
//! It must not decide anything itself: [`ripcord::shift`] does, and what it decides is carried out as it stands.

mod handler;

pub use handler::{Shifted, Shifter, shift};
