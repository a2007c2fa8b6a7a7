//! A card's end, its renewal and its successor, as its row has them.

use shared::expiry::Expiry;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::{Date, OffsetDateTime};

use super::of_row;
use crate::config::Program;
use crate::domain::card::{Card, CardId, Renewal};
use crate::domain::user::UserId;
use crate::store::row::get;
use crate::store::{StoreError, Tx, millis};

/// Sets aside the place of `old` for `new`, before the vault is asked for that. The card was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn reserve(tx: &mut Tx, old: CardId, new: CardId) -> Result<(), StoreError> {
    sqlx::query("UPDATE cards SET replacement = $2 WHERE id = $1 AND replacement IS NULL")
        .bind(old.0)
        .bind(new.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives the place back: `new` will not come.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn release(tx: &mut Tx, old: CardId, new: CardId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cards SET replacement = NULL WHERE id = $1 AND replacement = $2 AND replaced_by IS NULL",
    )
    .bind(old.0)
    .bind(new.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// `new` is there and has taken the place of `old`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn replace(tx: &mut Tx, old: CardId, new: CardId) -> Result<(), StoreError> {
    sqlx::query("UPDATE cards SET replacement = $2, replaced_by = $2 WHERE id = $1")
        .bind(old.0)
        .bind(new.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives the place back that `new` has taken: its plastic was never made, and `old` may be replaced anew.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn give_back(tx: &mut Tx, old: CardId, new: CardId) -> Result<(), StoreError> {
    sqlx::query("UPDATE cards SET replacement = NULL, replaced_by = NULL WHERE id = $1 AND replaced_by = $2")
        .bind(old.0)
        .bind(new.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes down that cards are past their last month, at most `most` of them, and gives those. Each is given once, whoever
/// else does the same at the same time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn expire(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<Vec<Card>, StoreError> {
    let rows = sqlx::query(
        "UPDATE cards SET expired_at = $1 WHERE expired_at IS NULL AND id IN \
         (SELECT id FROM cards WHERE exp < $2 AND expired_at IS NULL AND state IN ('INACTIVE', 'ACTIVE', 'LOCKED') \
         ORDER BY exp, id LIMIT $3) RETURNING *",
    )
    .bind(millis(now))
    .bind(day(now.date()))
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(of_row).collect()
}

/// Which cards are looked for when renewals are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// Without plastic.
    Virtual,
    /// With plastic, none of it being made, and of users who may get more.
    Plastic,
}

/// Active cards of a program that end between `now` and `last`, are renewed by themselves, and whose renewal was not begun
/// yet: at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due_for_renewal(
    connection: &mut AnyConnection,
    program: &Program,
    kind: DueKind,
    (now, last): (OffsetDateTime, OffsetDateTime),
    most: i64,
) -> Result<Vec<CardId>, StoreError> {
    let those = match kind {
        DueKind::Virtual => "cards.kind = 'VIRTUAL'",
        DueKind::Plastic => {
            "cards.kind <> 'VIRTUAL' AND cards.renewal IS NULL AND users.standing = 'OPEN' AND NOT EXISTS \
             (SELECT 1 FROM orders WHERE orders.card_id = cards.id AND orders.state IN ('ORDERED', 'IN_PRODUCTION'))"
        }
    };
    let statement = format!(
        "SELECT cards.id FROM cards JOIN users ON users.id = cards.user_id \
         WHERE cards.exp BETWEEN $1 AND $2 AND cards.expired_at IS NULL \
         AND cards.state IN ('INACTIVE', 'ACTIVE', 'LOCKED') AND cards.state = 'ACTIVE' AND {those} AND cards.origin <> 'FOREIGN' \
         AND cards.automatic_renewal <> 0 AND (cards.renewal_of IS NULL OR cards.renewal_of <> cards.exp) \
         AND users.program = $3 AND users.partner = $4 ORDER BY cards.exp, cards.id LIMIT $5"
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(day(now.date()))
        .bind(day(last.date()))
        .bind(program.name.as_str())
        .bind(program.partner.as_str())
        .bind(most)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| get(row, "id").map(CardId)).collect()
}

/// Writes down that the renewal of a card that ends at `end` is begun. `false` when it was begun before, or the card ends
/// at another time by now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin_renewal(tx: &mut Tx, id: CardId, end: Expiry) -> Result<bool, StoreError> {
    let begun = sqlx::query(
        "UPDATE cards SET renewal_of = exp WHERE id = $1 AND exp = $2 AND (renewal_of IS NULL OR renewal_of <> exp)",
    )
    .bind(id.0)
    .bind(end.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Writes down how far the renewal of a card with plastic is; none ends it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_renewal(tx: &mut Tx, id: CardId, renewal: Option<Renewal>) -> Result<(), StoreError> {
    sqlx::query("UPDATE cards SET renewal = $2, renewal_exp = $3 WHERE id = $1")
        .bind(id.0)
        .bind(renewal.map(Renewal::as_str))
        .bind(renewal.map(|renewal| renewal.exp().to_string()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What stood against the renewal of a user's cards with plastic may be gone: it is tried again where none is under way.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn try_renewals_again(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cards SET renewal_of = NULL WHERE user_id = $1 AND kind <> 'VIRTUAL' AND renewal_of = exp \
         AND renewal IS NULL",
    )
    .bind(user.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Moves a card's end from `old` to `new`, which ends its renewal. `false` when it was moved before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn renew(tx: &mut Tx, id: CardId, old: Expiry, new: Expiry) -> Result<bool, StoreError> {
    let renewed = sqlx::query(
        "UPDATE cards SET exp = $3, expired_at = NULL, renewal = NULL, renewal_exp = NULL WHERE id = $1 AND exp = $2",
    )
        .bind(id.0)
        .bind(old.to_string())
        .bind(new.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Decides whether a card is renewed by itself.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_automatic_renewal(tx: &mut Tx, id: CardId, automatic: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE cards SET automatic_renewal = $2 WHERE id = $1")
        .bind(id.0)
        .bind(i64::from(automatic))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A day as `cards.exp` is written, so that days compare as texts do.
fn day(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}
