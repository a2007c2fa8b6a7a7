//! Erased means gone: what an earlier copy of the store gives to whoever has today's shares, epoch files and keyring, before
//! a purge and after it. And who may put that off, and for how long.

use std::ops::Bound;
use std::path::Path;

use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::JobState;
use time::Duration;

use super::{Shown, Stage};
use crate::audit::event::Operation;
use crate::domain::card::Card;
use crate::error::Error;
use crate::flows::secrets::CardSecrets;
use crate::flows::{erase, purge, retention, sweep};
use crate::open_vault::OpenVault;
use crate::store::{Entry, Tree};
use crate::work;

/// What a copy of the store holds of one card: the same on either engine.
struct Copied {
    card: Card,
    data_key: Vec<u8>,
    fingerprints: Vec<Entry>,
}

impl Copied {
    fn of(vault: &OpenVault, card: &Shown) -> Self {
        let store = &vault.surroundings.store;
        let key = card.token.as_str().as_bytes();
        Self {
            card: vault.card_alone(&card.token).unwrap().record,
            data_key: store.get(Tree::DataKeys, key).unwrap().unwrap(),
            fingerprints: store
                .scan(Tree::Fingerprints, b"", Bound::Unbounded, 1000)
                .unwrap(),
        }
    }

    /// The number, by today's keyring.
    fn decrypted(&self, vault: &OpenVault) -> Result<Vec<u8>, Error> {
        let secrets = CardSecrets::unwrap(&vault.keyring(), &self.card, self.data_key.clone())?;
        Ok(secrets.pan(&self.card)?.as_bytes().to_vec())
    }

    /// Whether a number that somebody knows is seen to be in the copy, by today's keyring.
    fn tells(&self, vault: &OpenVault, card: &Shown) -> bool {
        let (keyring, pan) = (vault.keyring(), card.pan());
        let mut tried = keyring.fingerprints(pan.as_bytes());
        tried.any(|fingerprint| {
            self.fingerprints
                .iter()
                .any(|(key, _)| *key == fingerprint.to_key())
        })
    }
}

impl Stage {
    async fn erase_and_sweep(&self, card: &Shown) {
        let event = self.event(Operation::Erase);
        erase::erase(&self.vault, event, card.token.clone())
            .await
            .unwrap();
        self.clock.advance(Duration::days(8));
        assert_eq!(sweep::destroy_due(&self.vault).await.unwrap(), 1);
    }

    async fn purge(&self) {
        let job = purge::begin_if_due(&self.vault)
            .await
            .unwrap()
            .expect("a purge is due");
        let job = work::run_to_end(&self.vault, &job).await.unwrap();
        assert_eq!(job.state, JobState::Done, "{:?}", job.failures);
        assert!(
            purge::begin_if_due(&self.vault).await.unwrap().is_none(),
            "one is enough"
        );
    }
}

#[tokio::test]
async fn a_purge_puts_an_erased_card_beyond_what_todays_keys_can_do_with_an_earlier_copy() {
    for stage in Stage::each().await {
        let phone = stage.phone().await;
        let (card, kept) = (stage.card(&phone).await, stage.card(&phone).await);
        let copied = Copied::of(&stage.vault, &card);
        stage.erase_and_sweep(&card).await;
        // The control: destroying alone leaves it recoverable from the copy.
        assert_eq!(copied.decrypted(&stage.vault).unwrap(), card.pan.as_bytes());
        assert!(copied.tells(&stage.vault, &card));
        let report = retention::report(&stage.vault).await.unwrap();
        assert_eq!((report.kept, report.in_grace, report.destroyed), (1, 0, 1));
        assert!(report.cards[0].beyond_recovery_at.is_none(), "a purge is due");

        stage.purge().await;
        let refused = copied.decrypted(&stage.vault);
        assert!(matches!(refused, Err(Error::UnknownKeyVersion(_))), "{refused:?}");
        assert!(!copied.tells(&stage.vault, &card));
        let report = retention::report(&stage.vault).await.unwrap();
        assert_eq!(report.cards[0].card, card.token);
        assert_eq!(report.cards[0].beyond_recovery_at, report.purged_at);
        assert!(report.purged_at.is_some());
        let record = stage.vault.card_alone(&kept.token).unwrap().record;
        let secrets = stage.vault.secrets(&record).unwrap();
        assert_eq!(secrets.pan(&record).unwrap().as_bytes(), kept.pan.as_bytes());
        assert_eq!(
            stage.vault.card_of_pan(&kept.pan()).unwrap().as_ref(),
            Some(&kept.token)
        );
    }
}

#[tokio::test]
async fn after_a_purge_an_earlier_copy_of_the_directory_does_not_open() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let copies = stage.closed_for(|place| {
        let directory = tempfile::tempdir().unwrap();
        for name in ["before", "after"] {
            copy(&place.join("data"), &directory.path().join(name));
        }
        directory
    });
    let (stage, copies) = copies.await;
    stage.erase_and_sweep(&card).await;
    let today = || stage.config().epoch_files();
    let opened = stage.open_copy(&copies.path().join("before"), today()).await;
    let opened = opened.expect("the control: today's shares and epoch files open the copy");
    let record = opened.card_alone(&card.token).unwrap().record;
    let secrets = opened.secrets(&record).unwrap();
    assert_eq!(secrets.pan(&record).unwrap().as_bytes(), card.pan.as_bytes());

    stage.purge().await;
    let refused = stage.open_copy(&copies.path().join("after"), today()).await;
    assert!(
        refused.is_err(),
        "today's epoch files opened a copy of a former epoch"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_kept_epoch_secret_is_told_by_the_report() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let (made, _) = stage.backup(90).await;
    stage.erase_and_sweep(&card).await;
    stage.purge().await;
    let report = retention::report(&stage.vault).await.unwrap();
    let beyond = report.cards[0].beyond_recovery_at.unwrap();
    assert_eq!(beyond.unix_timestamp(), made.life_ends_at.unix_timestamp());
}

#[tokio::test]
async fn two_officers_halt_destroying_and_not_for_ever() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    let card = stage.card(&phone).await;
    let event = stage.event(Operation::Erase);
    erase::erase(&stage.vault, event, card.token.clone())
        .await
        .unwrap();
    stage.clock.advance(Duration::days(8));
    let halt = async |hours| stage.agree(Proposal::HaltErasures { hours }).await;
    assert!(matches!(
        halt(721).await,
        Err(Error::Conflict {
            code: "HALT_TOO_LONG",
            ..
        })
    ));
    halt(24).await.unwrap();
    assert_eq!(sweep::destroy_due(&stage.vault).await.unwrap(), 0);
    let report = retention::report(&stage.vault).await.unwrap();
    assert!(report.halted_until.is_some() && report.in_grace == 1);
    halt(0).await.unwrap();
    halt(1).await.unwrap();
    stage.clock.advance(Duration::hours(2));
    assert_eq!(
        sweep::destroy_due(&stage.vault).await.unwrap(),
        1,
        "a halt ends by itself"
    );
}
