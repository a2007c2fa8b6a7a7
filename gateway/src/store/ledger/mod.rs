//! The ledger's rows: accounts, transfers that are never changed, and what became of pending ones.
//!
//! Several processes may work on one database. Whoever moves money takes rows in one order, so that nobody waits in a circle:
//! the user's, the balance's, the pending transfers', then the accounts' in the order of their numbers, then partner balances'.

pub mod accounts;
pub mod pending;
pub mod totals;
pub mod transfers;

#[cfg(test)]
pub(crate) mod tests;
