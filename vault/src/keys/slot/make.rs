//! Making a slot for a root key, whichever way it is to be kept.

use std::path::PathBuf;

use ring::rand::SecureRandom;
use shared::mtls::identity::Identity;

use super::key_file::{self, KeyFileError};
use super::pkcs11::{self, Hsm, HsmError};
use super::shamir::{self, NewCustodian, ShamirError};
use super::share::ShareText;
use super::{Slot, Standing};
use crate::environment::Environment;
use crate::keys::root::RootKey;

/// How the root key is to be kept.
#[derive(Clone, Debug)]
pub enum RootKeeping {
    /// Split among officers.
    Custodians {
        /// How many shares open, at least 2.
        threshold: u8,
        /// One share each, in this order.
        custodians: Vec<NewCustodian>,
    },
    /// By a key of a PKCS#11 token, made when there is none of that label.
    Pkcs11 {
        /// The module that speaks to the token.
        hsm: Hsm,
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
    },
    /// In a file; development only.
    KeyFile(PathBuf),
}

impl RootKeeping {
    /// Whether such a slot could be made here, as far as can be told without a token or a file.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn check(&self, environment: Environment) -> Result<(), MakeError> {
        match self {
            Self::Custodians {
                threshold,
                custodians,
            } => shamir::check(*threshold, custodians).map(drop)?,
            Self::Pkcs11 { token, key, .. } => pkcs11::check_labels(token, key)?,
            Self::KeyFile(_) => key_file::allowed(environment)?,
        }
        Ok(())
    }
}

/// Why no slot was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The custodians.
    #[error(transparent)]
    Custodians(#[from] ShamirError),
    /// The token.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
}

impl MakeError {
    /// The problem code of what the officers can mend; `None` where the vault itself failed.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Custodians(error) => error.code(),
            Self::Hsm(error) => error.code(),
            Self::KeyFile(error) => error.code(),
        }
    }
}

/// A slot that is not stored yet, and each custodian's share, which exists nowhere else.
pub type MadeSlot = (Slot, Vec<(Identity, ShareText)>);

/// Makes a slot for `root`. Tokens and files are used here and now: never call it on an async thread, nor inside a
/// transaction. `now` in Unix seconds.
///
/// # Errors
/// [`MakeError`]; nothing remains but, perhaps, an unused key on the token.
pub(in crate::keys) fn make(
    environment: Environment,
    root: &RootKey,
    keeping: &RootKeeping,
    standing: Standing,
    now: i64,
    rng: &dyn SecureRandom,
) -> Result<MadeSlot, MakeError> {
    match keeping {
        RootKeeping::Custodians {
            threshold,
            custodians,
        } => {
            let made = shamir::create(environment, root, *threshold, custodians, standing, now, rng);
            Ok(made?)
        }
        RootKeeping::Pkcs11 { hsm, token, key } => {
            let slot = pkcs11::create(environment, root, hsm, (token, key), standing, now, rng)?;
            Ok((slot, Vec::new()))
        }
        RootKeeping::KeyFile(path) => {
            let slot = key_file::create(environment, root, path, standing, now, rng)?;
            Ok((slot, Vec::new()))
        }
    }
}
