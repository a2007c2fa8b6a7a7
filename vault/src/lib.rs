//! The vault: the PCI zone, and the only process that ever holds a PAN, a CVV or a PIN in clear.
//!
//! A request enters by one door ([`http`]), becomes parsed types, is run by one flow ([`flows`]), which asks the pure
//! [`domain`] to decide, tells the records to write, and returns a value that the door renders.

pub mod app;
pub mod audit;
pub mod bulk;
mod bytes;
pub mod ceremony;
mod challenges;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod ending;
pub mod environment;
pub mod error;
pub mod flows;
mod follow;
pub mod hardening;
pub mod http;
mod idempotency;
mod jobs;
mod key_uses;
pub mod keys;
mod ledger;
pub mod observe;
mod open_vault;
mod payloads;
mod process;
mod random;
mod records;
mod refusals;
mod registers;
pub mod secret;
mod signer;
pub mod store;
mod store_errors;
mod witness;
mod work;
