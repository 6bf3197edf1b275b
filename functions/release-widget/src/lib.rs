//! A custom widget of CloudWatch's dashboards: it draws a release's share of traffic with what happened, and lists the latest
//! releases, where people look already.
//!
//! It must change nothing and must not fail: whatever is wrong is said in the widget, because an error would only show as an
//! empty box.

mod handler;
mod request;
mod view;

pub use handler::{Widget, answer};
pub use request::Asked;

/// The calls that it makes.
pub const CALLED: &[&str] = &["dynamodb:Query"];
