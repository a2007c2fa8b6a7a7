//! The gateway: users, devices, KYC, balances and cards, by token only. It has no type for a PAN, a CVV or a PIN.
//!
//! A request enters by one door (`http`), is run by one flow (`flows`), which asks the pure `domain` to decide, tells the
//! `store` to write and the vault (`clients`) to act, and returns a value that the door renders.

pub mod app;
pub mod clients;
pub mod config;
pub mod document_keys;
pub mod domain;
pub mod error;
pub mod flows;
pub mod hardening;
pub mod http;
pub mod jobs;
pub mod key_file;
pub mod operator_key;
pub mod rates;
pub mod services;
pub mod store;
#[cfg(test)]
mod testing;
