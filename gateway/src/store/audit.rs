//! The trail of what operators did. An entry is written in the transaction of its effect; the database refuses to change or
//! to delete one.

use serde::{Deserialize, Serialize};
use shared::mtls::identity::Name;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::row::get;
use super::{Sequence, StoreError, Tx, instant, millis};
use crate::domain::card::CardId;
use crate::domain::operator::{Operator, OperatorId, Role, Scope};
use crate::domain::user::{User, UserId};
use crate::domain::webhook::Endpoint;

/// Who does what about whom: all of an entry but its outcome and its time. Kept with work that is finished later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    operator: Option<i64>,
    role: Option<String>,
    action: String,
    partner: Option<String>,
    user: Option<i64>,
    card: Option<i64>,
    about_operator: Option<i64>,
    detail: Option<String>,
    trace: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is written down and the vault is about to be asked; another entry tells what came of that.
    Asked,
    /// It has its effect.
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "ASKED",
            Self::Done => "DONE",
            Self::Refused => "REFUSED",
        }
    }
}

impl Stamp {
    /// An action of an operator.
    #[must_use]
    pub fn by(operator: &Operator, action: &str) -> Self {
        Self {
            operator: Some(operator.id.0),
            role: Some(operator.role.as_str().to_owned()),
            action: action.to_owned(),
            partner: operator.scope.partner().map(ToString::to_string),
            ..Self::default()
        }
    }

    /// An action from the command line of the machine.
    #[must_use]
    pub fn by_command_line(action: &str) -> Self {
        Self {
            action: action.to_owned(),
            ..Self::default()
        }
    }

    /// By another name than the permission's.
    #[must_use]
    pub fn named(mut self, action: &str) -> Self {
        action.clone_into(&mut self.action);
        self
    }

    /// About a user's things.
    #[must_use]
    pub fn about_user(mut self, user: &User) -> Self {
        self.user = Some(user.id.0);
        self.partner = Some(user.partner.to_string());
        self
    }

    /// About a partner.
    #[must_use]
    pub fn about_partner(mut self, partner: &Name) -> Self {
        self.partner = Some(partner.to_string());
        self
    }

    /// About a card.
    #[must_use]
    pub const fn about_card(mut self, card: CardId) -> Self {
        self.card = Some(card.0);
        self
    }

    /// About an operator.
    #[must_use]
    pub fn about_operator(mut self, id: OperatorId, scope: &Scope) -> Self {
        self.about_operator = Some(id.0);
        self.partner = scope.partner().map(ToString::to_string);
        self
    }

    /// About a partner's webhook endpoint.
    #[must_use]
    pub fn about_webhook(mut self, endpoint: &Endpoint) -> Self {
        self.partner = Some(endpoint.partner.to_string());
        self.saying(format!("webhook {}", endpoint.id.0))
    }

    /// In the request of this trace.
    #[must_use]
    pub fn in_trace(mut self, trace: impl ToString) -> Self {
        self.trace = Some(trace.to_string());
        self
    }

    /// With what else is worth knowing: no secret, no personal data.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The role in which the operator acts.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        Role::from_name(self.role.as_deref()?)
    }
}

/// Writes an entry.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn write(
    tx: &mut Tx,
    stamp: &Stamp,
    outcome: Outcome,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let id = tx.next_number(Sequence::Audit).await?;
    sqlx::query(
        "INSERT INTO operator_audit (id, operator_id, role, action, outcome, partner, user_id, card_id, \
         about_operator_id, detail, trace, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id)
    .bind(stamp.operator)
    .bind(stamp.role.as_deref())
    .bind(stamp.action.as_str())
    .bind(outcome.as_str())
    .bind(stamp.partner.as_deref())
    .bind(stamp.user)
    .bind(stamp.card)
    .bind(stamp.about_operator)
    .bind(stamp.detail.as_deref())
    .bind(stamp.trace.as_deref())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes an entry where there is one to write: on other channels there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn write_done(tx: &mut Tx, stamp: Option<&Stamp>, now: OffsetDateTime) -> Result<(), StoreError> {
    match stamp {
        Some(stamp) => write(tx, stamp, Outcome::Done, now).await,
        None => Ok(()),
    }
}

/// An entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number.
    pub id: i64,
    /// Who did it; none: the command line.
    pub operator: Option<OperatorId>,
    /// By which login the operator is known today.
    pub login: Option<String>,
    /// In which role.
    pub role: Option<String>,
    /// What.
    pub action: String,
    /// What came of it.
    pub outcome: String,
    /// Whose thing it was about; none: the platform's.
    pub partner: Option<String>,
    /// About which user's things.
    pub user: Option<UserId>,
    /// About which card.
    pub card: Option<CardId>,
    /// About which operator.
    pub about_operator: Option<OperatorId>,
    /// What else is worth knowing.
    pub detail: Option<String>,
    /// The trace of the request.
    pub trace: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

fn of_row(row: &AnyRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: get(row, "id")?,
        operator: get::<Option<i64>>(row, "operator_id")?.map(OperatorId),
        login: get(row, "login")?,
        role: get(row, "role")?,
        action: get(row, "action")?,
        outcome: get(row, "outcome")?,
        partner: get(row, "partner")?,
        user: get::<Option<i64>>(row, "user_id")?.map(UserId),
        card: get::<Option<i64>>(row, "card_id")?.map(CardId),
        about_operator: get::<Option<i64>>(row, "about_operator_id")?.map(OperatorId),
        detail: get(row, "detail")?,
        trace: get(row, "trace")?,
        at: instant(get(row, "created_at")?)?,
    })
}

/// Entries within a scope with numbers above `after`, in order; at most `most`.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    connection: &mut AnyConnection,
    scope: &Scope,
    after: i64,
    most: i64,
) -> Result<Vec<Entry>, StoreError> {
    const COLUMNS: &str = "SELECT a.id, a.operator_id, o.login, a.role, a.action, a.outcome, a.partner, a.user_id, \
         a.card_id, a.about_operator_id, a.detail, a.trace, a.created_at \
         FROM operator_audit a LEFT JOIN operators o ON o.id = a.operator_id WHERE a.id > $1";
    let rows = match scope.partner() {
        None => {
            sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY a.id LIMIT $2")))
                .bind(after)
                .bind(most)
                .fetch_all(connection)
                .await?
        }
        Some(partner) => {
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "{COLUMNS} AND a.partner = $3 ORDER BY a.id LIMIT $2"
            )))
            .bind(after)
            .bind(most)
            .bind(partner.as_str())
            .fetch_all(connection)
            .await?
        }
    };
    rows.iter().map(of_row).collect()
}
