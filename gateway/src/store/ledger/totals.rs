//! Sums over many accounts: what operators are shown, and what the ledger must come to.

use shared::money::Currency;
use sqlx::AnyConnection;

use crate::domain::operator::Scope;
use crate::store::StoreError;
use crate::store::row::{get, parse};

/// What is there in one currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The currency.
    pub currency: Currency,
    /// The sum of all user balances.
    pub users: i64,
    /// The sum of all user balances and all partner balances that the scope sees: COMPANY is a partner balance (seed, "Partner
    /// Balance"), and the platform's alone to see.
    pub wallet: i64,
}

/// What users and partners have within a scope, in each currency there is. One statement, so that all of it is of one moment.
///
/// # Errors
/// [`StoreError`] of the database, also for a sum beyond 64 bits.
pub async fn of_scope(connection: &mut AnyConnection, scope: &Scope) -> Result<Vec<Total>, StoreError> {
    let partner = scope.partner().map_or("", |partner| partner.as_str());
    let rows = sqlx::query(
        "SELECT currency, \
         CAST(SUM(CASE WHEN kind = 'USER' THEN credits_posted - debits_posted ELSE 0 END) AS BIGINT) AS users, \
         CAST(SUM(credits_posted - debits_posted) AS BIGINT) AS wallet FROM accounts \
         WHERE ($1 = '' AND kind IN ('USER', 'CREDIT', 'DEPOSIT', 'COMPANY')) \
         OR (partner = $1 AND kind IN ('USER', 'CREDIT', 'DEPOSIT')) \
         GROUP BY currency ORDER BY currency",
    )
    .bind(partner)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Total {
                currency: parse(row, "currency")?,
                users: get(row, "users")?,
                wallet: get(row, "wallet")?,
            })
        })
        .collect()
}
