//! Carrying out what was written down: the vault is asked, and the card filed with the client's answer.

use shared::ids::CardToken;
use shared::vault_api::tokens::{Tokenised, TokenisedCard, TokenisedRow};

use super::super::answers::{self, VaultsWord};
use super::super::{rules_of, tell};
use crate::clients::vault::VaultError;
use crate::domain::card::{Card, NewCard, OwnMembers, Standing};
use crate::domain::lock::Party;
use crate::error::Error;
use crate::flows::cards::carry_out::Failed;
use crate::services::Services;
use crate::store::card_requests::{CardRequest, Tokenise, brought_in};
use crate::store::idempotency::Answer;
use crate::store::{StoreError, Tx, cards, users};

/// Asks the vault. Where the number is this user's card already, it is asked again with that card's members: the first
/// call left the proof as it was.
pub(in crate::flows::cards) async fn ask_vault(
    services: &Services,
    work: &CardRequest,
    task: &Tokenise,
) -> Result<TokenisedCard, Failed> {
    let (vault, key, holder) = (&services.vault, &work.vault_key, task.holder());
    let held = match vault.tokenise(key, holder, task.call()).await? {
        Tokenised::Done(done) => return Ok(done),
        Tokenised::Held { card } => card,
    };
    let mut call = task.call().clone();
    if let Some(card) = known(services, &held).await? {
        let user = users::find_even_removed(&mut *services.db.read().await?, card.user).await?;
        let user = user.ok_or(StoreError::Corrupt("a card's user is gone"))?;
        let program = services.program_of(&user);
        let program = program.map_err(|_| StoreError::Corrupt("a user's program is gone"))?;
        call.recipient.members = OwnMembers::of(&card, Party::Partner, rules_of(program)).into_map();
    }
    call.held = Some(held);
    match vault.tokenise(key, holder, &call).await? {
        Tokenised::Done(done) => Ok(done),
        Tokenised::Held { .. } => Err(VaultError::Protocol("told of a card twice".to_owned()).into()),
    }
}

async fn known(services: &Services, token: &CardToken) -> Result<Option<Card>, StoreError> {
    let mut read = services.db.read().await?;
    cards::find_by_token(&mut read, token).await
}

/// Files the card, unless it is there, and makes the client's answer: 201 for a card that is new here, else 200.
pub(in crate::flows::cards) async fn tokenised(
    services: &Services,
    tx: &mut Tx,
    (card, standing): (NewCard, Standing),
    done: TokenisedCard,
) -> Result<Result<Answer, Error>, Error> {
    let word = VaultsWord {
        vault_proof: Some(done.vault_proof),
        audit_index: done.audit_index,
    };
    if let Some(known) = cards::find_by_token(tx, &done.card).await? {
        return Ok(if known.id == card.id {
            answers::sealed_created(&done.payload, word)
        } else {
            answers::sealed(&done.payload, word)
        });
    }
    let mut filed = card.issued(done.card, done.masked_card_no, done.exp);
    filed.standing = standing;
    file(services, tx, &filed).await?;
    Ok(answers::sealed_created(&done.payload, word))
}

/// Files the card of a row of a mass import, unless it is there, and tells which it is.
pub(in crate::flows::cards) async fn row_tokenised(
    services: &Services,
    tx: &mut Tx,
    card: NewCard,
    done: TokenisedRow,
) -> Result<Result<Answer, Error>, Error> {
    if let Some(known) = cards::find_by_token(tx, &done.card).await? {
        return Ok(answers::brought(&known));
    }
    let mut filed = card.issued(done.card, done.masked_card_no, done.exp);
    filed.standing = brought_in(done.kind, done.foreign);
    file(services, tx, &filed).await?;
    Ok(answers::brought(&filed))
}

/// Files a card that was brought in, with the event that tells of it.
async fn file(services: &Services, tx: &mut Tx, card: &Card) -> Result<(), Error> {
    cards::insert(tx, card).await?;
    let user = users::find_even_removed(tx, card.user)
        .await?
        .ok_or(StoreError::Corrupt("a card's user is gone"))?;
    tell::write(services, tx, &tell::created(&user.partner, card)).await
}
