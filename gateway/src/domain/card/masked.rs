//! A card as it is shown to those who must not see its number, or need not.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Action, Card, CardName, CardRules, NewCard, Standing};
use crate::domain::lock::{Lock, Party};
use crate::domain::order::Delivery;

/// The whole wire form.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaskedCard<'a> {
    #[serde(flatten)]
    own: OwnMembers<'a>,
    #[schema(example = "crd_k3vq7m2ax5tnd4wz6hyb2cpgfe")]
    token: &'a str,
    /// At most the first six and the last four digits.
    #[schema(example = "999900******0017")]
    masked_card_no: &'a str,
    /// The last day on which the card is valid.
    #[schema(format = Date, example = "2029-11-30")]
    exp: String,
    /// The last day on which the card will be valid once the next plastic, which is on its way, has taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2032-11-30")]
    next_exp: Option<String>,
    /// How far its newest plastic is.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a Delivery>,
}

impl<'a> MaskedCard<'a> {
    /// The card as `viewer` is shown it.
    #[must_use]
    pub fn of(card: &'a Card, viewer: Party, rules: CardRules) -> Self {
        Self {
            own: OwnMembers::of(card, viewer, rules),
            token: card.token.as_str(),
            masked_card_no: card.masked.as_str(),
            exp: card.exp.to_string(),
            next_exp: card.standing.renewal.map(|renewal| renewal.exp().to_string()),
            delivery: card.delivery.as_ref(),
        }
    }
}

/// The gateway's own members: all that it adds to an answer that the vault seals. Token, masked number and expiry are the
/// vault's to add there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CardBeforeItsNumber)]
pub struct OwnMembers<'a> {
    id: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    /// `ISSUED` here, `TOKENISED` with a number of the program's range, or `FOREIGN`: of another issuer.
    origin: &'static str,
    name: Option<&'a str>,
    balance_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<ShownLock>,
    /// What the one who is shown the card may do now.
    allowed_actions: Vec<&'static str>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// The card whose place this one took.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
    /// The card that took this one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<i64>,
    /// Whether the card is renewed before its end, unless its program rules that out.
    automatic_renewal: bool,
}

/// The cards that a card replaced and was replaced by, and whether it goes on by itself.
#[derive(Clone, Copy)]
struct Kinship {
    replaces: Option<i64>,
    replaced_by: Option<i64>,
    automatic_renewal: bool,
}

impl<'a> OwnMembers<'a> {
    /// Of a card as it stands.
    #[must_use]
    pub fn of(card: &'a Card, viewer: Party, rules: CardRules) -> Self {
        Self::standing_so(card, card.standing, viewer, rules)
    }

    /// Of a card as it will stand after a change that is asked of the vault now.
    #[must_use]
    pub fn standing_so(card: &'a Card, standing: Standing, viewer: Party, rules: CardRules) -> Self {
        let id = (card.id.0, card.balance.0);
        let kinship = Kinship {
            replaces: card.replaces.map(|card| card.0),
            replaced_by: card.replaced_by.map(|card| card.0),
            automatic_renewal: card.automatic_renewal,
        };
        let said = (card.name.as_ref(), card.created_at, kinship);
        Self::new(id, said, (standing, viewer, rules))
    }

    /// Of a card that the vault is asked to issue.
    #[must_use]
    pub fn of_new(card: &'a NewCard, viewer: Party, rules: CardRules) -> Self {
        Self::of_new_standing_so(card, NewCard::STANDING, viewer, rules)
    }

    /// Of a card that will stand so from its beginning.
    #[must_use]
    pub fn of_new_standing_so(
        card: &'a NewCard,
        standing: Standing,
        viewer: Party,
        rules: CardRules,
    ) -> Self {
        let id = (card.id.0, card.balance.0);
        Self::new(id, said_of(card), (standing, viewer, rules))
    }

    /// Of a physical card that the vault is asked to order: its order is on its way, and nothing can be done with it.
    #[must_use]
    pub fn of_ordered(card: &'a NewCard, viewer: Party, rules: CardRules) -> Self {
        let id = (card.id.0, card.balance.0);
        Self::new(id, said_of(card), (NewCard::ORDERED, viewer, rules))
    }

    fn new(
        (id, balance_id): (i64, i64),
        (name, created_at, kinship): (Option<&'a CardName>, OffsetDateTime, Kinship),
        (standing, viewer, rules): (Standing, Party, CardRules),
    ) -> Self {
        Self {
            id,
            kind: standing.kind.as_str(),
            state: standing.state.as_str(),
            origin: standing.origin.as_str(),
            name: name.map(CardName::as_str),
            balance_id,
            lock: standing.state.lock().map(ShownLock::from),
            allowed_actions: standing
                .allowed_actions(viewer, rules)
                .into_iter()
                .map(Action::as_str)
                .collect(),
            created_at,
            replaces: kinship.replaces,
            replaced_by: kinship.replaced_by,
            automatic_renewal: kinship.automatic_renewal,
        }
    }

    /// As members of an answer that the vault composes.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            // A struct with text keys always is an object.
            Ok(_) | Err(_) => Map::new(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Lock)]
struct ShownLock {
    reason_code: u8,
    reason: &'static str,
    action_code: u16,
    irreversible: bool,
    placed_by: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    placed_at: OffsetDateTime,
}

impl From<Lock> for ShownLock {
    fn from(lock: Lock) -> Self {
        Self {
            reason_code: lock.code.number(),
            reason: lock.code.reason(),
            action_code: lock.code.action_code(),
            irreversible: lock.code.is_irreversible(),
            placed_by: lock.placed_by.as_str(),
            placed_at: lock.placed_at,
        }
    }
}

fn said_of(card: &NewCard) -> (Option<&CardName>, OffsetDateTime, Kinship) {
    let kinship = Kinship {
        replaces: card.replaces.map(|card| card.0),
        replaced_by: None,
        automatic_renewal: true,
    };
    (card.name.as_ref(), card.created_at, kinship)
}
