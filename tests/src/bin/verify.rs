//! Passes all checks.
fn main() {}
