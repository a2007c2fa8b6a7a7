//! Documents of KYC applications, and who decides about applications.

use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;
use shared::mtls::identity::Name;

use super::{ConfigError, Environment};

/// The name of the provider that follows rules.
const SANDBOX: &str = "sandbox";

/// Documents of KYC applications.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kyc {
    /// 32 random bytes, readable by the owner alone, under which documents are sealed: `gateway kyc new-key` makes it.
    pub documents_key_file: PathBuf,
    /// Keys that were in use before: they open what was sealed under them, and seal nothing any more.
    #[serde(default)]
    pub documents_earlier_key_files: Vec<PathBuf>,
    /// Largest document, in bytes.
    #[serde(default = "document_bytes")]
    pub document_bytes: usize,
    /// Seconds for a whole document to arrive.
    #[serde(default = "document_seconds")]
    pub document_seconds: u64,
    /// Most documents of a user.
    #[serde(default = "documents_per_user")]
    pub documents_per_user: u32,
    /// Documents that a user may send in an hour, taken or not.
    #[serde(default = "documents_per_hour_per_user")]
    pub documents_per_hour_per_user: u32,
    /// Documents that are received or shown at the same time: each is held in memory as a whole.
    #[serde(default = "documents_at_once")]
    pub documents_at_once: usize,
    /// Who may decide about applications outside of this house.
    #[serde(default)]
    pub providers: Vec<KycProviderConfig>,
}

/// Somebody who decides about applications outside of this house.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KycProviderConfig {
    /// The name, under which programs choose it and it calls back.
    pub name: Name,
    /// `https://…`, to which `/documents`, `/applications` and `/decisions` are appended. In development `http://127.0.0.1…`.
    pub url: String,
    /// The secret that signs what we send: `whsec_` and base64, readable by the owner alone.
    pub secret_file: PathBuf,
    /// The secret by which its callbacks are judged, of the same form: another one.
    pub callback_secret_file: PathBuf,
    /// PEM of the authority of its certificate, for a private one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Seconds after which it is asked, when it does not call back.
    #[serde(default = "poll_seconds")]
    pub poll_seconds: u32,
    /// Whether it is given documents, or only told of them.
    #[serde(default = "yes")]
    pub send_documents: bool,
}

/// Who decides about a program's applications.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(from = "String")]
pub enum KycDecider {
    /// Operators.
    #[default]
    Operators,
    /// The provider of this name, which may be `sandbox`; operators may come first.
    Provider(String),
}

impl From<String> for KycDecider {
    fn from(name: String) -> Self {
        match name.as_str() {
            "manual" => Self::Operators,
            _ => Self::Provider(name),
        }
    }
}

impl KycDecider {
    /// The provider, where one is asked.
    #[must_use]
    pub fn outside(&self) -> Option<&str> {
        match self {
            Self::Operators => None,
            Self::Provider(name) => Some(name),
        }
    }
}

const fn poll_seconds() -> u32 {
    600
}

const fn yes() -> bool {
    true
}

const fn document_bytes() -> usize {
    8 * 1024 * 1024
}

const fn document_seconds() -> u64 {
    60
}

const fn documents_per_user() -> u32 {
    20
}

const fn documents_per_hour_per_user() -> u32 {
    60
}

const fn documents_at_once() -> usize {
    16
}

impl Kyc {
    pub(super) fn check(&self, environment: Environment) -> Result<(), ConfigError> {
        for (index, provider) in self.providers.iter().enumerate() {
            let earlier = self.providers.iter().take(index);
            provider.check(environment, earlier.map(|earlier| &earlier.name))?;
        }
        let rules = [
            (
                (1_024..=32 * 1024 * 1024).contains(&self.document_bytes),
                "document_bytes must be 1 KiB to 32 MiB",
            ),
            (
                (1..=600).contains(&self.document_seconds),
                "document_seconds must be 1 to 600",
            ),
            (
                (1..=100).contains(&self.documents_per_user),
                "documents_per_user must be 1 to 100",
            ),
            (
                self.documents_per_hour_per_user > 0,
                "documents_per_hour_per_user must be at least 1",
            ),
            (
                (1..=256).contains(&self.documents_at_once),
                "documents_at_once must be 1 to 256",
            ),
        ];
        first_broken("kyc", &rules)
    }

    /// Whether there is such a provider: one of the list, or the sandbox, which decides about nobody's real identity.
    pub(super) fn knows(&self, decider: &KycDecider, environment: Environment) -> bool {
        match decider.outside() {
            None => true,
            Some(SANDBOX) => environment == Environment::Development,
            Some(name) => self
                .providers
                .iter()
                .any(|provider| provider.name.as_str() == name),
        }
    }
}

impl KycProviderConfig {
    fn check<'a>(
        &self,
        environment: Environment,
        mut earlier: impl Iterator<Item = &'a Name>,
    ) -> Result<(), ConfigError> {
        let reserved = matches!(self.name.as_str(), SANDBOX | "manual");
        let rules = [
            (!reserved, "name must be neither manual nor sandbox"),
            (!earlier.any(|name| *name == self.name), "no name may come twice"),
            (
                self.secret_file != self.callback_secret_file,
                "secret_file and callback_secret_file must be two",
            ),
            (
                is_fit(&self.url, environment),
                "url must be https://host[:port][/path]; in development http://127.0.0.1 too",
            ),
            (
                (10..=24 * 3_600).contains(&self.poll_seconds),
                "poll_seconds must be 10 seconds to a day",
            ),
        ];
        first_broken("kyc.providers", &rules)
    }
}

/// Whether a URL is that of a server under TLS, without anything that names a caller; or of loopback in development.
fn is_fit(url: &str, environment: Environment) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    let is_near = environment == Environment::Development
        && url.scheme() == "http"
        && matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    is_bare && (url.scheme() == "https" || is_near)
}

fn first_broken(key: &'static str, rules: &[(bool, &'static str)]) -> Result<(), ConfigError> {
    match rules.iter().find(|(kept, _)| !kept) {
        Some((_, rule)) => Err(ConfigError::Invalid { key, rule }),
        None => Ok(()),
    }
}
