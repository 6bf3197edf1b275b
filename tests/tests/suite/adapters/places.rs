//! The places that are no aliases of functions, on the real SDK clients.

mod api_stage;
mod configuration;
mod ecs;
mod load_balancer;
mod records;
mod stack;
mod state_machine;
