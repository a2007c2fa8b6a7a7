//! What callers can have done: one verb a file, each in the same order (claim the request, decide, write, file the answer,
//! commit) with the vault asked between two transactions, never within one.

pub mod pin_hash;
pub mod vault_keys;
pub mod vault_state;
