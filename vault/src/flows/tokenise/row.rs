//! One row of a mass import. The row, its answer and the card are one transaction: a row that comes again does nothing new,
//! whoever sends it and after whatever crash.

use std::sync::Arc;

use shared::ids::HolderToken;
use shared::jwe::BodyHash;
use shared::jws::holder_proof::{HolderProof, HolderProofClaims, Op};
use shared::vault_api::tokens::{TokeniseRow, TokenisedRow};

use super::Judged;
use super::look::{Found, look, seal_new};
use super::payload::{Wish, read};
use super::session::{self, Session, is_row_of};
use crate::audit::event::{Event, Outcome};
use crate::domain::card::Card;
use crate::domain::holder::Holder;
use crate::domain::program::Rules;
use crate::domain::proof::IAT_TOLERANCE_SECONDS;
use crate::error::Error;
use crate::flows::prove::{SignedByPartner, invalid};
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// Tokenises the card of a row, or gives the answer that the row was given before.
///
/// # Errors
/// The proof's, then the payload's, `IMPORT_ROWS_USED_UP`, a used-up budget. Inside: `CARD_NOT_ACCEPTED`,
/// `CARD_ALREADY_TOKENISED`, `CARD_REMOVED`.
pub async fn tokenise_row(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: HolderToken,
    request: TokeniseRow,
) -> Result<Judged<TokenisedRow>, Error> {
    let holder = vault.holder(&token)?.record;
    let program = vault.program(&holder.program)?;
    event.program = Some(holder.program.clone());
    let (signed, session) = judge(vault, &program, &request)?;
    event.assurance = Some(signed.assurance);
    event.note = Some(format!("row {}", request.row));
    if let Some(answer) = replay(vault, &session, &request, &event).await? {
        return Ok(Ok(answer));
    }
    let wish = open(vault, &program, &request).await?;
    // Before anything is looked up: else the budget's refusal would come too late to keep a secret.
    vault.permits(&event)?;
    if let Found::Refused(refusal) = look(vault, Some(&holder.token), &program, &wish.brought)? {
        event.outcome = Outcome::NoMatch;
        event.note = Some(format!("row {}: {refusal}", request.row));
        vault.commit(event, move |tx, _| session.count(tx)).await?;
        return Ok(Err(refusal));
    }
    let row = Row {
        vault,
        holder: &holder,
        program: &program,
        wish: &wish,
        session: &session,
        request: &request,
    };
    let attempt = async || match replay(vault, &session, &request, &event).await? {
        Some(answer) => Ok(answer),
        None => row.place(event.clone()).await,
    };
    vault.attempt(None, attempt).await.map(Ok)
}

/// What the payload of a row wishes.
pub(super) async fn open(
    vault: &Arc<OpenVault>,
    program: &Rules,
    request: &TokeniseRow,
) -> Result<Wish, Error> {
    let plain = vault.open_payload(&request.payload).await?;
    let wish = read(vault, program, &plain)?;
    if wish.balance_id.is_some() || wish.name.is_some() {
        return Err(Error::InvalidPayload(
            "a row names balance and card beside its payload".into(),
        ));
    }
    Ok(wish)
}

/// The partner's signature under this row, and the session that its nonce opens.
pub(super) fn judge(
    vault: &OpenVault,
    program: &Rules,
    request: &TokeniseRow,
) -> Result<(SignedByPartner, Session), Error> {
    let Ok(HolderProof::ByPartner(proof)) = HolderProof::parse(&request.holder_proof) else {
        return Err(invalid("a row is signed by the partner's key"));
    };
    let signed = vault.by_partner(proof, program)?;
    let session = session::find(vault, &program.program().partner, &signed.claims.nonce)?;
    let session = session.ok_or_else(|| invalid("the nonce is not open for this import"))?;
    fits(&signed, &session, request, vault.now())?;
    Ok((signed, session))
}

/// Whether the claims are those of this row. A row may be signed at any time while its session is open, since it is carried
/// out when its turn comes.
fn fits(signed: &SignedByPartner, session: &Session, request: &TokeniseRow, now: i64) -> Result<(), Error> {
    let HolderProofClaims {
        op,
        card,
        iat,
        rpk,
        bdh,
        ..
    } = &signed.claims;
    if *op != Op::Tokenise {
        return Err(invalid("the proof is for another operation"));
    }
    if session.import != request.import || !is_row_of(&request.row, &request.import) {
        return Err(invalid("the row is of another import"));
    }
    if *card != request.row {
        return Err(invalid("the proof is for another row"));
    }
    if *rpk != signed.key {
        return Err(invalid("a row's proof names the key that signed it"));
    }
    if *bdh != Some(BodyHash::of(&request.payload)) {
        return Err(invalid("the proof is of another payload"));
    }
    let earliest = session.opened_at.saturating_sub(IAT_TOLERANCE_SECONDS);
    let latest = now.saturating_add(IAT_TOLERANCE_SECONDS);
    if !(earliest..=latest).contains(iat) {
        return Err(invalid("the proof was made at another time"));
    }
    Ok(())
}

/// The answer that the row was given before, if it was spent.
pub(super) fn spent(
    vault: &OpenVault,
    session: &Session,
    request: &TokeniseRow,
) -> Result<Option<TokenisedRow>, Error> {
    match session.row(vault, &request.row)? {
        Some(done) if done.payload != BodyHash::of(&request.payload) => {
            Err(invalid("the row was spent on another payload"))
        }
        done => Ok(done.map(|done| done.answer)),
    }
}

/// The answer that the row was given before. Giving it again is an event of its own.
async fn replay(
    vault: &Arc<OpenVault>,
    session: &Session,
    request: &TokeniseRow,
    event: &Event,
) -> Result<Option<TokenisedRow>, Error> {
    let Some(answer) = spent(vault, session, request)? else {
        return Ok(None);
    };
    let mut event = event.clone();
    event.outcome = Outcome::Replayed;
    event.card = Some(answer.card.clone());
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(Some(answer))
}

struct Row<'a> {
    vault: &'a Arc<OpenVault>,
    holder: &'a Holder,
    program: &'a Rules,
    wish: &'a Wish,
    session: &'a Session,
    request: &'a TokeniseRow,
}

impl Row<'_> {
    /// Once, over what is stored by now.
    async fn place(&self, mut event: Event) -> Result<TokenisedRow, Error> {
        let holder = Some(&self.holder.token);
        let new = match look(self.vault, holder, self.program, &self.wish.brought)? {
            Found::Refused(refusal) => return Err(refusal),
            Found::Held(card) => {
                let stored = self.vault.card_alone(&card)?;
                event.card = Some(card);
                let mut answer = self.answer(&stored.record, true);
                let spend = self.spend();
                let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
                    if !tx.is_unchanged(&stored)? {
                        return Err(Error::Raced);
                    }
                    answer.audit_index = tx.audit_index();
                    spend(tx, &answer)?;
                    Ok(answer)
                };
                return self.vault.commit(event, work).await;
            }
            Found::Free => seal_new(self.vault, self.holder, self.program, self.wish)?,
        };
        event.card = Some(new.card().token.clone());
        let mut answer = self.answer(new.card(), false);
        let (spend, holder_key) = (self.spend(), self.holder.key());
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            let mut holder: Holder = tx.get(&holder_key)?.ok_or(Error::NotFound("holder"))?;
            new.put(tx, &mut holder)?;
            answer.audit_index = tx.audit_index();
            spend(tx, &answer)?;
            Ok(answer)
        };
        self.vault.commit(event, work).await
    }

    fn spend(&self) -> impl FnOnce(&mut Tx<'_, '_>, &TokenisedRow) -> Result<(), Error> + Send + 'static {
        let (session, row) = (self.session.clone(), self.request.row.clone());
        let payload = BodyHash::of(&self.request.payload);
        move |tx, answer| session.spend(tx, &row, payload, answer)
    }

    fn answer(&self, card: &Card, held: bool) -> TokenisedRow {
        TokenisedRow {
            card: card.token.clone(),
            masked_card_no: card.masked.clone(),
            exp: card.exp,
            kind: self.wish.kind,
            foreign: card.foreign_of.is_some(),
            held,
            // Known on the commit thread.
            audit_index: 0,
        }
    }
}
