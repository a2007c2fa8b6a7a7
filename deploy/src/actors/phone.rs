//! A user's phone: a device key that never leaves it, a key pair for answers, and a session while it lasts.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;

use super::card_desk::{Card, CardDesk};
use super::door::Door;
use super::jose::{ProofSigner, ReceivingKey, Trust, random_id};
use crate::answer::Answer;

const PREFIX: &str = "/customers/me";

/// One installation of the app.
#[derive(Debug)]
pub struct Phone {
    door: Door,
    trust: Trust,
    device_id: String,
    app_pin: String,
    device: ProofSigner,
    receiving: ReceivingKey,
    installation: Option<u64>,
    session: Option<String>,
}

impl Phone {
    /// A phone out of the box, with fresh keys: it knows the gateway's door and the pinned CA.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn new(door: Door, trust: Trust, app_pin: &str, receiving: ReceivingKey) -> Result<Self> {
        Ok(Self {
            door,
            trust,
            device_id: random_id()?,
            app_pin: app_pin.to_owned(),
            device: ProofSigner::device()?,
            receiving,
            installation: None,
            session: None,
        })
    }

    /// The app is deleted and installed again: same device, new keys, no session.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn reinstall(&mut self) -> Result<()> {
        self.device = ProofSigner::device()?;
        self.installation = None;
        self.session = None;
        Ok(())
    }

    /// The body of a pairing request.
    ///
    /// # Errors
    /// When the device key has no JWK.
    pub fn pairing(&self, activation_code: &str) -> Result<serde_json::Value> {
        Ok(json!({
            "activationCode": activation_code,
            "deviceId": self.device_id,
            "deviceName": "Demo phone",
            "devicePublicKey": self.device.public_jwk()?,
            "appPin": self.app_pin,
        }))
    }

    /// Pairs with an activation code and keeps the session.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn pair(&mut self, activation_code: &str) -> Result<Answer> {
        self.try_pair(activation_code, None).await?.expect(201)
    }

    /// Pairs with an activation code and what vouches for the key, if anything; keeps the session if there is one.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_pair(&mut self, activation_code: &str, proof: Option<&str>) -> Result<Answer> {
        let mut body = self.pairing(activation_code)?;
        if let Some(proof) = proof {
            body["enrolmentProof"] = proof.into();
        }
        self.try_pair_body(&body, None).await
    }

    /// Pairs with an activation code and the proof of another phone's active key; keeps the session if there is one.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_pair_vouched(&mut self, activation_code: &str, holder_proof: &str) -> Result<Answer> {
        let body = self.pairing(activation_code)?;
        self.try_pair_body(&body, Some(holder_proof)).await
    }

    /// Pairs with a body of the test's own; keeps the session if there is one.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_pair_body(
        &mut self,
        body: &serde_json::Value,
        holder_proof: Option<&str>,
    ) -> Result<Answer> {
        let mut call = self
            .door
            .call(Method::POST, "/customers/pair")
            .idempotency_key(&random_id()?);
        if let Some(proof) = holder_proof {
            call = call.header("Holder-Proof", proof);
        }
        let answer = call.json(body).send().await?;
        if answer.status == 201 {
            self.installation = Some(answer.number_at("/installationId")?);
            self.session = Some(answer.text_at("/sessionToken")?);
        }
        Ok(answer)
    }

    /// A session of its own: challenge, signature of the device key, app PIN.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn log_in(&mut self) -> Result<Answer> {
        let answer = self.try_log_in(&self.app_pin).await?.expect(201)?;
        self.session = Some(answer.text_at("/sessionToken")?);
        Ok(answer)
    }

    /// A login with any app PIN; the session is not kept.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_log_in(&self, app_pin: &str) -> Result<Answer> {
        let installation = self.installation.context("not paired")?;
        let challenge = self.login_challenge().await?.expect(201)?.text_at("/challenge")?;
        let claims = json!({ "challenge": challenge, "installationId": installation });
        let proof = self.device.sign("session-proof+jwt", &claims)?;
        let call = self
            .door
            .call(Method::POST, "/customers/sessions")
            .idempotency_key(&random_id()?);
        let body = json!({ "installationId": installation, "proof": proof, "appPin": app_pin });
        call.json(&body).send().await
    }

    /// A challenge to log in with.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn login_challenge(&self) -> Result<Answer> {
        let installation = self.installation.context("not paired")?;
        let call = self
            .door
            .call(Method::POST, "/customers/sessions/challenge")
            .idempotency_key(&random_id()?);
        call.json(&json!({ "installationId": installation })).send().await
    }

    /// Ends the session; the token is kept, so that a test can try it again.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn log_out(&self) -> Result<Answer> {
        self.cards().call(Method::DELETE, "/session").send().await
    }

    /// Balances and cards under this phone's session.
    #[must_use]
    pub fn cards(&self) -> CardDesk<'_> {
        CardDesk {
            door: &self.door,
            prefix: PREFIX,
            session: Some(self.session.as_deref().unwrap_or("none")),
            signer: &self.device,
            receiving: &self.receiving,
            trust: &self.trust,
        }
    }

    /// Removes a card for good.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn remove(&self, card: &Card) -> Result<Answer> {
        self.cards()
            .call(Method::DELETE, &format!("/cards/{}", card.id))
            .send()
            .await
    }

    /// Asks for the user's KYC to begin.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn register(&self, data: &serde_json::Value) -> Result<Answer> {
        self.cards().post("/register")?.json(data).send().await
    }

    /// Where KYC stands.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn kyc(&self) -> Result<Answer> {
        self.cards().call(Method::GET, "/kyc").send().await
    }

    /// The gateway's public door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// The device key.
    #[must_use]
    pub const fn device(&self) -> &ProofSigner {
        &self.device
    }

    /// The session token, while there is one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The pinned CA.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The installation's id, once paired.
    #[must_use]
    pub const fn installation(&self) -> Option<u64> {
        self.installation
    }
}
