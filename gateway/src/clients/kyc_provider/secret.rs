//! The secrets that a provider and we share: `whsec_` and base64 (Standard Webhooks), in files that nobody else can read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::SignedMessage;

/// Mode bits that must not be set.
const OPEN_TO_OTHERS: u32 = 0o077;
/// Shortest and longest secret, in bytes (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Longest file that is read.
const FILE_MAX: u64 = 256;
/// How old a message may be, and how far ahead of our clock, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Others can read it.
    #[error("{0} is open to others than its owner")]
    OpenToOthers(String),
    /// It is not of the form.
    #[error("{0} does not hold whsec_ and 24 to 64 bytes in base64")]
    Form(String),
}

/// A secret: signs what we send, or judges what we receive.
pub(super) struct Secret(Webhook);

impl Secret {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SecretError`], among others when others than the owner can read it.
    pub(super) fn load(path: &Path) -> Result<Self, SecretError> {
        let name = || path.display().to_string();
        let unreadable = |error| SecretError::File { path: name(), error };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.mode() & OPEN_TO_OTHERS != 0 {
            return Err(SecretError::OpenToOthers(name()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        Self::parse(text.trim()).ok_or_else(|| SecretError::Form(name()))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
        if !SECRET_BYTES.contains(&bytes.len()) {
            return None;
        }
        Webhook::new(text).ok().map(Self)
    }

    /// The header `webhook-signature` of a message.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        self.0.sign(id, timestamp, body).ok()
    }

    /// Whether one of the signatures is of this secret, and the message is neither old nor of the future. Compared by our own
    /// clock, which the crate's `verify` does not take.
    pub(super) fn has_signed(&self, message: &SignedMessage<'_>, now: OffsetDateTime) -> bool {
        let Ok(timestamp) = message.timestamp.parse::<i64>() else {
            return false;
        };
        if timestamp.abs_diff(now.unix_timestamp()) > TOLERANCE_SECONDS {
            return false;
        }
        let Some(expected) = self.sign(message.id, timestamp, message.body) else {
            return false;
        };
        let signatures = message.signature.split(' ');
        signatures.fold(false, |found, signature| {
            found | bool::from(signature.as_bytes().ct_eq(expected.as_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    #[test]
    fn a_message_is_signed_as_the_specification_does() {
        let secret = Secret::parse(EXAMPLE).unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            secret
                .sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body)
                .unwrap(),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn only_what_is_signed_now_and_whole_is_believed() {
        let secret = Secret::parse(EXAMPLE).unwrap();
        let seconds = NOW.unix_timestamp();
        let signature = secret.sign("m1", seconds, b"{}").unwrap();
        let judge = |id: &str, timestamp: &str, signature: &str, body: &[u8], now| {
            let message = SignedMessage {
                id,
                timestamp,
                signature,
                body,
            };
            secret.has_signed(&message, now)
        };
        let timestamp = seconds.to_string();
        assert!(judge("m1", &timestamp, &signature, b"{}", NOW));
        assert!(judge(
            "m1",
            &timestamp,
            &format!("v1,AAAA {signature}"),
            b"{}",
            NOW
        ));
        for late in [-301, 301] {
            assert!(!judge(
                "m1",
                &timestamp,
                &signature,
                b"{}",
                NOW + Duration::seconds(late)
            ));
        }
        let later = (seconds + 1).to_string();
        for (id, timestamp, signature, body) in [
            ("m2", timestamp.as_str(), signature.as_str(), &b"{}"[..]),
            ("m1", &later, &signature, b"{}"),
            ("m1", &timestamp, "v1,AAAA", b"{}"),
            ("m1", &timestamp, "", b"{}"),
            ("m1", &timestamp, &signature, b"{ }"),
            ("m1", "now", &signature, b"{}"),
            ("m1", &timestamp, &signature, b"\xFF"),
        ] {
            assert!(
                !judge(id, timestamp, signature, body, NOW),
                "{id} {timestamp} {signature}"
            );
        }
    }

    #[test]
    fn short_and_malformed_secrets_are_refused() {
        for bad in [
            "",
            "whsec_",
            "whsec_AAAA",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_!!",
        ] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
    }
}
