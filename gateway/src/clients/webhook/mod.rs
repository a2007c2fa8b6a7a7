//! Endpoints of partners, called by nobody but the delivery of events: over TLS, to addresses that were checked, without
//! following redirects, through no proxy, for 15 seconds at most. What they answer beside the status is not looked at.

mod names;
mod tls;

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration as Wait;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};
use time::Duration;

use crate::config::Environment;
use crate::domain::rule::Rule;
use crate::domain::webhook::address::{Reach, Zone, zone};
use crate::domain::webhook::{Failure, Outcome, WebhookUrl};
use names::{CheckedNames, NameError};
pub use tls::{WebhookTls, WebhookTlsError};

/// Time for TCP and TLS.
const CONNECT_TIMEOUT: Wait = Wait::from_secs(5);
/// Time for a whole try, connecting and the answer's body included.
pub const TRY_TIMEOUT: Wait = Wait::from_secs(15);
/// How long a connection is kept for the next message.
const IDLE_TIMEOUT: Wait = Wait::from_secs(15);
/// Most of an answer's body that is read, in bytes: only to use the connection again.
const ANSWER_LIMIT: usize = 16 * 1024;
/// How we name ourselves.
const USER_AGENT: &str = "Tessera-Webhooks/1";

/// Calls endpoints. Shared by all tries.
pub struct WebhookClient {
    http: Client,
    reach: Reach,
}

/// A signed message.
pub struct Message {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, seconds since the Unix epoch.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The body: JSON.
    pub body: Vec<u8>,
}

impl WebhookClient {
    /// A client that reaches the internet alone; in development this machine and private networks too.
    ///
    /// # Errors
    /// When the TLS configuration is not taken.
    pub fn new(tls: rustls::ClientConfig, environment: Environment) -> Result<Self, reqwest::Error> {
        let reach = reach_in(environment);
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .dns_resolver(CheckedNames { reach })
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TRY_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self { http, reach })
    }

    /// Whether a URL may be called from here, as far as it can be told without asking for the addresses of a name: those are
    /// judged at each connection.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn judge(&self, url: &WebhookUrl) -> Result<(), Rule> {
        allowed(url, self.reach).map(|_| ())
    }

    /// Sends a message, once.
    pub async fn send(&self, url: &WebhookUrl, message: Message) -> Outcome {
        let Ok(url) = allowed(url, self.reach) else {
            return Outcome::no_answer(Failure::AddressRefused);
        };
        let sent = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, message.id)
            .header(
                standardwebhooks::HEADER_WEBHOOK_TIMESTAMP,
                message.timestamp.to_string(),
            )
            .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, message.signature)
            .body(message.body)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                let outcome = Outcome::of_status(answer.status().as_u16(), retry_after(&answer));
                pass_over(answer).await;
                outcome
            }
            Err(error) => Outcome::no_answer(failure(&error)),
        }
    }
}

/// Whether a URL may be called from a gateway of this environment: [`WebhookClient::judge`], for whoever has no client yet.
///
/// # Errors
/// The rule that is broken.
pub fn judge_in(environment: Environment, url: &WebhookUrl) -> Result<(), Rule> {
    allowed(url, reach_in(environment)).map(|_| ())
}

const fn reach_in(environment: Environment) -> Reach {
    match environment {
        Environment::Production => Reach::Public,
        Environment::Development => Reach::Local,
    }
}

fn allowed(url: &WebhookUrl, reach: Reach) -> Result<Url, Rule> {
    const RULE: Rule = Rule {
        code: "URL_NOT_ALLOWED",
        message: "Must be an https URL of a public host.",
    };
    let url = Url::parse(url.as_str()).map_err(|_| RULE)?;
    let host = url.host_str().ok_or(RULE)?;
    // The parser has made an address of whatever is one (`127.1`, `0x7f000001`, `2130706433`): it is no name any more.
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let may_be_called = literal.is_none_or(|address| reach.covers(address));
    let is_here = literal.map_or(host == "localhost", |address| zone(address) == Zone::Loopback);
    let is_kept_secret = match url.scheme() {
        "https" => true,
        "http" => reach == Reach::Local && is_here,
        _ => false,
    };
    if may_be_called && is_kept_secret {
        Ok(url)
    } else {
        Err(RULE)
    }
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds: u32 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::seconds(i64::from(seconds)))
}

/// Reads a short body to its end, so that the connection can be used again; a long one costs the connection.
async fn pass_over(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER_LIMIT {
            return;
        }
    }
}

/// Why there was no answer. The error itself is not logged: it would repeat the URL, which may carry the partner's secrets.
fn failure(error: &reqwest::Error) -> Failure {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(name) = cause.downcast_ref::<NameError>() {
            return match name {
                NameError::Unknown => Failure::NameNotFound,
                NameError::Refused => Failure::AddressRefused,
            };
        }
        if cause.downcast_ref::<io::Error>().is_some_and(is_of_tls) {
            return Failure::Tls;
        }
        next = cause.source();
    }
    if error.is_timeout() {
        Failure::TimedOut
    } else if error.is_connect() {
        Failure::NotReached
    } else {
        Failure::BrokenOff
    }
}

/// Whether TLS is at the bottom: each layer of the connection wraps the error of the one below in one of its own, and `source`
/// leaves those out.
fn is_of_tls(error: &io::Error) -> bool {
    let Some(inner) = error.get_ref() else {
        return false;
    };
    inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(is_of_tls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Webhooks;

    fn client(environment: Environment) -> WebhookClient {
        let tls = WebhookTls::load(&Webhooks::default(), &shared::clock::Clock::System).unwrap();
        WebhookClient::new(tls.config, environment).unwrap()
    }

    fn is_allowed(client: &WebhookClient, url: &str) -> bool {
        client.judge(&WebhookUrl::parse(url).unwrap()).is_ok()
    }

    #[tokio::test]
    async fn no_spelling_of_an_address_gets_past() {
        let production = client(Environment::Production);
        for good in [
            "https://bank.example/",
            "https://8.8.8.8/",
            "https://[2606:4700:4700::1111]:8443/",
        ] {
            assert!(is_allowed(&production, good), "{good}");
        }
        for bad in [
            "http://bank.example/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://017700000001/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "http://127.0.0.1/",
            "http://localhost/",
        ] {
            assert!(!is_allowed(&production, bad), "{bad}");
        }
        let development = client(Environment::Development);
        for good in [
            "http://127.0.0.1:9000/",
            "http://localhost:9000/",
            "http://[::1]/",
            "https://10.0.0.1/",
        ] {
            assert!(is_allowed(&development, good), "{good}");
        }
        for bad in [
            "http://bank.example/",
            "http://10.0.0.1/",
            "https://169.254.169.254/",
        ] {
            assert!(!is_allowed(&development, bad), "{bad}");
        }
    }

    #[test]
    fn tls_is_found_below_the_layers_above_it() {
        let tls = || io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert!(is_of_tls(&tls()) && is_of_tls(&io::Error::other(tls())));
        assert!(!is_of_tls(&io::Error::other("reset")) && !is_of_tls(&io::ErrorKind::ConnectionReset.into()));
    }

    /// The name is public by its looks; its address is not.
    #[tokio::test]
    async fn a_name_that_leads_here_is_refused_when_it_is_resolved() {
        let message = || Message {
            id: "evt_1_1".to_owned(),
            timestamp: 0,
            signature: String::new(),
            body: Vec::new(),
        };
        let refused = client(Environment::Production);
        let url = WebhookUrl::parse("https://localhost:1/").unwrap();
        let outcome = refused.send(&url, message()).await;
        assert_eq!(outcome, Outcome::no_answer(Failure::AddressRefused));
        let tried = client(Environment::Development);
        assert_eq!(
            tried.send(&url, message()).await,
            Outcome::no_answer(Failure::NotReached)
        );
        let url = WebhookUrl::parse("https://nobody.invalid/").unwrap();
        assert_eq!(
            tried.send(&url, message()).await,
            Outcome::no_answer(Failure::NameNotFound)
        );
    }
}
