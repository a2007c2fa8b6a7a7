//! The services that the gateway calls.

pub mod mailer;
pub mod vault;
