//! The artefact.
fn main() {}
