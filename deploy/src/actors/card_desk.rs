//! What can be done with cards, the same on both channels: a phone works below `/customers/me`, a partner below
//! `/secure/customers/{id}`. Proofs are made here, answers opened here, and the vault's word on them checked here.

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::door::{Call, Door};
use super::jose::{HolderProof, ProofSigner, ReceivingKey, Trust, VaultProof, random_id};
use crate::answer::Answer;

/// A card as both sides name it: the gateway's id in paths, the vault's token in proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The gateway's id.
    pub id: u64,
    /// The vault's token.
    pub token: String,
}

impl Card {
    /// Reads both names from a card's JSON, masked or full.
    ///
    /// # Errors
    /// When one is missing.
    pub fn of(content: &Value) -> Result<Self> {
        let id = content
            .get("id")
            .and_then(Value::as_u64)
            .context("a card without id")?;
        let token = content
            .get("token")
            .and_then(Value::as_str)
            .context("a card without token")?;
        Ok(Self {
            id,
            token: token.to_owned(),
        })
    }
}

/// A sealed answer, opened by the client.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What came over the wire.
    pub answer: Answer,
    /// The compact JWE in it.
    pub jwe: String,
    /// What the JWE held.
    pub content: Value,
    /// The vault's word, when a proof was sent.
    pub word: Option<VaultProof>,
}

impl Opened {
    /// A text member of the content.
    ///
    /// # Errors
    /// When it is missing.
    pub fn text(&self, member: &str) -> Result<String> {
        let text = self.content.get(member).and_then(Value::as_str);
        text.map(str::to_owned)
            .with_context(|| format!("no {member} in what {} held", self.answer.request))
    }
}

/// The cards of one holder through one channel.
#[derive(Debug, Clone, Copy)]
pub struct CardDesk<'a> {
    pub(crate) door: &'a Door,
    /// `/customers/me` or `/secure/customers/{id}`.
    pub(crate) prefix: &'a str,
    pub(crate) session: Option<&'a str>,
    pub(crate) signer: &'a ProofSigner,
    pub(crate) receiving: &'a ReceivingKey,
    pub(crate) trust: &'a Trust,
}

impl CardDesk<'_> {
    /// A call below the prefix, with the session where there is one.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let call = self.door.call(method, &format!("{}{path}", self.prefix));
        match self.session {
            Some(token) => call.bearer(token),
            None => call,
        }
    }

    /// The same with an `Idempotency-Key` of its own.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn post(&self, path: &str) -> Result<Call> {
        Ok(self.call(Method::POST, path).idempotency_key(&random_id()?))
    }

    /// Creates a balance in the program's currency.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn create_balance(&self) -> Result<Answer> {
        self.post("/balances")?.json(&json!({})).send().await
    }

    /// All balances with their cards.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn balances(&self) -> Result<Answer> {
        self.call(Method::GET, "/balances").send().await
    }

    /// The id of the first balance.
    ///
    /// # Errors
    /// When there is none.
    pub async fn first_balance(&self) -> Result<u64> {
        self.balances().await?.expect(200)?.number_at("/items/0/id")
    }

    /// The masked cards.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn list(&self) -> Result<Answer> {
        self.call(Method::GET, "/cards").send().await
    }

    /// A nonce for holder operations.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn holder_nonce(&self) -> Result<String> {
        self.post("/challenge")?
            .send()
            .await?
            .expect(201)?
            .text_at("/nonce")
    }

    /// A nonce for operations on one card.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn card_nonce(&self, card: &Card) -> Result<String> {
        self.post(&format!("/cards/{}/challenge", card.id))?
            .send()
            .await?
            .expect(201)?
            .text_at("/nonce")
    }

    /// A proof for one operation on a card, with a nonce of its own.
    ///
    /// # Errors
    /// When the challenge is refused.
    pub async fn proof(&self, op: &str, card: &Card) -> Result<HolderProof> {
        HolderProof::new(op, &card.token, &self.card_nonce(card).await?, self.receiving)
    }

    /// A proof by which an active key vouches for another of the same holder, named by its thumbprint.
    ///
    /// # Errors
    /// When the challenge is refused.
    pub async fn enrolment_proof(&self, thumbprint: &str) -> Result<HolderProof> {
        let mut proof = HolderProof::new(
            "enrol-key",
            thumbprint,
            &self.holder_nonce().await?,
            self.receiving,
        )?;
        // Nothing is sealed in the answer: the new key is its own recipient.
        proof.claims.insert("rpk".to_owned(), thumbprint.into());
        Ok(proof)
    }

    /// Opens a sealed answer of that status and checks the vault's word against the proof that was sent.
    ///
    /// # Errors
    /// When status, seal or word is not as it must be.
    pub fn open(&self, answer: Answer, status: u16, proof: Option<&HolderProof>) -> Result<Opened> {
        let answer = answer.expect(status)?;
        let jwe = answer.text_at("/payload")?;
        let content = self.receiving.open(&jwe)?;
        let word = match (proof, answer.header("Vault-Proof")) {
            (None, _) => None,
            (Some(_), None) => bail!("{} answered a proof without Vault-Proof", answer.request),
            (Some(proof), Some(word)) => {
                let word = self.trust.vault_proof(word, Some(&jwe))?;
                for (claim, said) in [("op", &word.op), ("card", &word.card), ("nonce", &word.nonce)] {
                    ensure!(
                        proof.claims.get(claim).and_then(Value::as_str) == Some(said),
                        "Vault-Proof: other {claim}"
                    );
                }
                Some(word)
            }
        };
        Ok(Opened {
            answer,
            jwe,
            content,
            word,
        })
    }

    /// Creates a virtual card without a proof: the answer is masked.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&self, balance: u64, name: &str) -> Result<Opened> {
        let call = self.post("/cards/virtual")?.enc(self.receiving);
        self.open(
            call.json(&json!({ "balanceId": balance, "name": name }))
                .send()
                .await?,
            201,
            None,
        )
    }

    /// Creates a virtual card under proof: the answer carries `cardNo` and `cvv`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_proven(&self, balance: u64, name: &str) -> Result<Opened> {
        let key = random_id()?;
        let proof = HolderProof::new("issue", &key, &self.holder_nonce().await?, self.receiving)?;
        let call = self
            .call(Method::POST, "/cards/virtual")
            .idempotency_key(&key)
            .enc(self.receiving);
        let call = call.header("Holder-Proof", &proof.sign(self.signer)?);
        let answer = call
            .json(&json!({ "balanceId": balance, "name": name }))
            .send()
            .await?;
        self.open(answer, 201, Some(&proof))
    }

    /// Number, CVV and expiry.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn reveal(&self, card: &Card) -> Result<Opened> {
        let proof = self.proof("reveal", card).await?;
        let answer = self.reveal_with(card, Some(&proof.sign(self.signer)?)).await?;
        self.open(answer, 200, Some(&proof))
    }

    /// A reveal with any proof, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn reveal_with(&self, card: &Card, proof: Option<&str>) -> Result<Answer> {
        let call = self
            .call(Method::GET, &format!("/cards/{}", card.id))
            .enc(self.receiving);
        with_proof(call, proof).send().await
    }

    /// A new CVV.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn reset_cvv(&self, card: &Card) -> Result<Opened> {
        let proof = self.proof("reset-cvv", card).await?;
        let answer = self.reset_cvv_with(card, Some(&proof.sign(self.signer)?)).await?;
        self.open(answer, 200, Some(&proof))
    }

    /// A CVV reset with any proof, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn reset_cvv_with(&self, card: &Card, proof: Option<&str>) -> Result<Answer> {
        let call = self.post(&format!("/cards/{}/cvv", card.id))?.enc(self.receiving);
        with_proof(call, proof).send().await
    }

    /// Plastic to the address on file.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn print(&self, card: &Card) -> Result<Opened> {
        let call = self
            .post(&format!("/cards/{}/print", card.id))?
            .enc(self.receiving);
        self.open(call.send().await?, 201, None)
    }

    /// Plastic to an address that only the vault can read.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn print_to(&self, card: &Card, address: &Value) -> Result<Opened> {
        let payload = self
            .vault_key()
            .await?
            .seal(&json!({ "deliveryAddress": address }))?;
        let proof = self.proof("order", card).await?.over(&payload);
        let call = self
            .post(&format!("/cards/{}/print", card.id))?
            .enc_sealed(self.receiving, &payload);
        let answer = call
            .header("Holder-Proof", &proof.sign(self.signer)?)
            .send()
            .await?;
        self.open(answer, 201, Some(&proof))
    }

    /// What an order of a physical card holds, sealed to the vault.
    ///
    /// # Errors
    /// When the vault's key does not hold.
    pub async fn seal_order(&self, balance: u64, name: &str, address: &Value) -> Result<String> {
        let order = json!({ "balanceId": balance, "embossedName": name, "deliveryAddress": address });
        self.vault_key().await?.seal(&order)
    }

    /// Orders a physical card under proof.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn order_physical(&self, balance: u64, name: &str, address: &Value) -> Result<Opened> {
        let (key, payload) = (random_id()?, self.seal_order(balance, name, address).await?);
        let proof = HolderProof::new("order", &key, &self.holder_nonce().await?, self.receiving)?;
        let proof = proof.over(&payload);
        let signed = proof.sign(self.signer)?;
        let answer = self.order_physical_with(&key, &payload, Some(&signed)).await?;
        self.open(answer, 201, Some(&proof))
    }

    /// An order with any payload and any proof, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn order_physical_with(&self, key: &str, payload: &str, proof: Option<&str>) -> Result<Answer> {
        let call = self.call(Method::POST, "/cards/physical").idempotency_key(key);
        with_proof(call.enc_sealed(self.receiving, payload), proof)
            .send()
            .await
    }

    /// Activates a physical card.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn activate(&self, card: &Card) -> Result<Answer> {
        self.post(&format!("/cards/{}/activate", card.id))?.send().await
    }

    /// Orders of plastic.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn orders(&self) -> Result<Answer> {
        self.call(Method::GET, "/cards/orders").send().await
    }

    /// Sets the PIN: sealed to the attested key of the vault, under proof.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set_pin(&self, card: &Card, pin: &str) -> Result<Opened> {
        let payload = self.vault_key().await?.seal(&json!({ "pin": pin }))?;
        let proof = self.proof("set-pin", card).await?.over(&payload);
        let answer = self
            .set_pin_with(card, &payload, Some(&proof.sign(self.signer)?))
            .await?;
        self.open(answer, 200, Some(&proof))
    }

    /// A PIN set with any payload and any proof, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn set_pin_with(&self, card: &Card, payload: &str, proof: Option<&str>) -> Result<Answer> {
        let call = self
            .post(&format!("/cards/{}/pin", card.id))?
            .enc_sealed(self.receiving, payload);
        with_proof(call, proof).send().await
    }

    /// Locks with a reason code.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn lock(&self, card: &Card, reason: u8) -> Result<Answer> {
        self.post(&format!("/cards/{}/lock", card.id))?
            .json(&json!({ "reasonCode": reason }))
            .send()
            .await
    }

    /// Unlocks.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn unlock(&self, card: &Card) -> Result<Answer> {
        self.post(&format!("/cards/{}/unlock", card.id))?.send().await
    }

    /// The vault's key as this channel publishes it, its attestation checked.
    ///
    /// # Errors
    /// When the attestation does not hold.
    pub async fn vault_key(&self) -> Result<super::VaultKey> {
        let path = if self.session.is_some() {
            "/customers/public-key"
        } else {
            "/lifecycle/v1/public-key"
        };
        self.trust
            .vault_key(&self.door.get(path).await?.expect(200)?.json()?)
    }

    /// The key to which answers are sealed.
    #[must_use]
    pub const fn receiving(&self) -> &ReceivingKey {
        self.receiving
    }

    /// Who signs the proofs.
    #[must_use]
    pub const fn signer(&self) -> &ProofSigner {
        self.signer
    }
}

fn with_proof(call: Call, proof: Option<&str>) -> Call {
    match proof {
        Some(proof) => call.header("Holder-Proof", proof),
        None => call,
    }
}
