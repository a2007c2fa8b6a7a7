//! What callers can have done: one verb a file, each in the same order (claim the request, decide, write, file the answer,
//! commit) with the vault asked between two transactions, never within one.

pub mod apply_for_kyc;
pub mod attempt;
pub mod begin_session;
pub mod cards;
pub mod challenge_holder;
pub mod change_balance;
pub mod claimed;
pub mod create_activation_code;
pub mod create_balance;
pub mod decide_kyc;
pub mod document_room;
pub mod events;
pub mod flag_late_orders;
pub mod hear_provider;
pub mod imports;
pub mod kyc_documents;
pub mod list_installations;
pub mod log_in;
pub mod money;
pub mod notices;
pub mod operators;
pub mod pair_device;
pub mod partner_balances;
pub mod partners;
pub mod pin_hash;
pub mod register_user;
pub mod reload_balance;
pub mod reveals;
pub mod revoke_due_key;
pub mod revoke_installation;
mod secret;
pub mod set_kyc;
mod settle_kyc;
pub mod submit_kyc;
#[cfg(test)]
mod tests;
pub mod users;
pub mod vault_keys;
pub mod vault_state;
pub mod webhooks;
