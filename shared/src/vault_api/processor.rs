//! The issuing processor's door: verify a CVV or a PIN by PAN, lock a card outside. Requests carry card data, so they have no `Debug` and wipe
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

/// Answer (200) to a lock outside, and to the lifting of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideLock {
    /// What came of it.
    pub outcome: OutsideOutcome,
    /// The reason of the lock that holds as far as the vault knows: an irreversible one keeps its first reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<u8>,
    /// The action code with which authorisations are rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_code: Option<u16>,
}

/// What a lock outside came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutsideOutcome {
    /// It is taken; the gateway is told.
    Done,
    /// There is no such card, or it is none of this processor, or it is closed.
    NoMatch,
}

/// The action code of a lock's reason (1 to 8); none for another number.
#[must_use]
pub const fn action_code(reason_code: u8) -> Option<u16> {
    match reason_code {
        1 => Some(2008),
        2 => Some(2009),
        3 => Some(1000),
        4 => Some(1016),
        5 => Some(1018),
        6 => Some(1006),
        7 => Some(1002),
        8 => Some(1011),
        _ => None,
    }
}
