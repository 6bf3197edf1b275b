//! Judges a stage of a release by what CloudWatch measured, says where the release goes, and asks people where it is theirs
//! to say.
//!
//! It must not move traffic, and must not decide anything itself: [`ripcord::measure`] says what is asked and what that
//! comes to, [`ripcord::judge`] judges it, and [`ripcord::pipeline`] says what follows.

mod handler;
mod look;
mod question;
mod request;

pub use handler::{Answer, Validator, validate};
