//! Unlocking by custodians: shares come in one by one, each from the custodian it belongs to, within ten minutes. The
//! session is the locked vault's only secret state; it is wiped when it ends, however it ends. A drill of an open vault
//! collects its shares in the same way.

use shared::clock::Clock;
use shared::mtls::identity::Identity;
use shared::mtls::peer::SpkiThumbprint;

use super::shamir;
use super::share::{Share, ShareError, ShareText};
use super::{Slot, SlotError, SlotId, gf256};
use crate::environment::Environment;
use crate::keys::root::RootKey;

/// How long the first share waits for the last, in seconds.
pub const SESSION_SECONDS: i64 = 600;

/// How far an unlock has come.
#[derive(Debug)]
pub enum Progress {
    /// More shares are needed.
    Waiting {
        /// Shares that are here.
        given: u8,
        /// Shares that are needed.
        needed: u8,
        /// When they are forgotten, Unix seconds.
        until: i64,
    },
    /// The root key is whole.
    Complete(Opened),
}

/// A slot that custodians opened.
#[derive(Debug)]
pub struct Opened {
    /// What it keeps.
    pub root: RootKey,
    /// Which slot.
    pub slot: SlotId,
    /// The numbers of the shares.
    pub shares: Vec<u8>,
}

/// A share that was not taken. Except for [`UnlockError::Slot`] the shares that were given stay.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// Not the text of a share.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The share is of a slot that this vault does not have.
    #[error("the share is for slot {0}, which this vault does not have")]
    UnknownSlot(SlotId),
    /// The slot is pending: not every custodian has shown their share.
    #[error("slot {0} opens nothing yet: its custodians have not all shown their shares")]
    Pending(SlotId),
    /// The share comes too late for those that were given before.
    #[error(
        "the shares that were given before have been forgotten after {} minutes: all begin anew, this one too",
        SESSION_SECONDS / 60
    )]
    SessionExpired,
    /// Another slot's unlock is running.
    #[error("the share is for slot {given}, while shares of slot {running} are being collected")]
    OtherSlot {
        /// The share's slot.
        given: SlotId,
        /// The running one.
        running: SlotId,
    },
    /// The caller is no custodian of the slot.
    #[error("{0} is not a custodian of this slot")]
    NotACustodian(Identity),
    /// The caller's certificate has another key than the custodian registered.
    #[error("{0} is a custodian with another key than this certificate's")]
    OtherKey(Identity),
    /// The share belongs to another custodian.
    #[error("share {0} belongs to another custodian")]
    NotYours(u8),
    /// The custodian gave their share already.
    #[error("share {0} has been given already")]
    AlreadyGiven(u8),
    /// Well formed, with a fitting checksum, and not the share that the ceremony made.
    #[error("share {0} is not the one that the ceremony made")]
    WrongShare(u8),
    /// All shares are right and the slot does not open: its record was changed. The session starts over.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

impl UnlockError {
    /// The problem code of a refusal; `None` where the vault's own store or memory failed.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Share(ShareError::NotAShare) => "SHARE_MALFORMED",
            Self::Share(ShareError::Mistyped) => "SHARE_MISTYPED",
            Self::UnknownSlot(_) => "SHARE_UNKNOWN_SLOT",
            Self::Pending(_) => "SLOT_PENDING",
            Self::SessionExpired => "SHARE_SESSION_EXPIRED",
            Self::OtherSlot { .. } => "SHARE_OTHER_SLOT",
            Self::NotACustodian(_) => "NOT_A_CUSTODIAN",
            Self::OtherKey(_) => "CUSTODIAN_OTHER_KEY",
            Self::NotYours(_) => "SHARE_NOT_YOURS",
            Self::AlreadyGiven(_) => "SHARE_ALREADY_GIVEN",
            Self::WrongShare(_) => "SHARE_WRONG",
            Self::Slot(SlotError::DoesNotOpen(_)) => "SLOT_DOES_NOT_OPEN",
            Self::Slot(_) => return None,
        })
    }
}

/// Collects the shares of one slot.
#[derive(Debug)]
pub struct UnlockSession {
    environment: Environment,
    slots: Vec<Slot>,
    clock: Clock,
    collected: Option<Collected>,
    /// Shares were forgotten, and nobody has been told.
    expired: bool,
}

#[derive(Debug)]
struct Collected {
    slot: SlotId,
    since: i64,
    shares: Vec<Share>,
}

impl UnlockSession {
    /// A session over the slots of a locked vault.
    #[must_use]
    pub const fn new(environment: Environment, slots: Vec<Slot>, clock: Clock) -> Self {
        Self {
            environment,
            slots,
            clock,
            collected: None,
            expired: false,
        }
    }

    /// Takes note of the slots as they are now. Shares of one that is gone or was changed are wiped.
    pub fn refresh(&mut self, slots: Vec<Slot>) {
        let running = self.collected.as_ref().map(|running| running.slot);
        let of = |slots: &[Slot]| slots.iter().find(|slot| Some(slot.id) == running).cloned();
        if running.is_some() && of(&slots) != of(&self.slots) {
            self.collected = None;
        }
        self.slots = slots;
    }

    /// Takes a share from the officer who was authenticated with this identity and key.
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn submit(
        &mut self,
        identity: &Identity,
        key: &SpkiThumbprint,
        text: &ShareText,
    ) -> Result<Progress, UnlockError> {
        self.forget_expired();
        let share = Share::parse(text)?;
        let found = self.slots.iter().find(|slot| slot.id == share.slot);
        let found = found.and_then(|slot| Some((slot, slot.threshold()?)));
        let (slot, threshold) = found.ok_or(UnlockError::UnknownSlot(share.slot))?;
        if !slot.is_active() {
            return Err(UnlockError::Pending(slot.id));
        }
        if let Some(running) = self
            .collected
            .as_ref()
            .filter(|running| running.slot != share.slot)
        {
            return Err(UnlockError::OtherSlot {
                given: share.slot,
                running: running.slot,
            });
        }
        shamir::judge(slot.custodians(), identity, key, &share)?;
        if std::mem::take(&mut self.expired) {
            return Err(UnlockError::SessionExpired);
        }
        let now = self.clock.unix_seconds();
        let collected = self.collected.get_or_insert_with(|| Collected {
            slot: share.slot,
            since: now,
            shares: Vec::new(),
        });
        let index = share.point.index;
        if collected.shares.iter().any(|given| given.point.index == index) {
            return Err(UnlockError::AlreadyGiven(index));
        }
        collected.shares.push(share);
        let given = u8::try_from(collected.shares.len()).unwrap_or(u8::MAX);
        if given < threshold {
            let until = collected.since + SESSION_SECONDS;
            return Ok(Progress::Waiting {
                given,
                needed: threshold,
                until,
            });
        }
        let shares = std::mem::take(&mut collected.shares);
        let points: Vec<_> = shares.into_iter().map(|share| share.point).collect();
        let root = slot.open(self.environment, &gf256::combine(&points));
        let slot = slot.id;
        self.collected = None;
        Ok(Progress::Complete(Opened {
            root: root?,
            slot,
            shares: points.iter().map(|point| point.index).collect(),
        }))
    }

    /// Wipes the shares of a session that ran out of time (or whose clock was turned back). To be called by a timer:
    /// otherwise they would wait for the next share.
    pub fn forget_expired(&mut self) {
        let now = self.clock.unix_seconds();
        let expired = |collected: &Collected| !(0..SESSION_SECONDS).contains(&(now - collected.since));
        if self.collected.as_ref().is_some_and(expired) {
            self.collected = None;
            self.expired = true;
        }
    }

    /// Shares given in the running session.
    #[must_use]
    pub fn given(&self) -> u8 {
        self.collected
            .as_ref()
            .map_or(0, |running| u8::try_from(running.shares.len()).unwrap_or(u8::MAX))
    }

    /// Shares needed: of the running slot, else of the one that needs fewest; `None` without custodians.
    #[must_use]
    pub fn needed(&self) -> Option<u8> {
        let running = self.collected.as_ref().map(|running| running.slot);
        let thresholds = self
            .slots
            .iter()
            .filter(|slot| slot.is_active() && running.is_none_or(|id| id == slot.id));
        thresholds.filter_map(|slot| slot.threshold()).min()
    }

    /// The slots, for whoever opens one otherwise.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

impl Slot {
    /// The number of a share that somebody shows to verify this slot, if it is theirs and the very one that was made.
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn judge_share(
        &self,
        identity: &Identity,
        key: &SpkiThumbprint,
        text: &ShareText,
    ) -> Result<u8, UnlockError> {
        let share = Share::parse(text)?;
        if share.slot != self.id {
            return Err(UnlockError::OtherSlot {
                given: share.slot,
                running: self.id,
            });
        }
        Ok(shamir::judge(self.custodians(), identity, key, &share)?.share_index)
    }
}
