//! Asking the vault for what changes nothing here: the gateway decides by its own state first, but the vault judges proof
//! and payload before that decision is told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use shared::ids::IdempotencyKey;

use super::tell;
use crate::clients::vault::{Refusal, VaultError};
use crate::domain::event::Event;
use crate::error::Error;
use crate::flows::attempt::Attempt;
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim, Request};

/// Claims a request whose whole effect is the vault's, in a transaction of its own. What `admit` refuses leaves the request
/// as it was found; a replay is not put to it.
pub(super) async fn begin(
    services: &Services,
    request: &Request,
    admit: impl FnOnce(&Claim) -> Result<(), Error>,
) -> Result<Opened, Error> {
    let mut tx = services.db.begin().await?;
    let opened = open(services, &mut tx, request).await?;
    if let Opened::Claim(claim) = &opened {
        admit(claim)?;
    }
    tx.commit().await?;
    Ok(opened)
}

/// The key under which the vault is asked in the course of this request: the same for every try, so that the vault gives
/// a try after a crash the answer of the one before. The entry's number keeps apart a request that failed for good and a
/// later one with the same key.
pub(super) fn vault_key(
    services: &Services,
    request: &Request,
    claim: &Claim,
) -> Result<IdempotencyKey, Error> {
    let (Some(entry), Some(key)) = (claim.entry(), &request.key) else {
        return services.vault_key();
    };
    let mut context = Context::new(&SHA256);
    for part in [
        b"tessera vault key".as_slice(),
        request.scope.as_bytes(),
        key.as_bytes(),
        &entry.to_be_bytes(),
    ] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    URL_SAFE_NO_PAD
        .encode(context.finish())
        .parse()
        .map_err(|_| Error::internal("a hash is no idempotency key"))
}

/// What the vault's answer and the gateway's own verdict come to. The vault was told to refuse if the verdict is an error;
/// to a repeated request it gives the answer of the first try all the same, and so does the gateway.
pub(super) fn settle<T>(
    asked: Result<T, VaultError>,
    verdict: Result<(), Error>,
    attempt: Attempt,
) -> Result<T, Error> {
    match (asked, verdict) {
        (asked, Ok(())) => asked.map_err(|error| attempt.judge(error)),
        (Err(VaultError::Refused(Refusal::StateRefused)), Err(verdict)) => Err(verdict),
        (Err(error), Err(_)) => Err(attempt.judge(error)),
        (Ok(done), Err(_)) if attempt != Attempt::First => Ok(done),
        (Ok(_), Err(_)) => Err(did_it_all_the_same()),
    }
}

/// What a caller is told whose request the state forbids, after the vault was told to refuse it: what is wrong with proof
/// and payload comes before the verdict. A vault that did what it was told to refuse has broken the contract.
pub(super) fn refusal<T>(asked: Result<T, VaultError>, verdict: Error) -> Error {
    match settle(asked, Err(verdict), Attempt::First) {
        Err(told) => told,
        Ok(_) => did_it_all_the_same(),
    }
}

fn did_it_all_the_same() -> Error {
    Error::internal("the vault did what it was told to refuse")
}

/// Ends a claimed request whose whole effect is the vault's, and tells what was done, once for all tries.
pub(super) async fn end_telling(
    services: &Services,
    claim: &Claim,
    outcome: Result<Answer, Error>,
    event: &Event,
) -> Result<Answer, Error> {
    let Ok(answer) = &outcome else {
        return end(services, claim, outcome).await;
    };
    let mut tx = services.db.begin().await?;
    tell::write(services, &mut tx, event).await?;
    claim.complete(&mut tx, answer).await?;
    tx.commit().await?;
    outcome
}

/// Ends a claimed request: files a good answer, frees the key of a bad one unless the vault may have acted.
pub(super) async fn end(
    services: &Services,
    claim: &Claim,
    outcome: Result<Answer, Error>,
) -> Result<Answer, Error> {
    if outcome.as_ref().is_err_and(Error::vault_may_have_acted) {
        return outcome;
    }
    if claim.entry().is_some() {
        let mut tx = services.db.begin().await?;
        match &outcome {
            Ok(answer) => claim.complete(&mut tx, answer).await?,
            Err(_) => claim.abandon(&mut tx).await?,
        }
        tx.commit().await?;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn removed() -> Result<(), Error> {
        Err(Code::CardRemoved.into())
    }

    fn refused(refusal: Refusal) -> Result<(), VaultError> {
        Err(VaultError::Refused(refusal))
    }

    fn first(asked: Result<(), VaultError>, verdict: Result<(), Error>) -> Result<(), Error> {
        settle(asked, verdict, Attempt::First)
    }

    fn code(settled: Result<(), Error>) -> Code {
        settled.unwrap_err().code()
    }

    #[test]
    fn the_vaults_refusal_is_told_before_our_own() {
        assert!(settle(Ok(()), Ok(()), Attempt::First).is_ok());
        assert_eq!(
            code(first(refused(Refusal::StateRefused), removed())),
            Code::CardRemoved
        );
        assert_eq!(
            code(first(refused(Refusal::HolderProofInvalid), removed())),
            Code::HolderProofInvalid
        );
        assert_eq!(
            code(first(refused(Refusal::HolderProofInvalid), Ok(()))),
            Code::HolderProofInvalid
        );
    }

    #[test]
    fn what_an_earlier_try_has_done_is_told_though_the_state_forbids_it_by_now() {
        for soon in [true, false] {
            let again = Attempt::Repeated { soon };
            assert!(settle(Ok(()), removed(), again).is_ok());
            assert_eq!(
                code(settle(refused(Refusal::StateRefused), removed(), again)),
                Code::CardRemoved
            );
        }
    }

    #[test]
    fn a_vault_that_ignores_our_verdict_is_a_defect() {
        assert_eq!(code(first(Ok(()), removed())), Code::Internal);
        assert_eq!(
            code(first(refused(Refusal::StateRefused), Ok(()))),
            Code::Internal
        );
    }
}
