//! A slot whose secret is wrapped by an AES-256 key that does not leave its PKCS#11 token: the token opens the vault by
//! itself when the process starts, and custodians' slots stand beside it for the day on which it does not.
//!
//! The token is spoken to for a moment at a time: the module is initialised, one session is opened, logged in, used,
//! logged out and closed, and the module finalised, so that nothing stays logged in and a token that was pulled and put
//! back is found again. The PIN is read from its file for that moment and wiped.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as TokenError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::{Keeping, Slot, SlotError, SlotFacts, SlotId, Standing};
use crate::bytes::Base64Bytes;
use crate::crypto::aad::{self, ValueName};
use crate::environment::Environment;
use crate::keys::root::{KeyMemoryError, RootKey};
use crate::secret::{RandomFailed, SecretBytes};

const IV_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
const KEY_BYTES: u64 = 32;
/// The version that stands in the associated data; the token's key has no versions of its own.
const TOKEN_KEY_VERSION: u32 = 1;
/// Longer PINs than any token takes are not read.
const MAX_PIN_BYTES: u64 = 255;
/// How long a token is waited for. One in a network may take seconds; one that takes longer is away.
pub const TOKEN_PATIENCE: Duration = Duration::from_secs(20);
/// PKCS#11 pads token labels to this length.
const MAX_LABEL_BYTES: usize = 32;

/// Why the token does not serve.
#[derive(Debug, thiserror::Error)]
pub enum HsmError {
    /// `[hsm]` is missing in the configuration.
    #[error("no PKCS#11 module is configured: [hsm] names the module and the file of the PIN")]
    NotConfigured,
    /// Module or token is away.
    #[error("the token {token} cannot be reached: {reason}")]
    Unavailable {
        /// The token's label.
        token: String,
        /// What the module says.
        reason: String,
    },
    /// The PIN is wrong, or locked by earlier wrong ones.
    #[error("the token {0} refuses the PIN")]
    PinRefused(String),
    /// The PIN cannot be read.
    #[error("the file of the PIN, {0}: {1}")]
    PinFile(PathBuf, #[source] io::Error),
    /// Others than the owner may read the PIN.
    #[error("{0} may be read by others than its owner: its mode must be 0600")]
    PinReadable(PathBuf),
    /// No key of that label.
    #[error("the token {token} has no AES key {key}")]
    KeyMissing {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
    },
    /// A key of that label could be taken out, or there are several.
    #[error("the key {key} of token {token} does not serve: {reason}")]
    KeyUnfit {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A label that no token can have.
    #[error("a token's label has 1 to {MAX_LABEL_BYTES} bytes, and so has its key's")]
    Label,
    /// The token's key does not open the slot's secret.
    #[error("the token's key does not open slot {0}: it is another key, or the slot was changed")]
    DoesNotOpen(SlotId),
    /// The slot is kept otherwise.
    #[error("slot {0} is not kept by a token")]
    OtherKeeping(SlotId),
    /// The slot does not open, or cannot be made.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

impl<E: Into<KeyMemoryError>> From<E> for HsmError {
    fn from(error: E) -> Self {
        Self::Slot(SlotError::Key(error.into()))
    }
}

impl HsmError {
    /// The problem code; `None` where the vault itself failed.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotConfigured => "HSM_NOT_CONFIGURED",
            Self::Unavailable { .. } => "HSM_UNAVAILABLE",
            Self::PinRefused(_) => "HSM_PIN_REFUSED",
            Self::PinFile(..) | Self::PinReadable(_) => "HSM_PIN_UNREADABLE",
            Self::KeyMissing { .. } => "HSM_KEY_MISSING",
            Self::KeyUnfit { .. } => "HSM_KEY_UNFIT",
            Self::Label => "HSM_LABEL_INVALID",
            Self::DoesNotOpen(_) => "SLOT_DOES_NOT_OPEN",
            Self::OtherKeeping(_) | Self::Slot(_) => return None,
        })
    }
}

/// The PKCS#11 module of this process. Clones share it: a process initialises a module once.
#[derive(Clone, Debug)]
pub struct Hsm(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    module: PathBuf,
    pin_file: PathBuf,
    /// Loaded at the first use and kept: unloading a library that others link too is asking for trouble.
    library: OnceLock<Pkcs11>,
    /// One conversation at a time: `C_Initialize` and `C_Finalize` are for the whole process.
    turn: Mutex<()>,
}

/// Which key of which token.
#[derive(Clone, Copy, Debug)]
struct KeyName<'a> {
    token: &'a str,
    key: &'a str,
}

impl Hsm {
    /// Speaks to the module in this shared library, with the PIN in this file (mode 0600).
    #[must_use]
    pub fn new(module: PathBuf, pin_file: PathBuf) -> Self {
        Self(Arc::new(Inner {
            module,
            pin_file,
            library: OnceLock::new(),
            turn: Mutex::new(()),
        }))
    }

    fn library(&self, token: &str) -> Result<&Pkcs11, HsmError> {
        if let Some(library) = self.0.library.get() {
            return Ok(library);
        }
        let loaded = Pkcs11::new(&self.0.module).map_err(|error| unavailable(token, &error))?;
        Ok(self.0.library.get_or_init(|| loaded))
    }

    fn pin(&self) -> Result<AuthPin, HsmError> {
        let path = &self.0.pin_file;
        let failed = |error| HsmError::PinFile(path.clone(), error);
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(HsmError::PinReadable(path.clone()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PIN_BYTES as usize + 1));
        file.take(MAX_PIN_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        let pin = std::str::from_utf8(bytes.trim_ascii_end());
        let pin = pin.map_err(|_| failed(io::Error::from(io::ErrorKind::InvalidData)))?;
        // Exactly as large as the PIN: boxing a larger string would move it and leave a copy.
        Ok(AuthPin::from(pin.to_owned().into_boxed_str()))
    }

    /// One conversation with the token, in a session that is logged in.
    fn talk<T>(
        &self,
        token: &str,
        talk: impl FnOnce(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let _turn = match self.0.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            // Perhaps one that hangs: nobody waits behind it.
            Err(TryLockError::WouldBlock) => {
                return Err(HsmError::Unavailable {
                    token: token.to_owned(),
                    reason: "an earlier conversation with it has not ended".to_owned(),
                });
            }
        };
        let library = self.library(token)?;
        let initialised = Initialised::begin(library, token)?;
        let said = Self::logged_in(library, token, &self.pin()?, talk);
        drop(initialised);
        said
    }

    fn logged_in<T>(
        library: &Pkcs11,
        token: &str,
        pin: &AuthPin,
        talk: impl FnOnce(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let failed = |error: TokenError| unavailable(token, &error);
        let mut of_that_label = Vec::new();
        for slot in library.get_slots_with_initialized_token().map_err(failed)? {
            if library.get_token_info(slot).map_err(failed)?.label() == token {
                of_that_label.push(slot);
            }
        }
        let [slot] = of_that_label[..] else {
            return Err(HsmError::Unavailable {
                token: token.to_owned(),
                reason: format!("{} tokens have that label", of_that_label.len()),
            });
        };
        let session = library.open_rw_session(slot).map_err(failed)?;
        session
            .login(UserType::User, Some(pin))
            .map_err(|error| match error {
                TokenError::Pkcs11(
                    RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinLocked,
                    _,
                ) => HsmError::PinRefused(token.to_owned()),
                other => unavailable(token, &other),
            })?;
        let said = talk(&session);
        if let Err(error) = session.logout() {
            tracing::warn!(token, %error, "the token's session was closed without a logout");
        }
        said
    }
}

/// An initialised module, finalised when dropped.
struct Initialised<'a>(&'a Pkcs11);

impl<'a> Initialised<'a> {
    fn begin(library: &'a Pkcs11, token: &str) -> Result<Self, HsmError> {
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(Self(library)),
            Err(error) => Err(unavailable(token, &error)),
        }
    }
}

impl Drop for Initialised<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.clone().finalize() {
            tracing::warn!(%error, "the PKCS#11 module was not finalised");
        }
    }
}

fn unavailable(token: &str, error: &TokenError) -> HsmError {
    HsmError::Unavailable {
        token: token.to_owned(),
        reason: error.to_string(),
    }
}

/// The key, if the token has exactly one of that label and it cannot be taken out.
fn find_key(session: &Session, name: KeyName<'_>) -> Result<Option<ObjectHandle>, HsmError> {
    let failed = |error: TokenError| unavailable(name.token, &error);
    let unfit = |reason| {
        Err(HsmError::KeyUnfit {
            token: name.token.to_owned(),
            key: name.key.to_owned(),
            reason,
        })
    };
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(name.key.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template).map_err(failed)?;
    let key = match found[..] {
        [] => return Ok(None),
        [key] => key,
        _ => return unfit("several keys have that label"),
    };
    let wanted = [
        AttributeType::KeyType,
        AttributeType::ValueLen,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
    ];
    let attributes = session.get_attributes(key, &wanted).map_err(failed)?;
    let is = |attribute: Attribute| attributes.contains(&attribute);
    if !is(Attribute::KeyType(KeyType::AES)) || !is(Attribute::ValueLen(KEY_BYTES.into())) {
        return unfit("it is no AES key of 256 bits");
    }
    let stays = is(Attribute::Extractable(false)) && is(Attribute::NeverExtractable(true));
    let is_sensitive = is(Attribute::Sensitive(true)) && is(Attribute::AlwaysSensitive(true));
    if !stays || !is_sensitive {
        return unfit("it can be taken out of the token, or could once");
    }
    Ok(Some(key))
}

/// Makes the key on the token: it never was, and never will be, anywhere else.
fn make_key(session: &Session, name: KeyName<'_>) -> Result<(), HsmError> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_BYTES.into()),
        Attribute::Label(name.key.as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
    ];
    let made = session.generate_key(&Mechanism::AesKeyGen, &template);
    made.map(drop).map_err(|error| unavailable(name.token, &error))?;
    tracing::info!(
        token = name.token,
        key = name.key,
        "an AES-256 key was made on the token"
    );
    Ok(())
}

fn missing(name: KeyName<'_>) -> HsmError {
    HsmError::KeyMissing {
        token: name.token.to_owned(),
        key: name.key.to_owned(),
    }
}

/// `IV(12) ‖ ciphertext ‖ tag(16)`.
fn wrap(
    session: &Session,
    name: KeyName<'_>,
    key: ObjectHandle,
    aad: &[u8],
    secret: &SecretBytes<32>,
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, HsmError> {
    let failed = |error: TokenError| unavailable(name.token, &error);
    let mut iv = [0; IV_BYTES];
    rng.fill(&mut iv).map_err(|_| RandomFailed)?;
    let mut wrapped = iv.to_vec();
    let parameters = GcmParams::new(&mut iv, aad, TAG_BITS.into()).map_err(failed)?;
    let sealed = session.encrypt(&Mechanism::AesGcm(parameters), key, secret.expose());
    wrapped.extend(sealed.map_err(failed)?);
    Ok(wrapped)
}

/// The secret, or `None` when it was not this key that wrapped it under this name.
fn unwrap(session: &Session, key: ObjectHandle, aad: &[u8], wrapped: &[u8]) -> Option<SecretBytes<32>> {
    let (iv, sealed) = wrapped.split_first_chunk::<IV_BYTES>()?;
    let mut iv = *iv;
    let parameters = GcmParams::new(&mut iv, aad, TAG_BITS.into()).ok()?;
    let secret = session
        .decrypt(&Mechanism::AesGcm(parameters), key, sealed)
        .ok()?;
    SecretBytes::from_slice(&Zeroizing::new(secret))
}

fn name_of(environment: Environment, id: &SlotId, name: KeyName<'_>) -> Vec<u8> {
    let full = ValueName::SlotSecret {
        slot: id.as_bytes(),
        token: name.token,
        key: name.key,
    };
    aad::for_token(environment, TOKEN_KEY_VERSION, &full)
}

/// Whether a token and its key can have these labels.
///
/// # Errors
/// [`HsmError::Label`].
pub(in crate::keys) fn check_labels(token: &str, key: &str) -> Result<(), HsmError> {
    let fits = |label: &str| (1..=MAX_LABEL_BYTES).contains(&label.len());
    if fits(token) && fits(key) {
        Ok(())
    } else {
        Err(HsmError::Label)
    }
}

/// Makes a slot; the key is made on the token when there is none of that label. Blocks for as long as the token takes.
///
/// # Errors
/// [`HsmError`].
pub(in crate::keys) fn create(
    environment: Environment,
    root: &RootKey,
    hsm: &Hsm,
    (token, key): (&str, &str),
    standing: Standing,
    now: i64,
    rng: &dyn SecureRandom,
) -> Result<Slot, HsmError> {
    check_labels(token, key)?;
    let name = KeyName { token, key };
    let (id, secret) = (SlotId::random(rng)?, SecretBytes::random(rng)?);
    let aad = name_of(environment, &id, name);
    let wrapped = hsm.talk(token, |session| {
        if find_key(session, name)?.is_none() {
            make_key(session, name)?;
        }
        let key = find_key(session, name)?.ok_or_else(|| missing(name))?;
        wrap(session, name, key, &aad, &secret, rng)
    })?;
    let keeping = Keeping::Pkcs11 {
        token: token.to_owned(),
        key: key.to_owned(),
        wrapped_secret: Base64Bytes(wrapped),
    };
    let facts = SlotFacts {
        id,
        created_at: now,
        keeping,
        standing,
    };
    let slot = Slot::new(environment, facts, &secret, root, rng)?;
    if open(environment, hsm, &slot)? != *root {
        return Err(HsmError::DoesNotOpen(slot.id));
    }
    Ok(slot)
}

/// Opens a slot by its token. Blocks for as long as the token takes.
///
/// # Errors
/// [`HsmError`].
pub fn open(environment: Environment, hsm: &Hsm, slot: &Slot) -> Result<RootKey, HsmError> {
    let Keeping::Pkcs11 {
        token,
        key,
        wrapped_secret,
    } = &slot.keeping
    else {
        return Err(HsmError::OtherKeeping(slot.id));
    };
    let name = KeyName { token, key };
    let aad = name_of(environment, &slot.id, name);
    let secret = hsm.talk(token, |session| {
        let key = find_key(session, name)?.ok_or_else(|| missing(name))?;
        unwrap(session, key, &aad, &wrapped_secret.0).ok_or(HsmError::DoesNotOpen(slot.id))
    })?;
    Ok(slot.open(environment, &secret)?)
}

#[cfg(test)]
mod tests;
