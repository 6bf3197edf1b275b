//! Checks everything that can be checked before a release moves traffic.
