//! Dual control: one officer proposes, another repeats the hash of the exact parameters, and only then it is done.

mod effect;

pub use self::effect::Occasion;

use std::ops::Bound;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use shared::ids::{ApprovalToken, IdempotencyKey};
use shared::mtls::identity::Identity;
use shared::vault_api::governance::{Approval, ApprovalState, Party, Program, Proposal};
use time::{Duration, OffsetDateTime};

use crate::audit::event::{Event, Operation, Outcome};
use crate::audit::note::hex;
use crate::error::Error;
use crate::flows::{backup, rotate, slots};
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// How long a proposal waits for its second officer.
const APPROVAL_LIFETIME: Duration = Duration::hours(24);
/// Proposals listed at once.
const MOST_LISTED: usize = 1000;

/// A proposal as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApprovalRecord(Approval);

impl Record for ApprovalRecord {
    const TREE: Tree = Tree::Approvals;
    fn key(&self) -> Vec<u8> {
        self.0.id.as_str().as_bytes().to_vec()
    }
}

/// Files a proposal.
///
/// # Errors
/// A program that breaks a rule already now.
pub async fn propose(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    key: &IdempotencyKey,
    proposal: Proposal,
) -> Result<Approval, Error> {
    let hash = hash(&proposal)?;
    let slot = Slot::new(
        caller,
        Operation::Propose,
        "",
        key,
        &[hash.as_bytes()],
        vault.now(),
    );
    if let Some(answer) = vault.replay(&slot, &event).await? {
        return Ok(answer);
    }
    effect::check(&proposal, &vault.registers())?;
    check_room(vault, &proposal)?;
    slots::check(vault, &proposal)?;
    let approval = Approval {
        id: vault.surroundings.random.approval_token()?,
        proposal,
        hash,
        proposed_by: caller.clone(),
        state: ApprovalState::Open,
        expires_at: vault.surroundings.clock.now() + APPROVAL_LIFETIME,
    };
    event.note = Some(format!("{} {}", approval.id, approval.hash));
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        tx.put(&ApprovalRecord(approval.clone()))?;
        slot.remember(tx, &approval)?;
        Ok(approval)
    };
    vault.commit(event, work).await
}

/// Approves a proposal and does what it says. Approving again what is done gives the same answer. Runs to its end even
/// if the officer hangs up: a register that was changed must also be read again.
///
/// # Errors
/// Unknown, lapsed, another hash, or the officer who proposed it.
pub async fn approve(
    vault: &Arc<OpenVault>,
    event: Event,
    caller: &Identity,
    id: ApprovalToken,
    hash: &str,
) -> Result<Approval, Error> {
    let (vault, caller, hash) = (Arc::clone(vault), caller.clone(), hash.to_owned());
    let turn = tokio::spawn(async move {
        match approve_in_turn(&vault, event.clone(), &caller, &id, &hash).await {
            // Another process was faster: the second look finds it done, or says what stands against it now.
            Err(Error::Raced) => approve_in_turn(&vault, event, &caller, &id, &hash).await,
            other => other,
        }
    });
    turn.await.map_err(|error| Error::Internal(error.to_string()))?
}

async fn approve_in_turn(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    id: &ApprovalToken,
    hash: &str,
) -> Result<Approval, Error> {
    // One change of the registers at a time: each is checked against the one before.
    let _turn = vault.governing().await;
    vault.reload_registers()?;
    let stored = vault.records.get::<ApprovalRecord>(id.as_str().as_bytes())?;
    let ApprovalRecord(mut approval) = stored.ok_or(Error::NotFound("approval"))?.record;
    if approval.hash != hash {
        return Err(Error::conflict(
            "APPROVAL_HASH_MISMATCH",
            "The hash is not that of the proposal.",
        ));
    }
    event.note = Some(format!("{} {}", approval.id, approval.hash));
    effect::tell(&approval.proposal, &mut event);
    if approval.state == ApprovalState::Done {
        event.outcome = Outcome::Replayed;
        vault.commit(event, |_, _| Ok(())).await?;
        return Ok(approval);
    }
    may_approve(&approval, caller, vault)?;
    effect::check(&approval.proposal, &vault.registers())?;
    check_room(vault, &approval.proposal)?;
    slots::check(vault, &approval.proposal)?;
    let prepared = slots::prepare(vault, &approval.proposal).await?;
    approval.state = ApprovalState::Done;
    let by = event.clone();
    let occasion = effect::Occasion {
        approval: approval.id.clone(),
        job: vault.surroundings.random.job_token()?,
        now: vault.surroundings.clock.now(),
        slots: prepared,
        rotation: rotate::prepare(vault, &approval.proposal).await?,
    };
    let (judge, caller, found) = (Arc::clone(vault), caller.clone(), approval.clone());
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        // Again, over the store as it is: officers may act at another process at the same time.
        let key = found.id.as_str().as_bytes();
        let stored: Option<ApprovalRecord> = tx.get(key)?;
        if stored.is_none_or(|stored| stored.0.state != ApprovalState::Open) {
            return Err(Error::Raced);
        }
        may_approve(&found, &caller, &judge)?;
        effect::check(&found.proposal, &judge.registers())?;
        effect::apply(tx, &approval.proposal, &occasion)?;
        tx.put(&ApprovalRecord(approval.clone()))?;
        Ok((approval, occasion.slots, occasion.rotation))
    };
    let (approval, prepared, rotation) = vault.commit(event, work).await?;
    rotate::take_effect(vault, rotation).await?;
    slots::take_effect(vault, prepared, &by).await?;
    vault.reload_registers()?;
    vault.desk.wake();
    Ok(approval)
}

/// Two distinct officers, both still in the register, within the proposal's life.
fn may_approve(approval: &Approval, caller: &Identity, vault: &OpenVault) -> Result<(), Error> {
    if approval.proposed_by == *caller {
        return Err(Error::conflict(
            "SECOND_OFFICER_REQUIRED",
            "Another officer than the proposer must approve.",
        ));
    }
    if !vault
        .registers()
        .officers()
        .any(|officer| *officer == approval.proposed_by)
    {
        return Err(Error::conflict(
            "PROPOSER_STRUCK",
            "Who proposed this is no officer any more.",
        ));
    }
    if vault.surroundings.clock.now() > approval.expires_at {
        return Err(Error::conflict("APPROVAL_EXPIRED", "The proposal has lapsed."));
    }
    Ok(())
}

/// What a backup needs of its surroundings.
fn check_room(vault: &OpenVault, proposal: &Proposal) -> Result<(), Error> {
    match proposal {
        Proposal::Backup { life_days } => backup::check(vault, *life_days),
        _ => Ok(()),
    }
}

/// One proposal, with the state at this time.
///
/// # Errors
/// There is none of that token, or the store's.
pub fn find(vault: &OpenVault, id: &ApprovalToken) -> Result<Approval, Error> {
    let stored = vault.records.get::<ApprovalRecord>(id.as_str().as_bytes())?;
    let ApprovalRecord(approval) = stored.ok_or(Error::NotFound("approval"))?.record;
    Ok(at(approval, vault.surroundings.clock.now()))
}

/// Every proposal, with the state at `now`.
///
/// # Errors
/// The store's.
pub fn list(vault: &OpenVault) -> Result<Vec<Approval>, Error> {
    let now = vault.surroundings.clock.now();
    let records: Vec<ApprovalRecord> = vault.records.scan_readable(b"", Bound::Unbounded, MOST_LISTED)?;
    Ok(records
        .into_iter()
        .map(|ApprovalRecord(approval)| at(approval, now))
        .collect())
}

/// Every program.
#[must_use]
pub fn programs(vault: &OpenVault) -> Vec<Program> {
    vault
        .registers()
        .programs()
        .map(|rules| rules.program().clone())
        .collect()
}

/// Every registered person and party.
#[must_use]
pub fn parties(vault: &OpenVault) -> Vec<Party> {
    vault.registers().parties().collect()
}

fn at(mut approval: Approval, now: OffsetDateTime) -> Approval {
    if approval.state == ApprovalState::Open && now > approval.expires_at {
        approval.state = ApprovalState::Expired;
    }
    approval
}

fn hash(proposal: &Proposal) -> Result<String, Error> {
    let bytes = serde_json::to_vec(proposal).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(hex(digest(&SHA256, &bytes).as_ref()))
}
