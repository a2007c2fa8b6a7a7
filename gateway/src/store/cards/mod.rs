//! Cards. Whoever changes one takes it first ([`take`]), so that two changes at once follow one another.

pub mod life;

use shared::ids::CardToken;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::row::{get, named, parse};
use super::{StoreError, Tx, instant, millis};
use crate::domain::balance::BalanceId;
use crate::domain::card::{
    Card, CardId, CardName, CardOrigin, CardState, CardType, Renewal, Standing, Unlocked,
};
use crate::domain::lock::{Lock, LockCode, Party};
use crate::domain::order::Delivery;
use crate::domain::user::UserId;

pub(super) fn of_row(row: &AnyRow) -> Result<Card, StoreError> {
    let name: Option<String> = get(row, "name")?;
    let state = state_of_row(row)?;
    Ok(Card {
        id: CardId(get(row, "id")?),
        token: parse(row, "token")?,
        user: UserId(get(row, "user_id")?),
        balance: BalanceId(get(row, "balance_id")?),
        standing: Standing {
            kind: named(row, "kind", CardType::from_name)?,
            state,
            origin: named(row, "origin", CardOrigin::from_name)?,
            replaced: get::<Option<i64>>(row, "replacement")?.is_some(),
            renewal: renewal_of_row(row, state)?,
        },
        masked: parse(row, "masked")?,
        exp: parse(row, "exp")?,
        name: name
            .as_deref()
            .map(CardName::parse)
            .transpose()
            .map_err(|_| StoreError::Corrupt("name"))?,
        created_at: instant(get(row, "created_at")?)?,
        delivery: delivery_of_row(row)?,
        replaces: get::<Option<i64>>(row, "replaces")?.map(CardId),
        replaced_by: get::<Option<i64>>(row, "replaced_by")?.map(CardId),
        automatic_renewal: get::<i64>(row, "automatic_renewal")? != 0,
    })
}

/// What is gone or locked for good does not go on, whatever was under way.
fn renewal_of_row(row: &AnyRow, state: CardState) -> Result<Option<Renewal>, StoreError> {
    let Some(name) = get::<Option<String>>(row, "renewal")? else {
        return Ok(None);
    };
    let renewal = Renewal::from_name(&name, parse(row, "renewal_exp")?);
    let renewal = renewal.ok_or(StoreError::Corrupt("renewal"))?;
    let over = state == CardState::Removed || state.lock().is_some_and(|lock| lock.code.is_irreversible());
    Ok(Some(renewal).filter(|_| !over))
}

fn delivery_of_row(row: &AnyRow) -> Result<Option<Delivery>, StoreError> {
    get::<Option<String>>(row, "delivery")?
        .map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("delivery")))
        .transpose()
}

fn state_of_row(row: &AnyRow) -> Result<CardState, StoreError> {
    let state = named_state(row)?;
    let expired = get::<Option<i64>>(row, "expired_at")?.is_some();
    Ok(match state {
        CardState::Inactive | CardState::Active | CardState::Locked { .. } if expired => {
            CardState::Expired { lock: state.lock() }
        }
        _ => state,
    })
}

fn named_state(row: &AnyRow) -> Result<CardState, StoreError> {
    match get::<String>(row, "state")?.as_str() {
        "ORDERED" => Ok(CardState::Ordered {
            lock: pending_lock_of_row(row)?,
        }),
        "INACTIVE" => Ok(CardState::Inactive),
        "ACTIVE" => Ok(CardState::Active),
        "LOCKED" => Ok(CardState::Locked {
            lock: lock_of_row(row)?,
            from: named(row, "lock_from", unlocked)?,
        }),
        "REMOVED" => Ok(CardState::Removed),
        _ => Err(StoreError::Corrupt("state")),
    }
}

fn pending_lock_of_row(row: &AnyRow) -> Result<Option<Lock>, StoreError> {
    let Some(code) = get::<Option<i64>>(row, "pending_lock_code")? else {
        return Ok(None);
    };
    Ok(Some(Lock {
        code: LockCode::from_number(code).ok_or(StoreError::Corrupt("pending_lock_code"))?,
        placed_by: named(row, "pending_lock_placed_by", Party::from_name)?,
        placed_at: instant(get(row, "pending_lock_placed_at")?)?,
    }))
}

fn lock_of_row(row: &AnyRow) -> Result<Lock, StoreError> {
    Ok(Lock {
        code: LockCode::from_number(get(row, "lock_code")?).ok_or(StoreError::Corrupt("lock_code"))?,
        placed_by: named(row, "lock_placed_by", Party::from_name)?,
        placed_at: instant(get(row, "lock_placed_at")?)?,
    })
}

fn unlocked(name: &str) -> Option<Unlocked> {
    [Unlocked::Inactive, Unlocked::Active]
        .into_iter()
        .find(|state| CardState::from(*state).as_str() == name)
}

/// The columns of a lock: code, party and time.
type LockColumns = (Option<i64>, Option<&'static str>, Option<i64>);

fn lock_columns(lock: Option<Lock>) -> LockColumns {
    (
        lock.map(|lock| lock.code.number().into()),
        lock.map(|lock| lock.placed_by.as_str()),
        lock.map(|lock| millis(lock.placed_at)),
    )
}

/// The columns of a state.
struct StateColumns {
    name: &'static str,
    /// The lock that holds.
    lock: LockColumns,
    /// The state under it.
    from: Option<&'static str>,
    /// The lock that will hold once the card is linked.
    pending: LockColumns,
}

/// An expired card keeps the columns it had beside its end ([`life::expire`]), and no card begins so.
fn state_columns(state: CardState) -> Result<StateColumns, StoreError> {
    let (lock, from, pending) = match state {
        CardState::Ordered { lock } => (None, None, lock),
        CardState::Inactive | CardState::Active | CardState::Removed => (None, None, None),
        CardState::Locked { lock, from } => (Some(lock), Some(CardState::from(from).as_str()), None),
        CardState::Expired { .. } => return Err(StoreError::Corrupt("a card begins as expired")),
    };
    Ok(StateColumns {
        name: state.as_str(),
        lock: lock_columns(lock),
        from,
        pending: lock_columns(pending),
    })
}

/// Files a new card.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::Duplicate`] for a token or number that is there already.
pub async fn insert(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    let StateColumns {
        name: state,
        lock: (code, placed_by, placed_at),
        from,
        pending,
    } = state_columns(card.standing.state)?;
    if pending.0.is_some() {
        return Err(StoreError::Corrupt("a card begins under a lock"));
    }
    sqlx::query(
        "INSERT INTO cards (id, token, user_id, balance_id, kind, state, lock_code, lock_placed_by, lock_placed_at, \
         lock_from, masked, exp, name, created_at, origin, replaces) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(card.id.0)
    .bind(card.token.as_str())
    .bind(card.user.0)
    .bind(card.balance.0)
    .bind(card.standing.kind.as_str())
    .bind(state)
    .bind(code)
    .bind(placed_by)
    .bind(placed_at)
    .bind(from)
    .bind(card.masked.as_str())
    .bind(card.exp.to_string())
    .bind(card.name.as_ref().map(CardName::as_str))
    .bind(millis(card.created_at))
    .bind(card.standing.origin.as_str())
    .bind(card.replaces.map(|card| card.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A card of this user, removed ones among them.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    id: CardId,
) -> Result<Option<Card>, StoreError> {
    let row = sqlx::query("SELECT * FROM cards WHERE id = $1 AND user_id = $2")
        .bind(id.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// The card with this token, whoever's it is.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find_by_token(
    connection: &mut AnyConnection,
    token: &CardToken,
) -> Result<Option<Card>, StoreError> {
    let row = sqlx::query("SELECT * FROM cards WHERE token = $1")
        .bind(token.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Whose card this is.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn owner(connection: &mut AnyConnection, id: CardId) -> Result<Option<UserId>, StoreError> {
    let row = sqlx::query("SELECT user_id FROM cards WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(|row| get(&row, "user_id").map(UserId)).transpose()
}

/// A card, to be changed in this transaction: nobody else changes it before the transaction ends.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take(tx: &mut Tx, id: CardId) -> Result<Option<Card>, StoreError> {
    // An update locks the row on PostgreSQL, in the words that SQLite has too; SQLite has one writer anyway.
    let row = sqlx::query("UPDATE cards SET state = state WHERE id = $1 RETURNING *")
        .bind(id.0)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// The card of this token, to be changed in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_of_token(tx: &mut Tx, token: &CardToken) -> Result<Option<Card>, StoreError> {
    let row = sqlx::query("UPDATE cards SET state = state WHERE token = $1 RETURNING *")
        .bind(token.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(of_row).transpose()
}

/// Changes what a card is and where it stands. The card was taken in this transaction.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set_standing(tx: &mut Tx, id: CardId, standing: Standing) -> Result<(), StoreError> {
    if let CardState::Expired { .. } = standing.state {
        sqlx::query("UPDATE cards SET kind = $2 WHERE id = $1")
            .bind(id.0)
            .bind(standing.kind.as_str())
            .execute(&mut **tx)
            .await?;
        return Ok(());
    }
    let columns = state_columns(standing.state)?;
    sqlx::query(
        "UPDATE cards SET kind = $2, state = $3, lock_code = $4, lock_placed_by = $5, lock_placed_at = $6, \
         lock_from = $7, pending_lock_code = $8, pending_lock_placed_by = $9, pending_lock_placed_at = $10 WHERE id = $1",
    )
    .bind(id.0)
    .bind(standing.kind.as_str())
    .bind(columns.name)
    .bind(columns.lock.0)
    .bind(columns.lock.1)
    .bind(columns.lock.2)
    .bind(columns.from)
    .bind(columns.pending.0)
    .bind(columns.pending.1)
    .bind(columns.pending.2)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The cards that a user is shown, in the order of their numbers: at most `most`, beginning after `after`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn shown_of_user(
    connection: &mut AnyConnection,
    user: UserId,
    after: CardId,
    most: i64,
) -> Result<Vec<Card>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM cards WHERE user_id = $1 AND id > $2 AND state NOT IN ('ORDERED', 'REMOVED') \
         ORDER BY id LIMIT $3",
    )
    .bind(user.0)
    .bind(after.0)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

/// The cards that a user is shown of the balances numbered `first` to `last`, in the order of their numbers; at most
/// `most` of each balance.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn shown_of_balances(
    connection: &mut AnyConnection,
    user: UserId,
    (first, last): (BalanceId, BalanceId),
    most: i64,
) -> Result<Vec<Card>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM (SELECT cards.*, ROW_NUMBER() OVER (PARTITION BY balance_id ORDER BY id) AS place FROM cards \
         WHERE user_id = $1 AND balance_id BETWEEN $2 AND $3 AND state NOT IN ('ORDERED', 'REMOVED')) AS shown \
         WHERE place <= $4 ORDER BY id",
    )
    .bind(user.0)
    .bind(first.0)
    .bind(last.0)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(of_row).collect()
}

#[cfg(test)]
pub(crate) mod tests;

/// The number of the user's card with this token, shown or not.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn number_of(
    connection: &mut AnyConnection,
    user: UserId,
    token: &CardToken,
) -> Result<Option<CardId>, StoreError> {
    let row = sqlx::query("SELECT id FROM cards WHERE token = $1 AND user_id = $2")
        .bind(token.as_str())
        .bind(user.0)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok(CardId(get(&row, "id")?))).transpose()
}
