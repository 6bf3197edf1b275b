//! Releases that CodeDeploy moves: what is decided in each situation, and what holds whatever happens in whatever order.
//! Everything here is pure: the world only applies effects, with the preconditions that AWS checks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod codedeploy;
mod events;
mod pulls;
mod races;
mod scene;
mod simulation;
mod world;
