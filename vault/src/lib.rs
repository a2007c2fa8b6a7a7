//! Tessera.

pub mod store;
