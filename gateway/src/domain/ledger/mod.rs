//! Double entry in the vocabulary of TigerBeetle: accounts of four sums, and transfers between two of them, at once or pending
//! first. Pure: a [`Book`] of accounts and a chain of entries give another book, or the reason why not.
//!
//! Who debits whom for what stands on one page, [`plan`] (drawn in ADR 0023). Minor units, checked; nothing here wraps.

mod account;
mod amount;
mod book;
mod low_level;
mod merchant;
pub mod plan;
mod reference;
#[cfg(test)]
pub(crate) mod tests;
mod transfer;

pub use account::{Account, AccountId, AccountKind, Sums};
pub use amount::Amount;
pub use book::{Book, Entry, LedgerRefusal, Step};
pub use low_level::{LowLevel, Watch};
pub use merchant::Merchant;
pub use reference::{BankReference, Reference};
pub use transfer::{PendingState, Phase, TransferId, TransferKind, TransferState};
