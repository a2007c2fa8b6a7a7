//! Rows that bring cards which exist already. The vault spends each signed row once and gives the same token again, and the
//! card is filed once: so cards are gone through again after whatever crash, and nothing is there twice. What a dry run
//! cannot judge is the vault's alone: signature and payload.

use shared::ids::IdempotencyKey;
use shared::vault_api::tokens::TokeniseRow;
use shared::vault_api::{Actor, Channel};

use super::{CardPart, Owner, failure_of, kept};
use crate::domain::person::ExternalId;
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::flows::cards::tokenise::{self, BroughtCard};
use crate::services::Services;
use crate::store::import_rows::{self, Failure, WorkRow};
use crate::store::imports::Import;
use crate::store::{Tx, users};

/// Works on the rows of a turn, one after the other.
pub(super) async fn work(services: &Services, import: &Import, rows: Vec<WorkRow>) -> Result<(), Error> {
    for row in rows {
        let content = kept::read_card(&row.content)?;
        let mut tx = services.db.begin().await?;
        let owner = find(&mut tx, import, &content.owner).await?;
        let place = (import.id, row.line);
        let verdict = match &owner {
            None => Some(Code::NotFound),
            Some(user) => tokenise::place(&mut tx, user.id, content.card.balance)
                .await?
                .err(),
        };
        if let Some(code) = verdict {
            let user = owner.map(|user| user.id);
            import_rows::fail(&mut tx, place, &failure_of(&code.into()), user, None).await?;
        } else if import.dry_run {
            import_rows::done(&mut tx, place, None, None).await?;
        } else if let Some(user) = owner {
            tx.commit().await?;
            bring(services, import, (row.line, user.id), &[content.card]).await?;
            continue;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn find(tx: &mut Tx, import: &Import, owner: &Owner) -> Result<Option<User>, Error> {
    Ok(match owner {
        Owner::Number(id) => users::find_of_partner(tx, &import.partner, *id).await?,
        Owner::Named(name) => users::find_named(tx, &import.partner, ExternalId::as_str(name)).await?,
    })
}

/// Brings the cards of a row in, and ends the row. A card that is refused fails the row; those beside it are brought in.
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
    let (mut brought, mut failed) = (Vec::new(), None);
    match &found {
        None => failed = Some(failure_of(&Code::NotFound.into())),
        Some(user) => {
            for (number, card) in (1..).zip(cards) {
                match one(services, import, user, (line, number), card).await {
                    Ok(card) => brought.push(card),
                    Err(error) if is_worth_another_try(&error) => return Err(error),
                    Err(error) => {
                        failed.get_or_insert_with(|| within(failure_of(&error), number, cards.len()));
                    }
                }
            }
        }
    }
    let told = serde_json::to_string(&brought);
    let told = told.map_err(|_| Error::internal("what a row brought cannot be written"))?;
    let place = (import.id, line);
    let mut tx = services.db.begin().await?;
    match failed {
        None => import_rows::done(&mut tx, place, Some(user), Some(&told)).await?,
        Some(failure) => import_rows::fail(&mut tx, place, &failure, Some(user), Some(&told)).await?,
    };
    tx.commit().await?;
    Ok(())
}

/// One card, under a key and by a name that are the same at every try.
async fn one(
    services: &Services,
    import: &Import,
    user: &User,
    (line, number): (i64, u32),
    card: &CardPart,
) -> Result<BroughtCard, Error> {
    let name = import
        .name
        .as_deref()
        .ok_or_else(|| Error::internal("an import with cards has no name"))?;
    let vault_key: IdempotencyKey = format!("import-{}-{line}-{number}", import.id.0)
        .parse()
        .map_err(|_| Error::internal("numbers make no idempotency key"))?;
    let call = TokeniseRow {
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
    };
    let row = tokenise::CardRow {
        user,
        balance: card.balance,
        name: card.name.clone(),
        vault_key,
        call,
    };
    tokenise::row(services, row).await
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
