//! Does what the core decides.
