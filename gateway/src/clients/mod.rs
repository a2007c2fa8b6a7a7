//! The services that the gateway calls.

pub mod vault;
