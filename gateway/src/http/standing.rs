//! Locks and unlocks a user, for partners and operators.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json as literal;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answer::{json, send};
use super::caller::Customer;
use super::doc::shape::{line, optional};
use super::doc::{Doc, Tag, words};
use crate::domain::rule::Rule;
use crate::domain::text::is_line;
use crate::domain::user::UserLock;
use crate::error::{Code, Error};
use crate::flows::users::AboutUser;
use crate::flows::users::lock::{lock_user, unlock_user};
use crate::store::idempotency::Answer;
use crate::store::users::Profile;

/// A user's lock as it is shown.
#[derive(Serialize, ToSchema)]
#[schema(as = UserLock)]
pub(super) struct LockView<'a> {
    /// Who holds the lock.
    #[schema(schema_with = words::user_locker)]
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
}

impl<'a> LockView<'a> {
    pub(super) fn of(lock: &'a UserLock) -> Self {
        Self {
            by: lock.by.as_str(),
            reason: lock.reason.as_deref(),
            at: lock.at,
        }
    }
}

/// Where a user stands.
#[derive(Serialize, ToSchema)]
#[schema(as = UserStanding)]
struct StandingView<'a> {
    id: i64,
    /// Whether the account can be used.
    #[schema(schema_with = words::user_standing)]
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<LockView<'a>>,
}

fn render(profile: &Profile) -> Result<Answer, Error> {
    let view = StandingView {
        id: profile.user.id.0,
        standing: profile.user.standing.as_str(),
        lock: profile.lock.as_ref().map(LockView::of),
    };
    json(StatusCode::OK, &view)
}

fn reason(text: &str) -> Result<String, Rule> {
    if is_line(text, 200) {
        Ok(text.to_owned())
    } else {
        Err(Rule {
            code: "NOT_A_REASON",
            message: "Must be 1 to 200 characters on one line.",
        })
    }
}

/// `POST …/lock`: `{reason?}` → 200.
pub(super) async fn lock(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (mut fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    let why = fields.optional_text("reason", reason);
    fields.finish(|| Some(()))?;
    let services = customer.services();
    send(lock_user(services, &request, &about(&customer), why.as_deref(), render).await?)
}

/// `POST …/unlock` → 200.
pub(super) async fn unlock(mut customer: Customer) -> Result<HttpResponse, Error> {
    let (fields, request) = customer.fields().await?;
    let request = customer.scoped(request);
    fields.finish(|| Some(()))?;
    let services = customer.services();
    send(unlock_user(services, &request, &about(&customer), render).await?)
}

fn about(customer: &Customer) -> AboutUser<'_> {
    AboutUser {
        user: customer.user.id,
        by: customer.party,
        stamp: customer.stamp.as_ref(),
    }
}

/// Of `POST …/lock`.
pub(super) fn lock_doc() -> Doc {
    let example = literal!({
        "id": 1001, "standing": "LOCKED",
        "lock": { "by": "PARTNER", "reason": "phone stolen", "at": "2026-11-26T21:30:00Z" },
    });
    Doc::new(Tag::Users, "Lock a user")
        .says(
            "Sessions end at once, activation codes are void, and there is no login, no pairing, no new balance, card or plastic. \
             Cards that are there go on. An operator's lock stands above the partner's: locking again as a partner changes \
             nothing then. Who is locked already stays so, and that is the answer.",
        )
        .body([optional("reason", line(200, "phone stolen"))])
        .answers::<StandingView>(200, "The standing that holds.", example)
}

/// Of `POST …/unlock`.
pub(super) fn unlock_doc() -> Doc {
    Doc::new(Tag::Users, "Unlock a user")
        .says("A partner lifts its own lock, an operator every one. Who is not locked stays so.")
        .no_members()
        .answers::<StandingView>(
            200,
            "The standing that holds.",
            literal!({ "id": 1001, "standing": "OPEN" }),
        )
        .errors(&[Code::LockNotYours])
}
