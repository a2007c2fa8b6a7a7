//! The vault's public keys with their attestation, on both listeners. The key is the vault's: the gateway cannot open what
//! is sealed to it, and a client that pins the CA checks that it was handed the right one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::answer::send_json;
use super::caller::{OpenCall, PartnerCall};
use super::doc::{Doc, Tag, words};
use crate::error::Error;
use crate::flows::vault_keys::vault_keys;

/// `GET /customers/public-key` → 200.
pub(super) async fn for_anyone(call: OpenCall) -> Result<HttpResponse, Error> {
    send_json(StatusCode::OK, &*vault_keys(call.services()).await?)
}

/// `GET /lifecycle/v1/public-key` → 200.
pub(super) async fn for_partners(call: PartnerCall) -> Result<HttpResponse, Error> {
    send_json(StatusCode::OK, &*vault_keys(call.services()).await?)
}

pub(super) fn doc() -> Doc {
    Doc::new(Tag::Keys, "The vault's public keys")
        .says(
            "The keys are the **vault's**: the gateway cannot open what is sealed to them. Rotated keys overlap; the old one \
             opens for a configured time. A client that pins the CA checks `attestation` before it seals a secret.",
        )
        .asks_vault()
        .answers_shape(200, "The current keys.", words::vault_keys())
}
