//! End to end: the built artefact, the real template and a local AWS. What is counted here is counted from outside, in
//! the journal of the calls that arrived.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod codedeploy;
mod crashes;
mod deploy;
mod driven;
mod driven_crashes;
mod driven_storm;
mod ecs_hook;
mod faults;
mod flags_http;
mod groups;
mod inbox;
mod operator;
mod operator_releases;
mod pipelines;
mod places;
mod recorded;
mod restore;
mod round_trips;
mod scene;
mod seen;
mod storm;
mod story;
mod through_the_binary;
mod trains;
mod triggers;
