//! The vault's verbs, one a file: each takes parsed types and the open vault, asks the domain, commits once, and returns
//! a value. None knows HTTP.

pub mod answer;
pub mod challenge;
pub mod create_holder;
pub mod enrol_key;
pub mod erase;
pub mod govern;
pub mod integrity;
pub mod issue;
pub mod lock_finally;
pub mod lookup;
pub mod pending_keys;
pub mod print;
pub mod prove;
pub mod public_keys;
pub mod read_audit;
pub mod reset_cvv;
pub mod reveal;
pub mod revoke_key;
pub mod rotate;
pub mod secrets;
pub mod set_pin;
pub mod slots;
pub mod sweep;
pub mod verify;

#[cfg(test)]
pub(crate) mod tests;
