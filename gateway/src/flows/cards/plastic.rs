//! What follows here from an order that the vault has taken: the card or its new kind, the order, the event, and what the
//! vault's notices said of the order before it was here.

use shared::expiry::Expiry;
use shared::ids::OrderToken;
use shared::vault_api::cards::{RenewalOrdered, SealedAnswer};
use shared::vault_api::plastic::{OrderKind as MadeOf, OrderedCard};

use super::answers::{self, VaultsWord};
use super::effect::{Effect, replaced, taken};
use crate::domain::card::{Card, CardId, CardType, NewCard, Renewal, Standing};
use crate::domain::event::{Event, EventKind};
use crate::domain::order::OrderKind;
use crate::error::Error;
use crate::flows::notices;
use crate::services::Services;
use crate::store::cards::life;
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
        place(services, tx, &card, &order, (OrderKind::Physical, None)).await?;
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
        place(services, tx, &card, &order, (OrderKind::Print, None)).await?;
    }
    let word = VaultsWord {
        vault_proof,
        audit_index,
    };
    Ok(answers::sealed_created(&payload, word))
}

/// The next plastic of a card was ordered. The card is what it was until that takes over.
pub(super) async fn renewal(services: &Services, tx: &mut Tx, id: CardId, ordered: RenewalOrdered) -> Effect {
    let RenewalOrdered {
        card: _,
        exp,
        order,
        kind,
    } = ordered;
    let kind = match kind {
        MadeOf::Print => OrderKind::Print,
        MadeOf::Physical => OrderKind::Physical,
    };
    let card = taken(tx, id).await?;
    if orders::find(tx, &order).await?.is_none() {
        life::set_renewal(tx, id, Some(Renewal::Ordered { exp })).await?;
        place(services, tx, &card, &order, (kind, Some(exp))).await?;
    }
    Ok(Ok(answers::nothing()))
}

/// Files an order; `next_exp` is the end that follows, where it is the next plastic of a card.
async fn place(
    services: &Services,
    tx: &mut Tx,
    card: &Card,
    order: &OrderToken,
    (kind, next_exp): (OrderKind, Option<Expiry>),
) -> Result<(), Error> {
    let now = services.now();
    orders::insert(tx, order, card.id, (kind, next_exp.is_some()), now).await?;
    let user = users::find_even_removed(tx, card.user)
        .await?
        .ok_or(StoreError::Corrupt("a card's user is gone"))?;
    let told = match next_exp {
        None => EventKind::CardOrdered,
        Some(_) => EventKind::CardRenewalOrdered,
    };
    let event = Event::new(told, &user.partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("order", order.as_str())
        .telling("token", card.token.as_str())
        .telling("kind", kind.as_str());
    let event = match next_exp {
        None => event,
        Some(exp) => event.telling("nextExp", exp.to_string()),
    };
    events::write(tx, &event, now).await?;
    notices::catch_up(services, tx, order).await
}
