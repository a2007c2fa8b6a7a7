//! The payload of a card that is brought in: `{cardNo, exp, cvv?, balanceId?, name?, type?}`. Number and code are borrowed from the
//! opened bytes, so that they have no second copy; a text with escapes cannot be borrowed and is refused.

use std::borrow::Cow;

use serde::Deserialize;
use shared::vault_api::tokens::CardKind;

use crate::domain::import::RowRefusal;
use crate::domain::program::Rules;
use crate::domain::tokenise::{Brought, BroughtRefusal, BroughtText};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// Longest name of a card.
const MOST_NAME_CHARACTERS: usize = 64;
/// A name goes to the gateway: it must not be a card number. The shortest has 12 digits.
const MOST_NAME_DIGITS: usize = 11;

/// A card that may be looked up, and what the gateway may know of it.
pub(super) struct Wish {
    pub(super) brought: Brought,
    pub(super) balance_id: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) kind: CardKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Members<'a> {
    card_no: &'a str,
    exp: &'a str,
    #[serde(default)]
    cvv: Option<&'a str>,
    #[serde(default)]
    balance_id: Option<u64>,
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default, rename = "type")]
    kind: CardKind,
}

/// Reads and judges an opened payload for a holder of `program`. Nothing is looked up.
pub(super) fn read(vault: &OpenVault, program: &Rules, plain: &[u8]) -> Result<Wish, Error> {
    // serde's own words may repeat what was in the payload.
    let members: Members<'_> = serde_json::from_slice(plain).map_err(|_| {
        Error::InvalidPayload("not {cardNo, exp, cvv?, balanceId?, name?, type?} of plain texts".into())
    })?;
    let text = BroughtText {
        card_no: members.card_no,
        exp: members.exp,
        cvv: members.cvv,
    };
    let registers = vault.registers();
    let now = vault.surroundings.clock.now();
    let brought = text.judge(program, registers.programs(), now).map_err(refused)?;
    if let Some(name) = &members.name {
        check_name(name)?;
    }
    Ok(Wish {
        brought,
        balance_id: members.balance_id,
        name: members.name.map(Cow::into_owned),
        kind: members.kind,
    })
}

fn check_name(name: &str) -> Result<(), Error> {
    let refused = |code, message: String| {
        Err(Error::Validation {
            field: "name",
            code,
            message: message.into(),
        })
    };
    if name.chars().count() > MOST_NAME_CHARACTERS {
        return refused("TOO_LONG", format!("at most {MOST_NAME_CHARACTERS} characters"));
    }
    // Blanks and hyphens between the digits make no other number of it. Counted where it stands: it may be a card number, and
    // no copy is made of one.
    let mut run = 0;
    let mut too_long = false;
    for character in name.chars().filter(|c| !matches!(c, ' ' | '-')) {
        run = if character.is_ascii_digit() { run + 1 } else { 0 };
        too_long |= run > MOST_NAME_DIGITS;
    }
    if too_long {
        return refused("LOOKS_LIKE_CARD_NUMBER", "too many digits in a row".to_owned());
    }
    Ok(())
}

fn refused(refusal: BroughtRefusal) -> Error {
    let refusal = match refusal {
        BroughtRefusal::Member(refusal) => refusal,
        BroughtRefusal::OtherProgram => {
            return Error::CardNotAccepted("the number lies in another program's range");
        }
    };
    Error::Validation {
        field: match refusal {
            RowRefusal::Expiry | RowRefusal::Expired => "exp",
            RowRefusal::Cvv => "cvv",
            _ => "cardNo",
        },
        code: refusal.code(),
        message: match refusal {
            RowRefusal::Cvv => {
                "a verification code has three digits, or four of another issuer's card".into()
            }
            _ => refusal.to_string().into(),
        },
    }
}
