//! `POST /customers/pair`: a device becomes an installation of the user to whom the activation code was made out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use shared::jwe::MAX_COMPACT_BYTES;
use shared::public_key::HolderKey;
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::KeyState;
use time::OffsetDateTime;

use crate::domain::installation::{AppPin, DeviceId};
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::{Code, Error};
use crate::flows::pair_device::{Pairing, pair_device};
use crate::http::answer::send_json;
use crate::http::body::Fields;
use crate::http::caller::OpenCall;
use crate::http::doc::shape::{enumeration, jwe, line, optional, pattern, required, text};
use crate::http::doc::{Doc, Tag, words};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

const NOT_A_KEY: Rule = Rule {
    code: "NOT_A_P256_KEY",
    message: "Must be a public P-256 JWK for ES256.",
};
const NOT_A_NAME: Rule = Rule {
    code: "NOT_A_DEVICE_NAME",
    message: "Must be 1 to 64 characters on one line.",
};
const NOT_A_JWE: Rule = Rule {
    code: "NOT_A_JWE",
    message: "Must be a compact JWE of at most 8 KiB.",
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Pairing)]
struct PairedView<'a> {
    installation_id: i64,
    session_token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
    holder_key: HolderKeyView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HolderKey)]
struct HolderKeyView {
    /// RFC 7638.
    #[schema(value_type = String)]
    thumbprint: Thumbprint,
    /// `PENDING`: the key waits for its maturity or for two officers; its proofs are refused until then.
    #[schema(schema_with = key_states)]
    state: KeyState,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    matures_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_proof: Option<String>,
}

/// Pairs → 201.
pub(in crate::http) async fn pair(mut call: OpenCall) -> Result<HttpResponse, Error> {
    call.rates().pairings.check(&call.address()?)?;
    let (fields, request) = call.fields().await?;
    let pairing = read(fields, call.holder_proof()?)?;
    let paired = pair_device(call.services(), request, pairing, |user| call.actor(user)).await?;
    let view = PairedView {
        installation_id: paired.installation.0,
        session_token: &paired.session.token,
        expires_at: paired.session.expires_at,
        holder_key: HolderKeyView {
            thumbprint: paired.enrolled.thumbprint,
            state: paired.enrolled.state,
            matures_at: paired.enrolled.matures_at,
            vault_proof: paired.enrolled.vault_proof,
        },
    };
    send_json(StatusCode::CREATED, &view)
}

fn read(mut fields: Fields, holder_proof: Option<String>) -> Result<Pairing, Error> {
    let activation_code = fields.text("activationCode", |text| Ok(text.to_owned()));
    let device = fields.text("deviceId", DeviceId::parse);
    let device_name = fields.optional_text("deviceName", |text| {
        if is_line(text, 64) {
            Ok(text.to_owned())
        } else {
            Err(NOT_A_NAME)
        }
    });
    let key = fields.required("devicePublicKey", |jwk| {
        HolderKey::from_jwk(&jwk).map_err(|_| NOT_A_KEY)
    });
    let pin = fields.secret("appPin", AppPin::parse);
    let enrolment_proof = fields.optional_text("enrolmentProof", |text| {
        // Only its form: which algorithms it may name is the vault's to judge.
        if text.len() <= MAX_COMPACT_BYTES && text.split('.').count() == 5 {
            Ok(text.to_owned())
        } else {
            Err(NOT_A_JWE)
        }
    });
    fields.finish(|| {
        Some(Pairing {
            activation_code: activation_code?,
            device: device?,
            device_name,
            key: key?,
            pin: pin?,
            enrolment_proof,
            holder_proof,
        })
    })
}

fn key_states() -> RefOr<Schema> {
    enumeration(["ACTIVE", "PENDING", "REVOKED"])
}

/// Of `POST /customers/pair`.
pub(in crate::http) fn doc() -> Doc {
    let code = text(16, 32, "7K3M-Q2XW-9D4T-P6HZ").secret();
    Doc::new(Tag::Sessions, "Pair a device")
        .says(
            "Makes the device an installation of the user to whom the code was made out, enrols its key in the vault and opens \
             a session. Pairing the same device again revokes the former installation and its sessions. The user's first key \
             is taken as it comes; a further one is active on evidence (`enrolmentProof`, or a `Holder-Proof` by an active \
             key) and otherwise *pending*.",
        )
        .body([
            required("activationCode", code.saying("From the partner; a user types it.")),
            required("deviceId", pattern("^[!-~]{1,128}$", "9b1c2f0e-phone")),
            optional("deviceName", line(64, "Jan's phone")),
            required("devicePublicKey", words::p256_jwk()),
            required("appPin", words::app_pin()),
            optional("enrolmentProof", jwe(MAX_COMPACT_BYTES as u64).saying("What vouches for the key, sealed to the vault.")),
        ])
        .proof_optional()
        .minted_anew()
        .answers::<PairedView>(
            201,
            "The device is paired.",
            json!({
                "installationId": 1031, "sessionToken": "ses_Zm9yLXlvdXItZXllcy1vbmx5LW5vdC1mb3ItdGhlaXJz",
                "expiresAt": "2026-11-26T21:40:00Z",
                "holderKey": { "thumbprint": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "state": "ACTIVE" },
            }),
        )
        .errors(&[
            Code::ActivationCodeInvalid,
            Code::EnrolmentProofInvalid,
            Code::EnrolmentTicketRequired,
            Code::HolderKeyRevoked,
            Code::TooManyHolderKeys,
            Code::InvalidPayload,
            Code::CantDecryptPayload,
            Code::Busy,
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_proof_that_the_vault_would_find_too_large_is_not_passed_on() {
        let body = |proof: &str| format!(r#"{{"enrolmentProof":"{proof}"}}"#);
        let faults = |proof: &str| {
            let error = read(Fields::read(body(proof).as_bytes()).unwrap(), None)
                .map(|_| ())
                .unwrap_err();
            assert_eq!(error.code(), Code::ValidationFailed);
            let trace = shared::problem::TraceId::UNKNOWN;
            let told = error.to_problem(trace);
            told.errors().iter().any(|fault| fault.code == NOT_A_JWE.code)
        };
        assert!(!faults("a.b.c.d.e"));
        assert!(faults("a.b.c"));
        assert!(faults(&format!("a.b.c.{}.e", "d".repeat(MAX_COMPACT_BYTES))));
    }
}
