//! The root key changes when every slot of the next one is verified, and not before; a crash at any step leaves the one
//! state or the other.

use std::fs;
use std::ops::Bound;
use std::sync::Arc;

use shared::ids::SlotName;
use shared::jws::holder_proof::Op;
use shared::vault_api::governance::{LockState, Proposal};
use shared::vault_api::jobs::Rotation;
use shared::vault_api::slots::{NewSlot, SlotInfo, SlotState};

use super::slots::code;
use super::{Phone, Shown, Stage, peer};
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::flows::reveal;
use crate::keys::header::{KeyPurpose, WrappedKeyError};
use crate::keys::keyring::{Keyring, KeyringError};
use crate::keys::root::RootKey;
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::{Progress, UnlockSession};
use crate::keys::slot::{Slot, SlotId};
use crate::process::Process;
use crate::records::Tx;
use crate::store::{Entry, Tree};

impl Stage {
    async fn rotate_root(&self, slots: Vec<NewSlot>) -> Result<(), Error> {
        self.agree(Proposal::Rotate(Rotation::Root { slots })).await
    }

    /// Begins a rotation to three custodians, and fetches their shares.
    async fn begun(&self) -> (SlotName, Vec<ShareText>) {
        self.rotate_root(vec![self.set_of(2, &[0, 1, 2])]).await.unwrap();
        let pending = self.slot(SlotState::Pending);
        assert!(pending.of_next_root);
        let mut shares = Vec::new();
        for number in 0..3 {
            shares.push(self.fetch(number, &pending.id).await.unwrap());
        }
        (pending.id, shares)
    }

    pub(super) fn entries(&self, tree: Tree) -> Vec<Entry> {
        self.vault
            .surroundings
            .store
            .scan(tree, b"", Bound::Unbounded, 100)
            .unwrap()
    }

    fn has_next_root(&self) -> bool {
        self.vault
            .keyring()
            .next_root(&self.vault.surroundings.store)
            .unwrap()
            .is_some()
    }

    fn epoch_file(&self) -> Vec<u8> {
        fs::read(&self.vault.surroundings.epoch.paths()[0]).unwrap()
    }

    async fn write(&self, tree: Tree, (key, value): Entry) {
        let store = &self.vault.surroundings.store;
        store
            .commit(move |txn| txn.put(tree, &key, value))
            .await
            .unwrap()
            .unwrap();
    }

    /// Shows all shares without letting the vault notice that they are complete.
    async fn mark_verified(&self, slot: &SlotName) {
        let id = SlotId::of(slot).unwrap();
        let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            let (txn, keyring) = tx.parts();
            let mut book = keyring.slots(txn);
            let mut slot = book.get(&id)?.unwrap();
            slot.remember_shown(&[1, 2, 3]);
            Ok(book.put(&slot)?)
        };
        self.vault
            .commit(self.event(Operation::DrillSlot), work)
            .await
            .unwrap();
    }

    async fn reveals(&self, phone: &Phone, card: &Shown) {
        let request = self.proven(phone, Op::Reveal, &card.token).await;
        let event = self.event(Operation::Reveal);
        let answer = reveal::reveal(&self.vault, event, card.token.clone(), request).await;
        assert_eq!(phone.open(&answer.unwrap().payload)["cardNo"], card.pan.as_str());
    }

    /// What the first ceremony's shares give with a copy of the slot of their time.
    fn old_root(&self, (_, record): &Entry) -> RootKey {
        let slot: Slot = serde_json::from_slice(&record[32..]).unwrap();
        let clock = self.vault.surroundings.clock.clone();
        let mut session = UnlockSession::new(self.vault.surroundings.environment, vec![slot], clock);
        for number in 0..2 {
            let officer = peer(&self.set.officers[number].certificate);
            let given = session.submit(&officer.identity, &officer.key, &self.first_share(number));
            if let Progress::Complete(opened) = given.unwrap() {
                return opened.root;
            }
        }
        panic!("two shares of two open");
    }

    /// A process of its own over this store, as after a crash.
    async fn restarted(&mut self) {
        self.lock().await;
        self.process = Process::locked(self.vault.surroundings.clone()).unwrap();
    }

    /// Unlocks with the shares of the first two officers.
    async fn unlock_with(&mut self, shares: &[ShareText]) {
        self.give(0, &shares[0]).await.unwrap();
        assert_eq!(self.give(1, &shares[1]).await.unwrap(), LockState::Unlocked);
        self.vault = self.process.open_vault().unwrap();
    }

    /// The rotation is over: one slot, one secret in the epoch files, nothing left behind.
    fn is_changed_to(&self, slot: &SlotName) {
        let slots: Vec<SlotInfo> = self.slots();
        assert_eq!((slots.len(), &slots[0].id), (1, slot), "{slots:?}");
        assert!(slots[0].state == SlotState::Active && !slots[0].of_next_root);
        assert_eq!(self.vault.keyring().epoch(), 2);
        assert!(!self.has_next_root() && self.entries(Tree::Shares).is_empty());
        let keks = self.entries(Tree::Keks);
        assert!(
            !keks.iter().any(|(key, _)| key.starts_with(b"handover/")),
            "nothing leads from the old root key"
        );
        let purposes = self.vault.keyring().headers().to_vec();
        assert!(
            purposes
                .iter()
                .all(|header| header.id.purpose != KeyPurpose::NextRoot)
        );
    }
}

#[tokio::test]
async fn the_root_key_changes_when_every_new_slot_is_verified() {
    let mut stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let (old_slot, old_epoch) = (stage.entries(Tree::Slots).remove(0), stage.epoch_file());
    let (new, shares) = stage.begun().await;
    assert!(stage.has_next_root());
    for refused in [
        stage.rotate_root(vec![stage.set_of(2, &[0, 1])]).await,
        stage.add(stage.set_of(2, &[0, 1]), None).await,
    ] {
        assert_eq!(code(&refused.unwrap_err()), "ROOT_ROTATION_RUNNING");
    }
    // Until the last share the old root key is in force, over a lock too.
    for (number, share) in shares.iter().enumerate().take(2) {
        assert!(!stage.show(number, &new, share).await.unwrap().opens);
    }
    stage.lock().await;
    assert_eq!(
        code(&stage.give(0, &shares[0]).await.unwrap_err()),
        "SLOT_PENDING"
    );
    stage.unlock().await;
    let last = stage.show(2, &new, &shares[2]).await.unwrap();
    assert!(last.opens && last.given == 3, "{last:?}");
    stage.is_changed_to(&new);
    stage.reveals(&phone, &card).await;
    let log = stage.log().await;
    assert!(
        log.contains(&format!("root key changed: slots {new} open")),
        "{log}"
    );

    stage.restarted().await;
    let first = stage.first_share(0);
    assert_eq!(
        code(&stage.give(0, &first).await.unwrap_err()),
        "SHARE_UNKNOWN_SLOT"
    );
    stage.unlock_with(&shares).await;
    stage.reveals(&phone, &card).await;

    // With an old copy of the slot and of the epoch files the old shares give the old root key, and nothing behind it.
    let old_root = stage.old_root(&old_slot);
    for path in stage.vault.surroundings.epoch.paths() {
        fs::write(path, &old_epoch).unwrap();
    }
    let surroundings = &stage.vault.surroundings;
    let (environment, epoch) = (surroundings.environment, surroundings.epoch.load().unwrap());
    let rng = ring::rand::SystemRandom::new();
    let opened = Keyring::open(environment, old_root, &epoch, &surroundings.store, 0, rng);
    assert!(
        matches!(
            opened,
            Err(KeyringError::Wrapped(WrappedKeyError::OtherEpoch { .. }))
        ),
        "old shares open today's store: {opened:?}"
    );
    // Nor does the old slot put back into the store.
    stage.lock().await;
    stage.write(Tree::Slots, old_slot).await;
    stage.process = Process::locked(stage.vault.surroundings.clone()).unwrap();
    stage.give(0, &stage.first_share(0)).await.unwrap();
    assert!(stage.give(1, &stage.first_share(1)).await.is_err());
}

#[tokio::test]
async fn a_rotation_of_the_root_key_is_given_up_with_one_of_its_slots() {
    let mut stage = Stage::new().await;
    let before = stage.slots();
    let slots = vec![stage.set_of(2, &[0, 1]), stage.set_of(2, &[1, 2])];
    stage.rotate_root(slots).await.unwrap();
    let mut pending = stage.slots();
    pending.retain(|slot| slot.of_next_root);
    assert_eq!(pending.len(), 2);
    stage
        .agree(Proposal::RemoveSlot(pending[1].id.clone()))
        .await
        .unwrap();
    assert_eq!(stage.slots(), before);
    assert!(!stage.has_next_root() && stage.entries(Tree::Shares).is_empty());
    stage.restarted().await;
    stage.unlock().await;
    assert_eq!(stage.vault.keyring().epoch(), 1);
    let (new, shares) = stage.begun().await;
    for (number, share) in shares.iter().enumerate() {
        stage.show(number, &new, share).await.unwrap();
    }
    stage.is_changed_to(&new);
    let none = stage.rotate_root(Vec::new()).await.unwrap_err();
    assert_eq!(code(&none), "NO_SLOT");
}

#[tokio::test]
async fn a_crash_between_the_last_share_and_the_change_resumes_with_the_unlock() {
    let mut stage = Stage::new().await;
    let (new, shares) = stage.begun().await;
    stage.mark_verified(&new).await;
    stage.restarted().await;
    stage.unlock().await;
    stage.is_changed_to(&new);
    stage.restarted().await;
    stage.unlock_with(&shares).await;
}

#[tokio::test]
async fn a_crash_with_the_next_epoch_in_the_files_leaves_the_old_state() {
    let mut stage = Stage::new().await;
    let before = stage.epoch_file();
    let (new, shares) = stage.begun().await;
    let keyring = stage.vault.keyring();
    let next = keyring.next_root(&stage.vault.surroundings.store).unwrap();
    drop(keyring.prepare_epoch(next, false).unwrap());
    assert_ne!(stage.epoch_file(), before);
    drop(keyring);
    stage.restarted().await;
    stage.unlock().await;
    assert_eq!(stage.epoch_file(), before, "the secret of no epoch is dropped");
    for (number, share) in shares.iter().enumerate() {
        stage.show(number, &new, share).await.unwrap();
    }
    stage.is_changed_to(&new);
}

#[tokio::test]
async fn a_crash_after_the_change_opens_with_the_new_shares_alone() {
    let mut stage = Stage::new().await;
    let (new, shares) = stage.begun().await;
    stage.mark_verified(&new).await;
    let keyring = stage.vault.keyring();
    let next = keyring.next_root(&stage.vault.surroundings.store).unwrap();
    let next = keyring.prepare_epoch(next, false).unwrap();
    drop(keyring);
    let id = SlotId::of(&new).unwrap();
    let change = move |tx: &mut Tx<'_, '_>| {
        let (txn, keyring) = tx.parts();
        let mut slot = keyring.slots(txn).get(&id)?.unwrap();
        slot.activate(7);
        tx.change_keys(|keyring, txn| keyring.replace_root(txn, &next, &[slot], 7))
    };
    let vault = Arc::clone(&stage.vault);
    vault.transact(change).await.unwrap();
    drop(vault);
    // The process ends here: its keyring in memory is still the old one, and both secrets are in the files.
    stage.process = Process::locked(stage.vault.surroundings.clone()).unwrap();
    let old = stage.give(0, &stage.first_share(0)).await.unwrap_err();
    assert_eq!(code(&old), "SHARE_UNKNOWN_SLOT");
    stage.unlock_with(&shares).await;
    stage.vault.exchange_keys().await.unwrap();
    let keks = stage.entries(Tree::Keks);
    assert!(!keks.iter().any(|(key, _)| key.starts_with(b"handover/")));
    assert_eq!(stage.slots().len(), 1);
    stage.restarted().await;
    stage.unlock_with(&shares).await;
}

#[tokio::test]
async fn a_key_file_of_the_next_root_key_verifies_itself() {
    let mut stage = Stage::new().await;
    let path = stage.directory.path().join("root.key").display().to_string();
    stage.rotate_root(vec![NewSlot::KeyFile { path }]).await.unwrap();
    let slot = stage.slot(SlotState::Active).id;
    stage.is_changed_to(&slot);
    stage.restarted().await;
    assert!(stage.process.open_by_itself().await.unwrap());
}
