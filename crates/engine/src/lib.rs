//! Clew.
