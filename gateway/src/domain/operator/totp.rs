//! The second factor: time-based one-time passwords (RFC 6238 over RFC 4226), six digits, HMAC-SHA-1, steps of 30 seconds:
//! what every authenticator app knows. SHA-1 is no weakness here, since HMAC does not rest on collisions.

use ring::hmac;
use shared::mtls::identity::Name;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::Login;

/// Bytes of a secret: as many as the hash has (RFC 4226 section 4, R6).
pub const SECRET_BYTES: usize = 20;
/// Seconds of a time step (RFC 6238 section 4.1).
const STEP_SECONDS: i64 = 30;
/// Steps before and after the present one whose codes are taken, for clocks that differ (RFC 6238 section 5.2).
const DRIFT_STEPS: i64 = 1;
/// 10^6: six digits.
const MODULUS: u32 = 1_000_000;
/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Whom authenticator apps show beside the login.
const ISSUER: &str = "Tessera";

/// A shared secret of an operator and an authenticator app. Wiped when dropped.
pub struct TotpSecret([u8; SECRET_BYTES]);

impl Drop for TotpSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for TotpSecret {}

/// The time step of an instant.
#[must_use]
pub const fn step(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(STEP_SECONDS)
}

impl TotpSecret {
    /// A secret of random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who seals them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// The code of a time step (RFC 4226 section 5.3).
    #[must_use]
    pub fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0x0F);
        let truncated = bytes
            .iter()
            .skip(offset)
            .take(4)
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:06}", (truncated & 0x7FFF_FFFF) % MODULUS)
    }

    /// The step whose code this is, of those that are taken now. All are compared, each in constant time. Whether the step
    /// was used before is the caller's to see to.
    #[must_use]
    pub fn step_of(&self, code: &str, now: OffsetDateTime) -> Option<i64> {
        let present = step(now);
        let mut found = None;
        for step in present - DRIFT_STEPS..=present + DRIFT_STEPS {
            if bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes())) {
                found = Some(step);
            }
        }
        found
    }

    /// The secret as it is typed: base32 without padding.
    #[must_use]
    pub fn base32(&self) -> String {
        // 20 bytes are 32 symbols of five bits, without a rest.
        let mut text = String::with_capacity(SECRET_BYTES * 8 / 5);
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in self.0 {
            bits = bits << 8 | u32::from(byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                let symbol = usize::try_from(bits >> count & 31).unwrap_or_default();
                text.push(BASE32.get(symbol).map_or('A', |symbol| char::from(*symbol)));
            }
            bits &= (1 << count) - 1;
        }
        text
    }

    /// What an authenticator app reads, as a QR code or typed.
    #[must_use]
    pub fn uri(&self, login: &Login, partner: Option<&Name>) -> String {
        let issuer = partner.map_or_else(|| ISSUER.to_owned(), |partner| format!("{ISSUER}%20{partner}"));
        // A login is ASCII; of its characters these mean something in a URI.
        let label: String = login
            .as_str()
            .chars()
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() || "-._~@".contains(c) => c.to_string(),
                c => format!("%{:02X}", u32::from(c)),
            })
            .collect();
        let secret = self.base32();
        format!(
            "otpauth://totp/{issuer}:{label}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_secret() -> TotpSecret {
        TotpSecret::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    /// RFC 6238 appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc_secret().code(step(at(seconds))), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_and_one_late() {
        let secret = rfc_secret();
        for (seconds, taken) in [(0, false), (30, true), (60, true), (119, true), (120, false)] {
            let step = secret.step_of(&secret.code(2), at(seconds));
            assert_eq!(step, taken.then_some(2), "{seconds}");
        }
        for bad in ["", "000000", "2870820", "28708２"] {
            assert_eq!(secret.step_of(bad, at(59)), None, "{bad}");
        }
    }

    #[test]
    fn an_app_reads_secret_login_and_issuer() {
        let login = Login::parse("ada+1@bank.example").unwrap();
        assert_eq!(
            rfc_secret().uri(&login, None),
            "otpauth://totp/Tessera:ada%2B1@bank.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tessera\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
