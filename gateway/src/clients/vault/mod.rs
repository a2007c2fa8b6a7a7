//! The vault as the gateway calls it: one method per operation, over mutual TLS, each with a time limit.
//!
//! The gateway never repeats a call by itself within a request: a caller that wants to repeat one does so with the same
//! `Idempotency-Key`, and the vault answers what it answered before.

mod circuit;
mod error;
mod operations;

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::ids::IdempotencyKey;
use shared::vault_api::IDEMPOTENCY_KEY;

use circuit::Circuit;
pub use error::{Effect, Refusal, VaultError};

/// Time for TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for a whole call, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Kept-alive connections to the vault.
const IDLE_CONNECTIONS: usize = 64;
/// How long one is kept: a little shorter than the vault keeps it, so that a request never meets a connection that is
/// just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest answer that is read, in bytes; the longest that the contract knows is a list of keys with its attestation.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Calls the vault. Shared by all workers: cloning is not needed, an `Arc` is.
pub struct VaultClient {
    http: Client,
    base: Url,
    circuit: Circuit,
}

/// The client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum VaultClientError {
    /// Not the URL of a server under TLS.
    #[error("the vault's URL must be https://host[:port] without a path")]
    BadUrl,
    /// The TLS configuration was not taken.
    #[error("the HTTP client cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

impl VaultClient {
    /// A client for the vault at `url` (`https://host:port`); `tls` carries the gateway's certificate and trusts the
    /// internal CA alone.
    ///
    /// # Errors
    /// [`VaultClientError`] for another kind of URL or an unusable TLS configuration.
    pub fn new(url: &str, tls: rustls::ClientConfig) -> Result<Self, VaultClientError> {
        let base = Url::parse(url).map_err(|_| VaultClientError::BadUrl)?;
        let bare = base.scheme() == "https"
            && base.path() == "/"
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !bare {
            return Err(VaultClientError::BadUrl);
        }
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            http,
            base,
            circuit: Circuit::default(),
        })
    }

    async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, VaultError> {
        self.call(Method::GET, path, None, None::<&()>, StatusCode::OK)
            .await
    }

    /// A question that the vault may take its time to answer. Apart from the circuit: that counts what callers wait for.
    async fn get_patiently<A: DeserializeOwned>(
        &self,
        path: &str,
        wait_seconds: u64,
    ) -> Result<A, VaultError> {
        let url = self
            .base
            .join(path)
            .map_err(|error| VaultError::Protocol(error.to_string()))?;
        let patience = CALL_TIMEOUT + Duration::from_secs(wait_seconds);
        let request = self.http.request(Method::GET, url).timeout(patience);
        let (status, retry_after, body) = exchange(request).await?;
        if status != StatusCode::OK {
            return Err(VaultError::from_answer(status, retry_after, &body));
        }
        serde_json::from_slice(&body)
            .map_err(|_| VaultError::Protocol("the answer has another shape".to_owned()))
    }

    async fn post<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        key: &IdempotencyKey,
        body: &B,
        expected: StatusCode,
    ) -> Result<A, VaultError> {
        self.call(Method::POST, path, Some(key), Some(body), expected)
            .await
    }

    async fn call<B: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&IdempotencyKey>,
        body: Option<&B>,
        expected: StatusCode,
    ) -> Result<A, VaultError> {
        let url = self
            .base
            .join(path)
            .map_err(|error| VaultError::Protocol(error.to_string()))?;
        let mut request = self.http.request(method, url);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key.as_str());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if !self.circuit.admits(Instant::now()) {
            return Err(VaultError::not_asked("the circuit is open"));
        }
        let outcome = exchange(request).await;
        match &outcome {
            Ok(_) => self.circuit.answered(),
            Err(_) => self.circuit.failed(Instant::now()),
        }
        let (status, retry_after, body) = outcome?;
        if status != expected {
            return Err(if status.is_success() {
                VaultError::Protocol(format!("{} instead of {}", status.as_u16(), expected.as_u16()))
            } else {
                VaultError::from_answer(status, retry_after, &body)
            });
        }
        serde_json::from_slice(&body)
            .map_err(|_| VaultError::Protocol("the answer has another shape".to_owned()))
    }
}

/// Sends a request and reads the whole answer: status, seconds of `Retry-After`, body. The messages of the errors hold no
/// URL: its path would name a card's token in the log.
async fn exchange(
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, Option<u32>, Vec<u8>), VaultError> {
    let answer = request.send().await.map_err(|error| {
        let sent = !(error.is_connect() || error.is_builder());
        let reason = error.without_url().to_string();
        if sent {
            VaultError::no_answer(reason)
        } else {
            VaultError::not_asked(reason)
        }
    })?;
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Ok((status, retry_after, read_bounded(answer).await?))
}

async fn read_bounded(mut answer: Response) -> Result<Vec<u8>, VaultError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| VaultError::no_answer(error.without_url().to_string()))?
    {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(VaultError::no_answer("the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
