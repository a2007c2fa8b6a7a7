//! What a reveal cannot cost less than: the yardstick and its cryptographic steps, and the targets that are set by them.

use crate::crypto_steps::Steps;

/// AES-GCM operations of a reveal: open the card, its holder, the holder's key, the data key, number and code; seal the
/// answer and the audit event.
pub const REVEAL_SEALS: u32 = 8;
/// Vault reveal: at most so many times its floor.
pub const REVEAL_FACTOR: f64 = 1.5;
/// Vault issue: at least this part of the rate of bare group commit.
pub const ISSUE_PART: f64 = 0.5;
/// The gateway's own CPU for a reveal: at most this many microseconds …
pub const GATEWAY_MICROS: f64 = 60.0;
/// … and so many yardsticks.
pub const GATEWAY_YARDSTICKS: f64 = 3.0;
/// Reveal p99 with many cards: at most so many times that with few.
pub const MANY_CARDS_FACTOR: f64 = 1.2;

impl Steps {
    /// The cryptographic steps of a reveal to an RSA-2048 key, microseconds.
    #[must_use]
    pub fn of_rsa_reveal(&self) -> f64 {
        self.of_any_reveal() + self.rsa_oaep_256
    }

    /// The cryptographic steps of a reveal to a P-256 key, microseconds.
    #[must_use]
    pub fn of_p256_reveal(&self) -> f64 {
        self.of_any_reveal() + self.ecdh_es
    }

    fn of_any_reveal(&self) -> f64 {
        self.es256_verify + self.es256_sign + f64::from(REVEAL_SEALS) * self.aes_gcm
    }
}
