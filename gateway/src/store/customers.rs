//! Users as operators and partners look for them.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::StoreError;
use super::users::{Profile, profile_of_row};
use crate::domain::operator::Scope;
use crate::domain::user::UserId;

/// By what users are looked for: everything that is named has to fit, exactly.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The number.
    pub id: Option<UserId>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Where calls reach them.
    pub phone_number: Option<String>,
    /// The partner's own name of the user.
    pub external_id: Option<String>,
}

/// Active users within a scope that fit, with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn search(
    connection: &mut AnyConnection,
    scope: &Scope,
    filter: &Filter,
    after: i64,
    most: i64,
) -> Result<Vec<Profile>, StoreError> {
    let texts = [
        ("email", filter.email.as_deref()),
        ("phone_number", filter.phone_number.as_deref()),
        ("external_id", filter.external_id.as_deref()),
        ("partner", scope.partner().map(|partner| partner.as_str())),
    ];
    let named: Vec<_> = texts
        .into_iter()
        .filter_map(|(column, value)| Some((column, value?)))
        .collect();
    // The columns are those named above; the values are bound.
    let mut statement = String::from(
        "SELECT id, partner, program, holder, kyc_status, standing, external_id, email, phone_number, first_name, \
         last_name, date_of_birth, nationality, address, locked_by, lock_reason, locked_at FROM users \
         WHERE state = 'ACTIVE' AND standing <> 'REMOVED' AND id > $1",
    );
    for (place, (column, _)) in named.iter().enumerate() {
        statement.push_str(&format!(" AND {column} = ${}", place + 3));
    }
    if filter.id.is_some() {
        statement.push_str(&format!(" AND id = ${}", named.len() + 3));
    }
    statement.push_str(" ORDER BY id LIMIT $2");
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(after).bind(most);
    for (_, value) in named {
        query = query.bind(value);
    }
    if let Some(id) = filter.id {
        query = query.bind(id.0);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(profile_of_row).collect()
}
