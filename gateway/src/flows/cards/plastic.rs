//! What follows here from an order that the vault has taken: the card or its new kind, the order, the event, and what the
//! vault's notices said of the order before it was here.

use shared::ids::OrderToken;
use shared::vault_api::cards::SealedAnswer;
use shared::vault_api::plastic::OrderedCard;

use super::answers::{self, VaultsWord};
use super::effect::{Effect, replaced, taken};
use crate::domain::card::{Card, CardId, CardType, NewCard, Standing};
use crate::domain::event::{Event, EventKind};
use crate::domain::order::OrderKind;
use crate::error::Error;
use crate::flows::notices;
use crate::services::Services;
use crate::store::{StoreError, Tx, cards, events, orders, users};

/// A physical card was ordered, perhaps in the place of another: it is there from now on, and nobody but partner and
/// operators sees its order.
pub(super) async fn ordered(services: &Services, tx: &mut Tx, card: NewCard, ordered: OrderedCard) -> Effect {
    let OrderedCard {
        card: token,
        masked_card_no,
        exp,
        order,
        payload,
        vault_proof,
        audit_index,
    } = ordered;
    if cards::take(tx, card.id).await?.is_none() {
        let card = card.ordered(token, masked_card_no, exp);
        cards::insert(tx, &card).await?;
        // Before what the bureau said meanwhile: that it failed gives the place back.
        replaced(services, tx, &card).await?;
        place(services, tx, &card, &order, OrderKind::Physical).await?;
        notices::catch_up_card(services, tx, &card.token).await?;
    }
    let word = VaultsWord {
        vault_proof,
        audit_index,
    };
    Ok(answers::sealed_created(&payload, word))
}

/// Plastic of a virtual card was ordered.
pub(super) async fn printed(services: &Services, tx: &mut Tx, id: CardId, sealed: SealedAnswer) -> Effect {
    let SealedAnswer {
        payload,
        vault_proof,
        order,
        audit_index,
    } = sealed;
    let order = order.ok_or_else(|| Error::internal("the vault placed an order without a token"))?;
    let card = taken(tx, id).await?;
    if orders::find(tx, &order).await?.is_none() {
        let standing = Standing {
            kind: CardType::DigitalFirst,
            ..card.standing
        };
        cards::set_standing(tx, id, standing).await?;
        place(services, tx, &card, &order, OrderKind::Print).await?;
    }
    let word = VaultsWord {
        vault_proof,
        audit_index,
    };
    Ok(answers::sealed_created(&payload, word))
}

async fn place(
    services: &Services,
    tx: &mut Tx,
    card: &Card,
    order: &OrderToken,
    kind: OrderKind,
) -> Result<(), Error> {
    let now = services.now();
    orders::insert(tx, order, card.id, kind, now).await?;
    let user = users::find_even_removed(tx, card.user)
        .await?
        .ok_or(StoreError::Corrupt("a card's user is gone"))?;
    let event = Event::new(EventKind::CardOrdered, &user.partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("order", order.as_str())
        .telling("token", card.token.as_str())
        .telling("kind", kind.as_str());
    events::write(tx, &event, now).await?;
    notices::catch_up(services, tx, order).await
}
