//! Opening without custodians: by a PKCS#11 token, or in development by a key file. At start-up, and every ten seconds
//! while the token is away; never again once it refused the PIN (the next tries would lock it), and never after an
//! officer locked the vault: what an officer closed, custodians open, or whoever may start the process anew.

use std::sync::{Mutex, PoisonError};

use crate::audit::event::{Event, Operation, Outcome};
use crate::error::Error;
use crate::keys::root::RootKey;
use crate::keys::slot::key_file::{self, KeyFileError};
use crate::keys::slot::pkcs11::{self, HsmError, TOKEN_PATIENCE};
use crate::keys::slot::unlock::Opened;
use crate::keys::slot::{Keeping, Slot};

use super::{Process, remember};

/// What became of opening without custodians.
#[derive(Debug, Default)]
pub(super) struct Alone(Mutex<State>);

#[derive(Debug, Default, Clone, Copy)]
struct State {
    trouble: Option<&'static str>,
    ended: bool,
}

/// Why a slot did not open by itself.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Hsm(#[from] HsmError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
}

impl Trouble {
    const fn code(&self) -> &'static str {
        let code = match self {
            Self::Hsm(error) => error.code(),
            Self::KeyFile(error) => error.code(),
        };
        match code {
            Some(code) => code,
            None => "SLOT_DOES_NOT_OPEN",
        }
    }
}

impl Alone {
    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// The problem code of the last try, if it failed.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.state().trouble
    }

    /// Not again in this process.
    pub(super) fn end(&self) {
        self.set(State {
            trouble: self.trouble(),
            ended: true,
        });
    }

    /// The vault is open, whoever opened it.
    pub(super) fn forget_trouble(&self) {
        self.set(State {
            trouble: None,
            ended: self.state().ended,
        });
    }
}

impl Process {
    /// Opens the vault by the first slot that needs no custodians, if there is one and it opens.
    ///
    /// # Errors
    /// The slots cannot be read, or the store does not open with the root key that a slot gave.
    pub async fn open_by_itself(&self) -> Result<bool, Error> {
        if self.alone.state().ended || self.vault.load().is_some() {
            return Ok(false);
        }
        self.look_at_slots()?;
        let slots = self.session().slots().to_vec();
        for slot in slots
            .into_iter()
            .filter(|slot| slot.is_active() && slot.threshold().is_none())
        {
            let id = slot.id;
            let tried = self.open_slot(slot).await?;
            // Only now: custodians do not wait for a token.
            let mut unwritten = self.opening.lock().await;
            if self.alone.state().ended || self.vault.load().is_some() {
                return Ok(false);
            }
            match tried {
                Ok(root) => {
                    let opened = Opened {
                        root,
                        slot: id,
                        shares: Vec::new(),
                    };
                    self.unlock(opened, &mut unwritten).await?;
                    return Ok(true);
                }
                Err(trouble) => self.note(&trouble, &mut unwritten),
            }
        }
        Ok(false)
    }

    /// Told once and not every ten seconds.
    fn note(&self, trouble: &Trouble, unwritten: &mut Vec<Event>) {
        let (before, code) = (self.alone.state(), trouble.code());
        let refused = matches!(trouble, Trouble::Hsm(HsmError::PinRefused(_)));
        self.alone.set(State {
            trouble: Some(code),
            ended: before.ended || refused,
        });
        if before.trouble == Some(code) {
            return;
        }
        tracing::error!(code, error = %trouble, "the vault stays locked: custodians can unlock it");
        let mut event = Event::done(Operation::Unlock, self.surroundings.clock.now());
        event.outcome = Outcome::Refused {
            code: code.to_owned(),
            reason: trouble.to_string(),
        };
        remember(unwritten, event);
    }

    async fn open_slot(&self, slot: Slot) -> Result<Result<RootKey, Trouble>, Error> {
        let (environment, hsm) = (self.environment, self.surroundings.hsm.clone());
        let token = match &slot.keeping {
            Keeping::Pkcs11 { token, .. } => token.clone(),
            Keeping::KeyFile { .. } | Keeping::Shamir { .. } => String::new(),
        };
        let open = move || match &slot.keeping {
            Keeping::Pkcs11 { .. } => {
                let hsm = hsm.ok_or(HsmError::NotConfigured)?;
                Ok(pkcs11::open(environment, &hsm, &slot)?)
            }
            Keeping::KeyFile { .. } | Keeping::Shamir { .. } => Ok(key_file::open(environment, &slot)?),
        };
        let opened = tokio::time::timeout(TOKEN_PATIENCE, tokio::task::spawn_blocking(open)).await;
        match opened {
            Ok(opened) => opened.map_err(|error| Error::Internal(error.to_string())),
            Err(_) => Ok(Err(Trouble::Hsm(HsmError::Unavailable {
                token,
                reason: "it does not answer".to_owned(),
            }))),
        }
    }
}
