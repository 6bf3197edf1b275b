//! The places that are no aliases of functions, on the real SDK clients.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

mod api_stage;
mod configuration;
mod ecs;
mod load_balancer;
mod records;
mod stack;
mod state_machine;
