//! The configuration: one TOML file, each value of which an environment variable may override
//! (`TESSERA_GATEWAY__PUBLIC__LISTEN`). Unknown keys are refused. It holds paths of secrets, never secrets; the database
//! URL may carry a password, so nothing here prints itself.

mod kyc;
mod limits;
mod operators;
mod program;
mod program_mails;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;
use shared::mtls::identity::Name;

use crate::clients::webhook::judge_in;

pub use kyc::{Kyc, KycDecider, KycProviderConfig};
pub use limits::Limits;
pub use operators::{Mail, MailTls, Operators};
pub use program::Program;
pub use program_mails::{Language, ProgramMails};
pub use webhooks::Webhooks;

/// Everything an operator decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether this is somebody's money. Said in the log at each start; what only tests need is refused then.
    pub environment: Environment,
    /// A file with a number of seconds by which the clock is ahead: for rehearsals, refused in production.
    #[serde(default)]
    pub development_clock: Option<PathBuf>,
    /// The listener for phones and browsers.
    pub public: PublicListener,
    /// The listener for partners' servers.
    pub partner: PartnerListener,
    /// Where the vault is.
    pub vault: VaultAddress,
    /// Where rows are kept.
    pub database: Database,
    /// How long logins last.
    #[serde(default)]
    pub sessions: Sessions,
    /// Operators' logins.
    pub operators: Operators,
    /// How mail leaves.
    pub mail: Mail,
    /// Documents of KYC applications.
    pub kyc: Kyc,
    /// How events leave.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// What may be asked how often and how large it may be.
    #[serde(default)]
    pub limits: Limits,
    /// The card programs. The first of a partner is the one of its new users.
    pub programs: Vec<Program>,
}

/// Whether this is somebody's money.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine.
    Development,
    /// The real thing.
    Production,
}

impl Environment {
    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// The listener for phones and browsers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicListener {
    /// Address and port; port 0 takes a free one (in development).
    pub listen: SocketAddr,
    /// PEM chain, own certificate first.
    pub certificate: PathBuf,
    /// PEM private key, readable by the owner alone.
    pub key: PathBuf,
    /// Where to write both listeners' addresses once they are bound: for port 0 (in development).
    #[serde(default)]
    pub address_file: Option<PathBuf>,
}

/// The listener for partners' servers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerListener {
    /// Address and port; port 0 takes a free one (in development).
    pub listen: SocketAddr,
    /// PEM chain, own certificate first.
    pub certificate: PathBuf,
    /// PEM private key, readable by the owner alone.
    pub key: PathBuf,
    /// PEM of the authority that signs partners' certificates.
    pub client_ca: PathBuf,
    /// PEM of its revocation list.
    pub client_crl: PathBuf,
}

/// Where the vault is, and what we show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultAddress {
    /// `https://host:port`.
    pub url: String,
    /// PEM chain of the gateway's client certificate.
    pub certificate: PathBuf,
    /// Its PEM private key, readable by the owner alone.
    pub key: PathBuf,
    /// PEM of the internal authority.
    pub ca: PathBuf,
    /// PEM of its revocation list.
    pub crl: PathBuf,
}

/// Where rows are kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:///absolute/path` or `postgres://…`.
    pub url: String,
    /// Connections that read at the same time (SQLite), or all connections (PostgreSQL).
    #[serde(default = "Database::connections")]
    pub connections: u32,
}

impl Database {
    const fn connections() -> u32 {
        8
    }
}

/// How long logins last, and how many wrong PINs are borne.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Minutes from login to the end of a session, whatever happens in between.
    pub minutes: u32,
    /// Minutes in which an activation code can be used.
    pub activation_code_minutes: u32,
    /// Wrong app PINs in a row after which an installation is locked for a while.
    pub pin_tries: u32,
    /// Minutes for which it is locked.
    pub pin_lock_minutes: u32,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            minutes: 10,
            activation_code_minutes: 60,
            pin_tries: 5,
            pin_lock_minutes: 15,
        }
    }
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("the configuration cannot be read: {0}")]
    Unreadable(#[from] Box<figment::Error>),
    /// A value makes no sense.
    #[error("{key}: {rule}")]
    Invalid {
        /// Where it stands.
        key: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
}

impl Config {
    /// Reads the file and the environment, and checks what can be checked without touching anything else.
    ///
    /// # Errors
    /// [`ConfigError`], with the place of the fault.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        if !file.is_file() {
            return Err(ConfigError::Missing(file.to_owned()));
        }
        Self::extract(
            Figment::new()
                .merge(Toml::file_exact(file))
                .merge(Env::prefixed("TESSERA_GATEWAY__").split("__")),
        )
    }

    fn extract(figment: Figment) -> Result<Self, ConfigError> {
        let config: Self = figment.extract().map_err(Box::new)?;
        config.check()?;
        Ok(config)
    }

    /// The program of a partner's new users.
    #[must_use]
    pub fn default_program(&self, partner: &Name) -> Option<&Program> {
        self.programs.iter().find(|program| program.partner == *partner)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |key, rule| Err(ConfigError::Invalid { key, rule });
        let ports = [self.public.listen.port(), self.partner.listen.port()];
        let wandering = ports.contains(&0) || self.public.address_file.is_some();
        if self.environment == Environment::Production && wandering {
            return invalid(
                "listen",
                "must be a fixed port, without address_file, in production",
            );
        }
        if self.environment == Environment::Production && self.development_clock.is_some() {
            return invalid("development_clock", "must be left out in production");
        }
        if !self.vault.url.starts_with("https://") {
            return invalid("vault.url", "must begin with https://");
        }
        if !(1..=128).contains(&self.database.connections) {
            return invalid("database.connections", "must be 1 to 128");
        }
        let sessions = &self.sessions;
        if !(1..=60).contains(&sessions.minutes) {
            return invalid("sessions.minutes", "must be 1 to 60");
        }
        if !(1..=7 * 24 * 60).contains(&sessions.activation_code_minutes) {
            return invalid("sessions.activation_code_minutes", "must be 1 minute to 7 days");
        }
        if !(1..=10).contains(&sessions.pin_tries) {
            return invalid("sessions.pin_tries", "must be 1 to 10");
        }
        if !(1..=24 * 60).contains(&sessions.pin_lock_minutes) {
            return invalid("sessions.pin_lock_minutes", "must be 1 minute to a day");
        }
        self.operators.check()?;
        self.mail.check(self.environment)?;
        self.webhooks.check()?;
        self.limits.check()?;
        self.kyc.check(self.environment)?;
        self.check_programs()
    }

    fn check_programs(&self) -> Result<(), ConfigError> {
        let invalid = |rule| {
            Err(ConfigError::Invalid {
                key: "programs",
                rule,
            })
        };
        if self.programs.is_empty() {
            return invalid("at least one is needed");
        }
        for (index, program) in self.programs.iter().enumerate() {
            if self
                .programs
                .iter()
                .take(index)
                .any(|earlier| earlier.name == program.name)
            {
                return invalid("no name may come twice");
            }
            if !self.kyc.knows(&program.kyc_provider, self.environment) {
                return invalid(
                    "kyc_provider must be manual, a name of [[kyc.providers]], or in development sandbox",
                );
            }
            let remote_url = program.remote_url.as_ref();
            if remote_url.is_some_and(|url| judge_in(self.environment, url).is_err()) {
                return invalid(
                    "remote_url must be an https URL of a public host; in development also of this machine, or http:// to it",
                );
            }
            if program.renew_days_before > 100 || program.renew_plastic_days_before > 100 {
                return invalid("renew_days_before and renew_plastic_days_before must be at most 100");
            }
            if program.reload_max < 1 || !(1..=60).contains(&program.hold_days) {
                return invalid("reload_max must be at least 1, hold_days 1 to 60");
            }
        }
        Ok(())
    }
}

fn first_broken(key: &'static str, rules: &[(bool, &'static str)]) -> Result<(), ConfigError> {
    match rules.iter().find(|(kept, _)| !kept) {
        Some((_, rule)) => Err(ConfigError::Invalid { key, rule }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
