//! Tessera.

pub mod crypto;
pub mod environment;
pub mod hardening;
pub mod secret;
pub mod store;
