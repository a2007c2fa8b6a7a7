//! Backup and restore, drilled: whatever engine it comes from and goes to, under load, and with files that were tampered
//! with.

use std::fs;
use std::path::PathBuf;

use shared::clock::Clock;
use shared::vault_api::governance::{EnrolmentPolicy, Proposal};
use shared::vault_api::jobs::JobState;
use shared::vault_api::reports::Backup;
use time::Duration;

use super::{Stage, config, give_shares, open};
use crate::audit::checkpoint::verifier_key;
use crate::audit::event::Operation;
use crate::bulk::backup_file::BackupFileError;
use crate::bulk::restore::{RestoreError, RestoreOptions, restore};
use crate::bulk::restored;
use crate::config::Config;
use crate::error::Error;
use crate::flows::{backup, erase};
use crate::process::Process;
use crate::store::testing::Home;
use crate::work;

impl Stage {
    /// Has a backup made, while holders are created, and gives its record and its file.
    pub(crate) async fn backup(&self, life_days: u16) -> (Backup, PathBuf) {
        self.agree(Proposal::Backup { life_days }).await.unwrap();
        let jobs = work::list(&self.vault).unwrap();
        let job = jobs.iter().find(|job| job.state == JobState::Running).unwrap();
        let load = async {
            for _ in 0..20 {
                self.holder().await;
            }
        };
        let (job, ()) = tokio::join!(work::run_to_end(&self.vault, &job.id), load);
        let job = job.unwrap();
        assert_eq!(job.state, JobState::Done, "{:?}", job.failures);
        let made = backup::list(&self.vault).unwrap().remove(0);
        let file = self.directory.path().join("data/backups").join(&made.file);
        (made, file)
    }

    fn time(&self) -> Clock {
        Clock::Manual(self.clock.clone())
    }

    fn options(&self, from: PathBuf) -> RestoreOptions {
        let key = verifier_key(self.vault.keyring().audit_key(), &self.vault.surroundings.origin);
        RestoreOptions {
            from,
            check: false,
            key: Some(key.unwrap()),
            escrow: None,
        }
    }

    fn elsewhere(&self, home: &Home, name: &str) -> Config {
        config(&self.directory, &self.set, home, name)
    }
}

async fn drill(from: Home, to: Home) {
    let stage = Stage::on(from, EnrolmentPolicy::OfficersOnly).await;
    let phone = stage.phone().await;
    let cards = [stage.card(&phone).await, stage.card(&phone).await];
    let closed = stage.card(&phone).await;
    let event = stage.event(Operation::Erase);
    erase::erase(&stage.vault, event, closed.token.clone())
        .await
        .unwrap();
    let (made, file) = stage.backup(30).await;
    let later = stage.card(&phone).await;

    let place = stage.elsewhere(&to, "restored");
    let manifest = restore(&place, &stage.options(file.clone()), &stage.time())
        .await
        .unwrap();
    assert_eq!(
        (manifest.records(), manifest.log_size),
        (made.records, made.log_size)
    );
    let again = restore(&place, &stage.options(file), &stage.time()).await;
    assert!(matches!(again, Err(RestoreError::NotEmpty)), "{again:?}");

    let (_process, vault) = open(&stage.directory, &stage.set, &stage.time(), &to, "restored").await;
    for card in &cards {
        let record = vault.card_alone(&card.token).unwrap().record;
        let secrets = vault.secrets(&record).unwrap();
        assert_eq!(secrets.pan(&record).unwrap().as_bytes(), card.pan.as_bytes());
        assert_eq!(
            secrets.cvv(&record).unwrap().unwrap().as_bytes(),
            card.cvv.as_bytes()
        );
        assert_eq!(
            vault.card_of_pan(&card.pan()).unwrap().as_ref(),
            Some(&card.token)
        );
    }
    assert!(vault.card_alone(&later.token).is_err(), "made after the backup");
    assert!(restored::marker(&vault.surroundings.store).unwrap().is_none());
    assert!(
        work::list(&vault)
            .unwrap()
            .iter()
            .all(|job| job.ended_at.is_some()),
        "the backup's own job does not go on in what was restored"
    );
    let recount = vault.surroundings.store.recount().unwrap();
    assert_eq!(recount.found, recount.expected);
    // The log goes on where the backup ended it, and says so first.
    let (root, first) = vault
        .log(|log| Ok((log.head(made.log_size)?.root, log.event(made.log_size)?)))
        .unwrap();
    assert_eq!(root, manifest.commit.audit_head);
    assert_eq!(first.operation, Operation::Restore);
}

#[tokio::test]
async fn a_backup_is_restored_elsewhere() {
    drill(Home::sled(), Home::sled()).await;
}

#[tokio::test]
async fn a_backup_moves_a_vault_between_engines() {
    let (Some(there), Some(back)) = (Home::postgres(), Home::postgres()) else {
        return;
    };
    drill(Home::sled(), there).await;
    drill(back, Home::sled()).await;
}

#[tokio::test]
async fn a_file_that_was_touched_restores_nothing() {
    let stage = Stage::new().await;
    let phone = stage.phone().await;
    stage.card(&phone).await;
    let (_, file) = stage.backup(30).await;
    let whole = fs::read(&file).unwrap();
    let bad = stage.directory.path().join("bad");
    let home = Home::sled();
    let place = stage.elsewhere(&home, "elsewhere");
    let attempt = async |bytes: &[u8]| {
        fs::write(&bad, bytes).unwrap();
        restore(&place, &stage.options(bad.clone()), &stage.time())
            .await
            .unwrap_err()
    };

    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    let error = attempt(&flipped).await;
    assert!(
        matches!(
            error,
            RestoreError::File(
                BackupFileError::Changed | BackupFileError::Damaged(_) | BackupFileError::CutOff
            )
        ),
        "{error}"
    );
    let error = attempt(&whole[..whole.len() / 2]).await;
    assert!(
        matches!(error, RestoreError::File(BackupFileError::CutOff)),
        "{error}"
    );
    let manifest = whole.len() - 100;
    let life = find(&whole, b"life-ends 2027");
    let mut longer = whole.clone();
    longer[life + b"life-ends 202".len()] = b'8';
    let error = attempt(&longer).await;
    assert!(matches!(error, RestoreError::Signature(_)), "{error}");
    let error = attempt(b"something else").await;
    assert!(
        matches!(error, RestoreError::File(BackupFileError::NotOne)),
        "{error}"
    );
    assert!(manifest > life && !stage.directory.path().join("elsewhere/store").exists());

    // Without the key the same is found out by the first unlock.
    fs::write(&bad, &longer).unwrap();
    let mut options = stage.options(bad.clone());
    options.key = None;
    restore(&place, &options, &stage.time()).await.unwrap();
    let store = crate::app::open_store(&place).unwrap();
    let process = Process::locked(crate::app::surroundings(&place, store, &stage.time()).unwrap()).unwrap();
    let refused = give_shares(&stage.directory, &stage.set, &process).await;
    assert!(
        matches!(
            refused,
            Err(Error::Conflict {
                code: "RESTORE_FORGED",
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(process.open_vault().is_err());
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .rposition(|window| window == what)
        .unwrap()
}

#[tokio::test]
async fn without_the_secret_of_its_epoch_a_backup_is_refused() {
    let stage = Stage::new().await;
    let (_, file) = stage.backup(30).await;
    let home = Home::sled();
    let place = stage.elsewhere(&home, "elsewhere");
    for copy in ["epoch-1", "epoch-2"] {
        fs::remove_file(stage.directory.path().join(copy)).unwrap();
    }
    let refused = restore(&place, &stage.options(file), &stage.time()).await;
    assert!(matches!(refused, Err(RestoreError::NoEpoch(1))), "{refused:?}");
}

#[tokio::test]
async fn a_backup_has_a_life_and_room() {
    let stage = Stage::new().await;
    let refused = async |life_days| {
        let error = stage.agree(Proposal::Backup { life_days }).await.unwrap_err();
        error.status_and_code().1
    };
    assert_eq!(refused(0).await, "BACKUP_LIFE_INVALID");
    assert_eq!(refused(3651).await, "BACKUP_LIFE_INVALID");
    let (made, _) = stage.backup(30).await;
    assert!(backup::needs_epoch(&stage.vault, made.epoch).unwrap());
    stage.clock.advance(Duration::days(31));
    backup::end_lives(&stage.vault).await.unwrap();
    assert!(backup::list(&stage.vault).unwrap().is_empty());
    assert!(!backup::needs_epoch(&stage.vault, made.epoch).unwrap());
}
