//! The issuing processor's door: verify a CVV or a PIN by PAN. Requests carry card data, so they have no `Debug` and wipe
//! themselves; only the processor and the vault ever handle them.

use serde::{Deserialize, Serialize};

/// Answer (200) to a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// What came out.
    pub outcome: Outcome,
    /// PIN tries left before the counter stops comparing; absent for CVV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u8>,
}

/// What a verification came to. Which of several reasons made it fail is not told, except for the try counter, which a
/// processor must show to the acquirer (lock code 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The value is the card's.
    Match,
    /// It is not, or the card is unknown, closed, locked for good or over its cap of failures.
    NoMatch,
    /// The PIN try counter is used up; nothing was compared.
    TriesExceeded,
}
