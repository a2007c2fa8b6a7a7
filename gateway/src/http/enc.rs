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
    /// `ENCRYPTION_REQUIRED` when one is missing or `Encrypted-Request` is neither `true` nor `false`;
    /// `INVALID_PUBLIC_KEY` when the key cannot be used.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let required = |name| single(headers, name).map_err(|_| Error::from(Code::EncryptionRequired));
        let key = required("public-key")?.ok_or(Code::EncryptionRequired)?;
        let encrypted = match required("encrypted-request")?.ok_or(Code::EncryptionRequired)? {
            "true" => true,
            "false" => false,
            _ => return Err(Code::EncryptionRequired.into()),
        };
        let public_key = PublicKey::from_header(key).map_err(|_| Code::InvalidPublicKey)?;
        Ok(Self {
            public_key,
            encrypted,
        })
    }
}

impl EncBody {
    /// Sorts a body by what `Encrypted-Request` said of it.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when `true` was said and the body is there and anything but `{"payload": "<five parts>"}`.
    pub(super) fn of(encrypted: bool, fields: Option<Fields>) -> Result<Self, Error> {
        match (encrypted, fields) {
            // A POST without a body is called like a GET: both headers, whatever the second says.
            (_, None) => Ok(Self::Empty),
            (false, Some(fields)) => Ok(Self::Plain(fields)),
            (true, Some(fields)) => fields
                .into_single_text("payload")
                .filter(|jwe| jwe.split('.').count() == 5)
                .map(Self::Sealed)
                .ok_or_else(|| Code::InvalidPayload.into()),
        }
    }
}
