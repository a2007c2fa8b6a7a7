//! One turn of an import: some rows, in order. Imports take turns, so that a long one does not hold up a short one.

use time::Duration;

use super::{card_row, user_row};
use crate::domain::event::{Event, EventKind};
use crate::domain::import::{ImportKind, ImportStatus};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::imports::{self, Import};
use crate::store::{events, import_rows};

/// Rows a turn: few enough that other writers are not held up by the turn's two transactions.
const ROWS: i64 = 16;
/// For so long others keep off an import whose turn was taken: longer than a turn takes while the vault answers.
const LEASE: Duration = Duration::seconds(60);
/// The pause of an import whose rows cannot go on.
const PAUSE: Duration = Duration::seconds(5);

/// Takes the turn of the import that has waited longest. False when none waits.
///
/// # Errors
/// When the database or the vault is away, or a row has a defect: the import goes on after a pause.
pub async fn take_a_turn(services: &Services) -> Result<bool, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let import = imports::take_turn(&mut tx, now, now + LEASE).await?;
    tx.commit().await?;
    let Some(import) = import else {
        return Ok(false);
    };
    let worked = work(services, &import).await;
    let next = if worked.is_ok() {
        services.now()
    } else {
        services.now() + PAUSE
    };
    let mut tx = services.db.begin().await?;
    imports::end_turn(&mut tx, import.id, next).await?;
    tx.commit().await?;
    worked.map(|()| true)
}

async fn work(services: &Services, import: &Import) -> Result<(), Error> {
    if services.program_named(&import.partner, &import.program).is_none() {
        return end(services, import, ImportStatus::Failed).await;
    }
    let rows = {
        let mut read = services.db.read().await?;
        import_rows::next(&mut read, import.id, ROWS).await?
    };
    if rows.is_empty() {
        return end(services, import, ImportStatus::Done).await;
    }
    match import.kind {
        ImportKind::Users | ImportKind::UsersWithCards => user_row::work(services, import, rows).await,
        ImportKind::Cards => card_row::work(services, import, rows).await,
    }
}

/// Brings the import to its end; the partner is told.
async fn end(services: &Services, import: &Import, status: ImportStatus) -> Result<(), Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    if imports::finish(&mut tx, import.id, status, now).await? {
        if status == ImportStatus::Failed {
            import_rows::fail_rest(&mut tx, import.id, Code::NotAPartner.row().1).await?;
        }
        import_rows::forget_names(&mut tx, import.id).await?;
        let counts = imports::counts(&mut tx, import.id).await?;
        let event = Event::new(EventKind::ImportFinished, &import.partner)
            .about_program(&import.program)
            .telling("importId", import.id.0)
            .telling("status", status.as_str())
            .telling("dryRun", import.dry_run)
            .telling("done", counts.done)
            .telling("failed", counts.failed);
        events::write(&mut tx, &event, now).await?;
    }
    tx.commit().await?;
    services.db.drop_traces().await?;
    Ok(())
}
