//! A line of a mass import, read as the body of a single request is.

use time::OffsetDateTime;

use super::body::Fields;
use super::person::person;
use crate::domain::kyc::KycStatus;
use crate::domain::person::ExternalId;
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::error::Error;
use crate::flows::imports::{CheckedIdentity, NewcomerRow};

const STATUS: Rule = Rule {
    code: "NOT_A_DECISION",
    message: "Must be IN_PROGRESS, ACCEPTED or REJECTED.",
};

/// Reads a user: the body of a registration, and `kyc: {status, provider, reference}` if the partner has checked the identity.
///
/// # Errors
/// `MALFORMED_JSON`, `VALIDATION_FAILED`.
pub(super) fn newcomer(line: &[u8], now: OffsetDateTime) -> Result<NewcomerRow, Error> {
    let mut fields = Fields::read(line)?;
    let person = person(&mut fields, now);
    let external_id = fields.optional_text("externalId", ExternalId::parse);
    let kyc = fields.optional_object("kyc", identity);
    fields.finish(|| {
        Some(NewcomerRow {
            person: person?,
            external_id,
            kyc,
        })
    })
}

fn identity(fields: &mut Fields) -> Option<CheckedIdentity> {
    let status = fields.text("status", |text| {
        KycStatus::from_name(text)
            .filter(|status| *status != KycStatus::None)
            .ok_or(STATUS)
    });
    let provider = fields.text("provider", label);
    let reference = fields.text("reference", label);
    Some(CheckedIdentity {
        status: status?,
        provider: provider?,
        reference: reference?,
    })
}

/// A name of a provider or of its case.
pub(super) fn label(text: &str) -> Result<String, Rule> {
    if is_line(text, 128) {
        Ok(text.to_owned())
    } else {
        Err(Rule {
            code: "NOT_A_LABEL",
            message: "Must be 1 to 128 characters on one line.",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
    const GOOD: &str = r#"{"email":"ada@mail.example","phoneNumber":"+48600100200","firstName":"Ada","lastName":"Example",
        "dateOfBirth":"1990-12-10","nationality":"PL","externalId":"e-1",
        "kyc":{"status":"ACCEPTED","provider":"own-desk","reference":"case-1"}}"#;

    fn wrong(line: &str) -> Vec<String> {
        let error = newcomer(line.as_bytes(), NOW).err();
        let fields = error.iter().flat_map(Error::fields);
        fields
            .map(|field| format!("{} {}", field.field, field.code))
            .collect()
    }

    #[test]
    fn a_row_is_a_registration_with_the_partners_own_kyc() {
        let row = newcomer(GOOD.as_bytes(), NOW).unwrap();
        assert_eq!(row.external_id.unwrap().as_str(), "e-1");
        let identity = row.kyc.unwrap();
        assert_eq!(identity.status, KycStatus::Accepted);
        assert_eq!(
            (identity.provider.as_str(), identity.reference.as_str()),
            ("own-desk", "case-1")
        );
    }

    #[test]
    fn everything_that_is_wrong_with_a_row_is_told_at_once() {
        let bad = GOOD
            .replace("ada@mail.example", "ada")
            .replace("\"PL\"", "\"Poland\"")
            .replace("ACCEPTED", "NONE")
            .replace("\"externalId\"", "\"external\"");
        assert_eq!(
            wrong(&bad),
            [
                "email NOT_AN_EMAIL",
                "nationality NOT_A_COUNTRY",
                "kyc.status NOT_A_DECISION",
                "external UNKNOWN_MEMBER"
            ]
        );
    }

    proptest! {
        /// Whatever a line holds, it is a row or a refusal; and a row is the same however it is spaced.
        #[test]
        fn no_line_is_too_much_for_the_reader(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = newcomer(&line, NOW);
        }

        #[test]
        fn a_bent_row_is_a_row_or_a_refusal(place in 0..300_usize, byte in any::<u8>()) {
            let mut line = GOOD.as_bytes().to_vec();
            let place = place % line.len();
            line[place] = byte;
            if let Ok(row) = newcomer(&line, NOW) {
                prop_assert!(row.person.email.as_str().contains('@'));
            }
        }
    }
}
