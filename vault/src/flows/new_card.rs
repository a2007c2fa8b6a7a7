//! A card in the making: its number, code and PIN sealed under a data key of its own, its fingerprints computed; and how it
//! is written unless somebody has the number already. Issuing draws the number, importing brings it.

use shared::expiry::Expiry;
use shared::ids::{CardToken, OrderToken, ProgramName};

use super::issue::PanIndex;
use super::lookup::card_key;
use super::secrets::CardSecrets;
use crate::crypto::fingerprint::{PanFingerprint, Reach, subject};
use crate::domain::card::{Card, Standing};
use crate::domain::cvv::Cvv;
use crate::domain::holder::Holder;
use crate::domain::pan::Pan;
use crate::domain::pin::Pin;
use crate::error::Error;
use crate::keys::data_key::WrappedDataKey;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// What a new card is made of, in clear.
pub struct Clear<'a> {
    /// Its number.
    pub pan: &'a Pan,
    /// The month through which it is valid.
    pub exp: Expiry,
    /// Its code, unless only its processor knows that.
    pub cvv: Option<&'a Cvv>,
    /// Its PIN, if it has one.
    pub pin: Option<&'a Pin>,
}

/// A sealed card that is not stored yet.
pub struct NewCard {
    card: Card,
    wrapped: WrappedDataKey,
    fingerprints: Vec<PanFingerprint>,
}

impl NewCard {
    /// Seals a card for `holder`. A card that comes with a PIN is one of plastic.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal(vault: &OpenVault, holder: &Holder, clear: &Clear<'_>) -> Result<Self, Error> {
        Self::seal_for(vault, holder, clear, Reach::Everybody)
    }

    /// The same for a number that may be another issuer's.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_for(
        vault: &OpenVault,
        holder: &Holder,
        clear: &Clear<'_>,
        reach: Reach<'_>,
    ) -> Result<Self, Error> {
        let keyring = vault.keyring();
        let token = vault.surroundings.random.card_token()?;
        let program: &ProgramName = &holder.program;
        let (secrets, wrapped) = CardSecrets::create(&keyring, program, &token)?;
        let masked = clear.pan.masked();
        let masked = masked.ok_or_else(|| Error::Internal("a card number has no mask".to_owned()))?;
        let first = Card::next_version(None);
        let card = Card {
            holder: holder.token.clone(),
            program: program.clone(),
            masked,
            exp: clear.exp,
            standing: Standing::Open,
            pan: Some(secrets.seal_pan(clear.pan, first)?),
            cvv: clear.cvv.map(|cvv| secrets.seal_cvv(cvv, first)).transpose()?,
            pin: clear.pin.map(|pin| secrets.seal_pin(pin, first)).transpose()?,
            plastic: clear.pin.is_some(),
            foreign_of: match reach {
                Reach::Everybody => None,
                Reach::Partner(name) => Some(name.to_owned()),
            },
            order: None,
            next: None,
            token,
        };
        Ok(Self {
            card,
            wrapped,
            fingerprints: keyring
                .fingerprints(&subject(clear.pan.as_bytes(), reach))
                .collect(),
        })
    }

    /// Plastic from the start: a PIN can be set, and plastic is not ordered a second time.
    #[must_use]
    pub fn of_plastic(mut self) -> Self {
        self.card.plastic = true;
        self
    }

    /// Ordered at the bureau: what is personal of the order goes with the card.
    #[must_use]
    pub fn ordered_as(mut self, order: OrderToken) -> Self {
        self.card.order = Some(order);
        self
    }

    /// The card as it will be stored.
    #[must_use]
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// The card that has this number already, as this transaction sees it.
    ///
    /// # Errors
    /// [`Error::Raced`] when the fingerprint key was replaced since; the store's.
    pub fn taken_by(&self, tx: &mut Tx<'_, '_>) -> Result<Option<CardToken>, Error> {
        tx.require_active(self.active()?)?;
        for fingerprint in &self.fingerprints {
            if let Some(index) = tx.get::<PanIndex>(&fingerprint.to_key())? {
                return Ok(Some(index.card));
            }
        }
        Ok(None)
    }

    /// Writes data key, index and record. The holder has had a card from here on.
    ///
    /// # Errors
    /// [`Error::Raced`] when somebody has the number already, or a key was replaced since; the store's.
    pub fn put(self, tx: &mut Tx<'_, '_>, holder: &mut Holder) -> Result<Card, Error> {
        if self.taken_by(tx)?.is_some() {
            return Err(Error::Raced);
        }
        let index = PanIndex::new(self.active()?, self.card.token.clone());
        if !holder.ever_had_card {
            holder.ever_had_card = true;
            tx.put(holder)?;
        }
        tx.put_data_key(&card_key(&self.card.token), self.wrapped)?;
        tx.put(&index)?;
        tx.put(&self.card)?;
        Ok(self.card)
    }

    fn active(&self) -> Result<&PanFingerprint, Error> {
        let none = || Error::Internal("a card number without a fingerprint".to_owned());
        self.fingerprints.first().ok_or_else(none)
    }
}
