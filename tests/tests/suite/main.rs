//! Tests of the core and the adapters: no process, no network.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod adapters;
mod attribution;
mod dashboards;
mod decisions;
mod events;
mod flag_document;
mod flag_evaluator;
mod flag_example;
mod hooks;
mod lifecycle;
mod measuring;
mod pipelines;
mod preflight;
mod registration;
mod release_train;
mod shifts;
mod simulation;
mod state_machine;
mod template;
mod worlds;
