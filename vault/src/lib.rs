//! Tessera.

pub mod bytes;
pub mod crypto;
pub mod environment;
pub mod hardening;
pub mod keys;
pub mod secret;
pub mod store;
