//! Checks everything that can be checked before a release moves traffic, and the service once more before it completes.
//!
//! It must not decide anything itself: [`ripcord::preflight`] does. It moves no traffic, and no rollback asks for it. A
//! check before a release takes three round trips one after the other, however many things are looked at: the ledger's
//! record; everything else at once; and what is written down. One of the calls may take longer than AWS does, because it is
//! the service's own smoke test.

mod handler;

pub use handler::{Inspected, Inspector, inspect};
