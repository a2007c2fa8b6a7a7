//! Rotation: a key gets a new version.

use clap::{Args, Subcommand};
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;

use crate::cli::Context;
use crate::failure::Failure;
use crate::proposing::{Watch, propose_and_watch};
use crate::slots::OneSlot;

/// Give a key a new version, while the vault serves
#[derive(Debug, Args)]
pub struct Rotate {
    #[command(subcommand)]
    key: Key,
}

#[derive(Debug, Subcommand)]
enum Key {
    /// The key that wraps the cards' data keys; records stay as they are
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: an unlocked vault. It goes on serving; live traffic goes before the rotation.
    ///
    /// Next: `approvals approve` begins a job; it ends with a scan that finds no reference to the old version, and with
    /// the old version's destruction and a signed completion record (`jobs show`).
    CardKek(Watch),
    /// Every card's own data key: full re-encryption
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: an unlocked vault. It rewrites every card; choose --per-second with the disk in mind.
    ///
    /// Next: `approvals approve` begins a job; `jobs watch` follows it.
    DataKeys(Watch),
    /// The key that seals every record of the store
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: an unlocked vault. It rewrites every record.
    ///
    /// Next: `approvals approve` begins a job; `jobs watch` follows it.
    Records(Watch),
    /// The key of the PAN fingerprints; both versions are looked up while it runs
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: an unlocked vault. It opens every card once.
    ///
    /// Next: `approvals approve` begins a job; `jobs watch` follows it.
    Fingerprint(Watch),
    /// The RSA key pair that callers encrypt to; the former opens for some hours more
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: hours enough for every client to fetch the new key; an attestation holds for 24.
    ///
    /// Next: done at once when it is approved; the former key is destroyed after the grace time.
    Jwe {
        /// Hours in which the former key still opens
        #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u16).range(1..))]
        grace_hours: u16,
        #[command(flatten)]
        watch: Watch,
    },
    /// The key that signs audit checkpoints
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: whoever pinned the audit key must be told; the last checkpoint of the former names the new one.
    ///
    /// Next: `audit checkpoint` shows the new key.
    Audit(Watch),
    /// The epoch secret alone: earlier copies of the store open no more
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: both volumes of the epoch files in place.
    ///
    /// Next: done at once when it is approved; living backups keep their own epoch secret for their stated life.
    Epoch(Watch),
    /// The root key: every slot is replaced by the one given here
    ///
    /// Who: two registered officers: this proposes, the other approves; then every new custodian.
    ///
    /// Needs: as for `slots add`. Do it when shares or a token may be in wrong hands.
    ///
    /// Next: after `approvals approve` each custodian runs `slots share` and `slots verify`; with the last of them the
    /// new root key takes over and the old slots are gone.
    Root {
        #[command(flatten)]
        slot: OneSlot,
        #[command(flatten)]
        watch: Watch,
    },
}

impl Rotate {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let (rotation, watch) = match self.key {
            Key::CardKek(watch) => (Rotation::CardKek, watch),
            Key::DataKeys(watch) => (Rotation::DataKeys, watch),
            Key::Records(watch) => (Rotation::Records, watch),
            Key::Fingerprint(watch) => (Rotation::Fingerprint, watch),
            Key::Jwe { grace_hours, watch } => (Rotation::Jwe { grace_hours }, watch),
            Key::Audit(watch) => (Rotation::Audit, watch),
            Key::Epoch(watch) => (Rotation::Epoch, watch),
            Key::Root { slot, watch } => (
                Rotation::Root {
                    slots: vec![slot.read()?],
                },
                watch,
            ),
        };
        let vault = context.vault()?;
        propose_and_watch(context, &vault, &Proposal::Rotate(rotation), &watch).await
    }
}
