//! Rows that bring cards which exist already. The vault spends each signed row once and gives the same token again, and the
//! card is filed once: so cards are gone through again after whatever crash, and nothing is there twice. A dry run asks the
//! vault for its verdict on each card instead, in the same order and after the same questions here.

use shared::ids::IdempotencyKey;
use shared::vault_api::tokens::{RowOwner, TokeniseRow};
use shared::vault_api::{Actor, Channel};
use sqlx::AnyConnection;

use super::{CardPart, Owner, failure_of, kept};
use crate::domain::person::ExternalId;
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::flows::cards::tokenise::{self, BroughtCard};
use crate::services::Services;
use crate::store::import_rows::{self, Failure, WorkRow};
use crate::store::imports::Import;
use crate::store::users;

/// Works on the rows of a turn, one after the other.
pub(super) async fn work(services: &Services, import: &Import, rows: Vec<WorkRow>) -> Result<(), Error> {
    for row in rows {
        let content = kept::read_card(&row.content)?;
        let owner = {
            let mut read = services.db.read().await?;
            find(&mut read, import, &content.owner).await?
        };
        let user = owner.as_ref().map(|user| user.id);
        let came = match &owner {
            None => Came::failed(&Code::NotFound.into()),
            Some(user) => go_through(services, import, row.line, aim(import, user), &[content.card]).await?,
        };
        end(services, import, (row.line, user), came).await?;
    }
    Ok(())
}

async fn find(connection: &mut AnyConnection, import: &Import, owner: &Owner) -> Result<Option<User>, Error> {
    Ok(match owner {
        Owner::Number(id) => users::find_of_partner(connection, &import.partner, *id).await?,
        Owner::Named(name) => {
            users::find_named(connection, &import.partner, ExternalId::as_str(name)).await?
        }
    })
}

/// Brings in the cards of a row whose user is there by now, and ends the row.
pub(super) async fn bring(
    services: &Services,
    import: &Import,
    (line, user): (i64, UserId),
    cards: &[CardPart],
) -> Result<(), Error> {
    let found = {
        let mut read = services.db.read().await?;
        users::find_of_partner(&mut read, &import.partner, user).await?
    };
    let came = match &found {
        None => Came::failed(&Code::NotFound.into()),
        Some(user) => go_through(services, import, line, Aim::Bring(user), cards).await?,
    };
    end(services, import, (line, Some(user)), came).await
}

/// Judges the cards of a dry run's row whose user would be new, and ends the row.
pub(super) async fn judge_for_newcomer(
    services: &Services,
    import: &Import,
    line: i64,
    cards: &[CardPart],
) -> Result<(), Error> {
    let came = go_through(services, import, line, Aim::JudgeForNewcomer, cards).await?;
    end(services, import, (line, None), came).await
}

/// What is to become of the cards of a row.
#[derive(Clone, Copy)]
enum Aim<'a> {
    /// This user's.
    Bring(&'a User),
    /// Nothing: they are judged, as this user's.
    Judge(&'a User),
    /// The same, as those of a user who would be new.
    JudgeForNewcomer,
}

const fn aim<'a>(import: &Import, user: &'a User) -> Aim<'a> {
    if import.dry_run {
        Aim::Judge(user)
    } else {
        Aim::Bring(user)
    }
}

/// What came of the cards of a row.
struct Came {
    brought: Vec<BroughtCard>,
    failed: Option<Failure>,
}

impl Came {
    fn failed(error: &Error) -> Self {
        Self {
            brought: Vec::new(),
            failed: Some(failure_of(error)),
        }
    }
}

/// Goes through the cards of a row. A card that is refused fails the row; those beside it are gone through too.
async fn go_through(
    services: &Services,
    import: &Import,
    line: i64,
    aim: Aim<'_>,
    cards: &[CardPart],
) -> Result<Came, Error> {
    let (mut brought, mut failed) = (Vec::new(), None);
    for (number, card) in (1..).zip(cards) {
        match one(services, import, aim, (line, number), card).await {
            Ok(card) => brought.extend(card),
            Err(error) if is_worth_another_try(&error) => return Err(error),
            Err(error) => {
                failed.get_or_insert_with(|| within(failure_of(&error), number, cards.len()));
            }
        }
    }
    Ok(Came { brought, failed })
}

/// Ends a row.
async fn end(
    services: &Services,
    import: &Import,
    (line, user): (i64, Option<UserId>),
    Came { brought, failed }: Came,
) -> Result<(), Error> {
    let told = (!brought.is_empty()).then(|| serde_json::to_string(&brought));
    let told = told.transpose();
    let told = told.map_err(|_| Error::internal("what a row brought cannot be written"))?;
    let place = (import.id, line);
    let mut tx = services.db.begin().await?;
    match failed {
        None => import_rows::done(&mut tx, place, user, told.as_deref()).await?,
        Some(failure) => import_rows::fail(&mut tx, place, &failure, user, told.as_deref()).await?,
    };
    tx.commit().await?;
    Ok(())
}

/// One card, under a key and by a name that are the same at every try. None where it was only judged.
async fn one(
    services: &Services,
    import: &Import,
    aim: Aim<'_>,
    (line, number): (i64, u32),
    card: &CardPart,
) -> Result<Option<BroughtCard>, Error> {
    let call = call(import, (line, number), card)?;
    match aim {
        Aim::Bring(user) => {
            let vault_key: IdempotencyKey = format!("import-{}-{line}-{number}", import.id.0)
                .parse()
                .map_err(|_| Error::internal("numbers make no idempotency key"))?;
            let row = tokenise::CardRow {
                user,
                balance: card.balance,
                name: card.name.clone(),
                vault_key,
                call,
            };
            tokenise::row(services, row).await.map(Some)
        }
        Aim::Judge(user) => {
            tokenise::judge_row(services, user, card.balance, call).await?;
            Ok(None)
        }
        // A user who is not there has no balance that a row could name.
        Aim::JudgeForNewcomer if card.balance.is_some() => Err(Code::NotFound.into()),
        Aim::JudgeForNewcomer => {
            let owner = RowOwner::Program(import.program.clone());
            tokenise::ask_for_verdict(services, owner, call).await?;
            Ok(None)
        }
    }
}

/// What the vault is asked of a card, as the partner signed it.
fn call(import: &Import, (line, number): (i64, u32), card: &CardPart) -> Result<TokeniseRow, Error> {
    let name = import
        .name
        .as_deref()
        .ok_or_else(|| Error::internal("an import with cards has no name"))?;
    Ok(TokeniseRow {
        import: name.to_owned(),
        row: row_name(name, import.kind.names_rows_by_line_alone(), line, number),
        payload: card.payload.as_str().to_owned(),
        holder_proof: card.holder_proof.clone(),
        actor: Actor {
            channel: Channel::Lifecycle,
            subject: Some(format!("partner:{}", import.partner)),
            device: None,
            trace_id: import.trace.clone(),
        },
    })
}

/// The name that the partner signed: of a line, or of a card in a line.
fn row_name(import: &str, by_line: bool, line: i64, number: u32) -> String {
    if by_line {
        format!("{import}:{line}")
    } else {
        format!("{import}:{line}.{number}")
    }
}

/// The failure of one of several cards, its members named as they stand in the row.
fn within(mut failure: Failure, number: u32, many: usize) -> Failure {
    if many > 1 {
        for error in &mut failure.errors {
            error.field = format!("cards.{}.{}", number - 1, error.field).into();
        }
    }
    failure
}

/// Whether the same row may go well later.
fn is_worth_another_try(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::VaultUnavailable
            | Code::StoreUnavailable
            | Code::TooManyRequests
            | Code::IdempotencyInFlight
            | Code::Busy
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_partners_sign_are_those_of_lines_and_of_cards_within_them() {
        assert_eq!(row_name("batch", true, 7, 1), "batch:7");
        assert_eq!(row_name("batch", false, 7, 2), "batch:7.2");
    }
}
