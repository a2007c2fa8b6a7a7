//! Secrets of endpoints, and signatures under them (Standard Webhooks: HMAC-SHA-256 over id, time and body).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use standardwebhooks::Webhook;
use zeroize::Zeroizing;

/// Before each secret, so that a search for leaked ones finds it.
const PREFIX: &str = "whsec_";
/// Bytes of a secret: the specification asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// The secret of an endpoint: `whsec_` and base64. The partner is shown it once.
pub struct WebhookSecret(Zeroizing<String>);

impl WebhookSecret {
    /// The secret of these bytes.
    #[must_use]
    pub fn of(random: &[u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(random))))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Signs under one secret, or under two while a former one still counts.
pub struct Signer(Vec<Webhook>);

impl Signer {
    /// A signer under these secrets, the one in force first; none when one of them is not a secret.
    #[must_use]
    pub fn under<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let webhooks: Result<Vec<_>, _> = secrets.into_iter().map(Webhook::new).collect();
        webhooks.ok().filter(|all| !all.is_empty()).map(Self)
    }

    /// The header `webhook-signature`: a signature under each secret, with blanks between. `timestamp` is that of the header
    /// `webhook-timestamp`, in seconds; none for a body that is no text.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let signatures: Result<Vec<_>, _> = self
            .0
            .iter()
            .map(|webhook| webhook.sign(id, timestamp, body))
            .collect();
        signatures.ok().map(|all| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification and of its reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_example_is_signed_as_published() {
        let signer = Signer::under([SECRET]).unwrap();
        assert_eq!(signer.sign(ID, TIME, BODY).unwrap(), SIGNATURE);
        for (id, time, body) in [
            ("msg_other", TIME, BODY),
            (ID, TIME + 1, BODY),
            (ID, TIME, b"{}".as_slice()),
        ] {
            assert_ne!(signer.sign(id, time, body).unwrap(), SIGNATURE);
        }
    }

    #[test]
    fn while_two_secrets_count_both_sign() {
        let secret = WebhookSecret::of(&[7; SECRET_BYTES]);
        let both = Signer::under([secret.expose(), SECRET]).unwrap();
        let signed = both.sign(ID, TIME, BODY).unwrap();
        let parts: Vec<_> = signed.split(' ').collect();
        let own = Signer::under([secret.expose()]).unwrap();
        assert_eq!(parts, [own.sign(ID, TIME, BODY).unwrap().as_str(), SIGNATURE]);
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        assert!(Signer::under(["whsec_!!"]).is_none());
        assert!(Signer::under([]).is_none());
    }
}
