//! The audit log: every operation, a leaf of a Merkle tree; written in the same commit as a change, and durably before the
//! answer of a read. If it cannot be written, the vault answers nothing. Signed checkpoints go to witnesses outside.

pub mod checkpoint;
pub mod event;
pub mod log;
pub mod merkle;
pub mod note;
pub mod succession;
pub mod verify;
