//! What the vault tells by itself, applied here: each notice once, its effect in the transaction that moves the position.
//! Several processes may apply at once; the position's row is whose turn it is.

mod cards;
mod orders;

use shared::ids::{CardToken, OrderToken};
use shared::vault_api::notices::{Notice, NoticeKind};

use crate::error::Error;
use crate::services::Services;
use crate::store::{Tx, notices};

/// Applies the next notice. `false` when it was applied before.
///
/// # Errors
/// A gap before it, for what was passed over would be lost; the database's.
pub async fn apply(services: &Services, notice: &Notice) -> Result<bool, Error> {
    let mut tx = services.db.begin().await?;
    let position = notices::take_position(&mut tx).await?;
    if notice.index <= position {
        return Ok(false);
    }
    // A gateway that never applied one begins where the vault's memory begins.
    if position > 0 && notice.index != position + 1 {
        return Err(Error::internal("a notice of the vault is missing"));
    }
    effect(services, &mut tx, notice).await?;
    notices::set_position(&mut tx, notice.index, services.now()).await?;
    tx.commit().await?;
    Ok(true)
}

async fn effect(services: &Services, tx: &mut Tx, notice: &Notice) -> Result<(), Error> {
    match &notice.kind {
        NoticeKind::OrderInProduction
        | NoticeKind::OrderLinked { .. }
        | NoticeKind::OrderShipped { .. }
        | NoticeKind::OrderFailed { .. }
        | NoticeKind::OrderReturned { .. } => orders::apply(services, tx, notice).await,
        NoticeKind::LockedOutside { .. } | NoticeKind::UnlockedOutside | NoticeKind::Erased => {
            cards::apply(services, tx, notice).await
        }
    }
}

/// Applies what came for an order before the order was here: to be called in the transaction that files it.
///
/// # Errors
/// The database's.
pub async fn catch_up(services: &Services, tx: &mut Tx, order: &OrderToken) -> Result<(), Error> {
    for notice in notices::unpark(tx, order).await? {
        effect(services, tx, &notice).await?;
    }
    Ok(())
}

/// Applies what came for a card before the card was here: to be called in the transaction that files it.
///
/// # Errors
/// The database's.
pub async fn catch_up_card(services: &Services, tx: &mut Tx, card: &CardToken) -> Result<(), Error> {
    for notice in notices::unpark_card(tx, card).await? {
        effect(services, tx, &notice).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(in crate::flows) mod tests;
