//! Puts traffic back when an alarm fires or an operator says so: read, observe, decide, act, report.
//!
//! It must not decide anything itself: [`ripcord::decide`] does, and what it decides is carried out as it stands.

mod handler;

pub use handler::{Alarms, Answer, Answers, Pull, answer};
