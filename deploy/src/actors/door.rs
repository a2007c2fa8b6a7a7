//! One listener as a client sees it: a base URL, the pinned CA, perhaps a client certificate; and calls built step by step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Method, RequestBuilder};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use serde_json::json;

use super::credentials::Credentials;
use super::jose::ReceivingKey;
use crate::answer::Answer;

/// Longer than any answer takes, so that a hang fails a test with a sentence instead of stopping it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A listener and the connections to it.
#[derive(Debug, Clone)]
pub struct Door {
    url: String,
    client: Client,
}

impl Door {
    /// A door whose certificate must come from `ca`; `credentials` are shown when it asks for a client certificate.
    ///
    /// # Errors
    /// When a PEM file cannot be read.
    pub fn new(url: &str, ca: &Path, credentials: Option<&Credentials>) -> Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(ca, credentials)?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_TIMEOUT)
            .build()
            .context("cannot build an HTTP client")?;
        Ok(Self {
            url: url.to_owned(),
            client,
        })
    }

    /// The URL without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Begins a call.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let request = format!("{method} {path}");
        Call {
            builder: self.client.request(method, format!("{}{path}", self.url)),
            request,
        }
    }

    /// A `GET` without anything else.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path).send().await
    }
}

/// The client half of the TLS: version 1.3, one pinned CA, a client certificate where one is given.
///
/// # Errors
/// When a PEM file cannot be read.
pub fn tls(ca: &Path, credentials: Option<&Credentials>) -> Result<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca).with_context(|| format!("cannot read {}", ca.display()))?
    {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    let Some(credentials) = credentials else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = credentials
        .chain()?
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let key = PrivateKeyDer::from_pem_file(&credentials.key)
        .with_context(|| format!("cannot read {}", credentials.key.display()))?;
    builder
        .with_client_auth_cert(chain, key)
        .context("certificate and key do not fit")
}

/// A request under construction.
#[derive(Debug)]
pub struct Call {
    builder: RequestBuilder,
    request: String,
}

impl Call {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Adds `Idempotency-Key`.
    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// A JSON body.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Any body with its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.builder = self
            .builder
            .header("Content-Type", content_type)
            .body(body.into());
        self
    }

    /// The two headers of an encrypted endpoint for a request whose body is plain or absent.
    #[must_use]
    pub fn enc(self, receiving: &ReceivingKey) -> Self {
        self.header("Public-Key", receiving.header())
            .header("Encrypted-Request", "false")
    }

    /// The two headers of an encrypted endpoint and a sealed body.
    #[must_use]
    pub fn enc_sealed(self, receiving: &ReceivingKey, jwe: &str) -> Self {
        self.header("Public-Key", receiving.header())
            .header("Encrypted-Request", "true")
            .json(&json!({ "payload": jwe }))
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// When no answer comes: refused connection, failed handshake, time-out.
    pub async fn send(self) -> Result<Answer> {
        let response = self
            .builder
            .send()
            .await
            .with_context(|| format!("no answer to {}", self.request))?;
        Answer::read(self.request, response).await
    }
}
