//! Randomness from the operating system, in the shapes that the vault draws.

use ring::rand::{SecureRandom, SystemRandom};
use shared::ids::{
    ApprovalToken, BackupToken, BatchToken, CardToken, HolderToken, JobToken, Nonce, OrderToken,
};

use crate::domain::bin_range::BinRange;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::error::Error;

/// Bytes 0–249 map evenly onto digits; the rest is drawn again.
const EVEN_BYTES: u8 = 250;

/// The operating system's generator.
#[derive(Clone, Debug)]
pub struct Random(SystemRandom);

impl Default for Random {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random {
    /// Fresh bytes.
    ///
    /// # Errors
    /// The operating system gives none.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.0
            .fill(&mut bytes)
            .map_err(|_| Error::Internal("no randomness".to_owned()))?;
        Ok(bytes)
    }

    fn digit(&self) -> Result<u8, Error> {
        loop {
            let [byte] = self.bytes::<1>()?;
            if byte < EVEN_BYTES {
                return Ok(byte % 10);
            }
        }
    }

    /// A PAN in `range`.
    ///
    /// # Errors
    /// No randomness.
    pub fn pan(&self, range: &BinRange) -> Result<Pan, Error> {
        Pan::draw(range, || self.digit())
    }

    /// A verification code.
    ///
    /// # Errors
    /// No randomness.
    pub fn cvv(&self) -> Result<Cvv, Error> {
        Cvv::draw(|| self.digit())
    }

    /// A challenge.
    ///
    /// # Errors
    /// No randomness.
    pub fn nonce(&self) -> Result<Nonce, Error> {
        Ok(Nonce::from_random(&self.bytes()?))
    }

    /// A card token.
    ///
    /// # Errors
    /// No randomness.
    pub fn card_token(&self) -> Result<CardToken, Error> {
        self.until_some(CardToken::from_random)
    }

    /// A holder token.
    ///
    /// # Errors
    /// No randomness.
    pub fn holder_token(&self) -> Result<HolderToken, Error> {
        self.until_some(HolderToken::from_random)
    }

    /// An order token.
    ///
    /// # Errors
    /// No randomness.
    pub fn order_token(&self) -> Result<OrderToken, Error> {
        self.until_some(OrderToken::from_random)
    }

    /// A batch token.
    ///
    /// # Errors
    /// No randomness.
    pub fn batch_token(&self) -> Result<BatchToken, Error> {
        self.until_some(BatchToken::from_random)
    }

    /// An approval token.
    ///
    /// # Errors
    /// No randomness.
    pub fn approval_token(&self) -> Result<ApprovalToken, Error> {
        self.until_some(ApprovalToken::from_random)
    }

    /// A job token.
    ///
    /// # Errors
    /// No randomness.
    pub fn job_token(&self) -> Result<JobToken, Error> {
        self.until_some(JobToken::from_random)
    }

    /// A backup token.
    ///
    /// # Errors
    /// No randomness.
    pub fn backup_token(&self) -> Result<BackupToken, Error> {
        self.until_some(BackupToken::from_random)
    }

    fn until_some<T>(&self, make: impl Fn(&[u8; 16]) -> Option<T>) -> Result<T, Error> {
        loop {
            if let Some(token) = make(&self.bytes()?) {
                return Ok(token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_codes_cover_all_digits() {
        let random = Random::default();
        let mut seen = [0u32; 10];
        for _ in 0..1000 {
            for digit in random.cvv().unwrap().as_bytes() {
                seen[usize::from(digit - b'0')] += 1;
            }
        }
        // 3000 draws: each digit 300 on average, with a standard deviation of 16.
        assert!(seen.iter().all(|count| (150..450).contains(count)), "{seen:?}");
    }
}
