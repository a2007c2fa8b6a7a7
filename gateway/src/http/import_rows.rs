//! A line of a mass import, read as the body of a single request is.

use shared::jwe::{AlgPolicy, CompactJwe};
use time::OffsetDateTime;

use super::body::Fields;
use super::person::person;
use crate::domain::balance::BalanceId;
use crate::domain::card::CardName;
use crate::domain::import::CARDS_MAX;
use crate::domain::kyc::KycStatus;
use crate::domain::number::NUMBER_END;
use crate::domain::person::ExternalId;
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::domain::user::UserId;
use crate::error::Error;
use crate::flows::imports::{CardPart, CardRow, CheckedIdentity, NewcomerRow, Owner};

/// Longest proof: it carries the partner's certificate chain.
const PROOF_MAX: usize = 8 * 1024;

const NOT_AN_ID: Rule = Rule {
    code: "NOT_AN_ID",
    message: "Must be an id.",
};
const NOT_A_JWE: Rule = Rule {
    code: "NOT_A_JWE",
    message: "Must be a compact JWE of at most 8 KiB, by an algorithm that is taken.",
};
const NOT_A_JWS: Rule = Rule {
    code: "NOT_A_JWS",
    message: "Must be a compact JWS of at most 8 KiB.",
};
const STATUS: Rule = Rule {
    code: "NOT_A_DECISION",
    message: "Must be IN_PROGRESS, ACCEPTED or REJECTED.",
};

/// How lines of an import are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The day by which days of birth are judged.
    pub now: OffsetDateTime,
    /// By which algorithms payloads may be wrapped.
    pub algorithms: AlgPolicy,
    /// Whether users bring cards.
    pub with_cards: bool,
}

/// Reads a user: the body of a registration, `kyc: {status, provider, reference}` if the partner has checked the identity, and
/// `cards` where the import has them.
///
/// # Errors
/// `MALFORMED_JSON`, `VALIDATION_FAILED`.
pub fn newcomer(line: &[u8], reading: Reading) -> Result<NewcomerRow, Error> {
    let mut fields = Fields::read(line)?;
    let person = person(&mut fields, reading.now);
    let external_id = fields.optional_text("externalId", ExternalId::parse);
    let kyc = fields.optional_object("kyc", identity);
    let cards = if reading.with_cards {
        fields.object_list("cards", CARDS_MAX, |inner| card(inner, reading.algorithms))
    } else {
        Some(Vec::new())
    };
    fields.finish(|| {
        Some(NewcomerRow {
            person: person?,
            external_id,
            kyc,
            cards: cards?,
        })
    })
}

/// Reads a card of a user who is there: `userId` or `externalId`, and the card.
///
/// # Errors
/// `MALFORMED_JSON`, `VALIDATION_FAILED`.
pub fn card_row(line: &[u8], reading: Reading) -> Result<CardRow, Error> {
    let mut fields = Fields::read(line)?;
    let by_name = fields.has("externalId");
    let owner = if by_name {
        let named = fields.text("externalId", ExternalId::parse);
        named.map(Owner::Named)
    } else {
        fields
            .integer("userId", number)
            .map(|number| Owner::Number(UserId(number)))
    };
    let card = card(&mut fields, reading.algorithms);
    fields.finish(|| {
        Some(CardRow {
            owner: owner?,
            card: card?,
        })
    })
}

fn number(number: i64) -> Result<i64, Rule> {
    if (1..NUMBER_END).contains(&number) {
        Ok(number)
    } else {
        Err(NOT_AN_ID)
    }
}

fn card(fields: &mut Fields, algorithms: AlgPolicy) -> Option<CardPart> {
    let payload = fields.text("payload", |text| {
        CompactJwe::parse(text, algorithms).map_err(|_| NOT_A_JWE)
    });
    let holder_proof = fields.text("holderProof", |text| {
        if text.len() <= PROOF_MAX && text.split('.').count() == 3 {
            Ok(text.to_owned())
        } else {
            Err(NOT_A_JWS)
        }
    });
    let balance = fields.optional("balanceId", |value| {
        let id = value.as_i64().ok_or(NOT_AN_ID)?;
        number(id).map(BalanceId)
    });
    let name = fields.optional_text("name", CardName::parse);
    Some(CardPart {
        payload: payload?,
        holder_proof: holder_proof?,
        balance,
        name,
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

    const READING: Reading = Reading {
        now: datetime!(2026-11-23 12:00 UTC),
        algorithms: AlgPolicy::Sha256Only,
        with_cards: false,
    };
    const GOOD: &str = r#"{"email":"ada@mail.example","phoneNumber":"+48600100200","firstName":"Ada","lastName":"Example",
        "dateOfBirth":"1990-12-10","nationality":"PL","externalId":"e-1",
        "kyc":{"status":"ACCEPTED","provider":"own-desk","reference":"case-1"}}"#;

    fn wrong(line: &str) -> Vec<String> {
        let error = newcomer(line.as_bytes(), READING).err();
        let fields = error.iter().flat_map(Error::fields);
        fields
            .map(|field| format!("{} {}", field.field, field.code))
            .collect()
    }

    #[test]
    fn a_row_is_a_registration_with_the_partners_own_kyc() {
        let row = newcomer(GOOD.as_bytes(), READING).unwrap();
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

    fn of_card(line: &str) -> Vec<String> {
        let error = card_row(line.as_bytes(), READING).err();
        let fields = error.iter().flat_map(Error::fields);
        fields
            .map(|field| format!("{} {}", field.field, field.code))
            .collect()
    }

    #[test]
    fn a_card_names_its_user_once_and_comes_sealed_and_signed() {
        let told =
            of_card(r#"{"userId":0,"externalId":"e-1","payload":"a.b.c","holderProof":"a.b","cardNo":"x"}"#);
        let expected = [
            "payload NOT_A_JWE",
            "holderProof NOT_A_JWS",
            "userId UNKNOWN_MEMBER",
            "cardNo UNKNOWN_MEMBER",
        ];
        assert_eq!(told, expected);
        assert_eq!(
            of_card("{}"),
            ["userId REQUIRED", "payload REQUIRED", "holderProof REQUIRED"]
        );
    }

    #[test]
    fn users_bring_cards_only_where_the_import_has_them() {
        let line = GOOD.replace("\"kyc\"", "\"cards\":[{}],\"kyc\"");
        assert_eq!(wrong(&line), ["cards UNKNOWN_MEMBER"]);
        let reading = Reading {
            with_cards: true,
            ..READING
        };
        let error = newcomer(line.as_bytes(), reading).err().unwrap();
        assert!(
            error
                .fields()
                .iter()
                .any(|field| field.field == "cards.0.payload"),
            "{:?}",
            error.fields()
        );
        let error = newcomer(GOOD.as_bytes(), reading).err().unwrap();
        assert!(
            error.fields().iter().any(|field| field.field == "cards"),
            "{:?}",
            error.fields()
        );
    }

    proptest! {
        /// Whatever a line holds, it is a row or a refusal; and a row is the same however it is spaced.
        #[test]
        fn no_line_is_too_much_for_the_reader(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = newcomer(&line, READING);
        }

        #[test]
        fn a_bent_row_is_a_row_or_a_refusal(place in 0..300_usize, byte in any::<u8>()) {
            let mut line = GOOD.as_bytes().to_vec();
            let place = place % line.len();
            line[place] = byte;
            if let Ok(row) = newcomer(&line, READING) {
                prop_assert!(row.person.email.as_str().contains('@'));
            }
        }
    }
}
