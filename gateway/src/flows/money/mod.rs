//! Moving money: each flow takes the rows it changes in the one order, lets the ledger decide, and writes transfers, sums, what
//! became of holds, and events, in the caller's transaction. Whoever answers a request calls it beside its claim, so that the
//! effect and the answer are there together or not at all.

mod carry;
pub mod clear;
pub mod expire;
pub mod hold;
mod parties;
pub mod refund;
#[cfg(test)]
pub(crate) mod tests;
pub mod void;

pub(super) use carry::{About, Chain, carry, watch};
pub(super) use parties::{Side, outside};
