//! The vault's configuration: one TOML file, every section checked, unknown keys refused. No secret stands in it; it names
//! the files in which secrets are.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use shared::jwe::RsaKeySize;
use zeroize::Zeroizing;

use crate::audit::note::is_name;
use crate::bulk::sections::{Backup, Bulk, Retention};
use crate::environment::Environment;
use crate::keys::slot::pkcs11::Hsm;
use crate::store::{
    BadUrl, DEFAULT_BALLAST_BYTES, DEFAULT_CACHE_BYTES, DEFAULT_CONNECTIONS, DEFAULT_FREE_FLOOR_BYTES,
    EngineChoice, PostgresOptions, StoreOptions,
};
use crate::witness::Audit;

const MIB: u64 = 1024 * 1024;

/// Workers for each core where reads go over the network: each read takes a tenth of a worker's time for computing.
const WORKERS_PER_CORE_THAT_WAIT: usize = 4;

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `development` or `production`: part of every sealed value, and never to be changed afterwards.
    pub environment: Environment,
    /// A file with a number of seconds by which the clock is ahead: for rehearsals, refused in production.
    #[serde(default)]
    pub development_clock: Option<PathBuf>,
    /// Where the one listener listens, e.g. `127.0.0.1:9443`.
    pub listen: SocketAddr,
    /// The directory of the store, its lock, ballast and anchor.
    pub data: PathBuf,
    /// Certificates.
    pub tls: Tls,
    /// The life of keys.
    #[serde(default)]
    pub keys: KeysSection,
    /// Keys that clients encrypt to.
    #[serde(default)]
    pub jwe: Jwe,
    /// The store.
    #[serde(default)]
    pub store: StoreSection,
    /// The epoch secret.
    #[serde(default)]
    pub epoch: Epoch,
    /// Erasing.
    #[serde(default)]
    pub erase: Erase,
    /// The PKCS#11 token that opens the vault by itself; absent without one.
    #[serde(default)]
    pub hsm: Option<HsmSection>,
    /// The audit log.
    #[serde(default)]
    pub audit: Audit,
    /// What is closed by itself.
    #[serde(default)]
    pub retention: Retention,
    /// Backups.
    #[serde(default)]
    pub backup: Backup,
    /// Import and export.
    #[serde(default)]
    pub bulk: Bulk,
    /// The log.
    #[serde(default)]
    pub log: Log,
    /// Worker threads. By default the number of cores, and with PostgreSQL four times as many: a worker waits for each of
    /// its reads.
    #[serde(default)]
    pub workers: Option<usize>,
}

/// `[tls]`: PEM files, read again when they change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The vault's certificate (P-256), which also signs attestations and Vault-Proofs.
    pub certificate: PathBuf,
    /// Its key, PKCS#8, mode 0600.
    pub key: PathBuf,
    /// The internal CA: who may connect.
    pub ca: PathBuf,
    /// Its revocation list.
    pub crl: PathBuf,
    /// The partner CA: whose proofs are looked at.
    pub partner_ca: PathBuf,
    /// Its revocation list.
    pub partner_crl: PathBuf,
}

/// `[keys]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    /// Days after which the inventory asks for a rotation (the cryptoperiod, PCI DSS 3.7.4).
    pub max_age_days: u16,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self { max_age_days: 365 }
    }
}

/// `[jwe]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwe {
    /// Bits of a new RSA key: 2048, 3072 or 4096.
    pub rsa_bits: u32,
}

impl Default for Jwe {
    fn default() -> Self {
        Self { rsa_bits: 4096 }
    }
}

/// Which engine keeps the vault's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// Embedded: one directory, one process.
    Sled,
    /// A database that several vault processes may share.
    Postgres,
}

/// `[store]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// `sled` (the default) or `postgres`.
    pub engine: EngineName,
    /// PostgreSQL: the database's URL. How its certificate is checked stands in its `sslmode`.
    pub url: Option<String>,
    /// PostgreSQL: a file that holds the URL, which may carry a password. Instead of `url`.
    pub url_file: Option<PathBuf>,
    /// PostgreSQL: connections that reads share.
    pub connections: u32,
    /// Page cache, MiB.
    pub cache_mib: u64,
    /// Room kept in reserve for a full volume, MiB.
    pub ballast_mib: u64,
    /// Free space below which nothing is written, MiB.
    pub free_floor_mib: u64,
    /// The anchor, which notices a store that lost its tail; best on another volume. Beside the store by default.
    pub anchor: Option<PathBuf>,
}

impl fmt::Debug for StoreSection {
    /// Never the URL, which may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSection")
            .field("engine", &self.engine)
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("url_file", &self.url_file)
            .field("connections", &self.connections)
            .field("cache_mib", &self.cache_mib)
            .field("ballast_mib", &self.ballast_mib)
            .field("free_floor_mib", &self.free_floor_mib)
            .field("anchor", &self.anchor)
            .finish()
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            engine: EngineName::Sled,
            url: None,
            url_file: None,
            connections: DEFAULT_CONNECTIONS,
            cache_mib: DEFAULT_CACHE_BYTES / MIB,
            ballast_mib: DEFAULT_BALLAST_BYTES / MIB,
            free_floor_mib: DEFAULT_FREE_FLOOR_BYTES / MIB,
            anchor: None,
        }
    }
}

/// `[epoch]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Epoch {
    /// The files that hold the epoch secret: outside the store and its backups, two of them on different volumes. Two
    /// beside the data directory by default.
    pub files: Vec<PathBuf>,
}

/// `[erase]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Erase {
    /// Days between closing a card and destroying its secrets.
    pub grace_days: u16,
    /// Hours between two purges at least: a purge wraps every data key anew, so it follows not each sweep. Until it, an
    /// erased card opens from an earlier copy of the store with today's keys. At least 1.
    pub purge_interval_hours: u16,
}

impl Default for Erase {
    fn default() -> Self {
        Self {
            grace_days: 7,
            purge_interval_hours: 24,
        }
    }
}

/// `[hsm]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmSection {
    /// The PKCS#11 module: a shared library.
    pub module: PathBuf,
    /// The file that holds the token's user PIN, of mode 0600. The PIN itself never stands in the configuration.
    pub pin_file: PathBuf,
}

/// `[log]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Level,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What needs somebody now.
    Error,
    /// What will.
    Warn,
    /// What happened.
    Info,
    /// How.
    Debug,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A missing or unknown key, or a value of the wrong kind; names the file and the key.
    #[error("{0}")]
    Read(Box<figment::Error>),
    /// Another number of bits.
    #[error("jwe.rsa_bits is {0}: 2048, 3072 and 4096 are allowed")]
    RsaBits(u32),
    /// No workers at all.
    #[error("workers must be at least 1")]
    NoWorkers,
    /// An engine without its database, or a database without its engine.
    #[error("store.engine = \"postgres\" needs either store.url or store.url_file, and \"sled\" neither")]
    StoreUrl,
    /// The file with the URL.
    #[error("store.url_file {path}: {source}")]
    UrlFile {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The URL.
    #[error("the store's URL is {0}")]
    Url(#[from] BadUrl),
    /// An origin that cannot name a key.
    #[error("audit.origin: 1 to 256 bytes without white space and without +")]
    AuditOrigin,
    /// The epoch secret inside what a backup copies.
    #[error("epoch.files: two files are needed in production, on different volumes")]
    EpochFiles,
    /// A shifted clock in production.
    #[error("development_clock: must be left out in production")]
    DevelopmentClock,
    /// Purges without end.
    #[error("erase.purge_interval_hours must be at least 1")]
    PurgeInterval,
}

impl Config {
    /// Reads and checks the file. Single values can be set by the environment: `TESSERA_VAULT__LISTEN=…`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let figment =
            Figment::from(Toml::file_exact(path)).merge(Env::prefixed("TESSERA_VAULT__").split("__"));
        let config: Self = figment
            .extract()
            .map_err(|error| ConfigError::Read(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.rsa_key_size()?;
        let urls = usize::from(self.store.url.is_some()) + usize::from(self.store.url_file.is_some());
        if urls != usize::from(self.store.engine == EngineName::Postgres) {
            return Err(ConfigError::StoreUrl);
        }
        if self.workers == Some(0) {
            return Err(ConfigError::NoWorkers);
        }
        if self.environment == Environment::Production && self.epoch.files.len() < 2 {
            return Err(ConfigError::EpochFiles);
        }
        if self.environment == Environment::Production && self.development_clock.is_some() {
            return Err(ConfigError::DevelopmentClock);
        }
        if !is_name(&self.audit_origin()) {
            return Err(ConfigError::AuditOrigin);
        }
        if self.erase.purge_interval_hours == 0 {
            return Err(ConfigError::PurgeInterval);
        }
        Ok(())
    }

    /// The size of a new RSA key.
    ///
    /// # Errors
    /// [`ConfigError::RsaBits`].
    pub fn rsa_key_size(&self) -> Result<RsaKeySize, ConfigError> {
        match self.jwe.rsa_bits {
            2048 => Ok(RsaKeySize::Bits2048),
            3072 => Ok(RsaKeySize::Bits3072),
            4096 => Ok(RsaKeySize::Bits4096),
            other => Err(ConfigError::RsaBits(other)),
        }
    }

    /// Where the store is and what it may take, the database's URL read from its file.
    ///
    /// # Errors
    /// [`ConfigError::UrlFile`], [`ConfigError::Url`].
    pub fn store_options(&self) -> Result<StoreOptions, ConfigError> {
        let mut options = StoreOptions::new(self.store_directory());
        options.cache_bytes = self.store.cache_mib.saturating_mul(MIB);
        options.ballast_bytes = self.store.ballast_mib.saturating_mul(MIB);
        options.free_floor_bytes = self.store.free_floor_mib.saturating_mul(MIB);
        if let Some(anchor) = &self.store.anchor {
            options.anchor.clone_from(anchor);
        }
        if self.store.engine == EngineName::Postgres {
            let url = self.store_url()?;
            let postgres = PostgresOptions::parse(url.trim(), self.store.connections)?;
            options.engine = EngineChoice::Postgres(postgres);
        }
        Ok(options)
    }

    fn store_url(&self) -> Result<Zeroizing<String>, ConfigError> {
        match (&self.store.url_file, &self.store.url) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path);
                text.map(Zeroizing::new).map_err(|source| ConfigError::UrlFile {
                    path: path.clone(),
                    source,
                })
            }
            (None, Some(url)) => Ok(Zeroizing::new(url.clone())),
            (None, None) => Err(ConfigError::StoreUrl),
        }
    }

    /// The directory of an embedded store, which a backup copies and the epoch secret must not lie in.
    #[must_use]
    pub fn store_directory(&self) -> PathBuf {
        self.data.join("store")
    }

    /// The PKCS#11 module, if one is configured.
    #[must_use]
    pub fn hsm(&self) -> Option<Hsm> {
        let section = self.hsm.as_ref()?;
        Some(Hsm::new(section.module.clone(), section.pin_file.clone()))
    }

    /// The name of the audit log.
    #[must_use]
    pub fn audit_origin(&self) -> String {
        let default = || format!("tessera.vault/{}", self.environment);
        self.audit.origin.clone().unwrap_or_else(default)
    }

    /// The files of the epoch secret.
    #[must_use]
    pub fn epoch_files(&self) -> Vec<PathBuf> {
        if self.epoch.files.is_empty() {
            vec![self.data.join("epoch-1"), self.data.join("epoch-2")]
        } else {
            self.epoch.files.clone()
        }
    }

    /// Worker threads.
    #[must_use]
    pub fn workers(&self) -> usize {
        let per_core = match self.store.engine {
            EngineName::Sled => 1,
            EngineName::Postgres => WORKERS_PER_CORE_THAT_WAIT,
        };
        self.workers.unwrap_or_else(|| {
            per_core * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        environment = "development"
        listen = "127.0.0.1:9443"
        data = "/var/lib/tessera"
        [tls]
        certificate = "vault.pem"
        key = "vault.key"
        ca = "internal-ca.pem"
        crl = "internal.crl.pem"
        partner_ca = "partner-ca.pem"
        partner_crl = "partner.crl.pem"
    "#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let config: Config = Figment::from(Toml::string(text))
            .extract()
            .map_err(|error| ConfigError::Read(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn the_smallest_configuration_is_enough() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.jwe.rsa_bits, 4096);
        assert_eq!(config.erase.grace_days, 7);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = parse(&GOOD.replace("listen", "lisen")).unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn a_database_needs_its_url_and_never_shows_it() {
        let with = |store: &str| parse(&format!("{GOOD}\n[store]\n{store}"));
        assert!(with("engine = \"postgres\"").is_err());
        assert!(with("url = \"postgres://u:secret@h/d\"").is_err());
        assert!(with("engine = \"mysql\"").is_err());
        let both = "engine = \"postgres\"\nurl = \"postgres://h/d\"\nurl_file = \"f\"";
        assert!(with(both).is_err());
        let config = with("engine = \"postgres\"\nurl = \"postgres://u:secret@h/d\"").unwrap();
        let options = config.store_options().unwrap();
        assert!(matches!(options.engine, EngineChoice::Postgres(_)));
        for printed in [format!("{config:?}"), format!("{options:?}")] {
            assert!(!printed.contains("secret"), "{printed}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "postgres://u:secret@h/d\n").unwrap();
        let path = file.path().display();
        let config = with(&format!("engine = \"postgres\"\nurl_file = \"{path}\"")).unwrap();
        assert!(config.store_options().is_ok());
        std::fs::write(file.path(), "mysql://u:secret@h/d\n").unwrap();
        let error = config.store_options().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse(&format!("{GOOD}\n[jwe]\nrsa_bits = 1024")).is_err());
        assert!(parse(&format!("workers = 0\n{GOOD}")).is_err());
        assert!(parse(&format!("{GOOD}\n[audit]\norigin = \"two words\"")).is_err());
        assert!(
            parse(&GOOD.replace("development", "production")).is_err(),
            "production needs two epoch files"
        );
    }
}
