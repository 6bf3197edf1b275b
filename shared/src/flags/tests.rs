//! What flags answer, and what is refused.
