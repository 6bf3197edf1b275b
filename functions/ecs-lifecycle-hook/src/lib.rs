//! Answers the lifecycle hooks of ECS's own deployments: may it begin, may it go on, has it gone well?
//!
//! The function's process is only a desk. It decides nothing but what needs no look, and everything that could hang or die
//! is done in a process of its own: the check, and then the report of what it came to. So ECS has its answer in time,
//! whatever happens, and no answer waits for a record or a notice that does not get through.
//!
//! It must never stand in the way of a rollback: [`ripcord::lifecycle`] says what is one.

mod desk;
mod work;

pub use desk::{Desk, answer};
pub use work::{Checker, Request, work};
