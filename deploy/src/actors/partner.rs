//! A partner's server: users and their KYC on the life-cycle paths, cards on behalf of users on the secure ones, all under its
//! client certificate, with whose key it also signs proofs.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::card_desk::{Card, CardDesk};
use super::credentials::Credentials;
use super::door::Door;
use super::jose::{ProofSigner, ReceivingKey, Trust, random_id};
use crate::answer::Answer;

/// One institution.
#[derive(Debug)]
pub struct PartnerServer {
    door: Door,
    trust: Trust,
    signer: ProofSigner,
    receiving: ReceivingKey,
}

/// What a partner files about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The JSON of the request; a test may bend it.
    pub body: Value,
}

impl NewUser {
    /// A person who does not exist, with an address that no post serves.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sample() -> Result<Self> {
        let id = random_id()?.to_lowercase().replace(['-', '_'], "x");
        Ok(Self {
            body: json!({
                "email": format!("ada.{id}@mail.example"),
                "phoneNumber": "+48600000000",
                "firstName": "Ada",
                "lastName": "Example",
                "dateOfBirth": "1990-12-10",
                "nationality": "PL",
                "address": { "line1": "Test Street 1", "city": "Warsaw", "postalCode": "00-001", "country": "PL" },
            }),
        })
    }
}

impl PartnerServer {
    /// A partner with its certificate at the gateway's partner door; `ca` is the pinned CA of the pair.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn new(door: Door, trust: Trust, credentials: &Credentials, receiving: ReceivingKey) -> Result<Self> {
        Ok(Self {
            door,
            trust,
            signer: ProofSigner::certificate(credentials)?,
            receiving,
        })
    }

    /// The partner door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// A `POST` with an `Idempotency-Key` of its own.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.door
            .call(Method::POST, path)
            .idempotency_key(&random_id()?)
            .json(body)
            .send()
            .await
    }

    /// Registers a user.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn create_user(&self, user: &NewUser) -> Result<Answer> {
        self.post("/lifecycle/v1/users", &user.body).await
    }

    /// A user as the gateway has it.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn user(&self, user: u64) -> Result<Answer> {
        self.door.get(&format!("/lifecycle/v1/users/{user}")).await
    }

    /// Puts other personal data in the place of what the gateway has.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn update_user(&self, user: u64, body: &Value) -> Result<Answer> {
        let path = format!("/lifecycle/v1/users/{user}");
        self.door.call(Method::PUT, &path).json(body).send().await
    }

    /// Locks or unlocks a user.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn set_locked(&self, user: u64, locked: bool) -> Result<Answer> {
        let verb = if locked { "lock" } else { "unlock" };
        self.post(&format!("/lifecycle/v1/users/{user}/{verb}"), &json!({}))
            .await
    }

    /// Removes a user for good.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn remove_user(&self, user: u64) -> Result<Answer> {
        let path = format!("/lifecycle/v1/users/{user}");
        self.door.call(Method::DELETE, &path).send().await
    }

    /// The user's devices.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn installations(&self, user: u64) -> Result<Answer> {
        self.door
            .get(&format!("/lifecycle/v1/users/{user}/installations"))
            .await
    }

    /// Sets the KYC flag.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn set_kyc(&self, user: u64, status: &str) -> Result<Answer> {
        let body = json!({ "status": status, "provider": "own-desk", "reference": "case-1" });
        self.door
            .call(Method::PUT, &format!("/lifecycle/v1/users/{user}/kyc"))
            .json(&body)
            .send()
            .await
    }

    /// An activation code for the user's phone.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn activation_code(&self, user: u64) -> Result<Answer> {
        self.post(
            &format!("/lifecycle/v1/users/{user}/activation-codes"),
            &json!({}),
        )
        .await
    }

    /// An activation code with an enrolment ticket filed to it.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn activation_code_with(&self, user: u64, ticket: &str) -> Result<Answer> {
        self.post(
            &format!("/lifecycle/v1/users/{user}/activation-codes"),
            &json!({ "enrolmentTicket": ticket }),
        )
        .await
    }

    /// A user that exists and is accepted: its id.
    ///
    /// # Errors
    /// When a step is refused.
    pub async fn accepted_user(&self) -> Result<u64> {
        let user = self
            .create_user(&NewUser::sample()?)
            .await?
            .expect(201)?
            .number_at("/id")?;
        self.set_kyc(user, "ACCEPTED").await?.expect(200)?;
        Ok(user)
    }

    /// Removes a user's card for good.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn remove(&self, user: u64, card: &Card) -> Result<Answer> {
        self.door
            .call(
                Method::DELETE,
                &format!("/lifecycle/v1/users/{user}/cards/{}", card.id),
            )
            .send()
            .await
    }

    /// The path below which a user's cards are: for [`PartnerServer::cards`].
    #[must_use]
    pub fn prefix(user: u64) -> String {
        format!("/secure/customers/{user}")
    }

    /// Balances and cards of the user with that prefix.
    #[must_use]
    pub const fn cards<'a>(&'a self, prefix: &'a str) -> CardDesk<'a> {
        CardDesk {
            door: &self.door,
            prefix,
            session: None,
            signer: &self.signer,
            receiving: &self.receiving,
            trust: &self.trust,
        }
    }

    /// The pinned CA.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The key of the client certificate.
    #[must_use]
    pub const fn signer(&self) -> &ProofSigner {
        &self.signer
    }
}
