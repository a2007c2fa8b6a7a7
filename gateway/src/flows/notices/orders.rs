//! The bureau's word on an order, as the vault passed it on: the order's state, and what follows for its card.

use serde_json::Value;
use shared::vault_api::notices::{Notice, NoticeKind};

use crate::domain::card::{Card, CardState, CardType, Renewal, Standing};
use crate::domain::event::{Event, EventKind};
use crate::domain::order::{Order, OrderKind, OrderState};
use crate::error::Error;
use crate::flows::cards::tell as tell_of_cards;
use crate::services::Services;
use crate::store::cards::life;
use crate::store::{StoreError, Tx, cards, events, notices, orders, users};

/// Applies one notice about an order; one whose order is not here yet is laid aside for it.
pub(super) async fn apply(services: &Services, tx: &mut Tx, notice: &Notice) -> Result<(), Error> {
    let order = notice
        .order
        .as_ref()
        .ok_or_else(|| Error::internal("a notice about an order names none"))?;
    let Some(order) = orders::find(tx, order).await? else {
        return Ok(notices::park(tx, notice, services.now()).await?);
    };
    // The card first, as everybody who changes both.
    let card = cards::take(tx, order.card).await?;
    let card = card.ok_or(StoreError::Corrupt("an order's card is gone"))?;
    let order = orders::take(tx, &order.token).await?;
    let order = order.ok_or(StoreError::Corrupt("an order is gone"))?;
    let state = state(&notice.kind).ok_or_else(|| Error::internal("a notice about a card names an order"))?;
    orders::set_state(tx, &order.token, &state, notice.at).await?;
    if order.renewal {
        return renewal(services, tx, &card, &order, &notice.kind).await;
    }
    if let Some(standing) = standing(&card, &order, &notice.kind) {
        cards::set_standing(tx, card.id, standing).await?;
        // It was never made: the card whose place it had taken may be replaced anew.
        if let (CardState::Removed, Some(old)) = (standing.state, card.replaces) {
            life::give_back(tx, old, card.id).await?;
        }
    }
    tell(services, tx, &card, &order, &notice.kind).await
}

/// What becomes of a card whose next plastic it is: it goes on where the vault says so, and at its old end where the plastic
/// will not come.
async fn renewal(
    services: &Services,
    tx: &mut Tx,
    card: &Card,
    order: &Order,
    kind: &NoticeKind,
) -> Result<(), Error> {
    match (kind, card.standing.renewal) {
        (NoticeKind::OrderLinked { exp: Some(exp) }, _) => {
            // Nothing waits for its holder here: that it goes on is what there is to tell, unless it was removed since.
            let moved = life::renew(tx, card.id, card.exp, *exp).await?;
            if moved && card.standing.state != CardState::Removed {
                let partner = tell_of_cards::owner(tx, card.user).await?.partner;
                let event = tell_of_cards::about(EventKind::CardRenewed, &partner, card);
                tell_of_cards::write(services, tx, &event).await?;
            }
            return Ok(());
        }
        (NoticeKind::OrderLinked { exp: None }, Some(Renewal::Ordered { exp }))
            if order.kind == OrderKind::Physical =>
        {
            life::set_renewal(tx, card.id, Some(Renewal::Made { exp })).await?;
        }
        (NoticeKind::OrderFailed { .. }, _) => life::set_renewal(tx, card.id, None).await?,
        _ => {}
    }
    tell(services, tx, card, order, kind).await
}

/// None for what is said of cards alone.
fn state(kind: &NoticeKind) -> Option<OrderState> {
    Some(match kind {
        NoticeKind::OrderInProduction => OrderState::InProduction,
        NoticeKind::OrderLinked { .. } => OrderState::Confirmed,
        NoticeKind::OrderShipped {
            carrier,
            tracking_reference,
        } => OrderState::Shipped {
            carrier: carrier.clone(),
            tracking_reference: tracking_reference.clone(),
        },
        NoticeKind::OrderReturned { reason } => OrderState::Returned {
            reason: reason.clone(),
        },
        NoticeKind::OrderFailed { reason, .. } => OrderState::Failed {
            reason: reason.clone(),
        },
        NoticeKind::LockedOutside { .. } | NoticeKind::UnlockedOutside | NoticeKind::Erased => return None,
    })
}

/// What becomes of the card. Linked however late: the plastic exists, and its holder waits for it. Failed before that: the
/// vault has closed the card, and nobody was shown it.
fn standing(card: &Card, order: &Order, kind: &NoticeKind) -> Option<Standing> {
    let Standing { kind: of, state, .. } = card.standing;
    match (kind, order.kind, state) {
        (NoticeKind::OrderLinked { .. }, OrderKind::Physical, CardState::Ordered { .. }) => Some(Standing {
            state: card.standing.linked(),
            ..card.standing
        }),
        (
            NoticeKind::OrderFailed {
                card_closed: true, ..
            },
            OrderKind::Physical,
            _,
        ) => Some(Standing {
            state: CardState::Removed,
            ..card.standing
        }),
        (
            NoticeKind::OrderFailed {
                plastic_void: true, ..
            },
            OrderKind::Print,
            _,
        ) if of == CardType::DigitalFirst => Some(Standing {
            kind: CardType::Virtual,
            ..card.standing
        }),
        _ => None,
    }
}

async fn tell(
    services: &Services,
    tx: &mut Tx,
    card: &Card,
    order: &Order,
    kind: &NoticeKind,
) -> Result<(), Error> {
    let told = match kind {
        NoticeKind::OrderInProduction
        | NoticeKind::LockedOutside { .. }
        | NoticeKind::UnlockedOutside
        | NoticeKind::Erased => return Ok(()),
        NoticeKind::OrderLinked { .. } if order.kind == OrderKind::Print => return Ok(()),
        NoticeKind::OrderLinked { .. } => EventKind::CardLinked,
        NoticeKind::OrderShipped { .. } => EventKind::CardShipped,
        NoticeKind::OrderFailed { .. } => EventKind::CardDeliveryFailed,
        NoticeKind::OrderReturned { .. } => EventKind::CardReturned,
    };
    let user = users::find_even_removed(tx, card.user)
        .await?
        .ok_or(StoreError::Corrupt("a card's user is gone"))?;
    let event = Event::new(told, &user.partner)
        .about_user(card.user)
        .about_card(card.id)
        .telling("order", order.token.as_str())
        .telling("kind", order.kind.as_str())
        .telling("token", card.token.as_str());
    let event = if order.renewal {
        event.telling("renewal", true)
    } else {
        event
    };
    let event = match kind {
        NoticeKind::OrderInProduction
        | NoticeKind::LockedOutside { .. }
        | NoticeKind::UnlockedOutside
        | NoticeKind::Erased => event,
        NoticeKind::OrderLinked { .. } => event.telling("late", order.overdue_at.is_some()),
        // The tracking reference leads to an address: it is read through the API.
        NoticeKind::OrderShipped { carrier, .. } => {
            event.telling("carrier", carrier.clone().map_or(Value::Null, Value::from))
        }
        NoticeKind::OrderFailed {
            reason, card_closed, ..
        } => event
            .telling("reason", reason.as_str())
            .telling("cardRemoved", *card_closed),
        NoticeKind::OrderReturned { reason } => event.telling("reason", reason.as_str()),
    };
    Ok(events::write(tx, &event, services.now()).await?)
}
