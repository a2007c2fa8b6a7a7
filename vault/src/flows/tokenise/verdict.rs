//! The verdict on one row of a mass import, for a dry run: what tokenising the row would tell, and nothing of what it would
//! do. The number is looked up under the same signature, within the same reach and budgets, and counted in the same way, so
//! that a dry run tells a guesser no more than a real one; and as often as a session allows, since the row is not spent.

use std::sync::Arc;

use shared::vault_api::tokens::{JudgeRow, JudgedRow, RowOwner};

use super::Judged;
use super::look::{Found, look};
use super::row::{judge, open, spent};
use crate::audit::event::{Event, Outcome};
use crate::error::Error;
use crate::open_vault::OpenVault;

/// Judges a row as [`tokenise_row`](super::tokenise_row) would.
///
/// # Errors
/// As there.
pub async fn judge_row(
    vault: &Arc<OpenVault>,
    mut event: Event,
    request: JudgeRow,
) -> Result<Judged<JudgedRow>, Error> {
    let JudgeRow { owner, row: request } = request;
    let (holder, program) = match owner {
        RowOwner::Holder(token) => {
            let holder = vault.holder(&token)?.record;
            (Some(holder.token), holder.program)
        }
        RowOwner::Program(program) => (None, program),
    };
    let program = vault.program(&program)?;
    event.program = Some(program.program().name.clone());
    let (signed, session) = judge(vault, &program, &request)?;
    event.assurance = Some(signed.assurance);
    event.note = Some(format!("row {}", request.row));
    if spent(vault, &session, &request)?.is_some() {
        event.outcome = Outcome::Replayed;
        let index = vault.commit(event, |tx, _| Ok(tx.audit_index())).await?;
        return Ok(Ok(JudgedRow { audit_index: index }));
    }
    let wish = open(vault, &program, &request).await?;
    // Before anything is looked up: else the budget's refusal would come too late to keep a secret.
    vault.permits(&event)?;
    let refusal = match look(vault, holder.as_ref(), &program, &wish.brought)? {
        Found::Free | Found::Held(_) => None,
        Found::Refused(refusal) => {
            event.outcome = Outcome::NoMatch;
            event.note = Some(format!("row {}: {refusal}", request.row));
            Some(refusal)
        }
    };
    let count = vault.commit(event, move |tx, _| {
        session.count_verdict(tx)?;
        Ok(tx.audit_index())
    });
    let audit_index = count.await?;
    Ok(match refusal {
        None => Ok(JudgedRow { audit_index }),
        Some(refusal) => Err(refusal),
    })
}
