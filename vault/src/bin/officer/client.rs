//! The vault as an officer calls it: over mutual TLS, and robust against a vault that goes away in mid-command. A change is
//! asked for again under the same `Idempotency-Key`, so that it happens once whatever was lost on the way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use ring::rand::SystemRandom;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::clock::Clock;
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::client::mutual;
use shared::mtls::identity::Identity;
use shared::mtls::peer::Peer;
use shared::mtls::trust::ReloadingTrust;
use shared::problem::{Problem, TraceId};
use shared::vault_api::IDEMPOTENCY_KEY;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::transport;

/// Time for TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a whole call. Opening a large vault reads its log.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// A file may take its time, but not stand still.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is held in memory; files are streamed.
const MOST_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How often a call is made again that broke off on its way, or that the vault was too busy for.
const AGAIN: u32 = 5;
/// Longest wait that the vault may ask for between two calls.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A way to the vault.
pub struct Vault {
    http: Client,
    base: Url,
    key: PathBuf,
    /// Who we are, by our certificate.
    pub own: Peer,
}

impl Vault {
    /// Reads certificate, key, CA and list; nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::Usage`] with what is wrong with the file or the URL.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let base = base_url(&connection.vault)?;
        let clock = Clock::System;
        let unusable = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
        let certificate = ReloadingCertificate::load(&connection.cert, &connection.key, clock.clone());
        let certificate = Arc::new(certificate.map_err(|error| unusable(&error))?);
        let trust = ReloadingTrust::load(&connection.ca, &connection.crl, clock.clone());
        let trust = Arc::new(trust.map_err(|error| unusable(&error))?);
        let own = certificate.chain().first().map(Peer::from_certificate);
        let own = own.and_then(Result::ok).ok_or_else(|| {
            Failure::usage(format!(
                "{} carries no identity of Tessera",
                connection.cert.display()
            ))
        })?;
        let tls = mutual(certificate, trust, Identity::Vault, &clock).map_err(|error| unusable(&error))?;
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self {
            http,
            base,
            key: connection.key.clone(),
            own,
        })
    }

    /// The vault's URL.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The file of our own private key.
    pub const fn key_file(&self) -> &PathBuf {
        &self.key
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, Failure> {
        let url = self.at(path)?;
        self.repeatedly(|| self.http.get(url.clone()).timeout(CALL_TIMEOUT))
            .await
    }

    /// Changes something, once.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A, Failure> {
        let (url, key) = (self.at(path)?, idempotency_key()?);
        let request = || {
            let request = self.http.post(url.clone()).timeout(CALL_TIMEOUT);
            request.header(IDEMPOTENCY_KEY, &key).json(body)
        };
        self.repeatedly(request).await
    }

    /// Hands in a secret. It is sent once: when no answer comes, `status` tells whether it arrived.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post_once<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, Failure> {
        let request = self.http.post(self.at(path)?).timeout(CALL_TIMEOUT);
        let request = request.header(IDEMPOTENCY_KEY, idempotency_key()?).json(body);
        let (status, _, body) = self.exchange(request).await.map_err(|broken| broken.failure)?;
        read(status, &body)
    }

    /// A request whose body or answer is a file; no time limit on the whole of it.
    ///
    /// # Errors
    /// [`Failure`]; among others when the vault answers with a problem.
    pub async fn stream(
        &self,
        method: Method,
        path: &str,
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let request = self.http.request(method, self.at(path)?);
        let request = prepare(request.header(IDEMPOTENCY_KEY, idempotency_key()?));
        let answer = request.send().await.map_err(|error| self.broken(error).failure)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = self.bounded(answer).await.map_err(|broken| broken.failure)?;
        Err(refusal(status, &body))
    }

    /// What went wrong while a streamed answer was read.
    pub fn broken_off(&self, error: reqwest::Error) -> Failure {
        self.broken(error).failure
    }

    fn at(&self, path: &str) -> Result<Url, Failure> {
        self.base
            .join(path)
            .map_err(|error| Failure::usage(format!("{path}: {error}")))
    }

    async fn repeatedly<A: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<A, Failure> {
        let mut was_sent = false;
        for round in 1..=AGAIN {
            let pause = match self.exchange(request()).await {
                Ok((status, retry_after, body)) => match (retry_after, is_passing(status, &body)) {
                    (Some(pause), true) if round < AGAIN => pause,
                    _ => return read(status, &body),
                },
                Err(broken) => {
                    // Where not even the first call was sent, nothing has happened and nobody is waiting for an answer.
                    was_sent |= broken.was_sent;
                    if !was_sent || round == AGAIN {
                        return Err(broken.failure);
                    }
                    Duration::from_secs(round.into())
                }
            };
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
        Err(Failure::Unreachable(
            "the vault was too busy for too long".to_owned(),
        ))
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Option<Duration>, Vec<u8>), Broken> {
        let answer = request.send().await.map_err(|error| self.broken(error))?;
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Ok((
            status,
            retry_after.map(Duration::from_secs),
            self.bounded(answer).await?,
        ))
    }

    async fn bounded(&self, mut answer: Response) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > MOST_ANSWER_BYTES {
                let failure = Failure::Unfinished("the vault's answer is too long".to_owned());
                return Err(Broken {
                    was_sent: false,
                    failure,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn broken(&self, error: reqwest::Error) -> Broken {
        let told = transport::sentence(&error, self.url());
        Broken {
            // A refused certificate stays refused.
            was_sent: !(error.is_connect() || error.is_builder() || told.is_about_certificates),
            failure: Failure::Unreachable(told.sentence),
        }
    }
}

/// A call that brought no answer.
struct Broken {
    was_sent: bool,
    failure: Failure,
}

fn base_url(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && bare && url.username().is_empty() && url.password().is_none()
    });
    url.ok_or_else(|| Failure::usage("the vault's URL must be https://HOST[:PORT], without a path"))
}

fn idempotency_key() -> Result<String, Failure> {
    let key = TraceId::random(&SystemRandom::new());
    key.map(|key| key.to_string())
        .map_err(|error| Failure::Unfinished(error.to_string()))
}

/// Whether the vault asked for patience rather than refused: busy, short of room, or still at the same request.
fn is_passing(status: StatusCode, body: &[u8]) -> bool {
    let code = Problem::from_answer(body).map(|problem| problem.code().to_owned());
    let code = code.as_deref().unwrap_or_default();
    matches!(
        (status.as_u16(), code),
        (503, "BUSY" | "STORE_UNAVAILABLE") | (409, "IDEMPOTENCY_IN_FLIGHT")
    )
}

fn read<A: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<A, Failure> {
    if !status.is_success() {
        return Err(refusal(status, body));
    }
    serde_json::from_slice(body).map_err(|error| {
        Failure::Unfinished(format!(
            "the vault's answer has another shape than this program knows ({error}); do both have the same version?"
        ))
    })
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    match Problem::from_answer(body) {
        Ok(problem) => Failure::Refused(Box::new(problem)),
        Err(_) => Failure::Unreachable(format!(
            "the server answered {} and is no vault, or something stands between",
            status.as_u16()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_https_url_names_a_vault() {
        assert!(base_url("https://vault:8443").is_ok());
        for bad in [
            "http://vault:8443",
            "vault:8443",
            "https://vault:8443/path",
            "https://me@vault",
            "https://me:pw@vault",
            "https://vault/?q",
            "https://vault/#f",
            "",
        ] {
            assert_eq!(
                base_url(bad).map_err(|failure| failure.code()).err(),
                Some(2),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_answer_that_is_no_problem_is_not_taken_for_the_vault() {
        let failure = read::<u8>(StatusCode::BAD_GATEWAY, b"<html>").unwrap_err();
        assert_eq!(failure.code(), 3);
        let failure = read::<u8>(StatusCode::OK, b"{}").unwrap_err();
        assert!(failure.to_string().contains("same version"));
    }
}
