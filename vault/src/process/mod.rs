//! The running process: locked at first, open once the root key is whole, locked again on an officer's word.

mod alone;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ring::rand::SystemRandom;
use shared::mtls::peer::Peer;
use shared::vault_api::governance::{LockState, SlotCounts, Status};

use crate::audit::event::{Event, Operation, Outcome};
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::backup;
use crate::flows::slots;
use crate::keys::keyring::Keyring;
use crate::keys::root::RootKey;
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::{Opened, Progress, UnlockSession};
use crate::keys::slot::{self, Keeping, Slot};
use crate::open_vault::{OpenVault, Surroundings};
use crate::records::Tx;

use self::alone::Alone;

/// Events that wait for the vault to open.
const MOST_UNWRITTEN: usize = 1000;

/// What the process holds besides the vault it may open.
pub struct Process {
    environment: Environment,
    surroundings: Surroundings,
    unlocking: Mutex<UnlockSession>,
    vault: ArcSwapOption<OpenVault>,
    alone: Alone,
    /// One unlock finishes at a time. What happens until then waits here to be written down: while the vault is locked,
    /// nothing can be sealed.
    opening: tokio::sync::Mutex<Vec<Event>>,
}

impl Process {
    /// A locked process over an initialised store.
    ///
    /// # Errors
    /// The slots cannot be read.
    pub fn locked(surroundings: Surroundings) -> Result<Self, slot::SlotError> {
        let environment = surroundings.environment;
        let slots = slot::load_all(&surroundings.store)?;
        let unlocking = UnlockSession::new(environment, slots, surroundings.clock.clone());
        let started = Event::done(Operation::Start, surroundings.clock.now());
        Ok(Self {
            environment,
            surroundings,
            unlocking: Mutex::new(unlocking),
            vault: ArcSwapOption::empty(),
            alone: Alone::default(),
            opening: tokio::sync::Mutex::new(vec![started]),
        })
    }

    /// What the process has whether it is locked or not.
    #[must_use]
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The unlocked vault.
    ///
    /// # Errors
    /// [`Error::Locked`].
    pub fn open_vault(&self) -> Result<Arc<OpenVault>, Error> {
        self.vault.load_full().ok_or(Error::Locked)
    }

    /// Locked or unlocked, which slots there are, and how far an unlock has come.
    #[must_use]
    pub fn status(&self) -> Status {
        if let Err(error) = self.look_at_slots() {
            tracing::error!(%error, "the slots cannot be read");
        }
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
            slots: counts(session.slots()),
            token_trouble: self.alone.trouble().map(str::to_owned),
        }
    }

    /// Reads the slots again: they may have been changed since the vault was last locked, or by another process.
    fn look_at_slots(&self) -> Result<(), Error> {
        let slots = slot::load_all(&self.surroundings.store);
        let slots = slots.map_err(|error| Error::Corrupt(error.to_string()))?;
        self.session().refresh(slots);
        Ok(())
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
        self.look_at_slots()?;
        let mut event = Event::done(Operation::GiveShare, self.surroundings.clock.now());
        event.caller = Some(peer.identity.clone());
        let progress = self.session().submit(&peer.identity, &peer.key, share);
        match progress {
            Ok(Progress::Waiting { .. }) => remember(&mut unwritten, event),
            Ok(Progress::Complete(opened)) => {
                remember(&mut unwritten, event);
                self.unlock(opened, &mut unwritten).await?;
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
    async fn unlock(&self, opened: Opened, unwritten: &mut Vec<Event>) -> Result<(), Error> {
        let Opened { root, slot, shares } = opened;
        let vault = self.open(root).await?;
        self.face_witnesses(&vault).await?;
        while let Some(event) = unwritten.first().cloned() {
            vault.commit(event, |_, _| Ok(())).await?;
            unwritten.remove(0);
        }
        let now = self.surroundings.clock.now();
        let mut event = Event::done(Operation::Unlock, now);
        event.note = Some(format!("slot {slot}"));
        let proved = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
            slots::remember_proved(tx, &slot, &shares, now.unix_timestamp())
        };
        vault.commit(event, proved).await?;
        self.vault.store(Some(Arc::clone(&vault)));
        self.surroundings.witnesses.grown();
        self.alone.forget_trouble();
        tracing::info!(%slot, "unlocked");
        // A change of slots that was complete when the process ended.
        let _turn = vault.governing().await;
        if let Err(error) = slots::settle(&vault, None).await {
            tracing::error!(%error, "a verified slot is still pending");
        }
        Ok(())
    }

    /// Nothing opens over an earlier state of its disk, unless officers restored that: then it is the first event.
    async fn face_witnesses(&self, vault: &Arc<OpenVault>) -> Result<(), Error> {
        let restored = backup::restored_from(vault)?;
        let witnessed = self
            .surroundings
            .witnesses
            .check(vault, restored.is_some())
            .await?;
        match restored {
            Some(restored) => backup::announce_restore(vault, restored, witnessed).await,
            None => Ok(()),
        }
    }

    async fn open(&self, root: RootKey) -> Result<Arc<OpenVault>, Error> {
        let (environment, epoch) = (self.environment, self.surroundings.epoch.clone());
        let surroundings = self.surroundings.clone();
        let open = move || {
            let epoch = epoch
                .load_or_escrowed()
                .map_err(|error| Error::Store(error.to_string()))?;
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
        self.alone.end();
        tracing::info!("locked");
        let last = vault.commit_last(event).await;
        self.surroundings.witnesses.tell_all(&vault).await;
        last?;
        Ok(self.status())
    }

    /// Wipes shares that waited too long for the others.
    pub fn forget_expired_shares(&self) {
        self.session().forget_expired();
        if let Some(vault) = &*self.vault.load() {
            vault.drills().forget_expired();
        }
    }

    fn session(&self) -> MutexGuard<'_, UnlockSession> {
        self.unlocking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counts(slots: &[Slot]) -> SlotCounts {
    let mut counts = SlotCounts::default();
    for slot in slots {
        let kind = match (&slot.keeping, slot.is_active()) {
            (_, false) => &mut counts.pending,
            (Keeping::Shamir { .. }, true) => &mut counts.custodians,
            (Keeping::Pkcs11 { .. }, true) => &mut counts.tokens,
            (Keeping::KeyFile { .. }, true) => &mut counts.key_files,
        };
        *kind += 1;
    }
    counts
}

/// Keeps an event for later, up to a bound: whoever hands in wrong shares for hours is in the log of the process.
fn remember(unwritten: &mut Vec<Event>, event: Event) {
    if unwritten.len() < MOST_UNWRITTEN {
        unwritten.push(event);
    }
}
