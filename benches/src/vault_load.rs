//! Holders with keys and cards in a vault, and requests of theirs, made ahead of time. It speaks as the gateway does, with the
//! gateway's certificate; the proofs are the holders' own.

use std::cell::Cell;

use anyhow::{Context, Result, anyhow, ensure};
use deploy::actors::{Credentials, ReceivingKey};
use deploy::stand::Stand;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::ids::{CardToken, HolderToken};
use shared::jws::HolderSigner;
use shared::jws::holder_proof::{HolderProofClaims, Op};
use shared::public_key::PublicKey;
use shared::vault_api::cards::{IssueCard, IssuedCard, ProvenOperation, Recipient, SealedAnswer};
use shared::vault_api::holders::{Challenge, CreateChallenge, CreateHolder, HolderCreated};
use shared::vault_api::{Actor, Channel, IDEMPOTENCY_KEY, PublicMembers, paths};

use crate::closed_loop::{Requests, gather};
use crate::wire::{Endpoint, request};

/// Holders of a population. Each has a receiving key of its own, so that no answer is sealed to the key of the one before.
const HOLDERS: usize = 32;
const RSA_BITS: u32 = 2048;
/// Two neighbouring requests concern cards this far apart (a prime): no request finds the pages of the one before.
const STRIDE: usize = 7_919;
/// Challenges that the vault keeps open for one card.
pub const MOST_OPEN_CHALLENGES: usize = 16;

/// To what kind of key answers are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiving {
    /// RSA of 2048 bits.
    Rsa,
    /// P-256.
    P256,
}

struct Holder {
    token: HolderToken,
    signer: HolderSigner,
    rsa: Mailbox,
    p256: Mailbox,
}

/// A receiving key in both forms: the client's, and as the vault's doors take it.
struct Mailbox {
    key: ReceivingKey,
    public: PublicKey,
}

impl Mailbox {
    fn new(key: ReceivingKey) -> Result<Self> {
        let public = PublicKey::from_header(key.header())?;
        Ok(Self { key, public })
    }
}

impl Holder {
    const fn mailbox(&self, receiving: Receiving) -> &Mailbox {
        match receiving {
            Receiving::Rsa => &self.rsa,
            Receiving::P256 => &self.p256,
        }
    }
}

struct Card {
    token: CardToken,
    holder: usize,
}

/// Holders and cards in one vault.
pub struct VaultLoad {
    endpoint: Endpoint,
    holders: Vec<Holder>,
    cards: Vec<Card>,
    /// Numbers `jti`s and idempotency keys.
    serial: Cell<u64>,
    /// Where the next prepared batch begins.
    cursor: Cell<usize>,
}

/// The vault of a stand, spoken to with the gateway's certificate.
///
/// # Errors
/// When its certificates cannot be read.
pub fn vault_endpoint(stand: &Stand) -> Result<Endpoint> {
    let set = stand.certificates();
    let gateway = Credentials::from(&set.gateway_client);
    Endpoint::new(stand.ports().vault, &set.internal_ca.certificate, Some(&gateway))
}

impl VaultLoad {
    /// Creates holders with an enrolled key each, and `cards` cards, all through the vault's doors.
    ///
    /// # Errors
    /// What the vault refuses.
    pub async fn create(stand: &Stand, program: &str, cards: usize) -> Result<Self> {
        let mut load = Self {
            endpoint: vault_endpoint(stand)?,
            holders: Vec::with_capacity(HOLDERS),
            cards: Vec::with_capacity(cards),
            serial: Cell::new(0),
            cursor: Cell::new(0),
        };
        let create = CreateHolder {
            program: program.parse()?,
            actor: actor(),
        };
        let create: Vec<_> = (0..HOLDERS)
            .map(|_| load.post(paths::HOLDERS, &create))
            .collect::<Result<_>>()?;
        let random = SystemRandom::new();
        let mut enrolments = Vec::with_capacity(HOLDERS);
        for body in gather(&load.endpoint, &create, 201).await? {
            let token = read::<HolderCreated>(&body)?.holder;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
            let signer = HolderSigner::from_pkcs8(pkcs8.map_err(|_| anyhow!("no randomness"))?.as_ref())?;
            let enrol = json!({ "key": signer.public_key()?.to_jwk(), "actor": actor() });
            enrolments.push(load.post(&paths::holder_keys(&token), &enrol)?);
            load.holders.push(Holder {
                token,
                signer,
                rsa: Mailbox::new(ReceivingKey::rsa(RSA_BITS)?)?,
                p256: Mailbox::new(ReceivingKey::p256()?)?,
            });
        }
        gather(&load.endpoint, &enrolments, 201).await?;
        load.issue_cards(cards).await?;
        Ok(load)
    }

    async fn issue_cards(&mut self, count: usize) -> Result<()> {
        /// So many requests are held in memory at once.
        const CHUNK: usize = 10_000;
        while self.cards.len() < count {
            let from = self.cards.len();
            let holders = (from..count.min(from + CHUNK)).map(|number| number % HOLDERS);
            let requests: Vec<_> = holders
                .clone()
                .map(|holder| self.issue_to(holder, None))
                .collect::<Result<_>>()?;
            let bodies = gather(&self.endpoint, &requests, 201).await?;
            for (holder, body) in holders.zip(bodies) {
                let token = read::<IssuedCard>(&body)?.card;
                self.cards.push(Card { token, holder });
            }
        }
        Ok(())
    }

    /// The vault's door.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reveal requests with fresh proofs, good for a minute: a challenge is asked for and a proof signed for each.
    ///
    /// # Errors
    /// What the vault refuses; more than the open challenges of all cards.
    pub async fn reveals(&self, count: usize, receiving: Receiving) -> Result<Vec<Vec<u8>>> {
        ensure!(
            count <= self.cards.len() * MOST_OPEN_CHALLENGES,
            "too few cards for {count} open challenges"
        );
        let first = self.cursor.replace(self.cursor.get() + count);
        let cards: Vec<&Card> = (first..first + count)
            .filter_map(|number| self.cards.get(number * STRIDE % self.cards.len()))
            .collect();
        let tokens: Vec<&CardToken> = cards.iter().map(|card| &card.token).collect();
        let nonces = challenges(&self.endpoint, &tokens).await?;
        cards
            .iter()
            .zip(nonces)
            .map(|(card, challenge)| self.reveal(card, challenge, receiving))
            .collect()
    }

    fn reveal(&self, card: &Card, challenge: Challenge, receiving: Receiving) -> Result<Vec<u8>> {
        let holder = self.holder(card.holder)?;
        let public = &holder.mailbox(receiving).public;
        let claims = HolderProofClaims {
            op: Op::Reveal,
            card: card.token.to_string(),
            nonce: challenge.nonce,
            iat: Clock::System.unix_seconds(),
            jti: format!("load-{}", self.next()),
            rpk: public.thumbprint(),
            bdh: None,
        };
        let body = ProvenOperation {
            recipient: recipient(public),
            holder_proof: Some(claims.sign(&holder.signer)?),
            refuse: false,
            actor: actor(),
        };
        self.post(&paths::reveal(&card.token), &body)
    }

    /// Opens the answer to a reveal, as the holder would, and looks whether it holds a number.
    ///
    /// # Errors
    /// When it opens with no holder's key, or holds none.
    pub fn check_reveal(&self, body: &[u8], receiving: Receiving) -> Result<()> {
        let sealed: SealedAnswer = read(body)?;
        ensure!(sealed.vault_proof.is_some(), "a reveal without Vault-Proof");
        let opened = self
            .holders
            .iter()
            .find_map(|holder| holder.mailbox(receiving).key.open(&sealed.payload).ok());
        let opened = opened.context("the answer opens with no holder's key")?;
        ensure!(
            opened.get("cardNo").is_some_and(Value::is_string),
            "a reveal without cardNo"
        );
        Ok(())
    }

    /// Issue requests without end, each for a new card and a masked answer to an RSA key.
    #[must_use]
    pub fn issues(&self) -> Requests<'_> {
        Box::new(|| {
            let holder = usize::try_from(self.serial.get()).ok()? % HOLDERS;
            let public = &self.holders.get(holder)?.rsa.public;
            self.issue_to(holder, Some(recipient(public))).ok()
        })
    }

    fn issue_to(&self, holder: usize, recipient: Option<Recipient>) -> Result<Vec<u8>> {
        let body = IssueCard {
            recipient,
            payload: None,
            holder_proof: None,
            issue_key: None,
            refuse: false,
            actor: actor(),
        };
        self.post(&paths::issue(&self.holder(holder)?.token), &body)
    }

    fn holder(&self, index: usize) -> Result<&Holder> {
        self.holders.get(index).context("no such holder")
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Result<Vec<u8>> {
        let key = format!("load-{}", self.next());
        Ok(request(
            "POST",
            path,
            &[(IDEMPOTENCY_KEY, &key)],
            &serde_json::to_vec(body)?,
        ))
    }

    fn next(&self) -> u64 {
        self.serial.replace(self.serial.get() + 1)
    }
}

/// A challenge for each card, in order.
///
/// # Errors
/// What the vault refuses.
pub async fn challenges(endpoint: &Endpoint, cards: &[&CardToken]) -> Result<Vec<Challenge>> {
    let body = serde_json::to_vec(&CreateChallenge { actor: actor() })?;
    let requests: Vec<_> = cards
        .iter()
        .map(|card| request("POST", &paths::card_challenges(card), &[], &body))
        .collect();
    let bodies = gather(endpoint, &requests, 201).await?;
    bodies.iter().map(|body| read(body)).collect()
}

/// What a gateway says of its caller.
fn actor() -> Actor {
    Actor {
        channel: Channel::Customers,
        subject: Some("user:1001".to_owned()),
        device: Some("installation:1001".to_owned()),
        trace_id: None,
    }
}

/// The members that the gateway adds to a card.
fn recipient(public: &PublicKey) -> Recipient {
    let members = PublicMembers::from_iter([
        ("id".to_owned(), json!(1001)),
        ("type".to_owned(), json!("VIRTUAL")),
        ("state".to_owned(), json!("ACTIVE")),
    ]);
    Recipient {
        public_key: public.clone(),
        members,
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).context("an answer of another shape")
}
