//! Users with phones at the gateway, and requests of theirs, made ahead of time.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};
use deploy::actors::{Card, HolderProof, Phone};
use deploy::stand::Stand;
use reqwest::Method;
use serde_json::{Value, json};
use shared::ids::CardToken;

use crate::closed_loop::Requests;
use crate::vault_load::{MOST_OPEN_CHALLENGES, challenges, vault_endpoint};
use crate::wire::{Endpoint, request};

/// Users, each with one phone.
const USERS: usize = 16;
/// Cards of each user that are revealed.
const CARDS_PER_USER: usize = 64;
/// Items asked for on a page: the gateway's most.
const PAGE_ITEMS: usize = 100;

struct User {
    phone: Phone,
    balance: u64,
    bearer: String,
    public_key: String,
    cards: Vec<Card>,
}

/// Users of one pair.
pub struct GatewayLoad {
    endpoint: Endpoint,
    vault: Endpoint,
    users: Vec<User>,
    serial: Cell<u64>,
    cursor: Cell<usize>,
}

impl GatewayLoad {
    /// Registers users and pairs their phones; they have no cards yet.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn create(stand: &Stand) -> Result<Self> {
        let partner = stand.partner()?;
        let mut users = Vec::with_capacity(USERS);
        for _ in 0..USERS {
            let (_, phone) = stand.user_with_phone(&partner).await?;
            let bearer = format!("Bearer {}", phone.session().context("no session")?);
            users.push(User {
                balance: phone.cards().first_balance().await?,
                public_key: phone.cards().receiving().header().to_owned(),
                phone,
                bearer,
                cards: Vec::new(),
            });
        }
        let ca = &stand.certificates().internal_ca.certificate;
        Ok(Self {
            endpoint: Endpoint::new(stand.ports().gateway, ca, None)?,
            vault: vault_endpoint(stand)?,
            users,
            serial: Cell::new(0),
            cursor: Cell::new(0),
        })
    }

    /// The gateway's public door.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Requests to create a virtual card, without end: each user in turn, the answer masked.
    #[must_use]
    pub fn creations(&self) -> Requests<'_> {
        Box::new(|| {
            let number = self.serial.replace(self.serial.get() + 1);
            let user = self.users.get(usize::try_from(number).ok()? % self.users.len())?;
            let body = json!({ "balanceId": user.balance, "name": "Load" }).to_string();
            let key = format!("load-{number}");
            let mut headers = user.headers();
            headers.push(("Idempotency-Key", &key));
            Some(request(
                "POST",
                "/customers/me/cards/virtual",
                &headers,
                body.as_bytes(),
            ))
        })
    }

    /// Looks up the cards that were created, as each phone lists them.
    ///
    /// # Errors
    /// When a user has none.
    pub async fn find_cards(&mut self) -> Result<()> {
        for user in &mut self.users {
            let mut path = format!("/cards?limit={PAGE_ITEMS}");
            while user.cards.len() < CARDS_PER_USER {
                let call = user.phone.cards().call(Method::GET, &path);
                let page = call.send().await?.expect(200)?.json()?;
                let items = page
                    .get("items")
                    .and_then(Value::as_array)
                    .context("a page without items")?;
                for item in items {
                    user.cards.push(Card::of(item)?);
                }
                let Some(cursor) = page.get("nextCursor").and_then(Value::as_str) else {
                    break;
                };
                path = format!("/cards?limit={PAGE_ITEMS}&cursor={cursor}");
            }
            ensure!(!user.cards.is_empty(), "a user without cards");
            user.cards.truncate(CARDS_PER_USER);
        }
        Ok(())
    }

    /// How many reveals can be prepared at once.
    #[must_use]
    pub fn most_reveals(&self) -> usize {
        let fewest = self.users.iter().map(|user| user.cards.len()).min().unwrap_or(0);
        fewest * self.users.len() * MOST_OPEN_CHALLENGES
    }

    /// Reveal requests with fresh proofs, good for a minute. The challenges come from the vault directly, so that preparing
    /// them leaves the gateway alone; a gateway only passes them on.
    ///
    /// # Errors
    /// What the vault refuses.
    pub async fn reveals(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        ensure!(
            count <= self.most_reveals(),
            "too few cards for {count} open challenges"
        );
        let first = self.cursor.replace(self.cursor.get() + count);
        let pick = |number: usize| {
            let user = self.users.get(number % self.users.len())?;
            let card = user.cards.get(number / self.users.len() % user.cards.len())?;
            Some((user, card))
        };
        let wanted: Vec<(&User, &Card)> = (first..first + count).filter_map(pick).collect();
        let tokens: Vec<CardToken> = wanted
            .iter()
            .map(|(_, card)| Ok(card.token.parse()?))
            .collect::<Result<_>>()?;
        let nonces = challenges(&self.vault, &tokens.iter().collect::<Vec<_>>()).await?;
        let mut requests = Vec::with_capacity(count);
        for ((user, card), challenge) in wanted.into_iter().zip(nonces) {
            let desk = user.phone.cards();
            let proof = HolderProof::new("reveal", &card.token, challenge.nonce.as_str(), desk.receiving())?;
            let proof = proof.sign(desk.signer())?;
            let mut headers = user.headers();
            headers.push(("Holder-Proof", &proof));
            requests.push(request(
                "GET",
                &format!("/customers/me/cards/{}", card.id),
                &headers,
                b"",
            ));
        }
        Ok(requests)
    }

    /// Opens a sealed answer with the phone that it was meant for, and looks whether `member` is in it.
    ///
    /// # Errors
    /// When no phone opens it, or it holds no such member.
    pub fn check(&self, body: &[u8], member: &str) -> Result<()> {
        let answer: Value = serde_json::from_slice(body)?;
        let payload = answer
            .get("payload")
            .and_then(Value::as_str)
            .context("no payload")?;
        let opened = self
            .users
            .iter()
            .find_map(|user| user.phone.cards().receiving().open(payload).ok());
        let opened = opened.context("the answer opens with no phone's key")?;
        ensure!(opened.get(member).is_some(), "an answer without {member}");
        Ok(())
    }
}

impl User {
    fn headers(&self) -> Vec<(&str, &str)> {
        vec![
            ("Authorization", self.bearer.as_str()),
            ("Public-Key", self.public_key.as_str()),
            ("Encrypted-Request", "false"),
        ]
    }
}
