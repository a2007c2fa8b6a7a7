//! Evidence by possession: who knows number, expiry and CVC2 of a card may speak for that card. A JWE to the vault of
//! `{cardNo, exp, cvv, jkt, nonce}`, where `jkt` is the new key and `nonce` a challenge of the holder.
//!
//! That is an oracle for card data, so it is counted before it is answered: five tries a holder, and one failure answer
//! whatever was wrong.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::expiry::Expiry;
use shared::ids::{CardToken, HolderToken, Nonce};
use shared::thumbprint::Thumbprint;

use crate::challenges::Purpose;
use crate::domain::cvv::Cvv;
use crate::domain::holder::Holder;
use crate::domain::pan::Pan;
use crate::domain::tries::Capped;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// Wrong card data that one holder may show in 30 days.
const TRIES: u16 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shown<'a> {
    card_no: &'a str,
    exp: Expiry,
    cvv: &'a str,
    jkt: Thumbprint,
    nonce: Nonce,
}

/// How often a holder showed wrong card data.
#[derive(Serialize, Deserialize)]
struct PossessionTries {
    holder: HolderToken,
    failures: Capped,
}

impl Record for PossessionTries {
    const TREE: Tree = Tree::Counters;
    fn key(&self) -> Vec<u8> {
        key_of(&self.holder)
    }
}

fn key_of(holder: &HolderToken) -> Vec<u8> {
    format!("possession/{holder}").into_bytes()
}

/// The card whose data was shown.
///
/// # Errors
/// The payload's, else [`Error::EnrolmentProofInvalid`].
pub(super) async fn card_in_hand(
    vault: &Arc<OpenVault>,
    holder: &Holder,
    new_key: &Thumbprint,
    payload: &str,
) -> Result<CardToken, Error> {
    let plain = vault.open_payload(payload).await?;
    let shown: Shown<'_> = serde_json::from_slice(&plain)
        .map_err(|_| Error::InvalidPayload("not {cardNo, exp, cvv, jkt, nonce}".into()))?;
    count_try(vault, holder).await?;
    let found = compare(vault, holder, new_key, &shown).await?;
    found.ok_or(Error::EnrolmentProofInvalid(
        "the card data is not that of a card of the holder",
    ))
}

/// Counts a try as failed before it is made: a hundred at once are a hundred.
async fn count_try(vault: &OpenVault, holder: &Holder) -> Result<(), Error> {
    let (token, now) = (holder.token.clone(), vault.now());
    let count = move |tx: &mut Tx<'_, '_>| {
        let stored: Option<PossessionTries> = tx.get(&key_of(&token))?;
        let mut tries = stored.unwrap_or(PossessionTries {
            holder: token,
            failures: Capped::default(),
        });
        if tries.failures.count(now) >= TRIES {
            return Err(Error::EnrolmentProofInvalid(
                "the tries of the holder are used up",
            ));
        }
        tries.failures.fail(now);
        tx.put(&tries)
    };
    vault.records.transact(count).await
}

/// The card was in hand: the tries begin again, with the enrolment that this led to.
pub(super) fn forget_tries(tx: &mut Tx<'_, '_>, holder: &Holder) -> Result<(), Error> {
    tx.delete::<PossessionTries>(&key_of(&holder.token))
}

async fn compare(
    vault: &OpenVault,
    holder: &Holder,
    new_key: &Thumbprint,
    shown: &Shown<'_>,
) -> Result<Option<CardToken>, Error> {
    let purpose = Purpose::Holder(holder.token.clone());
    // The nonce is the JWE's own identifier: shown once, it is of no more use.
    let fresh = vault
        .challenges
        .spend(
            &vault.records,
            &purpose,
            &shown.nonce,
            shown.nonce.as_str(),
            vault.now(),
        )
        .await?
        .is_ok();
    let parsed = (
        Pan::parse(shown.card_no.as_bytes()),
        Cvv::parse(shown.cvv.as_bytes()),
    );
    let (Ok(pan), Ok(cvv)) = parsed else {
        return Ok(None);
    };
    let read = || {
        let Some(token) = vault.card_of_pan(&pan)? else {
            return Ok(None);
        };
        let card = vault.card(&token)?.card.record;
        if card.holder != holder.token || card.standing.permits_use().is_err() {
            return Ok(None);
        }
        let own = vault.secrets(&card)?.cvv(&card)?;
        let matches = own.is_some_and(|own| own.matches(&cvv));
        Ok(Some((card, matches)))
    };
    let Some((card, matches)) = vault.unraced(read)? else {
        return Ok(None);
    };
    let all = fresh & matches & (card.exp == shown.exp) & (shown.jkt == *new_key);
    Ok(all.then_some(card.token))
}
