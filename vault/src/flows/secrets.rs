//! How the flows reach a card's sealed fields: through its own data key, kept in a tree of its own.

use shared::ids::{CardToken, ProgramName};

use super::lookup::card_key;
use crate::bytes::Base64Bytes;
use crate::crypto::aad::Field;
use crate::domain::card::{Card, SealedField};
use crate::domain::cvv::Cvv;
use crate::domain::pan::Pan;
use crate::domain::pin::Pin;
use crate::error::Error;
use crate::keys::data_key::{DataKey, WrappedDataKey};
use crate::keys::keyring::{Keyring, KeyringError};
use crate::open_vault::OpenVault;
use crate::records::record_name;
use crate::store::Tree;

/// Readings that may be repeated while a card is re-encrypted under them.
const MOST_RACES: usize = 16;

/// The opened data key of one card.
pub struct CardSecrets {
    data_key: DataKey,
}

impl OpenVault {
    /// Unwraps a card's data key.
    ///
    /// # Errors
    /// It is missing (the card's secrets were destroyed) or does not unwrap. [`Error::Raced`] when the card got a new data
    /// key since it was read.
    pub fn secrets(&self, card: &Card) -> Result<CardSecrets, Error> {
        let key = card_key(&card.token);
        let wrapped = self.surroundings.store.get(Tree::DataKeys, &key);
        let wrapped = wrapped.map_err(|error| Error::Store(error.to_string()))?;
        let missing = || corrupt(&record_name(Tree::DataKeys, &key), &"missing");
        let wrapped = wrapped.ok_or_else(missing)?;
        let secrets = match CardSecrets::unwrap(&self.keyring(), card, wrapped) {
            // Its KEK was rotated away between two readings.
            Err(Error::UnknownKeyVersion(_)) => self.secrets_again(card, &key),
            other => other,
        };
        if let Err(Error::Corrupt(what)) = &secrets {
            self.surroundings.observed.corrupt(Tree::DataKeys, what);
        }
        let secrets = secrets?;
        if secrets.fits(card) {
            return Ok(secrets);
        }
        match self.records.get::<Card>(&key)? {
            Some(stored) if stored.record == *card => Err(Error::UnknownKeyVersion(
                "a field of a card names another data key".to_owned(),
            )),
            _ => Err(Error::Raced),
        }
    }

    fn secrets_again(&self, card: &Card, key: &[u8]) -> Result<CardSecrets, Error> {
        if self.surroundings.store.is_shared() {
            self.records.refresh_keys()?;
        }
        let wrapped = self.surroundings.store.get(Tree::DataKeys, key);
        let wrapped = wrapped.map_err(|error| Error::Store(error.to_string()))?;
        let missing = || corrupt(&record_name(Tree::DataKeys, key), &"missing");
        let wrapped = wrapped.ok_or_else(missing)?;
        CardSecrets::unwrap(&self.keyring(), card, wrapped)
    }

    /// Reads what `read` makes of the store until no re-encryption comes in between.
    ///
    /// # Errors
    /// That of `read`; [`Error::Raced`] after many lost races.
    pub fn unraced<T>(&self, read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        for _ in 0..MOST_RACES {
            match read() {
                Err(Error::Raced) => {}
                other => return other,
            }
        }
        Err(Error::Raced)
    }
}

impl CardSecrets {
    /// A new data key for a new card, and its wrapped form for the store.
    ///
    /// # Errors
    /// No randomness; the KEK is used up.
    pub fn create(
        keyring: &Keyring,
        program: &ProgramName,
        card: &CardToken,
    ) -> Result<(Self, WrappedDataKey), Error> {
        let created = keyring.new_data_key(program, card);
        let (data_key, wrapped) = created.map_err(of_wrapping)?;
        Ok((Self { data_key }, wrapped))
    }

    /// Unwraps the stored form.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKeyVersion`].
    pub fn unwrap(keyring: &Keyring, card: &Card, wrapped: Vec<u8>) -> Result<Self, Error> {
        let name = || record_name(Tree::DataKeys, &card_key(&card.token));
        let wrapped = WrappedDataKey::from_bytes(wrapped);
        let data_key = keyring.unwrap_data_key(&card.program, &card.token, &wrapped);
        Ok(Self {
            data_key: data_key.map_err(|error| Error::of_opening(&name(), &error))?,
        })
    }

    /// A new data key in the place of this one, and its wrapped form for the store.
    ///
    /// # Errors
    /// No randomness; the KEK is used up.
    pub fn renew(&self, keyring: &Keyring, card: &Card) -> Result<(Self, WrappedDataKey), Error> {
        let renewed = keyring.renew_data_key(&self.data_key, &card.program, &card.token);
        let (data_key, wrapped) = renewed.map_err(of_wrapping)?;
        Ok((Self { data_key }, wrapped))
    }

    /// A field under another data key: the same value, the same count of writings.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; no randomness.
    pub fn reseal(
        &self,
        next: &Self,
        field: Field,
        card: &Card,
        sealed: &SealedField,
    ) -> Result<SealedField, Error> {
        let digits = self.open(field, card, Some(sealed))?;
        next.seal(field, sealed.version, &digits)
    }

    /// Whether all fields of the card were sealed under this data key.
    fn fits(&self, card: &Card) -> bool {
        let next = card.next.as_ref().map(|next| &next.cvv);
        [Some(&card.pan), Some(&card.cvv), next, Some(&card.pin)]
            .into_iter()
            .flatten()
            .flatten()
            .all(|field| self.data_key.fits(&field.sealed.0))
    }

    /// Seals a PAN.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_pan(&self, pan: &Pan, version: u32) -> Result<SealedField, Error> {
        self.seal(Field::Pan, version, pan.as_bytes())
    }

    /// Seals a CVV.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_cvv(&self, cvv: &Cvv, version: u32) -> Result<SealedField, Error> {
        self.seal(Field::Cvv, version, cvv.as_bytes())
    }

    /// Seals the CVV2 of plastic that is to take over.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_next_cvv(&self, cvv: &Cvv, version: u32) -> Result<SealedField, Error> {
        self.seal(Field::NextCvv, version, cvv.as_bytes())
    }

    /// Seals a PIN.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_pin(&self, pin: &Pin, version: u32) -> Result<SealedField, Error> {
        self.seal(Field::Pin, version, pin.as_bytes())
    }

    /// Opens the card's PAN.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn pan(&self, card: &Card) -> Result<Pan, Error> {
        let digits = self.open(Field::Pan, card, card.pan.as_ref())?;
        Pan::parse(&digits).map_err(|error| corrupt(&field_name(Field::Pan, card), &error))
    }

    /// Opens the card's CVV, unless it was brought in without one.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn cvv(&self, card: &Card) -> Result<Option<Cvv>, Error> {
        if card.cvv.is_none() {
            return Ok(None);
        }
        let digits = self.open(Field::Cvv, card, card.cvv.as_ref())?;
        Cvv::parse(&digits)
            .map(Some)
            .map_err(|error| corrupt(&field_name(Field::Cvv, card), &error))
    }

    /// Opens the CVV2 of the plastic that is to take over, if there is one with a CVV2 on it.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn next_cvv(&self, card: &Card) -> Result<Option<Cvv>, Error> {
        let Some(sealed) = card.next.as_ref().and_then(|next| next.cvv.as_ref()) else {
            return Ok(None);
        };
        let digits = self.open(Field::NextCvv, card, Some(sealed))?;
        Cvv::parse(&digits)
            .map(Some)
            .map_err(|error| corrupt(&field_name(Field::NextCvv, card), &error))
    }

    /// Opens the card's PIN, if one was set.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn pin(&self, card: &Card) -> Result<Option<Pin>, Error> {
        if card.pin.is_none() {
            return Ok(None);
        }
        let digits = self.open(Field::Pin, card, card.pin.as_ref())?;
        Pin::parse(&digits)
            .map(Some)
            .map_err(|error| corrupt(&field_name(Field::Pin, card), &error))
    }

    fn seal(&self, field: Field, version: u32, digits: &[u8]) -> Result<SealedField, Error> {
        let sealed = self.data_key.seal(field, version, digits).map_err(internal)?;
        Ok(SealedField {
            version,
            sealed: Base64Bytes(sealed),
        })
    }

    fn open(
        &self,
        field: Field,
        card: &Card,
        sealed: Option<&SealedField>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        let sealed = sealed.ok_or_else(|| corrupt(&field_name(field, card), &"missing"))?;
        let opened = self.data_key.open(field, sealed.version, &sealed.sealed.0);
        opened.map_err(|error| corrupt(&field_name(field, card), &error))
    }
}

fn field_name(field: Field, card: &Card) -> String {
    format!("{} {field:?}", record_name(Tree::Cards, &card_key(&card.token)))
}

/// Why a data key could not be wrapped.
pub fn of_wrapping(error: KeyringError) -> Error {
    match error {
        KeyringError::UsedUp(_) => Error::KeyUsedUp(error.to_string()),
        other => internal(other),
    }
}

fn corrupt(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt(format!("{what}: {error}"))
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}
