//! Transfers: written once, listed newest first. The database refuses to change or to delete one.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};
use time::OffsetDateTime;

use crate::domain::balance::BalanceId;
use crate::domain::card::CardId;
use crate::domain::ledger::{
    AccountId, Amount, Merchant, PendingState, Phase, TransferId, TransferKind, TransferState,
};
use crate::domain::user::UserId;
use crate::store::row::{get, named, parse};
use crate::store::{StoreError, Tx, instant, millis};

/// A transfer that is about to be written.
#[derive(Debug, Clone)]
pub struct NewTransfer<'a> {
    /// Its number, and that of the first it is linked to: its own where it is the first.
    pub ids: (TransferId, TransferId),
    /// Who gives, who gets.
    pub accounts: (AccountId, AccountId),
    /// How much.
    pub amount: Amount,
    /// The accounts' currency.
    pub currency: shared::money::Currency,
    /// What for.
    pub kind: TransferKind,
    /// How it moves money.
    pub phase: Phase,
    /// What it posts or voids.
    pub pending: Option<TransferId>,
    /// The authorisation that a late clearing or a refund is about.
    pub about: Option<TransferId>,
    /// Who is shown it, with which balance.
    pub shown_to: Option<(UserId, BalanceId)>,
    /// By which card.
    pub card: Option<CardId>,
    /// What the caller calls it.
    pub reference: Option<&'a str>,
    /// Where.
    pub merchant: Option<&'a Merchant>,
}

/// Writes a transfer.
///
/// # Errors
/// [`StoreError`] of the database; [`StoreError::Duplicate`] for a pending transfer that was ended before.
pub async fn insert(tx: &mut Tx, new: &NewTransfer<'_>, now: OffsetDateTime) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transfers (id, linked_id, debit_account_id, credit_account_id, amount, currency, kind, phase, \
         pending_id, about_id, user_id, balance_id, card_id, reference, merchant_name, merchant_category, \
         merchant_country, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(new.ids.0.0)
    .bind(new.ids.1.0)
    .bind(new.accounts.0.0)
    .bind(new.accounts.1.0)
    .bind(new.amount.minor())
    .bind(new.currency.code())
    .bind(new.kind.as_str())
    .bind(new.phase.as_str())
    .bind(new.pending.map(|id| id.0))
    .bind(new.about.map(|id| id.0))
    .bind(new.shown_to.map(|(user, _)| user.0))
    .bind(new.shown_to.map(|(_, balance)| balance.0))
    .bind(new.card.map(|card| card.0))
    .bind(new.reference)
    .bind(new.merchant.map(Merchant::name))
    .bind(new.merchant.and_then(Merchant::category))
    .bind(new.merchant.and_then(Merchant::country))
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A transfer as its user is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The number.
    pub id: TransferId,
    /// What for.
    pub kind: TransferKind,
    /// Where it stands.
    pub state: TransferState,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: shared::money::Currency,
    /// Whose it is.
    pub user: UserId,
    /// On which balance.
    pub balance: BalanceId,
    /// By which card.
    pub card: Option<CardId>,
    /// The authorisation that it clears, reverses or refunds.
    pub authorisation: Option<TransferId>,
    /// What the caller calls it.
    pub reference: Option<String>,
    /// Where.
    pub merchant: Option<Merchant>,
    /// When it came about.
    pub created_at: OffsetDateTime,
    /// When the money moved; none while it is held, and where it never did.
    pub posted_at: Option<OffsetDateTime>,
    /// Until when it is held, while it is.
    pub expires_at: Option<OffsetDateTime>,
}

const COLUMNS: &str = "SELECT t.id, t.kind, t.phase, t.amount, t.currency, t.user_id, t.balance_id, t.card_id, \
     t.pending_id, t.about_id, t.reference, t.merchant_name, t.merchant_category, t.merchant_country, t.created_at, \
     p.state, p.expires_at, p.ended_at FROM transfers t LEFT JOIN pending_transfers p ON p.transfer_id = t.id \
     WHERE t.user_id = $1";

fn of_row(row: &AnyRow) -> Result<Transaction, StoreError> {
    let created_at = instant(get(row, "created_at")?)?;
    let ended_at = get::<Option<i64>>(row, "ended_at")?.map(instant).transpose()?;
    let (state, posted_at, expires_at) = match named(row, "phase", Phase::from_name)? {
        Phase::Single | Phase::PostPending => (PendingState::Posted, Some(created_at), None),
        Phase::VoidPending => (PendingState::Voided, None, None),
        Phase::Pending => match named(row, "state", PendingState::from_name)? {
            PendingState::Pending => (
                PendingState::Pending,
                None,
                Some(instant(get(row, "expires_at")?)?),
            ),
            PendingState::Posted => (PendingState::Posted, ended_at, None),
            ended @ (PendingState::Voided | PendingState::Expired) => (ended, None, None),
        },
    };
    let authorisation = get::<Option<i64>>(row, "pending_id")?.or(get(row, "about_id")?);
    Ok(Transaction {
        id: TransferId(get(row, "id")?),
        kind: named(row, "kind", TransferKind::from_name)?,
        state,
        amount: Amount::new(get(row, "amount")?).ok_or(StoreError::Corrupt("amount"))?,
        currency: parse(row, "currency")?,
        user: UserId(get(row, "user_id")?),
        balance: BalanceId(get(row, "balance_id")?),
        card: get::<Option<i64>>(row, "card_id")?.map(CardId),
        authorisation: authorisation.map(TransferId),
        reference: get(row, "reference")?,
        merchant: merchant_of_row(row)?,
        created_at,
        posted_at,
        expires_at,
    })
}

fn merchant_of_row(row: &AnyRow) -> Result<Option<Merchant>, StoreError> {
    let Some(name) = get::<Option<String>>(row, "merchant_name")? else {
        return Ok(None);
    };
    let category: Option<String> = get(row, "merchant_category")?;
    let country: Option<String> = get(row, "merchant_country")?;
    let merchant = Merchant::parse(&name, category.as_deref(), country.as_deref());
    merchant
        .map(Some)
        .map_err(|_| StoreError::Corrupt("merchant_name"))
}

/// Which of a user's transactions are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those on this balance.
    pub balance: Option<BalanceId>,
    /// Those by this card.
    pub card: Option<CardId>,
}

/// A user's transactions, newest first, beginning before the one numbered `before` (0: at the newest); at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_user(
    connection: &mut AnyConnection,
    user: UserId,
    filter: Filter,
    before: i64,
    most: i64,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = format!("{COLUMNS} AND ($2 = 0 OR t.id < $2)");
    // Each filter is a condition of its own, so that its index serves.
    let mut place = 3;
    for (column, wanted) in [
        ("t.balance_id", filter.balance.is_some()),
        ("t.card_id", filter.card.is_some()),
    ] {
        if wanted {
            place += 1;
            statement.push_str(&format!(" AND {column} = ${place}"));
        }
    }
    statement.push_str(" ORDER BY t.id DESC LIMIT $3");
    let mut query = sqlx::query(AssertSqlSafe(statement))
        .bind(user.0)
        .bind(before)
        .bind(most);
    for number in [filter.balance.map(|id| id.0), filter.card.map(|id| id.0)]
        .into_iter()
        .flatten()
    {
        query = query.bind(number);
    }
    query.fetch_all(connection).await?.iter().map(of_row).collect()
}

/// One transaction of a user.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    id: TransferId,
) -> Result<Option<Transaction>, StoreError> {
    let statement = format!("{COLUMNS} AND t.id = $2");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(user.0)
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(of_row).transpose()
}
