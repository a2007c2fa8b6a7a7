//! The actors of this stand, each with its own certificate at its own door.

use anyhow::{Context, Result};
use certs::{Name, PairPaths};

use super::Stand;
use crate::actors::{
    Auditor, Credentials, Door, Officer, PartnerServer, Phone, Processor, RawGateway, ReceivingKey, Trust,
};

/// Bits of an RSA key that answers are sealed to: the least that the contract takes.
const RECEIVING_BITS: u32 = 2048;

impl Stand {
    /// A door of this stand, its CA pinned.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn door(&self, url: &str, pair: Option<&PairPaths>) -> Result<Door> {
        let credentials = pair.map(Credentials::from);
        Door::new(
            url,
            &self.certificates.internal_ca.certificate,
            credentials.as_ref(),
        )
    }

    /// The vault's door under any certificate.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn vault_door(&self, pair: &PairPaths) -> Result<Door> {
        self.door(&self.ports.vault_url(), Some(pair))
    }

    /// The pinned CA.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trust(&self) -> Result<Trust> {
        Trust::pin(&self.certificates.internal_ca.certificate)
    }

    /// A phone out of the box, receiving under an RSA key.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn phone(&self) -> Result<Phone> {
        self.phone_receiving(ReceivingKey::rsa(RECEIVING_BITS)?)
    }

    /// A phone out of the box with this receiving key.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn phone_receiving(&self, receiving: ReceivingKey) -> Result<Phone> {
        Phone::new(
            self.door(&self.ports.gateway_url(), None)?,
            self.trust()?,
            "4711",
            receiving,
        )
    }

    /// The partner's server.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn partner(&self) -> Result<PartnerServer> {
        self.partner_with(&self.certificates.partner)
    }

    /// Another partner's server.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn partner_named(&self, name: &Name) -> Result<PartnerServer> {
        self.partner_with(&self.certificates.partner_named(name))
    }

    fn partner_with(&self, pair: &PairPaths) -> Result<PartnerServer> {
        let door = self.door(&self.ports.partner_url(), Some(pair))?;
        PartnerServer::new(
            door,
            self.trust()?,
            &Credentials::from(pair),
            ReceivingKey::rsa(RECEIVING_BITS)?,
        )
    }

    /// The officer of that number, 1 to 3.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn officer(&self, number: usize) -> Result<Officer> {
        let pair = number
            .checked_sub(1)
            .and_then(|index| self.certificates.officers.get(index));
        Ok(Officer::new(self.vault_door(
            pair.with_context(|| format!("no officer {number}"))?,
        )?))
    }

    /// The processor.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn processor(&self) -> Result<Processor> {
        Ok(Processor::new(self.vault_door(&self.certificates.processor)?))
    }

    /// The auditor.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn auditor(&self) -> Result<Auditor> {
        Ok(Auditor::new(
            self.vault_door(&self.certificates.auditor)?,
            self.trust()?,
        ))
    }

    /// Whoever has taken over the gateway.
    ///
    /// # Errors
    /// When its credentials cannot be read.
    pub fn raw_gateway(&self) -> Result<RawGateway> {
        Ok(RawGateway::new(
            self.vault_door(&self.certificates.gateway_client)?,
        ))
    }

    /// A user that is registered and accepted, with a paired phone: the user's id and the phone.
    ///
    /// # Errors
    /// When a step is refused.
    pub async fn user_with_phone(&self, partner: &PartnerServer) -> Result<(u64, Phone)> {
        let user = partner.accepted_user().await?;
        let code = partner
            .activation_code(user)
            .await?
            .expect(201)?
            .text_at("/activationCode")?;
        let mut phone = self.phone()?;
        phone.pair(&code).await?;
        Ok((user, phone))
    }
}
