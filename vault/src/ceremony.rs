//! `vault init`: makes a vault and its first officers. Each share is written once, sealed to the key of its custodian's
//! certificate, and exists nowhere else; in clear it never touches the disk.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::jwe::SealError;
use shared::mtls::identity::Identity;

use crate::app::{self, StartError};
use crate::audit::event::{Event, Operation};
use crate::config::{Config, ConfigError};
use crate::error::Error;
use crate::keys::ceremony::{CeremonyError, initialise};
use crate::keys::jwe_keys::NewJweKey;
use crate::keys::keyring::{Keyring, KeyringError};
use crate::keys::slot::make::{MakeError, RootKeeping};
use crate::keys::slot::pkcs11::HsmError;
use crate::keys::slot::sealed::{CertificateError, CustodianCertificate};
use crate::keys::slot::share::ShareText;
use crate::keys::slot::unlock::{Progress, UnlockError, UnlockSession};
use crate::keys::slot::{self, SlotError};
use crate::open_vault::OpenVault;
use crate::registers::PartyRecord;
use crate::store::Store;

/// With fewer officers nothing could ever be approved.
const FEWEST_OFFICERS: usize = 2;

/// What the ceremony is to make.
pub struct Ceremony {
    /// Certificates of the custodians, who become the first officers.
    pub custodians: Vec<PathBuf>,
    /// How many of them open the vault.
    pub threshold: u8,
    /// The directory that the sealed shares are written to: `share-NAME.jwe`.
    pub shares: PathBuf,
    /// A token and its key that open the vault besides, without custodians.
    pub token: Option<TokenKey>,
}

/// A key of a PKCS#11 token, by their labels.
pub struct TokenKey {
    /// The token's label.
    pub token: String,
    /// The key's; made when there is none.
    pub key: String,
}

/// Why there is no vault.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Store, certificates or epoch files.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A custodian's certificate cannot be used.
    #[error("{path}: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: CertificateError,
    },
    /// A custodian's certificate cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A share cannot be sealed; the store that was made is of no use.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Too few custodians.
    #[error("at least two custodians are needed: officers act in pairs")]
    TooFewOfficers,
    /// A share cannot be written. Before the vault was made, nothing remains; after it, the store is of no use.
    #[error("{path}: {source}")]
    Share {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// RSA key generation.
    #[error("the JWE key cannot be made: {0}")]
    JweKey(String),
    /// The ceremony itself.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The slots that were just made.
    #[error(transparent)]
    Slots(#[from] SlotError),
    /// The shares that were just made do not open them.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The keyring that was just made does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The first officers cannot be registered.
    #[error(transparent)]
    Vault(#[from] Error),
}

/// Runs the ceremony and proves that the shares open what it made. Returns where each custodian's sealed share is.
///
/// # Errors
/// [`InitError`].
pub async fn init(
    config: &Config,
    ceremony: &Ceremony,
    clock: &Clock,
) -> Result<Vec<(Identity, PathBuf)>, InitError> {
    let custodians: Vec<CustodianCertificate> = ceremony
        .custodians
        .iter()
        .map(|path| certificate(path))
        .collect::<Result<_, _>>()?;
    if custodians.len() < FEWEST_OFFICERS {
        return Err(InitError::TooFewOfficers);
    }
    let token = token_slot(config, ceremony)?;
    let files = share_files(&ceremony.shares, &custodians)?;
    let jwe =
        NewJweKey::generate(config.rsa_key_size()?).map_err(|error| InitError::JweKey(error.to_string()))?;
    let store = app::open_store(config)?;
    let epoch = app::epoch_files(config)?;
    let keeping = RootKeeping::Custodians {
        threshold: ceremony.threshold,
        custodians: custodians.iter().map(CustodianCertificate::custodian).collect(),
    };
    let mut slots = vec![keeping];
    slots.extend(token);
    let rng = SystemRandom::new();
    let made = initialise(&store, config.environment, &epoch, &slots, &jwe, &rng, clock).await;
    let shares = match made {
        Ok(shares) => shares,
        Err(error) => {
            remove(&files);
            return Err(error.into());
        }
    };
    for (((_, share), path), custodian) in shares.iter().zip(&files).zip(&custodians) {
        fill(path, &custodian.seal(share)?)?;
    }
    register(config, store, clock, &custodians, &shares).await?;
    Ok(shares
        .into_iter()
        .map(|(identity, _)| identity)
        .zip(files)
        .collect())
}

fn token_slot(config: &Config, ceremony: &Ceremony) -> Result<Option<RootKeeping>, InitError> {
    let Some(TokenKey { token, key }) = &ceremony.token else {
        return Ok(None);
    };
    let hsm = config
        .hsm()
        .ok_or(CeremonyError::Slot(MakeError::Hsm(HsmError::NotConfigured)))?;
    Ok(Some(RootKeeping::Pkcs11 {
        hsm,
        token: token.clone(),
        key: key.clone(),
    }))
}

fn certificate(path: &Path) -> Result<CustodianCertificate, InitError> {
    let pem = std::fs::read(path).map_err(|source| InitError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    CustodianCertificate::from_pem(&pem).map_err(|reason| InitError::Certificate {
        path: path.to_owned(),
        reason,
    })
}

/// Claims every share's file before anything is made, so that a full or forbidden directory ends the ceremony early.
fn share_files(directory: &Path, custodians: &[CustodianCertificate]) -> Result<Vec<PathBuf>, InitError> {
    let mut files = Vec::with_capacity(custodians.len());
    for custodian in custodians {
        let identity = &custodian.peer.identity;
        let name = identity.name().map(ToString::to_string).unwrap_or_default();
        let path = directory.join(format!("share-{name}.jwe"));
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        if let Err(source) = made {
            remove(&files);
            return Err(InitError::Share { path, source });
        }
        files.push(path);
    }
    Ok(files)
}

fn remove(files: &[PathBuf]) {
    for path in files {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an empty share file could not be removed");
        }
    }
}

fn fill(path: &Path, sealed: &str) -> Result<(), InitError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(sealed.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|source| InitError::Share {
        path: path.to_owned(),
        source,
    })
}

/// Unlocks with the new shares and registers the custodians as the first officers.
async fn register(
    config: &Config,
    store: Store,
    clock: &Clock,
    custodians: &[CustodianCertificate],
    shares: &[(Identity, ShareText)],
) -> Result<(), InitError> {
    let slots = slot::load_all(&store)?;
    let mut root = None;
    // Each custodian's share opens the vault with those that follow it: so every share is proved, not the first ones only.
    for first in 0..shares.len() {
        let mut session = UnlockSession::new(config.environment, slots.clone(), clock.clone());
        for (CustodianCertificate { peer, .. }, (_, share)) in custodians
            .iter()
            .zip(shares)
            .cycle()
            .skip(first)
            .take(shares.len())
        {
            if let Progress::Complete(opened) = session.submit(&peer.identity, &peer.key, share)? {
                root = Some(opened.root);
                break;
            }
        }
    }
    let root = root.ok_or_else(|| Error::Internal("the new shares do not open the vault".to_owned()))?;
    let epoch = app::epoch_files(config)?.load().map_err(CeremonyError::from)?;
    let now = clock.unix_seconds();
    let keyring = Keyring::open(config.environment, root, &epoch, &store, now, SystemRandom::new())?;
    let vault = OpenVault::open(app::surroundings(config, store.clone(), clock)?, keyring)?;
    let mut event = Event::done(Operation::Initialise, clock.now());
    let names: Vec<String> = custodians
        .iter()
        .map(|custodian| custodian.peer.identity.to_string())
        .collect();
    event.note = Some(names.join(" "));
    let parties: Vec<PartyRecord> = custodians.iter().map(party).collect();
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        parties.iter().try_for_each(|party| tx.put(party))
    };
    vault.commit(event, work).await?;
    drop(vault);
    store.close().await;
    Ok(())
}

fn party(custodian: &CustodianCertificate) -> PartyRecord {
    PartyRecord {
        identity: custodian.peer.identity.clone(),
        keys: vec![custodian.peer.key],
    }
}
