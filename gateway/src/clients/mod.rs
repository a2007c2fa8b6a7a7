//! The services that the gateway calls.

pub mod kyc_provider;
pub mod mailer;
pub mod vault;
pub mod webhook;
