//! The local AWS.
pub mod runtime_api;
