//! How the result of a row is written: with the row, its event, and whatever it brings, in one transaction.

use shared::expiry::Expiry;
use shared::ids::{CardToken, HolderToken};
use shared::masked::MaskedPan;
use shared::vault_api::bulk::{ImportOutcome, ImportRow};

use crate::audit::event::{Event, Outcome};
use crate::domain::card::Card;

/// What became of a row.
#[derive(Debug, Clone)]
pub(super) enum RowOutcome {
    /// Taken in.
    Imported(Box<Card>),
    /// Would be, in a dry run.
    WouldBeImported {
        /// What it would show.
        masked: MaskedPan,
        /// When it ends.
        exp: Expiry,
    },
    /// The partner has it already.
    Duplicate {
        /// The card.
        card: CardToken,
        /// Its holder.
        holder: HolderToken,
    },
    /// Not taken in.
    Refused(&'static str),
}

/// The row as officers read it, and as the log tells it.
pub(super) fn shown(number: u64, reference: Option<String>, outcome: RowOutcome) -> ImportRow {
    let mut row = ImportRow {
        row: number,
        reference,
        outcome: ImportOutcome::Imported,
        card: None,
        holder: None,
        masked_card_no: None,
        exp: None,
        code: None,
    };
    match outcome {
        RowOutcome::Imported(card) => {
            (row.card, row.holder) = (Some(card.token), Some(card.holder));
            (row.masked_card_no, row.exp) = (Some(card.masked), Some(card.exp));
        }
        RowOutcome::WouldBeImported { masked, exp } => {
            (row.masked_card_no, row.exp) = (Some(masked), Some(exp));
        }
        RowOutcome::Duplicate { card, holder } => {
            row.outcome = ImportOutcome::Duplicate;
            (row.card, row.holder) = (Some(card), Some(holder));
        }
        RowOutcome::Refused(code) => {
            row.outcome = ImportOutcome::Refused;
            row.code = Some(code.to_owned());
        }
    }
    row
}

/// Completes the event of a row by what became of it.
pub(super) fn tell(row: &ImportRow, dry_run: bool, event: &mut Event) {
    event.card.clone_from(&row.card);
    event.holder.clone_from(&row.holder);
    let how = match row.outcome {
        ImportOutcome::Imported if dry_run => "would be taken in",
        ImportOutcome::Imported => "taken in",
        ImportOutcome::Duplicate => "duplicate",
        ImportOutcome::Refused => "refused",
    };
    let about = event.note.take().unwrap_or_default();
    event.note = Some(format!("{about} row {} {how}", row.row));
    if let Some(code) = &row.code {
        let (code, reason) = (code.clone(), "a row of an import".to_owned());
        event.outcome = Outcome::Refused { code, reason };
    }
}
