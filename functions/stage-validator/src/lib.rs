//! Judges a stage of a release by what CloudWatch measured.
