//! The key hierarchy, from what the custodians hold down to one card's fields.
//!
//! ```text
//!  slot: Shamir t-of-n custodians     slot: PKCS#11 token     slot: key file (development only)     any one opens
//!                    └──────────────┬──────────────┴──────────────────┘
//!                               root key ······ in locked memory, only while unlocked
//!                                   │                epoch secret ······ files outside the store, kept twice
//!                                   │                     │
//!                                   └──── HKDF-SHA-256 ───┘
//!                                            │
//!                                      wrapping key ······ wraps the keyring: each key bound to purpose, version, state
//!         ┌────────────────┬─────────────────┼──────────────────┐
//!    card KEKs        records keys     fingerprint key     JWE key pairs
//!         │ wrap           │ seal             │ HMAC-SHA-256     │ RSA-OAEP
//!    data keys,       every value of     of the whole PAN     what callers
//!    one per card     the store                               seal to us
//!         │ seal
//!    PAN, CVV, PIN ····· AAD: format, environment, program, card, field, record version, key version
//! ```
//!
//! A store directory alone opens nothing; neither does it together with the shares but without the epoch secret.
//!
//! Stages are types: [`slot::unlock::UnlockSession`] (or a token, or a key file) gives a [`root::RootKey`], and only that gives a
//! [`keyring::Keyring`], the unlocked vault.

pub mod audit_key;
pub mod ceremony;
pub mod change;
pub mod data_key;
pub mod epoch;
pub mod escrow;
pub mod handle;
pub mod handover;
pub mod header;
pub mod jwe_keys;
pub mod kek;
pub mod keyring;
mod next_root;
pub mod records;
pub mod root;
pub mod slot;
#[cfg(test)]
mod tests;
pub mod uses;
mod versions;
