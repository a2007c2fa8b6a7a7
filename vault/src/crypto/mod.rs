//! Formats and formulas, without I/O: what a sealed value looks like, what it is bound to, how one key is derived from
//! another, and how a PAN becomes a fingerprint. All of it stands on `ring`.

pub mod aad;
pub mod aead;
pub mod fingerprint;
pub mod inventory;
pub mod kdf;

use crate::secret::RandomFailed;

/// Why a value could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// No randomness, no sealing.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// These bytes are not a sealed value of the expected format.
    #[error("not a sealed value of the expected format")]
    Malformed,
    /// The value does not open: another key, another name, or changed bytes. Which of them, nobody can say.
    #[error("the value does not open under this key and this name")]
    Refused,
    /// More than an AES-GCM message may hold (2³⁶ − 32 bytes, SP 800-38D §5.2.1.1).
    #[error("the value is too large to seal")]
    TooLarge,
}
