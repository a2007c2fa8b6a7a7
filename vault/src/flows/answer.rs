//! The sealed answer: the gateway's members, the vault's own, and card data, composed here and sealed to the caller's key.
//! Card data goes from its type into the buffer that is sealed, and is wiped with it.

use serde_json::Value;
use shared::jwe::SealerCache;
use shared::public_key::PublicKey;
use shared::vault_api::PublicMembers;
use zeroize::Zeroizing;

use crate::domain::card::Card;
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::error::Error;

/// Room for any answer, so that the buffer never grows and leaves a copy behind.
const ANSWER_CAPACITY: usize = 8 * 1024;
/// The gateway's members together: enough for a masked card and a notice, and small enough that the sealed answer to an
/// RSA-8192 key still fits a record of the store, where it waits for its replay.
const MOST_MEMBER_BYTES: usize = 1536;
/// Members that the gateway may not bring, at any depth.
const CARD_DATA: [&str; 3] = ["cardNo", "cvv", "pin"];
/// Members that are the vault's to say.
const OWN: [&str; 3] = ["token", "maskedCardNo", "exp"];

/// An answer in the making.
pub struct Answer {
    json: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Begins with the gateway's members.
    ///
    /// # Errors
    /// [`Error::Validation`] for a member that is card data or the vault's own, or for too many.
    pub fn with(members: &PublicMembers) -> Result<Self, Error> {
        if let Some(own) = OWN.iter().find(|own| members.contains_key(**own)) {
            return Err(refused(format!("the member {own} is the vault's to say")));
        }
        if members
            .iter()
            .any(|(name, value)| is_card_data(name) || holds_card_data(value))
        {
            return Err(refused("card data does not come from the gateway".to_owned()));
        }
        let written = serde_json::to_vec(members).map_err(|error| Error::Internal(error.to_string()))?;
        if written.len() > MOST_MEMBER_BYTES {
            return Err(refused("too many members".to_owned()));
        }
        let mut json = Zeroizing::new(Vec::with_capacity(ANSWER_CAPACITY));
        // All but the closing brace.
        json.extend_from_slice(written.get(..written.len().saturating_sub(1)).unwrap_or_default());
        Ok(Self { json })
    }

    /// Adds the card's token, masked number and expiry.
    #[must_use]
    pub fn masked(self, card: &Card) -> Self {
        self.token(card)
            .member("maskedCardNo", card.masked.as_str().as_bytes())
            .expiry(card)
    }

    /// Adds the card's token.
    #[must_use]
    pub fn token(self, card: &Card) -> Self {
        self.member("token", card.token.as_str().as_bytes())
    }

    /// Adds the card's expiry.
    #[must_use]
    pub fn expiry(self, card: &Card) -> Self {
        self.member("exp", card.exp.to_string().as_bytes())
    }

    /// Adds the clear number.
    #[must_use]
    pub fn pan(self, pan: &Pan) -> Self {
        self.member("cardNo", pan.as_bytes())
    }

    /// Adds the clear verification code.
    #[must_use]
    pub fn cvv(self, cvv: &Cvv) -> Self {
        self.member("cvv", cvv.as_bytes())
    }

    /// `value` is of an alphabet that JSON need not escape: digits, letters, `*`, `-`, `_`.
    fn member(mut self, name: &str, value: &[u8]) -> Self {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        for part in [b"\"", name.as_bytes(), b"\":\"", value, b"\""] {
            self.json.extend_from_slice(part);
        }
        self
    }

    /// Seals the answer to `recipient`.
    ///
    /// # Errors
    /// No randomness or memory.
    pub fn seal(mut self, sealers: &SealerCache, recipient: &PublicKey) -> Result<String, Error> {
        self.json.push(b'}');
        let sealed = sealers.get(recipient).and_then(|sealer| sealer.seal(&self.json));
        sealed.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Compared without regard to case, `-` and `_`: `card_no` is no way round.
fn is_card_data(name: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect()
    };
    CARD_DATA.iter().any(|forbidden| plain(forbidden) == plain(name))
}

fn holds_card_data(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| is_card_data(name) || holds_card_data(value)),
        Value::Array(items) => items.iter().any(holds_card_data),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn refused(message: String) -> Error {
    Error::Validation {
        field: "recipient.members",
        code: "NOT_ALLOWED",
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: Value) -> PublicMembers {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn members_and_card_data_make_one_object() {
        let answer = Answer::with(&members(json!({"id": 1125, "name": "a \"b\""}))).unwrap();
        let answer = answer.cvv(&Cvv::parse(b"012").unwrap());
        let text = format!("{}}}", std::str::from_utf8(&answer.json).unwrap());
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({"id": 1125, "name": "a \"b\"", "cvv": "012"})
        );
        let empty = Answer::with(&PublicMembers::new())
            .unwrap()
            .cvv(&Cvv::parse(b"012").unwrap());
        assert_eq!(&**empty.json, b"{\"cvv\":\"012\"");
    }

    #[test]
    fn the_gateway_brings_no_card_data() {
        for bad in [
            json!({"cvv": "123"}),
            json!({"cardNo": "1"}),
            json!({"card_no": "1"}),
            json!({"lock": {"PIN": "1"}}),
            json!({"list": [{"cvv": 1}]}),
            json!({"token": "crd_x"}),
            json!({"maskedCardNo": "x"}),
            json!({"exp": "2026-01-31"}),
        ] {
            assert!(Answer::with(&members(bad.clone())).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_bounded() {
        assert!(Answer::with(&members(json!({"name": "x".repeat(MOST_MEMBER_BYTES)}))).is_err());
    }
}
