//! The personalisation bureau at the vault's door: takes batches, opens them with its key, and says how far each order is.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use shared::vault_api::paths;

use super::door::Door;
use super::jose::{ReceivingKey, random_id};
use crate::answer::Answer;

/// One bureau.
pub struct Bureau {
    door: Door,
    key: ReceivingKey,
}

impl Bureau {
    /// A bureau at a door that was made with its certificate, with the key that its programs name.
    #[must_use]
    pub const fn new(door: Door, key: ReceivingKey) -> Self {
        Self { door, key }
    }

    /// Asks for a batch of at most so many orders.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask(&self, program: &str, most: Option<u16>, key: &str) -> Result<Answer> {
        let mut body = json!({ "program": program });
        if let (Some(most), Some(members)) = (most, body.as_object_mut()) {
            members.insert("most".to_owned(), most.into());
        }
        let call = self.door.call(Method::POST, paths::BATCHES);
        call.idempotency_key(key).json(&body).send().await
    }

    /// Takes batches until none waits; every line of them.
    ///
    /// # Errors
    /// When a batch is refused, or does not open.
    pub async fn take_all(&self, program: &str) -> Result<Vec<Value>> {
        let mut lines = Vec::new();
        loop {
            let answer = self.ask(program, None, &random_id()?).await?;
            if answer.refusal() == (409, "NO_ORDERS_WAIT".to_owned()) {
                return Ok(lines);
            }
            let batch = self.open(&answer.expect(201)?)?;
            let orders = batch.get("orders").and_then(Value::as_array);
            lines.extend(orders.context("a batch without orders")?.iter().cloned());
        }
    }

    /// A batch again.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn fetch(&self, batch: &str) -> Result<Answer> {
        self.door.get(&format!("{}/{batch}", paths::BATCHES)).await
    }

    /// Opens a batch.
    ///
    /// # Errors
    /// When it is not sealed to this bureau.
    pub fn open(&self, answer: &Answer) -> Result<Value> {
        self.key.open(&answer.text_at("/payload")?)
    }

    /// Says something of an order: `confirm`, `ship`, `fail`, `return`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn say(&self, order: &str, verb: &str, body: &Value) -> Result<Answer> {
        self.say_again(order, verb, body, &random_id()?).await
    }

    /// The same under this key.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn say_again(&self, order: &str, verb: &str, body: &Value, key: &str) -> Result<Answer> {
        let path = format!("/v1/bureau/orders/{order}/{verb}");
        let call = self.door.call(Method::POST, &path);
        call.idempotency_key(key).json(body).send().await
    }
}
