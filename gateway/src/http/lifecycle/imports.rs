//! `/lifecycle/v1/imports…`: a partner's users and cards by the thousand.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Query;
use ring::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::{Value, json as literal};
use shared::problem::FieldError;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::import_sessions::NOT_A_NAME;
use crate::domain::import::{FILE_MAX, ImportId, ImportKind, Line, Lines, RowStatus, is_import_name};
use crate::domain::rule::{REQUIRED, Rule, UNKNOWN};
use crate::error::{Code, Error};
use crate::flows::imports::failure_of;
use crate::flows::imports::receive::{Receiving, Wanted};
use crate::flows::partners::rules::settings_of;
use crate::http::answer::{json, send, send_json};
use crate::http::body::Fields;
use crate::http::caller::PartnerCall;
use crate::http::doc::shape::{boolean, one_of, optional, required, text};
use crate::http::doc::{Doc, Tag, words};
use crate::http::header::single;
use crate::http::import_rows::{Reading, card_row, newcomer};
use crate::http::page::Page;
use crate::store::import_rows::{self, RowResult};
use crate::store::imports::{self, Counts, Import};

/// The type of a file with a JSON object on each line.
const NDJSON: &str = "application/x-ndjson";

/// An import as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Import)]
struct ImportView {
    import_id: i64,
    /// What its lines are.
    #[schema(schema_with = words::import_kind)]
    kind: &'static str,
    /// Whether nothing has an effect.
    dry_run: bool,
    /// Where it stands: `DONE` when every row came to its end, well or not.
    #[schema(schema_with = words::import_status)]
    status: &'static str,
    /// Lines of the file, empty ones aside.
    rows: i64,
    /// Rows that have not come to their end.
    waiting: i64,
    /// Rows that had their effect.
    done: i64,
    /// Rows that had not.
    failed: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<OffsetDateTime>,
}

impl ImportView {
    const fn of(import: &Import, counts: Counts) -> Self {
        Self {
            import_id: import.id.0,
            kind: import.kind.as_word(),
            dry_run: import.dry_run,
            status: import.status.as_str(),
            rows: import.lines,
            waiting: counts.waiting,
            done: counts.done,
            failed: counts.failed,
            created_at: import.created_at,
            finished_at: import.finished_at,
        }
    }
}

/// What became of a row.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportRow)]
struct RowView {
    /// The number of the line in the file, from 1.
    line: i64,
    /// Where it stands; in a dry run `DONE` says that it would have had its effect.
    #[schema(schema_with = words::import_row_status)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    /// The cards that it brought: `{cardId, token}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    cards: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Which members are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<FieldError>,
}

impl RowView {
    fn of(row: RowResult) -> Result<Self, Error> {
        let cards = row.cards.as_deref().map(serde_json::from_str).transpose();
        let status = match row.status {
            RowStatus::Waiting | RowStatus::Working => RowStatus::Waiting,
            ended => ended,
        };
        let (code, errors) = match row.failure {
            Some(failure) => (Some(failure.code), failure.errors),
            None => (None, Vec::new()),
        };
        Ok(Self {
            line: row.line,
            status: status.as_str(),
            // A user on the way in is shown to nobody.
            user_id: row
                .user
                .filter(|_| status != RowStatus::Waiting)
                .map(|user| user.0),
            cards: cards.map_err(|_| Error::internal("what a row brought cannot be read"))?,
            code,
            errors,
        })
    }
}

/// `POST /lifecycle/v1/imports?kind=&dryRun=`: one JSON object a line → 202 once every line is taken in.
pub(in crate::http) async fn create(mut call: PartnerCall) -> Result<HttpResponse, Error> {
    let Wish { kind, dry_run, name } = wish(call.query())?;
    says_ndjson(&call)?;
    call.idempotency_key()?;
    let services = Arc::clone(call.services());
    let program = services
        .config
        .default_program(call.partner())
        .ok_or(Code::NotAPartner)?;
    let wanted = Wanted {
        partner: call.partner().clone(),
        program: program.name.clone(),
        kind,
        dry_run,
        name,
        trace: call.trace().to_string(),
    };
    let settings = settings_of(&services, call.partner()).await?;
    let reading = Reading {
        now: services.now(),
        algorithms: settings.sealing.algorithms(program.rsa_oaep_sha1),
        with_cards: kind == ImportKind::UsersWithCards,
    };
    let mut receiving = Receiving::begin(&services, &wanted).await?;
    let digest = match take_in(&mut call, &mut receiving, (kind, reading)).await {
        Ok(digest) => digest,
        Err(error) => {
            receiving.drop_it().await?;
            return Err(error);
        }
    };
    let request = call.scoped(call.streamed(&digest)?);
    let answer = receiving
        .finish(&request, |import| {
            let waiting = Counts {
                waiting: import.lines,
                ..Counts::default()
            };
            json(StatusCode::ACCEPTED, &ImportView::of(import, waiting))
        })
        .await?;
    send(answer)
}

/// Takes in every line. Gives the SHA-256 of the file.
async fn take_in(
    call: &mut PartnerCall,
    receiving: &mut Receiving<'_>,
    how: (ImportKind, Reading),
) -> Result<[u8; 32], Error> {
    let (mut lines, mut context) = (Lines::default(), Context::new(&SHA256));
    let mut parts = call.parts(FILE_MAX)?;
    let mut empty = true;
    while let Some(part) = parts.next().await? {
        context.update(&part);
        let mut ended = Vec::new();
        lines.take(&part, |line| {
            ended.push(line);
            Ok::<_, Error>(())
        })?;
        for line in ended {
            empty = false;
            keep(receiving, line, how).await?;
        }
    }
    if let Some(line) = lines.last() {
        empty = false;
        keep(receiving, line, how).await?;
    }
    if empty {
        let mut fields = Fields::empty();
        fields.refuse("body", REQUIRED);
        fields.finish(|| Some(()))?;
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(digest)
}

async fn keep(
    receiving: &mut Receiving<'_>,
    line: Line,
    (kind, reading): (ImportKind, Reading),
) -> Result<(), Error> {
    let Some(content) = line.content else {
        return receiving.too_long(line.number).await;
    };
    let bad = match kind {
        ImportKind::Users | ImportKind::UsersWithCards => match newcomer(&content, reading) {
            Ok(row) => return receiving.user(line.number, &row).await,
            Err(error) => error,
        },
        ImportKind::Cards => match card_row(&content, reading) {
            Ok(row) => return receiving.card(line.number, &row).await,
            Err(error) => error,
        },
    };
    receiving.bad(line.number, failure_of(&bad)).await
}

fn says_ndjson(call: &PartnerCall) -> Result<(), Error> {
    let said = single(call.headers(), CONTENT_TYPE.as_str())?
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case(NDJSON));
    if said {
        Ok(())
    } else {
        Err(Code::UnsupportedMediaType.into())
    }
}

const NOT_A_KIND: Rule = Rule {
    code: "NOT_A_KIND",
    message: "Must be users, users-with-cards or cards.",
};
const NOT_A_BOOLEAN: Rule = Rule {
    code: "NOT_A_BOOLEAN",
    message: "Must be true or false.",
};

/// What a query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    kind: ImportKind,
    dry_run: bool,
    name: Option<String>,
}

/// Reads `?kind=&dryRun=&import=`, each once. The name is needed where there are cards.
fn wish(query: &str) -> Result<Wish, Error> {
    let mut fields = Fields::empty();
    let (mut kind, mut dry_run, mut import) = (None, None, None);
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    for (name, value) in pairs.map(Query::into_inner).unwrap_or_default() {
        match name.as_str() {
            "kind" if kind.is_none() => match ImportKind::from_word(&value) {
                Some(known) => kind = Some(known),
                None => fields.refuse("kind", NOT_A_KIND),
            },
            "dryRun" if dry_run.is_none() => match value.as_str() {
                "true" => dry_run = Some(true),
                "false" => dry_run = Some(false),
                _ => fields.refuse("dryRun", NOT_A_BOOLEAN),
            },
            "import" if import.is_none() && is_import_name(&value) => import = Some(value),
            "import" => fields.refuse("import", NOT_A_NAME),
            _ => fields.refuse("query", UNKNOWN),
        }
    }
    match (kind.is_some_and(ImportKind::has_cards), &import) {
        (true, None) => fields.refuse("import", REQUIRED),
        (false, Some(_)) => fields.refuse("import", UNKNOWN),
        (true, Some(_)) | (false, None) => {}
    }
    if kind.is_none() {
        fields.refuse("kind", REQUIRED);
    }
    fields.finish(|| {
        Some(Wish {
            kind: kind?,
            dry_run: dry_run.unwrap_or(false),
            name: import,
        })
    })
}

async fn find(call: &PartnerCall) -> Result<Import, Error> {
    let id = ImportId(call.number("importId")?);
    let mut read = call.services().db.read().await?;
    imports::find_of_partner(&mut read, call.partner(), id)
        .await?
        .ok_or_else(|| Code::NotFound.into())
}

/// `GET /lifecycle/v1/imports/{importId}` → 200.
pub(in crate::http) async fn get(call: PartnerCall) -> Result<HttpResponse, Error> {
    let import = find(&call).await?;
    let mut read = call.services().db.read().await?;
    let counts = imports::counts(&mut read, import.id).await?;
    send_json(StatusCode::OK, &ImportView::of(&import, counts))
}

/// `GET /lifecycle/v1/imports/{importId}/rows?status=` → 200, in the order of the file.
pub(in crate::http) async fn rows(call: PartnerCall) -> Result<HttpResponse, Error> {
    let import = find(&call).await?;
    let services = call.services();
    let (page, given) = Page::of_filtered(call.query(), services.config.limits.page_items, &["status"])?;
    let mut status = None;
    let mut fields = Fields::empty();
    for (_, value) in &given {
        status = RowStatus::from_name(value).filter(|status| *status != RowStatus::Working);
        if status.is_none() {
            fields.refuse("status", NOT_A_STATUS);
        }
    }
    fields.finish(|| Some(()))?;
    let mut read = services.db.read().await?;
    let rows = import_rows::list(&mut read, import.id, status, page.after, page.rows()).await?;
    let listed = page.of_rows(rows, |row| row.line, RowView::of)?;
    send_json(StatusCode::OK, &listed)
}

const NOT_A_STATUS: Rule = Rule {
    code: "NOT_A_STATUS",
    message: "Must be WAITING, DONE or FAILED.",
};

/// Of `POST /lifecycle/v1/imports`.
pub(in crate::http) fn create_doc() -> Doc {
    let example = literal!({
        "importId": 1007, "kind": "users", "dryRun": false, "status": "RUNNING", "rows": 2, "waiting": 2, "done": 0,
        "failed": 0, "createdAt": "2026-11-26T21:30:00Z",
    });
    Doc::new(Tag::Users, "Import users and cards")
        .says(
            "A JSON object a line, each the body of `POST /lifecycle/v1/users`, with `kyc: {status, provider, reference}` where \
             the partner has checked the identity. At most 100 000 lines of at most 16 KiB. The answer comes once every line is \
             taken in; then rows are gone through in order, each once, whatever is interrupted. A line that is not in order is a \
             row that failed, and stops no other. A dry run judges every row as the real one would, also names that come twice in \
             the file, and has no effect.",
        )
        .says("When the import came to its end, `import.finished` tells. Lines are kept until their row came to its end; results for 30 days.")
        .says(
            "With `kind=users-with-cards` a line also has `cards: [{payload, holderProof, balanceId?, name?}]`, with `kind=cards` it \
             is `{userId | externalId, payload, holderProof, balanceId?, name?}`; `import` names the session under which the cards \
             are signed.",
        )
        .says(
            "In a dry run the vault judges each card as it would in the real one, signature, payload and number, and spends no row: \
             the real run takes the same file with the same signatures. Numbers are looked up within the same hourly budgets. A \
             session has four verdicts for each of its rows, then `IMPORT_ROWS_USED_UP`. A number that comes twice in the file is \
             told by the real run alone.",
        )
        .query(required("kind", one_of(["users", "users-with-cards", "cards"])))
        .query(optional("import", text(1, 40, "batch-2026-11")))
        .query(optional("dryRun", boolean(false)))
        .bytes_body(&[NDJSON], FILE_MAX)
        .answers::<ImportView>(202, "Every line is taken in.", example)
        .errors(&[Code::MalformedJson, Code::UnsupportedMediaType, Code::TooManyRequests])
}

/// Of `GET /lifecycle/v1/imports/{importId}`.
pub(in crate::http) fn get_doc() -> Doc {
    let example = literal!({
        "importId": 1007, "kind": "users", "dryRun": false, "status": "DONE", "rows": 2, "waiting": 0, "done": 1,
        "failed": 1, "createdAt": "2026-11-26T21:30:00Z", "finishedAt": "2026-11-26T21:30:02Z",
    });
    Doc::new(Tag::Users, "Follow an import")
        .says("How far it is.")
        .answers::<ImportView>(200, "The import.", example)
}

/// Of `GET /lifecycle/v1/imports/{importId}/rows`.
pub(in crate::http) fn rows_doc() -> Doc {
    let example = literal!({
        "line": 2, "status": "FAILED", "code": "VALIDATION_FAILED",
        "errors": [{ "field": "email", "code": "NOT_AN_EMAIL", "message": "Must be an e-mail address, at most 254 characters." }],
    });
    Doc::new(Tag::Users, "See what became of each row")
        .says(
            "In the order of the file. `code` and `errors` are those that a single request would have been answered with; \
             `LINE_TOO_LONG` says that the line was not read.",
        )
        .query(optional("status", one_of(["WAITING", "DONE", "FAILED"])))
        .answers_page::<RowView>("A page of rows.", example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_the_kind_once_and_may_ask_for_a_dry_run() {
        let read = |query| wish(query).ok().map(|wish| (wish.kind, wish.dry_run, wish.name));
        assert_eq!(read("kind=users"), Some((ImportKind::Users, false, None)));
        assert_eq!(
            read("dryRun=true&kind=users"),
            Some((ImportKind::Users, true, None))
        );
        let named = Some("batch-1".to_owned());
        assert_eq!(
            read("kind=cards&import=batch-1"),
            Some((ImportKind::Cards, false, named))
        );
        for bad in [
            "",
            "kind=people",
            "kind=users&kind=users",
            "kind=users&dryRun=yes",
            "kind=users&x=1",
            "kind=cards",
            "kind=users&import=a",
            "kind=cards&import=a%3A1",
        ] {
            assert!(wish(bad).is_err(), "{bad}");
        }
    }
}
