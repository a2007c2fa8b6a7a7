//! The masked cards of a user.

use super::CardCaller;
use crate::domain::card::{Card, CardId};
use crate::error::Error;
use crate::services::Services;
use crate::store::cards;

/// The cards that the user is shown, in the order of their numbers: at most `most`, beginning after `after`.
///
/// # Errors
/// When the database is away.
pub async fn list(
    services: &Services,
    caller: &CardCaller,
    after: CardId,
    most: i64,
) -> Result<Vec<Card>, Error> {
    let mut read = services.db.read().await?;
    let found = cards::shown_of_user(&mut read, caller.user.id, after, most).await?;
    let now = services.now();
    Ok(found.into_iter().map(|card| card.at(now)).collect())
}
