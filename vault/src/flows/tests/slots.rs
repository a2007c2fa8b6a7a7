//! Slots of a running vault: a new custodians' set is worth nothing until it is verified, and everything then.

use std::fs;

use certs::{Ca, PairPaths, Profile};
use shared::clock::Clock;
use shared::ids::SlotName;
use shared::jwe::RecipientKey;
use shared::vault_api::governance::{LockState, Proposal};
use shared::vault_api::slots::{DrillProgress, KeepingInfo, NewSlot, SlotInfo, SlotState};
use time::Duration;

use super::{Stage, open_share, peer};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::{read_audit, slots};
use crate::keys::slot::share::ShareText;
use crate::keys::slot::{SlotId, sealed};
use crate::store::Tree;

pub(super) fn code(error: &Error) -> &'static str {
    error.status_and_code().1
}

impl Stage {
    pub(super) fn pem(&self, number: usize) -> String {
        fs::read_to_string(&self.set.officers[number].certificate).unwrap()
    }

    pub(super) fn set_of(&self, threshold: u8, officers: &[usize]) -> NewSlot {
        NewSlot::Shamir {
            threshold,
            custodians: officers.iter().map(|number| self.pem(*number)).collect(),
        }
    }

    pub(super) fn slots(&self) -> Vec<SlotInfo> {
        slots::list(&self.vault).unwrap()
    }

    /// The only slot, or the only one of this state.
    pub(super) fn slot(&self, state: SlotState) -> SlotInfo {
        let mut found = self.slots();
        found.retain(|slot| slot.state == state);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    pub(super) async fn add(&self, slot: NewSlot, replaces: Option<SlotName>) -> Result<(), Error> {
        self.agree(Proposal::AddSlot { slot, replaces }).await
    }

    /// An officer fetches their sealed share and opens it.
    pub(super) async fn fetch(&self, number: usize, slot: &SlotName) -> Result<ShareText, Error> {
        let officer = peer(&self.set.officers[number].certificate);
        let event = self.event(Operation::FetchShare);
        let share = slots::share(&self.vault, event, (&officer.identity, &officer.key), slot).await?;
        let key = RecipientKey::from_pkcs8_pem(&fs::read(&self.set.officers[number].key).unwrap()).unwrap();
        Ok(sealed::open(&share.share, &key).unwrap())
    }

    pub(super) async fn show(
        &self,
        number: usize,
        slot: &SlotName,
        share: &ShareText,
    ) -> Result<DrillProgress, Error> {
        let officer = peer(&self.set.officers[number].certificate);
        let share = ShareText::new(share.expose().to_owned().into());
        let event = self.event(Operation::DrillSlot);
        slots::show(
            &self.vault,
            event,
            (&officer.identity, &officer.key),
            slot,
            Some(share),
        )
        .await
    }

    pub(super) async fn lock(&self) {
        self.process.lock(self.event(Operation::Lock)).await.unwrap();
    }

    pub(super) async fn give(&self, number: usize, share: &ShareText) -> Result<LockState, Error> {
        let officer = peer(&self.set.officers[number].certificate);
        self.process
            .give_share(&officer, share)
            .await
            .map(|status| status.state)
    }

    /// The first ceremony's share of an officer.
    pub(super) fn first_share(&self, number: usize) -> ShareText {
        open_share(&self.directory, &self.set, number)
    }

    pub(super) async fn log(&self) -> String {
        let event = self.event(Operation::ReadAudit);
        let page = read_audit::events(&self.vault, event, 0, 1000).await.unwrap();
        let events: Vec<String> = page.events.into_iter().map(|entry| entry.event).collect();
        events.join("\n")
    }
}

#[tokio::test]
async fn a_new_set_opens_nothing_until_every_custodian_has_shown_their_share() {
    let mut stage = Stage::new().await;
    let old = stage.slot(SlotState::Active).id;
    stage
        .add(stage.set_of(2, &[0, 1, 2]), Some(old.clone()))
        .await
        .unwrap();
    let pending = stage.slot(SlotState::Pending);
    assert_eq!(pending.replaces, Some(old.clone()));
    let new = pending.id;
    assert!(matches!(
        pending.keeping,
        KeepingInfo::Shamir { threshold: 2, .. }
    ));

    let mut shares = Vec::new();
    for number in 0..3 {
        shares.push(stage.fetch(number, &new).await.unwrap());
    }
    let shown = stage.show(0, &new, &shares[0]).await.unwrap();
    assert_eq!((shown.given, shown.needed, shown.opens), (1, 3, false));
    let again = stage.show(0, &new, &shares[0]).await.unwrap_err();
    assert_eq!(code(&again), "SHARE_ALREADY_GIVEN");
    let others = stage.show(1, &new, &shares[2]).await.unwrap_err();
    assert_eq!(code(&others), "SHARE_NOT_YOURS");
    let of_other_slot = stage.show(1, &new, &stage.first_share(1)).await.unwrap_err();
    assert_eq!(code(&of_other_slot), "SHARE_OTHER_SLOT");
    stage.show(1, &new, &shares[1]).await.unwrap();

    // Two of two are shown, and still it opens nothing: the third has not proved theirs.
    stage.lock().await;
    assert_eq!(
        code(&stage.give(0, &shares[0]).await.unwrap_err()),
        "SLOT_PENDING"
    );
    stage.unlock().await;
    assert_eq!(
        stage.slot(SlotState::Pending).id,
        new,
        "pending over lock and unlock"
    );

    let shown = stage.show(2, &new, &shares[2]).await.unwrap();
    assert_eq!((shown.given, shown.needed, shown.opens), (3, 3, true));
    let active = stage.slot(SlotState::Active);
    assert_eq!((active.id.clone(), stage.slots().len()), (new.clone(), 1));
    assert!(active.proved_at.is_some() && active.replaces.is_none());
    let gone = stage.fetch(0, &new).await.unwrap_err();
    assert_eq!(code(&gone), "SLOT_NOT_PENDING");
    assert!(
        stage.entries(Tree::Shares).is_empty(),
        "the sealed shares are deleted"
    );

    stage.lock().await;
    let old_share = stage.first_share(0);
    assert_eq!(
        code(&stage.give(0, &old_share).await.unwrap_err()),
        "SHARE_UNKNOWN_SLOT"
    );
    assert_eq!(stage.give(2, &shares[2]).await.unwrap(), LockState::Locked);
    assert_eq!(stage.give(0, &shares[0]).await.unwrap(), LockState::Unlocked);
    stage.vault = stage.process.open_vault().unwrap();
    is_told(&stage.log().await, &old, &new);
}

/// The log tells each step of a set that took another's place, and no share.
fn is_told(log: &str, old: &SlotName, new: &SlotName) {
    for words in [
        format!("slot {new} made in place of {old}: pending"),
        format!("share 1 of slot {new}"),
        format!("slot {new}: share 2 is right"),
        format!("slot {new} verified: it opens, and slot {old} is gone"),
        format!("\"note\":\"slot {new}\""),
        "SLOT_PENDING".to_owned(),
        "SHARE_UNKNOWN_SLOT".to_owned(),
    ] {
        assert!(log.contains(&words), "no {words:?} in {log}");
    }
    assert!(!log.contains("tessera-share"), "no share is in the log");
}

#[tokio::test]
async fn what_cannot_be_a_custodians_slot_is_told_by_a_code_of_its_own() {
    let stage = Stage::new().await;
    let mut authority = stage
        .set
        .authority(Ca::Internal, &Clock::Manual(stage.clock.clone()))
        .unwrap();
    let stranger = PairPaths::new(stage.directory.path(), "stranger");
    let issued = authority
        .issue(&Profile::Officer("stranger".parse().unwrap()))
        .unwrap();
    issued.write(&stranger).unwrap();
    let with = |pem: &str| NewSlot::Shamir {
        threshold: 2,
        custodians: vec![stage.pem(0), pem.to_owned()],
    };
    let read = |path| fs::read_to_string(path).unwrap();
    let unknown: SlotName = "aaaaaaaa".parse().unwrap();
    let cases = [
        (stage.set_of(1, &[0, 1, 2]), None, "THRESHOLD_OUT_OF_BOUNDS"),
        (stage.set_of(4, &[0, 1, 2]), None, "THRESHOLD_OUT_OF_BOUNDS"),
        (stage.set_of(2, &[]), None, "THRESHOLD_OUT_OF_BOUNDS"),
        (stage.set_of(2, &[0, 1, 0]), None, "CUSTODIAN_TWICE"),
        (with("no certificate"), None, "CUSTODIAN_CERTIFICATE_INVALID"),
        (
            with(&read(&stage.set.gateway_client.certificate)),
            None,
            "CUSTODIAN_NOT_AN_OFFICER",
        ),
        (
            with(&read(&stranger.certificate)),
            None,
            "CUSTODIAN_NOT_REGISTERED",
        ),
        (stage.set_of(2, &[0, 1]), Some(unknown), "NOT_FOUND"),
        (
            NewSlot::Pkcs11 {
                token: "tessera".to_owned(),
                key: "root".to_owned(),
            },
            None,
            "HSM_NOT_CONFIGURED",
        ),
    ];
    for (slot, replaces, expected) in cases {
        let refused = stage.add(slot, replaces).await.unwrap_err();
        assert_eq!(code(&refused), expected, "{refused}");
    }
    assert_eq!(stage.slots().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_the_slots_that_are_there_is_told_by_a_code_of_its_own() {
    let stage = Stage::new().await;
    let first = stage.slot(SlotState::Active).id;
    stage
        .add(stage.set_of(2, &[0, 1]), Some(first.clone()))
        .await
        .unwrap();
    let pending = stage.slot(SlotState::Pending).id;
    for (replaces, expected) in [
        (first.clone(), "SLOT_REPLACED_ALREADY"),
        (pending.clone(), "SLOT_PENDING"),
    ] {
        let refused = stage
            .add(stage.set_of(2, &[0, 1]), Some(replaces))
            .await
            .unwrap_err();
        assert_eq!(code(&refused), expected);
    }
    let last = stage.agree(Proposal::RemoveSlot(first)).await.unwrap_err();
    assert_eq!(code(&last), "SLOT_IS_THE_LAST", "a pending slot opens nothing");
    let share = stage.fetch(0, &pending).await.unwrap();
    let third = stage.fetch(2, &pending).await.unwrap_err();
    assert_eq!(code(&third), "NOT_A_CUSTODIAN");
    assert_eq!(
        code(&stage.show(2, &pending, &share).await.unwrap_err()),
        "NOT_A_CUSTODIAN"
    );
    stage.agree(Proposal::RemoveSlot(pending.clone())).await.unwrap();
    assert_eq!(
        code(&stage.show(0, &pending, &share).await.unwrap_err()),
        "NOT_FOUND"
    );
    stage.clock.advance(Duration::days(4000));
    let ended = stage.add(stage.set_of(2, &[0, 1]), None).await.unwrap_err();
    assert_eq!(code(&ended), "CUSTODIAN_CERTIFICATE_ENDED");
}

#[tokio::test]
async fn a_drill_shows_that_a_slot_opens_while_the_vault_runs() {
    let stage = Stage::new().await;
    let slot = stage.slot(SlotState::Active);
    let (first, second) = (stage.first_share(0), stage.first_share(1));
    stage.clock.advance(Duration::hours(1));
    let shown = stage.show(0, &slot.id, &first).await.unwrap();
    assert_eq!((shown.given, shown.needed, shown.opens), (1, 2, false));
    assert_eq!(
        code(&stage.show(0, &slot.id, &first).await.unwrap_err()),
        "SHARE_ALREADY_GIVEN"
    );
    let shown = stage.show(1, &slot.id, &second).await.unwrap();
    assert_eq!((shown.given, shown.needed, shown.opens), (2, 2, true));
    let proved = stage.slot(SlotState::Active).proved_at.unwrap();
    assert_eq!(proved - slot.proved_at.unwrap(), Duration::hours(1));
    let KeepingInfo::Shamir { custodians, .. } = stage.slot(SlotState::Active).keeping else {
        panic!("a custodians' slot");
    };
    let verified: Vec<bool> = custodians.iter().map(|custodian| custodian.verified).collect();
    assert_eq!(verified, [true, true, false]);

    // What one showed is forgotten after ten minutes, and the next is told.
    stage.show(0, &slot.id, &first).await.unwrap();
    stage.clock.advance(Duration::minutes(10));
    stage.process.forget_expired_shares();
    let late = stage.show(1, &slot.id, &second).await.unwrap_err();
    assert_eq!(code(&late), "SHARE_SESSION_EXPIRED");
    assert_eq!(stage.show(1, &slot.id, &second).await.unwrap().given, 1);
    assert!(stage.log().await.contains(&format!("slot {} opens", slot.id)));
}

#[tokio::test]
async fn a_key_file_is_one_more_slot_that_opens_by_itself() {
    let mut stage = Stage::new().await;
    let first = stage.slot(SlotState::Active).id;
    let path = stage.directory.path().join("root.key").display().to_string();
    stage
        .add(NewSlot::KeyFile { path: path.clone() }, None)
        .await
        .unwrap();
    assert_eq!(stage.slots().len(), 2);
    let again = stage
        .add(NewSlot::KeyFile { path: path.clone() }, None)
        .await
        .unwrap_err();
    assert_eq!(code(&again), "KEY_FILE_UNUSABLE");
    assert!(
        fs::exists(&path).unwrap(),
        "the refused one takes no other's file away"
    );
    let file = stage
        .slots()
        .into_iter()
        .find(|slot| slot.id != first)
        .unwrap()
        .id;
    let officer = peer(&stage.set.officers[0].certificate);
    let event = stage.event(Operation::DrillSlot);
    let drill = slots::show(
        &stage.vault,
        event,
        (&officer.identity, &officer.key),
        &file,
        None,
    )
    .await;
    assert!(drill.unwrap().opens);
    let counts = stage.process.status().slots;
    assert_eq!((counts.custodians, counts.key_files, counts.pending), (1, 1, 0));

    // What an officer locked does not open by itself; a process that starts does.
    stage.lock().await;
    assert!(!stage.process.open_by_itself().await.unwrap());
    stage.unlock().await;
    stage.agree(Proposal::RemoveSlot(first)).await.unwrap();
    let last = stage.agree(Proposal::RemoveSlot(file)).await.unwrap_err();
    assert_eq!(code(&last), "SLOT_IS_THE_LAST");
    let fresh = crate::process::Process::locked(stage.vault.surroundings.clone()).unwrap();
    stage.lock().await;
    fs::rename(&path, format!("{path}.away")).unwrap();
    assert!(!fresh.open_by_itself().await.unwrap());
    assert_eq!(fresh.status().token_trouble.as_deref(), Some("KEY_FILE_UNUSABLE"));
    fs::rename(format!("{path}.away"), &path).unwrap();
    assert!(fresh.open_by_itself().await.unwrap(), "the next try succeeds");
    assert_eq!(fresh.status().token_trouble, None);
}

#[tokio::test]
async fn a_vault_that_ended_after_the_last_share_goes_on_when_it_is_unlocked() {
    let mut stage = Stage::new().await;
    let old = stage.slot(SlotState::Active).id;
    stage.add(stage.set_of(2, &[1, 2]), Some(old)).await.unwrap();
    let new = stage.slot(SlotState::Pending).id;
    let id = SlotId::of(&new).unwrap();
    let shown = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut crate::audit::event::Event| {
        let (txn, keyring) = tx.parts();
        let mut book = keyring.slots(txn);
        let mut slot = book.get(&id)?.unwrap();
        slot.remember_shown(&[1, 2]);
        Ok(book.put(&slot)?)
    };
    stage
        .vault
        .commit(stage.event(Operation::DrillSlot), shown)
        .await
        .unwrap();
    assert_eq!(stage.slot(SlotState::Pending).id, new);
    stage.lock().await;
    stage.unlock().await;
    assert_eq!(stage.slot(SlotState::Active).id, new);
    assert_eq!(stage.slots().len(), 1);
}
