//! The headers of encrypted endpoints, `Public-Key` and `Encrypted-Request`, and the body they announce.

use actix_web::http::header::HeaderMap;
use shared::public_key::PublicKey;

use super::body::Fields;
use super::header::single;
use crate::error::{Code, Error};

/// What the headers of an encrypted endpoint say.
pub struct Enc {
    /// To whom the answer is sealed.
    pub public_key: PublicKey,
    /// Whether the body is sealed to the vault.
    pub encrypted: bool,
}

/// The body of an encrypted endpoint.
pub enum EncBody {
    /// None.
    Empty,
    /// In clear.
    Plain(Fields),
    /// A JWE for the vault: five parts, not yet judged otherwise.
    Sealed(String),
}

impl Enc {
    /// Reads both headers.
    ///
    /// # Errors
    /// `ENCRYPTION_REQUIRED` when one is missing or `Encrypted-Request` is not once `true` or `false`;
    /// `INVALID_PUBLIC_KEY` when the key cannot be used, or comes twice.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        if !headers.contains_key("public-key") {
            return Err(Code::EncryptionRequired.into());
        }
        let encrypted = match single(headers, "encrypted-request") {
            Ok(Some("true")) => true,
            Ok(Some("false")) => false,
            _ => return Err(Code::EncryptionRequired.into()),
        };
        let key = single(headers, "public-key")
            .ok()
            .flatten()
            .ok_or(Code::InvalidPublicKey)?;
        let public_key = PublicKey::from_header(key).map_err(|_| Code::InvalidPublicKey)?;
        Ok(Self {
            public_key,
            encrypted,
        })
    }
}

impl EncBody {
    /// Sorts what was read of a body by what `Encrypted-Request` said of it.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when `true` was said and the body is there and anything but `{"payload": "<five parts>"}`, JSON or
    /// not; when `false` was said, what the reading said.
    pub(super) fn of(encrypted: bool, read: Result<Option<Fields>, Error>) -> Result<Self, Error> {
        match (encrypted, read) {
            // A POST without a body is called like a GET: both headers, whatever the second says.
            (_, Ok(None)) => Ok(Self::Empty),
            (false, Ok(Some(fields))) => Ok(Self::Plain(fields)),
            (false, Err(error)) => Err(error),
            (true, read) => read
                .ok()
                .flatten()
                .and_then(|fields| fields.into_single_text("payload"))
                .filter(|jwe| jwe.split('.').count() == 5)
                .map(Self::Sealed)
                .ok_or_else(|| Code::InvalidPayload.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn code<T>(result: Result<T, Error>) -> Option<Code> {
        result.map_err(|error| error.code()).err()
    }

    #[test]
    fn what_is_announced_as_sealed_and_is_not_is_no_payload_whatever_it_is() {
        for bad in [
            "a.b.c.d.e",
            "\"a.b.c.d.e\"",
            "[]",
            "null",
            "{",
            "{}",
            r#"{"payload":"a.b.c"}"#,
        ] {
            let read = |encrypted| EncBody::of(encrypted, Fields::read(bad.as_bytes()).map(Some));
            assert_eq!(code(read(true)), Some(Code::InvalidPayload), "{bad}");
            assert_ne!(code(read(false)), Some(Code::InvalidPayload), "{bad}");
        }
        let other_type = Err(Code::UnsupportedMediaType.into());
        assert_eq!(code(EncBody::of(true, other_type)), Some(Code::InvalidPayload));
        let sealed = Fields::read(br#"{"payload":"a.b.c.d.e"}"#).map(Some);
        assert!(matches!(EncBody::of(true, sealed), Ok(EncBody::Sealed(_))));
        assert!(matches!(EncBody::of(true, Ok(None)), Ok(EncBody::Empty)));
    }

    #[test]
    fn a_missing_header_and_a_bad_key_are_told_apart() {
        let headers = |pairs: &[(&'static str, &[u8])]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value).unwrap(),
                );
            }
            headers
        };
        let plain: (&str, &[u8]) = ("encrypted-request", b"false");
        for (pairs, expected) in [
            (vec![], Code::EncryptionRequired),
            (vec![plain], Code::EncryptionRequired),
            (vec![("public-key", &b"{}"[..])], Code::EncryptionRequired),
            (
                vec![("public-key", b"{}"), plain, plain],
                Code::EncryptionRequired,
            ),
            (vec![("public-key", b"{}"), plain], Code::InvalidPublicKey),
            (
                vec![("public-key", b"{}"), ("public-key", b"{}"), plain],
                Code::InvalidPublicKey,
            ),
            (
                vec![("public-key", "ł".as_bytes()), plain],
                Code::InvalidPublicKey,
            ),
        ] {
            assert_eq!(code(Enc::of(&headers(&pairs))), Some(expected), "{pairs:?}");
        }
    }
}
