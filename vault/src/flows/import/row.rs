//! One row: judged without a look at the store, then looked up and taken in under its own transaction.

use std::sync::Arc;

use shared::ids::{ApprovalToken, CardToken};
use shared::vault_api::bulk::ImportRow;

use super::outcome::{RowOutcome, shown, tell};
use super::{RowRecord, Seen, row_key};
use crate::audit::event::{Event, Operation};
use crate::crypto::fingerprint::PanFingerprint;
use crate::domain::card::Card;
use crate::domain::holder::Holder;
use crate::domain::import::{ImportedCard, RowText};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::flows::lookup::card_key;
use crate::flows::new_card::{Clear, NewCard};
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// What all rows of a file share.
#[derive(Clone)]
pub(super) struct Import {
    pub(super) vault: Arc<OpenVault>,
    pub(super) approval: ApprovalToken,
    pub(super) rules: Arc<Rules>,
    pub(super) dry_run: bool,
}

/// A row that has been judged.
pub(super) struct Judged {
    pub(super) number: u64,
    reference: Option<String>,
    candidate: Result<Candidate, &'static str>,
}

/// A card that may be taken in, sealed already.
struct Candidate {
    new: NewCard,
    /// As it was read; `None`: a new one is made.
    known: Option<Vec<u8>>,
    holder: Holder,
    fingerprints: Vec<PanFingerprint>,
}

impl Import {
    /// A line that cannot be read counts as one refused row.
    pub(super) const fn unreadable(number: u64, code: &'static str) -> Judged {
        Judged {
            number,
            reference: None,
            candidate: Err(code),
        }
    }

    /// Judges a row, and seals what it brings.
    ///
    /// # Errors
    /// The store's, or no randomness; never because of the row.
    pub(super) fn judge(&self, number: u64, row: &RowText<'_>) -> Result<Judged, Error> {
        let now = self.vault.surroundings.clock.now();
        let candidate = match row.judge(&self.rules, now) {
            Ok(card) => self.seal(&card)?,
            Err(refusal) => Err(refusal.code()),
        };
        Ok(Judged {
            number,
            reference: row.reference().ok().flatten(),
            candidate,
        })
    }

    fn seal(&self, card: &ImportedCard) -> Result<Result<Candidate, &'static str>, Error> {
        let (holder, known) = match &card.holder {
            None => {
                let token = self.vault.surroundings.random.holder_token()?;
                (Holder::new(token, self.rules.program().name.clone()), None)
            }
            Some(token) => match self.vault.holder(token) {
                Ok(stored) if stored.record.program == self.rules.program().name => {
                    let key = stored.record.key();
                    (stored.record, Some(key))
                }
                // Another program's holder does not exist either.
                Ok(_) | Err(Error::NotFound(_)) => return Ok(Err("HOLDER_UNKNOWN")),
                Err(other) => return Err(other),
            },
        };
        let clear = Clear {
            pan: &card.pan,
            exp: card.exp,
            cvv: card.cvv.as_ref(),
            pin: card.pin.as_ref(),
        };
        let new = NewCard::seal(&self.vault, &holder, &clear)?;
        let fingerprints = self.vault.keyring().fingerprints(card.pan.as_bytes()).collect();
        Ok(Ok(Candidate {
            new,
            known,
            holder,
            fingerprints,
        }))
    }

    /// Takes a judged row in, unless that was done before a crash.
    ///
    /// # Errors
    /// [`Error::Raced`] when a key was replaced since it was judged; the store's.
    pub(super) async fn take(&self, judged: Judged) -> Result<ImportRow, Error> {
        let key = row_key(&self.approval, judged.number);
        if let Some(done) = self.vault.records.get::<RowRecord>(&key)? {
            return Ok(done.record.row);
        }
        let import = self.clone();
        let mut event = Event::done(Operation::Import, self.vault.surroundings.clock.now());
        event.program = Some(self.rules.program().name.clone());
        event.note = Some(self.approval.to_string());
        let work = move |tx: &mut Tx<'_, '_>, event: &mut Event| {
            if tx.exists::<RowRecord>(&key)? {
                // Another process took the job over, and was faster.
                return Err(Error::Raced);
            }
            let outcome = match judged.candidate {
                Ok(candidate) => candidate.place(tx, &import, judged.number)?,
                Err(code) => RowOutcome::Refused(code),
            };
            let row = shown(judged.number, judged.reference, outcome);
            tell(&row, import.dry_run, event);
            tx.put(&RowRecord {
                approval: import.approval.clone(),
                row: row.clone(),
            })?;
            Ok(row)
        };
        self.vault.commit(event, work).await
    }
}

impl Candidate {
    fn place(mut self, tx: &mut Tx<'_, '_>, import: &Import, number: u64) -> Result<RowOutcome, Error> {
        for fingerprint in &self.fingerprints {
            if tx.exists::<Seen>(&Seen::key_of(&import.approval, fingerprint))? {
                return Ok(RowOutcome::Refused("DUPLICATE_IN_FILE"));
            }
        }
        let taken = self.new.taken_by(tx)?;
        if let [active, ..] = self.fingerprints.as_slice() {
            tx.put(&Seen {
                key: Seen::key_of(&import.approval, active),
                row: number,
            })?;
        }
        if let Some(card) = taken {
            return duplicate(tx, import, &card);
        }
        if import.dry_run {
            let card = self.new.card();
            return Ok(RowOutcome::WouldBeImported {
                masked: card.masked.clone(),
                exp: card.exp,
            });
        }
        if let Some(key) = &self.known {
            self.holder = tx.get(key)?.ok_or(Error::Raced)?;
        }
        let card = self.new.put(tx, &mut self.holder)?;
        Ok(RowOutcome::Imported(Box::new(card)))
    }
}

/// Names the card to whom it belongs. A card of another partner, left in a range that this program has now, is answered
/// as the range itself would have been.
fn duplicate(tx: &mut Tx<'_, '_>, import: &Import, card: &CardToken) -> Result<RowOutcome, Error> {
    let found: Option<Card> = tx.get(&card_key(card))?;
    let found = found.ok_or_else(|| Error::Corrupt(format!("{card}: a number without its card")))?;
    let registers = import.vault.registers();
    let partner = &import.rules.program().partner;
    let same = found.program == import.rules.program().name
        || registers
            .program(&found.program)
            .is_some_and(|program| program.program().partner == *partner);
    Ok(if same {
        RowOutcome::Duplicate {
            card: found.token,
            holder: found.holder,
        }
    } else {
        RowOutcome::Refused("BIN_OF_ANOTHER_PROGRAM")
    })
}
