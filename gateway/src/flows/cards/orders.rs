//! The orders of a user's plastic, for partner and operators.

use super::CardCaller;
use crate::domain::order::Order;
use crate::error::Error;
use crate::services::Services;
use crate::store::orders;

/// The orders in the sequence of their numbers, each with its number: at most `most`, beginning after `after`.
///
/// # Errors
/// When the database is away.
pub async fn list(
    services: &Services,
    caller: &CardCaller,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, Order)>, Error> {
    let mut read = services.db.read().await?;
    Ok(orders::of_user(&mut read, caller.user.id, after, most).await?)
}
