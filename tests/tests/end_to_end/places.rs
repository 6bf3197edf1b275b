//! The places that are no aliases of functions, from registration to the way back, by the built artefact.

mod api_stage;
mod arrival;
mod configuration;
mod ecs;
mod flags;
mod load_balancer;
mod records;
mod rig;
mod stack;
mod state_machine;
mod together;
