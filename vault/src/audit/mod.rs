//! The audit log: every operation, chained by hash; written in the same commit as a change, and durably before the
//! answer of a read. If it cannot be written, the vault answers nothing.

pub mod chain;
pub mod event;
pub mod verify;
