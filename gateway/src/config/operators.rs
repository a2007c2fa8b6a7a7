//! Operators' logins, and the mail server through which they are written to.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, Environment, first_broken};

/// How long operators' logins last, and how many wrong ones are borne.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operators {
    /// 32 random bytes, readable by the owner alone, under which second factors, waiting mails and secrets of webhooks are
    /// sealed:
    /// `gateway operator new-key` makes it.
    pub key_file: PathBuf,
    /// Minutes from login to the end of a session, whatever happens in between.
    #[serde(default = "session_minutes")]
    pub session_minutes: u32,
    /// Wrong logins in a row after which a login is locked for a while.
    #[serde(default = "login_tries")]
    pub login_tries: u32,
    /// Minutes for which it is locked.
    #[serde(default = "login_lock_minutes")]
    pub login_lock_minutes: u32,
    /// Hours in which an invitation can be accepted.
    #[serde(default = "invitation_hours")]
    pub invitation_hours: u32,
    /// Minutes in which a password reset can be carried through.
    #[serde(default = "password_reset_minutes")]
    pub password_reset_minutes: u32,
}

const fn session_minutes() -> u32 {
    15
}

const fn login_tries() -> u32 {
    5
}

const fn login_lock_minutes() -> u32 {
    15
}

const fn invitation_hours() -> u32 {
    72
}

const fn password_reset_minutes() -> u32 {
    30
}

impl Operators {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                (1..=60).contains(&self.session_minutes),
                "session_minutes must be 1 to 60",
            ),
            (
                (2..=10).contains(&self.login_tries),
                "login_tries must be 2 to 10",
            ),
            (
                (1..=24 * 60).contains(&self.login_lock_minutes),
                "login_lock_minutes must be 1 minute to a day",
            ),
            (
                (1..=14 * 24).contains(&self.invitation_hours),
                "invitation_hours must be 1 hour to 14 days",
            ),
            (
                (5..=24 * 60).contains(&self.password_reset_minutes),
                "password_reset_minutes must be 5 minutes to a day",
            ),
        ];
        first_broken("operators", &rules)
    }
}

/// How mail leaves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The mail server's name, which its certificate has to show.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub tls: MailTls,
    /// The sender, as `Name <address>`.
    pub from: String,
    /// PEM of the authority of the server's certificate, for a private one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The account, where the server asks for one.
    #[serde(default)]
    pub username: Option<String>,
    /// The file that holds its password, readable by the owner alone.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// How the connection to the mail server is kept from others.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// STARTTLS, and no mail without it.
    Starttls,
    /// In clear: in development only.
    None,
}

impl Mail {
    pub(super) fn check(&self, environment: Environment) -> Result<(), ConfigError> {
        let in_clear = self.tls == MailTls::None;
        let rules = [
            (!self.host.is_empty(), "host must be a name"),
            (self.port != 0, "port must be 1 to 65535"),
            (
                !in_clear || environment == Environment::Development,
                "tls must be tls or starttls in production",
            ),
            (
                self.username.is_some() == self.password_file.is_some(),
                "username and password_file come together",
            ),
            (
                !in_clear || self.username.is_none(),
                "a password is not sent in clear",
            ),
        ];
        first_broken("mail", &rules)
    }
}
