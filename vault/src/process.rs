//! The running process: locked at first, open once the root key is whole, locked again on an officer's word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ring::rand::SystemRandom;
use shared::mtls::peer::Peer;
use shared::vault_api::governance::{LockState, Status};

use crate::audit::event::{Event, Operation, Outcome};
use crate::environment::Environment;
use crate::error::Error;
use crate::keys::epoch::EpochFiles;
use crate::keys::keyring::Keyring;
use crate::keys::root::RootKey;
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::{Progress, UnlockSession};
use crate::keys::slot::{self, Keeping};
use crate::open_vault::{OpenVault, Surroundings};

/// Events that wait for the vault to open.
const MOST_UNWRITTEN: usize = 1000;

/// What the process holds besides the vault it may open.
pub struct Process {
    environment: Environment,
    surroundings: Surroundings,
    epoch: EpochFiles,
    unlocking: Mutex<UnlockSession>,
    vault: ArcSwapOption<OpenVault>,
    /// One unlock finishes at a time. What happens until then waits here to be written down: while the vault is locked,
    /// nothing can be sealed.
    opening: tokio::sync::Mutex<Vec<Event>>,
}

impl Process {
    /// A locked process over an initialised store.
    ///
    /// # Errors
    /// The slots cannot be read.
    pub fn locked(
        environment: Environment,
        surroundings: Surroundings,
        epoch: EpochFiles,
    ) -> Result<Self, slot::SlotError> {
        let slots = slot::load_all(&surroundings.store)?;
        let unlocking = UnlockSession::new(environment, slots, surroundings.clock.clone());
        let started = Event::done(Operation::Start, surroundings.clock.now());
        Ok(Self {
            environment,
            surroundings,
            epoch,
            unlocking: Mutex::new(unlocking),
            vault: ArcSwapOption::empty(),
            opening: tokio::sync::Mutex::new(vec![started]),
        })
    }

    /// The unlocked vault.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn open_vault(&self) -> Result<Arc<OpenVault>, Error> {
        self.vault.load_full().ok_or(Error::Locked)
    }

    /// Locked or unlocked, and how far an unlock has come.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = if self.vault.load().is_some() {
            LockState::Unlocked
        } else {
            LockState::Locked
        };
        let session = self.session();
        let (shares_given, shares_needed) = (session.given(), session.needed());
        Status {
            state,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            shares_given,
            shares_needed,
        }
    }

    /// Takes a custodian's share; with the last one the vault opens.
    ///
    /// # Errors
    /// The share's own error, or the store does not open with the key.
    pub async fn give_share(&self, peer: &Peer, share: &ShareText) -> Result<Status, Error> {
        let mut unwritten = self.opening.lock().await;
        if self.vault.load().is_some() {
            return Ok(self.status());
        }
        let mut event = Event::done(Operation::GiveShare, self.surroundings.clock.now());
        event.caller = Some(peer.identity.clone());
        let progress = self.session().submit(&peer.identity, &peer.key, share);
        match progress {
            Ok(Progress::Waiting { .. }) => remember(&mut unwritten, event),
            Ok(Progress::Complete(root)) => {
                remember(&mut unwritten, event);
                self.unlock(root, &mut unwritten).await?;
            }
            Err(error) => {
                tracing::warn!(custodian = %peer.identity, %error, "share refused");
                let reason = error.to_string();
                let Some(code) = error.code() else {
                    return Err(Error::Internal(reason));
                };
                event.outcome = Outcome::Refused {
                    code: code.to_owned(),
                    reason: reason.clone(),
                };
                remember(&mut unwritten, event);
                return Err(Error::conflict(code, reason));
            }
        }
        Ok(self.status())
    }

    /// Opens the vault, writes down what happened before, and begins to serve.
    async fn unlock(&self, root: RootKey, unwritten: &mut Vec<Event>) -> Result<(), Error> {
        let vault = self.open(root).await?;
        while let Some(event) = unwritten.first().cloned() {
            vault.commit(event, |_, _| Ok(())).await?;
            unwritten.remove(0);
        }
        let event = Event::done(Operation::Unlock, self.surroundings.clock.now());
        vault.commit(event, |_, _| Ok(())).await?;
        self.vault.store(Some(vault));
        tracing::info!("unlocked");
        Ok(())
    }

    /// Opens with a key file, where the store has such a slot: development only.
    ///
    /// # Errors
    /// The file cannot be read or does not open the slot.
    pub async fn open_by_key_file(&self) -> Result<bool, Error> {
        let slots = self.session().slots().to_vec();
        let Some(slot) = slots
            .iter()
            .find(|slot| matches!(slot.keeping, Keeping::KeyFile { .. }))
        else {
            return Ok(false);
        };
        tracing::warn!("opening with a key file: whoever reads that file reads every card. Development only");
        let root = slot::key_file::open(self.environment, slot);
        let root = root.map_err(|error| Error::Internal(error.to_string()))?;
        let mut unwritten = self.opening.lock().await;
        self.unlock(root, &mut unwritten).await?;
        Ok(true)
    }

    async fn open(&self, root: RootKey) -> Result<Arc<OpenVault>, Error> {
        let (environment, epoch) = (self.environment, self.epoch.clone());
        let surroundings = self.surroundings.clone();
        let open = move || {
            let epoch = epoch.load().map_err(|error| Error::Store(error.to_string()))?;
            let now = surroundings.clock.unix_seconds();
            let keyring = Keyring::open(
                environment,
                root,
                &epoch,
                &surroundings.store,
                now,
                SystemRandom::new(),
            );
            OpenVault::open(
                surroundings,
                keyring.map_err(|error| Error::Corrupt(error.to_string()))?,
            )
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|error| Error::Internal(error.to_string()))?
    }

    /// Forgets every key. Requests under way end with 503: after this event, nothing is committed any more.
    ///
    /// # Errors
    /// The event cannot be written; the vault is locked all the same.
    pub async fn lock(&self, event: Event) -> Result<Status, Error> {
        let _turn = self.opening.lock().await;
        let vault = self.vault.swap(None).ok_or(Error::Locked)?;
        tracing::info!("locked");
        vault.commit_last(event).await?;
        Ok(self.status())
    }

    /// Wipes shares that waited too long for the others.
    pub fn forget_expired_shares(&self) {
        self.session().forget_expired();
    }

    fn session(&self) -> MutexGuard<'_, UnlockSession> {
        self.unlocking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an event for later, up to a bound: whoever hands in wrong shares for hours is in the log of the process.
fn remember(unwritten: &mut Vec<Event>, event: Event) {
    if unwritten.len() < MOST_UNWRITTEN {
        unwritten.push(event);
    }
}
