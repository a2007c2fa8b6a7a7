//! What bodies of card requests have in common.

use shared::jwe::{AlgPolicy, CompactJwe};

use crate::error::{Code, Error};
use crate::flows::cards::CardCaller;
use crate::http::body::Fields;
use crate::services::Services;

/// Judges the outside of a JWE: five parts, lengths, a header that the contract and the user's program allow. Whether it
/// opens only the vault can tell.
///
/// # Errors
/// `INVALID_PAYLOAD`.
pub(super) fn jwe(services: &Services, caller: &CardCaller, text: &str) -> Result<CompactJwe, Error> {
    let policy = match services.program_of(&caller.user)?.rsa_oaep_sha1 {
        true => AlgPolicy::Sha1Too,
        false => AlgPolicy::Sha256Only,
    };
    CompactJwe::parse(text, policy).map_err(|_| Code::InvalidPayload.into())
}

/// Refuses every member: the request has none.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub(in crate::http) fn none(fields: Fields) -> Result<(), Error> {
    fields.finish(|| Some(()))
}
