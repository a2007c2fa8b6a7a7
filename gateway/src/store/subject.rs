//! Whom a remembered answer is about, as far as its request tells by itself: so that a user is forgotten without going through
//! the answers to everybody.

use std::fmt;

use crate::domain::card::CardId;
use crate::domain::user::UserId;

/// A user, or a card that was named without its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The user of the session, or in the path.
    User(UserId),
    /// The card in an operator's path.
    Card(CardId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{}", user.0),
            Self::Card(card) => write!(f, "card:{}", card.0),
        }
    }
}

impl Subject {
    /// The subject of a request by its scope: caller, method and path. The customer who asks is the subject, and so is the
    /// user about whom somebody else asks.
    pub fn of_scope(scope: &str) -> Option<Self> {
        let (caller, request) = scope.split_once(' ')?;
        if let Some(id) = caller.strip_prefix("user:") {
            return id.parse().ok().map(UserId).map(Self::User);
        }
        let mut segments = request.split('/');
        while let Some(segment) = segments.next() {
            let subject: fn(i64) -> Self = match segment {
                "users" | "customers" => |id| Self::User(UserId(id)),
                "cards" => |id| Self::Card(CardId(id)),
                _ => continue,
            };
            if let Some(id) = segments.clone().next().and_then(|id| id.parse().ok()) {
                return Some(subject(id));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_tell_whom_they_are_about() {
        for (scope, subject) in [
            ("user:1001 POST /customers/me/cards/7/lock", "user:1001"),
            (
                "partner:shop POST /secure/customers/1002/cards/7/print",
                "user:1002",
            ),
            ("partner:shop PUT /lifecycle/v1/users/1003/kyc", "user:1003"),
            ("partner:shop POST /lifecycle/v1/users/1003", "user:1003"),
            ("operator:1 POST /admin/customers/1004/balances", "user:1004"),
            ("operator:1 POST /admin/cards/1005/lock", "card:1005"),
        ] {
            let found = Subject::of_scope(scope).map(|found| found.to_string());
            assert_eq!(found.as_deref(), Some(subject), "{scope}");
        }
        for scope in [
            "partner:shop POST /lifecycle/v1/users",
            "partner:shop POST /lifecycle/v1/imports",
            "anybody POST /customers/pair",
            "operator:1001 POST /admin/balances/1001/reload",
            "",
        ] {
            assert_eq!(Subject::of_scope(scope), None, "{scope}");
        }
    }
}
