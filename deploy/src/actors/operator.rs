//! An operator with a browser: password, authenticator app, session, and a key pair for answers.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::door::{Call, Door};
use super::jose::{ReceivingKey, random_id};
use crate::answer::Answer;

/// RFC 4648 section 6.
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Seconds of a time step (RFC 6238).
const STEP_SECONDS: u64 = 30;

/// One operator.
#[derive(Debug)]
pub struct Operator {
    door: Door,
    login: String,
    password: String,
    secret: Vec<u8>,
    last_step: u64,
    session: Option<String>,
    receiving: ReceivingKey,
}

impl Operator {
    pub(crate) fn new(door: Door, login: &str, password: &str, receiving: ReceivingKey) -> Self {
        Self {
            door,
            login: login.to_owned(),
            password: password.to_owned(),
            secret: Vec::new(),
            last_step: 0,
            session: None,
            receiving,
        }
    }

    /// The secret of the authenticator app, for another program that is to log in as this operator.
    #[must_use]
    pub fn second_factor_hex(&self) -> String {
        self.secret.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads an `otpauth://` URI into the authenticator app.
    ///
    /// # Errors
    /// When it carries no secret.
    pub fn set_up_second_factor(&mut self, uri: &str) -> Result<()> {
        let secret = uri
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("secret="))
            .context("no secret in the URI")?;
        self.secret = base32(secret)?;
        self.last_step = 0;
        Ok(())
    }

    /// A code that was not used before. A login takes one, and the gateway takes one step ahead of time, so that two can
    /// be had without waiting.
    ///
    /// # Errors
    /// When the app would have to be waited for.
    pub fn fresh_code(&mut self) -> Result<String> {
        let present = now()?;
        let step = present.max(self.last_step + 1);
        ensure!(step <= present + 1, "the next code is not shown yet");
        self.last_step = step;
        Ok(self.code(step))
    }

    /// The code that was used last.
    #[must_use]
    pub fn used_code(&self) -> String {
        self.code(self.last_step)
    }

    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = usize::from(bytes.last().copied().unwrap_or_default() & 15);
        let number = bytes
            .iter()
            .skip(offset)
            .take(4)
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:06}", (number & 0x7FFF_FFFF) % 1_000_000)
    }

    /// Logs in and keeps the session.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn log_in(&mut self) -> Result<Answer> {
        let code = self.fresh_code()?;
        let password = self.password.clone();
        let answer = self.try_log_in(&password, &code).await?.expect(201)?;
        self.session = Some(answer.text_at("/sessionToken")?);
        Ok(answer)
    }

    /// A login with any password and code; the session is not kept.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn try_log_in(&self, password: &str, code: &str) -> Result<Answer> {
        let body = json!({ "login": self.login, "password": password, "totp": code });
        let call = self.door.call(Method::POST, "/admin/sessions");
        call.idempotency_key(&random_id()?).json(&body).send().await
    }

    /// Accepts an invitation: sets up the app, chooses the password.
    ///
    /// # Errors
    /// When a step is refused.
    pub async fn accept_invitation(&mut self, token: &str) -> Result<Answer> {
        let made = self
            .open_post("/admin/invitations/second-factor", &json!({ "token": token }))
            .await?
            .expect(201)?;
        self.set_up_second_factor(&made.text_at("/otpauthUri")?)?;
        let code = self.fresh_code()?;
        let body = json!({ "token": token, "password": self.password, "totp": code });
        self.open_post("/admin/invitations/accept", &body)
            .await?
            .expect(201)
    }

    /// Chooses another password, with a token that was mailed.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn reset_password(&mut self, token: &str, password: &str) -> Result<Answer> {
        password.clone_into(&mut self.password);
        let body = json!({ "token": token, "password": password });
        self.open_post("/admin/password-resets/accept", &body).await
    }

    /// A `POST` without a session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn open_post(&self, path: &str, body: &Value) -> Result<Answer> {
        let call = self.door.call(Method::POST, path);
        call.idempotency_key(&random_id()?).json(body).send().await
    }

    /// A call in the session.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let call = self.door.call(method, path);
        match &self.session {
            Some(session) => call.bearer(session),
            None => call,
        }
    }

    /// A `GET` in the session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path).send().await
    }

    /// A PUT with the session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::PUT, path).json(body).send().await
    }

    /// A `POST` in the session, with an `Idempotency-Key` of its own.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let call = self.call(Method::POST, path);
        call.idempotency_key(&random_id()?).json(body).send().await
    }

    /// A `POST` to an encrypted endpoint in the session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post_enc(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        let call = self.call(Method::POST, path).enc(&self.receiving);
        let call = call.idempotency_key(&random_id()?);
        match body {
            Some(body) => call.json(body).send().await,
            None => call.send().await,
        }
    }

    /// A `POST` of what is sealed to the vault.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post_sealed(&self, path: &str, payload: &str) -> Result<Answer> {
        let call = self.call(Method::POST, path).enc_sealed(&self.receiving, payload);
        call.idempotency_key(&random_id()?).send().await
    }

    /// Opens a sealed answer of that status.
    ///
    /// # Errors
    /// When status or seal is not as it must be.
    pub fn open(&self, answer: Answer, status: u16) -> Result<Value> {
        self.receiving.open(&answer.expect(status)?.text_at("/payload")?)
    }

    /// The session token, while there is one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The login.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The gateway's public door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// The key to which answers are sealed.
    #[must_use]
    pub const fn receiving(&self) -> &ReceivingKey {
        &self.receiving
    }
}

/// The time step of this moment. An app looks at the machine's clock, as the gateway does.
#[expect(
    clippy::disallowed_methods,
    reason = "the authenticator app has no clock but the machine's"
)]
fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / STEP_SECONDS)
}

fn base32(text: &str) -> Result<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0_u32);
    for symbol in text.chars() {
        let Some(value) = BASE32.find(symbol) else {
            bail!("not base32")
        };
        bits = (bits & 0xFF) << 5 | u32::try_from(value)?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF)?);
        }
    }
    Ok(bytes)
}
