//! Answers over HTTP what a flag is for a subject, and refuses bad flag documents to AppConfig.
//!
//! What a flag is for a subject is decided by [`ripcord::flags`]. Here requests are read and answered, and the last good
//! document is kept: a request waits for AppConfig briefly, and never fails because of it once there is a document. What is
//! wrong with a request is said with a status below 500.

mod document;
mod handler;
mod keeper;
mod reply;
mod request;
mod validator;

pub use handler::{Evaluator, answer};
pub use reply::Reply;
pub use request::{BODY_BYTES_MAX, FLAG_KEYS_MAX};
pub use validator::{Accepted, Rejected, validate};
