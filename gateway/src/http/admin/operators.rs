//! `/admin/operators…`: an Admin and the other operators. A partner's Admin sees the partner's operators only.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use crate::domain::operator::marker::ManageOperators;
use crate::domain::operator::{Login, Operator, OperatorId, Role, Scope};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::operators::invite::{Invitation, invite as run_invite};
use crate::flows::operators::manage::{Change, change};
use crate::http::answer::{json, send, send_json};
use crate::http::body::Fields;
use crate::http::doc::shape::{optional, pattern, required};
use crate::http::doc::{Doc, Tag, examples, words};
use crate::http::operator::OperatorCall;
use crate::http::page::Page;
use crate::store::{idempotency, operators};
use serde_json::json as literal;
use utoipa::ToSchema;

const NOT_A_ROLE: Rule = Rule {
    code: "NOT_A_ROLE",
    message: "Must be ADMIN, MANAGER or EMPLOYEE.",
};
const NOT_A_PARTNER: Rule = Rule {
    code: "NOT_A_PARTNER",
    message: "Must be the name of a partner that has a program.",
};

/// An operator as Admins, and the operator, are shown it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operator)]
pub(super) struct OperatorView<'a> {
    id: i64,
    login: &'a str,
    #[schema(schema_with = words::roles)]
    role: &'static str,
    /// None: of the platform.
    partner: Option<&'a str>,
    #[schema(schema_with = words::operator_state)]
    state: &'static str,
}

impl<'a> OperatorView<'a> {
    pub(super) fn of(operator: &'a Operator) -> Self {
        Self {
            id: operator.id.0,
            login: operator.login.as_str(),
            role: operator.role.as_str(),
            partner: operator.scope.partner().map(|partner| partner.as_str()),
            state: operator.state.as_str(),
        }
    }
}

type Managing = OperatorCall<ManageOperators>;

/// `GET /admin/operators` → 200.
pub(super) async fn list(call: Managing) -> Result<HttpResponse, Error> {
    let services = call.services();
    let page = Page::of_query(call.query(), services.config.limits.page_items)?;
    let mut read = services.db.read().await?;
    let rows = operators::list(&mut read, &call.operator().scope, page.after, page.rows()).await?;
    let listed = page.of_rows(
        rows,
        |row| row.id.0,
        |row| {
            serde_json::to_value(OperatorView::of(&row))
                .map_err(|_| Error::internal("an operator cannot be written"))
        },
    )?;
    send_json(StatusCode::OK, &listed)
}

/// `GET /admin/operators/{operatorId}` → 200.
pub(super) async fn get(call: Managing) -> Result<HttpResponse, Error> {
    let id = OperatorId(call.number("operatorId")?);
    let mut read = call.services().db.read().await?;
    let found = operators::find(&mut read, id)
        .await?
        .filter(|found| call.operator().scope.covers(&found.scope))
        .ok_or(Code::NotFound)?;
    send_json(StatusCode::OK, &OperatorView::of(&found))
}

/// `POST /admin/operators`: `{login, role, partner?}` → 201. Without a partner the operator is of whom the Admin is of.
pub(super) async fn invite(mut call: Managing) -> Result<HttpResponse, Error> {
    let (mut fields, request) = call.fields().await?;
    let request = call.scoped(request);
    let services = call.services();
    let login = fields.text("login", Login::parse);
    let role = fields.text("role", role);
    let partner = fields.optional_text("partner", |text| {
        let partner = text.parse().map_err(|_| NOT_A_PARTNER)?;
        match services.config.default_program(&partner) {
            Some(_) => Ok(partner),
            None => Err(NOT_A_PARTNER),
        }
    });
    let own = call.operator().scope.clone();
    let invitation = fields.finish(|| {
        Some(Invitation {
            login: login?,
            role: role?,
            scope: partner.map_or(own, Scope::Partner),
        })
    })?;
    let shown = |operator: &Operator| json(StatusCode::CREATED, &OperatorView::of(operator));
    let stamp = call.stamp();
    send(run_invite(services, &request, call.operator(), invitation, &stamp, shown).await?)
}

fn role(text: &str) -> Result<Role, Rule> {
    Role::from_name(text).ok_or(NOT_A_ROLE)
}

/// `PUT /admin/operators/{operatorId}/role`: `{role}` → 200.
pub(super) async fn put_role(mut call: Managing) -> Result<HttpResponse, Error> {
    let (mut fields, request) = call.fields().await?;
    let role = fields.text("role", role);
    let role = fields.finish(|| role)?;
    run(&call, request, Change::Role(role)).await
}

/// `POST /admin/operators/{operatorId}/disable` → 200.
pub(super) async fn disable(call: Managing) -> Result<HttpResponse, Error> {
    without_members(call, Change::Disable).await
}

/// `POST /admin/operators/{operatorId}/enable` → 200.
pub(super) async fn enable(call: Managing) -> Result<HttpResponse, Error> {
    without_members(call, Change::Enable).await
}

/// `POST /admin/operators/{operatorId}/second-factor/reset` → 200: invited anew.
pub(super) async fn reset_second_factor(call: Managing) -> Result<HttpResponse, Error> {
    without_members(call, Change::ResetSecondFactor).await
}

async fn without_members(mut call: Managing, change: Change) -> Result<HttpResponse, Error> {
    let (fields, request): (Fields, _) = call.fields().await?;
    fields.finish(|| Some(()))?;
    run(&call, request, change).await
}

async fn run(call: &Managing, request: idempotency::Request, what: Change) -> Result<HttpResponse, Error> {
    let request = call.scoped(request);
    let id = OperatorId(call.number("operatorId")?);
    let shown = |operator: &Operator| json(StatusCode::OK, &OperatorView::of(operator));
    let by = (call.operator(), &call.stamp());
    send(change(call.services(), &request, by, (id, what), shown).await?)
}

/// Of `GET /admin/operators`.
pub(super) fn list_doc() -> Doc {
    Doc::new(Tag::Operators, "List operators")
        .says("A partner's Admin sees the partner's operators.")
        .answers_page::<OperatorView>("A page of operators, oldest first.", examples::operator())
}

/// Of `GET /admin/operators/{operatorId}`.
pub(super) fn get_doc() -> Doc {
    Doc::new(Tag::Operators, "Get an operator")
        .says("A partner's Admin sees the partner's operators.")
        .answers::<OperatorView>(200, "The operator.", examples::operator())
}

/// Of `POST /admin/operators`.
pub(super) fn invite_doc() -> Doc {
    let mut invited = examples::operator();
    if let Some(invited) = invited.as_object_mut() {
        invited.insert("state".to_owned(), literal!("INVITED"));
    }
    let partner = pattern("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "acme")
        .saying("Without it: of whom the Admin is of.");
    Doc::new(Tag::Operators, "Invite an operator")
        .says("A mail with an invitation goes out.")
        .body([
            required("login", words::login()),
            required("role", words::role()),
            optional("partner", partner),
        ])
        .answers::<OperatorView>(201, "The operator, invited.", invited)
        .errors(&[Code::LoginTaken])
}

/// Of `PUT /admin/operators/{operatorId}/role`.
pub(super) fn put_role_doc() -> Doc {
    changed(
        "Change an operator's role",
        "Takes effect with the operator's next request.",
    )
    .body([required("role", words::role())])
    .idempotent()
    .errors(&[Code::LastAdmin, Code::OperatorDisabled])
}

/// Of `POST /admin/operators/{operatorId}/disable`.
pub(super) fn disable_doc() -> Doc {
    changed("Disable an operator", "Ends the operator's sessions.")
        .no_members()
        .errors(&[Code::LastAdmin])
}

/// Of `POST /admin/operators/{operatorId}/enable`.
pub(super) fn enable_doc() -> Doc {
    changed("Enable an operator", "The operator can log in again.").no_members()
}

/// Of `POST /admin/operators/{operatorId}/second-factor/reset`.
pub(super) fn reset_second_factor_doc() -> Doc {
    changed(
        "Reset an operator's second factor",
        "The operator is invited anew.",
    )
    .no_members()
    .errors(&[Code::LastAdmin, Code::OperatorDisabled])
}

fn changed(summary: &'static str, says: &str) -> Doc {
    Doc::new(Tag::Operators, summary)
        .says(says)
        .answers::<OperatorView>(200, "The operator.", examples::operator())
}
