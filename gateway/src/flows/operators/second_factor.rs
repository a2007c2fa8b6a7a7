//! The second factor of an operator: made, kept under the operators' key, and compared.

use zeroize::Zeroizing;

use super::super::secret::{CodeParts, hash};
use crate::domain::operator::OperatorId;
use crate::domain::operator::totp::{SECRET_BYTES, TotpSecret};
use crate::error::Error;
use crate::operator_key::Sealed;
use crate::services::Services;

/// Recovery codes of an operator.
const RECOVERY_CODES: usize = 10;

/// A fresh secret, and the same sealed.
pub(super) fn fresh(services: &Services, id: OperatorId) -> Result<(TotpSecret, Vec<u8>), Error> {
    let secret = TotpSecret::new(services.random::<SECRET_BYTES>()?);
    let name = id.0.to_string();
    let sealed =
        services
            .operator_key
            .seal(Sealed::SecondFactor, &name, secret.expose(), &services.random)?;
    Ok((secret, sealed))
}

/// The secret of an operator.
pub(super) fn open(services: &Services, id: OperatorId, sealed: &[u8]) -> Result<TotpSecret, Error> {
    let bytes = services
        .operator_key
        .open(Sealed::SecondFactor, &id.0.to_string(), sealed)?;
    <[u8; SECRET_BYTES]>::try_from(bytes.as_slice())
        .map(TotpSecret::new)
        .map_err(|_| Error::internal("a second factor's secret has another length"))
}

/// Recovery codes of an operator.
pub(super) struct RecoveryCodes {
    /// As they are shown, once.
    pub(super) shown: Vec<Zeroizing<String>>,
    /// As they are kept. With 80 random bits each they need no slow hash.
    pub(super) hashes: Vec<[u8; 32]>,
}

/// Fresh recovery codes.
pub(super) fn recovery_codes(services: &Services) -> Result<RecoveryCodes, Error> {
    let mut shown = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        shown.push(CodeParts::fresh(services)?.shown());
    }
    let hashes = shown.iter().map(|code| hash(code.as_bytes())).collect();
    Ok(RecoveryCodes { shown, hashes })
}

/// The hash of a recovery code as people type it; none for what cannot be one.
pub(super) fn hash_of_typed(code: &str) -> Option<[u8; 32]> {
    CodeParts::parse(code).map(|parts| hash(parts.shown().as_bytes()))
}
