//! Histories that are written by hand.
