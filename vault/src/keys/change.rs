//! How the keyring changes, inside a transaction: a new version of a key, the end of an old one. In force with the
//! transaction and [`Keyring::reopen`].

use std::ops::Bound;

use zeroize::Zeroizing;

use super::audit_key::AuditKey;
use super::header::{KeyHeader, KeyId, KeyPurpose, KeyState};
use super::jwe_keys::NewJweKey;
use super::keyring::{Keyring, KeyringError, MAX_KEYS};
use crate::crypto::CryptoError;
use crate::secret::SecretBytes;
use crate::store::{Tree, Txn};

type UnwrappedKey = (KeyHeader, Zeroizing<Vec<u8>>);

/// A change from one version to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The version that was active.
    pub from: u32,
    /// The version that is.
    pub to: u32,
}

impl Keyring {
    /// Makes a new version of a key active; the former only opens from then on.
    ///
    /// # Errors
    /// [`KeyringError::NotOneActive`] when it was replaced since this keyring was opened; the store's; wrapping's.
    pub fn renew(&self, txn: &mut Txn<'_>, purpose: KeyPurpose, now: i64) -> Result<Renewed, KeyringError> {
        let material = SecretBytes::<32>::random(&self.rng).map_err(CryptoError::from)?;
        self.replace_active(txn, purpose, material.expose(), KeyState::Retiring, now)
    }

    /// Makes a new JWE key the current one, and gives the one before a grace time. Times in Unix seconds and seconds.
    ///
    /// # Errors
    /// As for [`Keyring::renew`].
    pub fn replace_jwe_key(
        &self,
        txn: &mut Txn<'_>,
        new: &NewJweKey,
        now: i64,
        grace_seconds: i64,
    ) -> Result<Renewed, KeyringError> {
        let grace = KeyState::Grace {
            not_after: now.saturating_add(grace_seconds),
        };
        self.replace_active(txn, KeyPurpose::Jwe, new.material(), grace, now)
    }

    /// Makes a new audit key the current one. The one before can still sign until its grace time ends: the checkpoint
    /// that covers the event of this change. Gives the new key.
    ///
    /// # Errors
    /// As for [`Keyring::renew`].
    pub fn replace_audit_key(
        &self,
        txn: &mut Txn<'_>,
        now: i64,
        grace_seconds: i64,
    ) -> Result<AuditKey, KeyringError> {
        let material = AuditKey::generate(&self.rng)?;
        let grace = KeyState::Grace {
            not_after: now.saturating_add(grace_seconds),
        };
        let renewed = self.replace_active(txn, KeyPurpose::Audit, &material, grace, now)?;
        AuditKey::new(renewed.to, &material)
    }

    fn replace_active(
        &self,
        txn: &mut Txn<'_>,
        purpose: KeyPurpose,
        material: &[u8],
        former: KeyState,
        now: i64,
    ) -> Result<Renewed, KeyringError> {
        let keys = self.of_purpose(txn, purpose)?;
        let none = KeyringError::NotOneActive(purpose, 0);
        let newest = keys.iter().map(|(header, _)| header.id.version).max();
        let active = keys
            .into_iter()
            .find(|(header, _)| header.state == KeyState::Active);
        let (Some((mut old, old_material)), Some(newest)) = (active, newest) else {
            return Err(none);
        };
        if !self.headers.contains(&old) {
            return Err(none);
        }
        old.state = former;
        let header = KeyHeader {
            id: KeyId {
                purpose,
                version: newest.saturating_add(1),
            },
            created_at: now,
            state: KeyState::Active,
        };
        self.write(txn, &old, &old_material)?;
        self.write(txn, &header, material)?;
        Ok(Renewed {
            from: old.id.version,
            to: header.id.version,
        })
    }

    /// Destroys every version of a key that only opens: its material is gone from the store. Gives their versions.
    ///
    /// # Errors
    /// The store's; wrapping's.
    pub fn destroy_retiring(
        &self,
        txn: &mut Txn<'_>,
        purpose: KeyPurpose,
        now: i64,
    ) -> Result<Vec<u32>, KeyringError> {
        self.destroy_where(txn, purpose, now, |state| state == KeyState::Retiring)
    }

    /// Destroys what outlived its grace time. Gives the versions.
    ///
    /// # Errors
    /// The store's; wrapping's.
    pub fn end_grace(
        &self,
        txn: &mut Txn<'_>,
        purpose: KeyPurpose,
        now: i64,
    ) -> Result<Vec<u32>, KeyringError> {
        let over = |state| matches!(state, KeyState::Grace { not_after } if not_after <= now);
        self.destroy_where(txn, purpose, now, over)
    }

    fn destroy_where(
        &self,
        txn: &mut Txn<'_>,
        purpose: KeyPurpose,
        now: i64,
        is_due: impl Fn(KeyState) -> bool,
    ) -> Result<Vec<u32>, KeyringError> {
        let mut destroyed = Vec::new();
        for (mut header, _) in self.of_purpose(txn, purpose)? {
            if is_due(header.state) {
                header.state = KeyState::Destroyed { at: now };
                self.write(txn, &header, &[])?;
                destroyed.push(header.id.version);
            }
        }
        Ok(destroyed)
    }

    /// Every version of a key that is not destroyed yet.
    pub fn versions(&self, purpose: KeyPurpose) -> impl Iterator<Item = &KeyHeader> {
        self.headers
            .iter()
            .filter(move |header| header.id.purpose == purpose)
    }

    fn of_purpose(&self, txn: &mut Txn<'_>, purpose: KeyPurpose) -> Result<Vec<UnwrappedKey>, KeyringError> {
        let prefix = [purpose.as_str().as_bytes(), b"/"].concat();
        let mut keys = Vec::new();
        for (store_key, record) in txn.scan(Tree::Keks, &prefix, Bound::Unbounded, MAX_KEYS)? {
            keys.push(KeyHeader::unwrap(&store_key, &record, &self.wrapping)?);
        }
        Ok(keys)
    }

    fn write(&self, txn: &mut Txn<'_>, header: &KeyHeader, material: &[u8]) -> Result<(), KeyringError> {
        let record = header.wrap(material, &self.wrapping, &self.rng)?;
        Ok(txn.put(Tree::Keks, &header.id.store_key(), record)?)
    }
}
