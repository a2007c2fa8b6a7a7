//! What bodies of card requests have in common.

use shared::jwe::CompactJwe;

use crate::error::{Code, Error};
use crate::flows::cards::CardCaller;
use crate::flows::partners::rules::settings_of;
use crate::http::body::Fields;
use crate::services::Services;

/// Judges the outside of a JWE: five parts, lengths, a header that the contract and the user's program and partner allow. Whether it
/// opens only the vault can tell.
///
/// # Errors
/// `INVALID_PAYLOAD`.
pub(super) async fn jwe(services: &Services, caller: &CardCaller, text: &str) -> Result<CompactJwe, Error> {
    let program = services.program_of(&caller.user)?;
    let settings = settings_of(services, &program.partner).await?;
    CompactJwe::parse(text, settings.sealing.algorithms(program.rsa_oaep_sha1))
        .map_err(|_| Code::InvalidPayload.into())
}

/// Refuses every member: the request has none.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub(in crate::http) fn none(fields: Fields) -> Result<(), Error> {
    fields.finish(|| Some(()))
}
