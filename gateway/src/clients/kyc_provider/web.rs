//! A provider over HTTPS. Every message is a POST of JSON, signed as Standard Webhooks has it, under an id that stays the
//! same at each try: `…/documents`, one by one, then `…/applications`, and `…/decisions` to ask.
//!
//! Where it may go was configured and nobody's data changes that: no redirect is followed, no proxy is used, and only
//! loopback is spoken to in clear, in development.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url, redirect};
use ring::digest::{SHA256, digest};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::secret::Secret;
use super::{
    Answering, Application, Decision, Document, DocumentReference, KycProvider, ProviderError,
    ProvidersError, SignedMessage, Verdict,
};
use crate::config::KycProviderConfig;
use crate::domain::kyc::{KycStatus, Rejection, RejectionReason, parse_message};
use crate::domain::text::is_line;

/// Time for TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole message, the largest document included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Longest reference of a provider's, in characters.
const REFERENCE_MAX: usize = 128;

/// A provider over HTTPS.
pub struct WebProvider {
    http: Client,
    base: Url,
    ours: Secret,
    theirs: Secret,
    wants_documents: bool,
    patience: Duration,
}

/// A document on its way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentMessage<'a> {
    application_id: i64,
    #[serde(flatten)]
    reference: &'a DocumentReference,
    sha256: String,
    content: String,
}

/// What is asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecisionQuestion {
    application_id: i64,
}

/// What is answered; members that we do not know are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DecisionAnswer {
    status: String,
    reference: Option<String>,
    reason_code: Option<String>,
    message: Option<String>,
}

impl WebProvider {
    /// A provider as configured.
    ///
    /// # Errors
    /// [`ProvidersError`].
    pub fn new(config: &KycProviderConfig) -> Result<Self, ProvidersError> {
        let mut base = Url::parse(&config.url).map_err(|_| ProvidersError::Url)?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(config.ca.as_deref())?)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            // The configuration lets plain HTTP through for loopback, in development.
            .https_only(base.scheme() == "https")
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            base,
            ours: Secret::load(&config.secret_file)?,
            theirs: Secret::load(&config.callback_secret_file)?,
            wants_documents: config.send_documents,
            patience: Duration::from_secs(config.poll_seconds.into()),
        })
    }

    async fn post(
        &self,
        path: &str,
        id: &str,
        message: &impl Serialize,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, ProviderError> {
        let url = self.base.join(path).map_err(|_| ProviderError::Unwritable)?;
        let body = serde_json::to_vec(message).map_err(|_| ProviderError::Unwritable)?;
        let timestamp = now.unix_timestamp();
        let signature = self
            .ours
            .sign(id, timestamp, &body)
            .ok_or(ProviderError::Unwritable)?;
        let request = self.http.post(url).header(CONTENT_TYPE, "application/json");
        let request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature);
        // Without the URL, whose path may be a secret of the provider's.
        let silent = |error: reqwest::Error| ProviderError::NoAnswer(error.without_url().to_string());
        let answer = request.body(body).send().await.map_err(silent)?;
        if !answer.status().is_success() {
            return Err(ProviderError::NotTaken(answer.status().as_u16()));
        }
        read_bounded(answer).await
    }
}

impl KycProvider for WebProvider {
    fn wants_documents(&self) -> bool {
        self.wants_documents
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn give_document<'a>(&'a self, document: Document<'a>, now: OffsetDateTime) -> Answering<'a, ()> {
        Box::pin(async move {
            let id = format!(
                "kyc_{}_document_{}",
                document.application_id, document.reference.document_id
            );
            let message = DocumentMessage {
                application_id: document.application_id,
                reference: &document.reference,
                sha256: STANDARD.encode(digest(&SHA256, document.content)),
                content: STANDARD.encode(document.content),
            };
            self.post("documents", &id, &message, now).await.map(drop)
        })
    }

    fn give_application<'a>(
        &'a self,
        application: &'a Application,
        now: OffsetDateTime,
    ) -> Answering<'a, Verdict> {
        Box::pin(async move {
            let id = format!("kyc_{}", application.application_id);
            let answer = self.post("applications", &id, application, now).await?;
            // Most providers only say that they have it.
            if answer.is_empty() {
                return Ok(Verdict::Pending);
            }
            verdict(&answer)
        })
    }

    fn ask(&self, application_id: i64, now: OffsetDateTime) -> Answering<'_, Verdict> {
        Box::pin(async move {
            let id = format!("kyc_{application_id}_decision_{}", now.unix_timestamp());
            let question = DecisionQuestion { application_id };
            verdict(&self.post("decisions", &id, &question, now).await?)
        })
    }

    fn has_signed(&self, message: &SignedMessage<'_>, now: OffsetDateTime) -> bool {
        self.theirs.has_signed(message, now)
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, ProvidersError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let unusable = |reason: String| ProvidersError::Authority {
        path: path.display().to_string(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        roots.add(certificate.map_err(|error| unusable(error.to_string()))?)?;
    }
    Ok(roots)
}

async fn read_bounded(mut answer: Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    let silent = |error: reqwest::Error| ProviderError::NoAnswer(error.without_url().to_string());
    while let Some(chunk) = answer.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(ProviderError::Unreadable("it is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads `{status, reference?, reasonCode?, message?}`.
fn verdict(answer: &[u8]) -> Result<Verdict, ProviderError> {
    let answer: DecisionAnswer =
        serde_json::from_slice(answer).map_err(|_| ProviderError::Unreadable("it has another shape"))?;
    let status = match answer.status.as_str() {
        "PENDING" => return Ok(Verdict::Pending),
        "ACCEPTED" => KycStatus::Accepted,
        "REJECTED" => KycStatus::Rejected,
        _ => return Err(ProviderError::Unreadable("its status is none")),
    };
    if answer
        .reference
        .as_deref()
        .is_some_and(|text| !is_line(text, REFERENCE_MAX))
    {
        return Err(ProviderError::Unreadable("its reference is none"));
    }
    // A reason that we have no name for is still a rejection; a sentence that cannot be shown is left out.
    let rejection = (status == KycStatus::Rejected).then(|| Rejection {
        reason: answer
            .reason_code
            .as_deref()
            .and_then(RejectionReason::from_name)
            .unwrap_or(RejectionReason::Other),
        message: answer
            .message
            .as_deref()
            .and_then(|text| parse_message(text).ok()),
    });
    Ok(Verdict::Decided(Decision {
        status,
        reference: answer.reference,
        rejection,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_and_nothing_else_is_one() {
        assert_eq!(
            verdict(br#"{"status":"PENDING","eta":3}"#).unwrap(),
            Verdict::Pending
        );
        let Verdict::Decided(accepted) = verdict(br#"{"status":"ACCEPTED","reference":"c-1"}"#).unwrap()
        else {
            panic!("not decided")
        };
        assert_eq!((accepted.status, accepted.rejection), (KycStatus::Accepted, None));
        let text = br#"{"status":"REJECTED","reasonCode":"FULL_MOON","message":"two\nlines"}"#;
        let Verdict::Decided(rejected) = verdict(text).unwrap() else {
            panic!("not decided")
        };
        let rejection = rejected.rejection.unwrap();
        assert_eq!(
            (rejection.reason, rejection.message),
            (RejectionReason::Other, None)
        );
        for bad in [
            &b""[..],
            b"{}",
            b"[]",
            br#"{"status":"NONE"}"#,
            br#"{"status":"ACCEPTED","reference":""}"#,
        ] {
            assert!(verdict(bad).is_err());
        }
    }
}
