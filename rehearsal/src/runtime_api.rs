//! A Lambda host.
