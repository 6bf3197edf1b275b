//! One thing of each kind that Ripcord puts back, with a stable and a candidate side, set up through the front as a team
//! would have it, and what an assertion reads of it. It sets the stage; it must not act on it.
//!
//! A client says where: `aws.client()` at home, `aws.client().in_region("eu-west-1")` elsewhere, and `aws.client_as("210987654321")`
//! in another account.

mod account;
mod calls;
mod configuration;
mod database;
mod ecs_service;
mod load_balancer;
mod records;
mod rest_stage;
mod stack;
mod state_machine_alias;

pub use account::{assumed, role};
pub use configuration::{Configuration, configuration};
pub use database::{database, database_status};
pub use ecs_service::{EcsService, ServiceDeployment, ecs_service};
pub use load_balancer::{LoadBalancer, load_balancer};
pub use records::{Records, records};
pub use rest_stage::{RestStage, rest_stage};
pub use stack::{Stack, stack};
pub use state_machine_alias::{StateMachineAlias, state_machine_alias};

use crate::aws_client::CallError;

/// Why a thing could not be set up or read.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The local AWS did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It refused.
    #[error("failed to call {operation}: {status} {answer}")]
    Refused {
        /// What was called.
        operation: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        answer: String,
    },
    /// It answered something else than it should.
    #[error("failed to find {what} in {answer}")]
    Answer {
        /// What was looked for.
        what: String,
        /// What was said.
        answer: String,
    },
}
