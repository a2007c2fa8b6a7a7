//! Where the vault is and whose certificate is shown: from the command line, from the environment, from a profile file, in
//! this order, each member by itself.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::failure::Failure;

/// What the environment's variables begin with.
const PREFIX: &str = "TESSERA_OFFICER_";
/// The profile below the user's configuration directory.
const PROFILE: &str = "tessera/officer.toml";
/// A profile is five lines.
const MOST_PROFILE_BYTES: u64 = 64 * 1024;

/// The connection, as far as the command line tells it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Options {
    /// The vault, https://HOST:PORT [env: TESSERA_OFFICER_VAULT]
    #[arg(long, global = true, value_name = "URL")]
    vault: Option<String>,
    /// Your certificate, PEM [env: TESSERA_OFFICER_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its private key, PEM, mode 600 [env: TESSERA_OFFICER_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The internal CA's certificate, PEM [env: TESSERA_OFFICER_CA]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The internal CA's revocation list, PEM [env: TESSERA_OFFICER_CRL]
    #[arg(long, global = true, value_name = "FILE")]
    crl: Option<PathBuf>,
    /// A file with vault, cert, key, ca and crl as TOML [env: TESSERA_OFFICER_PROFILE] [default: ~/.config/tessera/officer.toml]
    ///
    /// Paths in it are relative to its own directory. The command line and the environment come before it.
    #[arg(long, global = true, value_name = "FILE")]
    profile: Option<PathBuf>,
}

/// A profile file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    vault: Option<String>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
    crl: Option<PathBuf>,
}

/// A whole connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub vault: String,
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
    pub crl: PathBuf,
}

/// Gives the value of a variable: the process's own, or a test's.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Options {
    /// All five members, wherever they come from.
    ///
    /// # Errors
    /// [`Failure::Usage`]: one is missing, or the profile cannot be read.
    pub fn connection(&self, environment: Environment<'_>) -> Result<Connection, Failure> {
        let profile = self.load_profile(environment)?;
        let path = |flag: &Option<PathBuf>, name: &str, profile: Option<PathBuf>| {
            let flag = flag
                .clone()
                .or_else(|| variable(environment, name).map(PathBuf::from));
            flag.or(profile).ok_or_else(|| missing(name))
        };
        let vault = self.vault.clone().or_else(|| variable(environment, "vault"));
        Ok(Connection {
            vault: vault.or(profile.vault).ok_or_else(|| missing("vault"))?,
            cert: path(&self.cert, "cert", profile.cert)?,
            key: path(&self.key, "key", profile.key)?,
            ca: path(&self.ca, "ca", profile.ca)?,
            crl: path(&self.crl, "crl", profile.crl)?,
        })
    }

    /// The private key alone, for what is opened without the vault.
    ///
    /// # Errors
    /// As for the whole connection.
    pub fn key(&self, environment: Environment<'_>) -> Result<PathBuf, Failure> {
        let given = self
            .key
            .clone()
            .or_else(|| variable(environment, "key").map(PathBuf::from));
        match given {
            Some(key) => Ok(key),
            None => self.load_profile(environment)?.key.ok_or_else(|| missing("key")),
        }
    }

    /// CA and, where one is named, revocation list: for what is verified without the vault.
    ///
    /// # Errors
    /// As for the whole connection.
    pub fn trust(&self, environment: Environment<'_>) -> Result<(PathBuf, Option<PathBuf>), Failure> {
        let profile = self.load_profile(environment)?;
        let given = |flag: &Option<PathBuf>, name: &str| {
            flag.clone()
                .or_else(|| variable(environment, name).map(PathBuf::from))
        };
        let ca = given(&self.ca, "ca")
            .or(profile.ca)
            .ok_or_else(|| missing("ca"))?;
        Ok((ca, given(&self.crl, "crl").or(profile.crl)))
    }

    fn load_profile(&self, environment: Environment<'_>) -> Result<Profile, Failure> {
        let named = self
            .profile
            .clone()
            .or_else(|| variable(environment, "profile").map(PathBuf::from));
        let Some(path) = named.clone().or_else(|| default_profile(environment)) else {
            return Ok(Profile::default());
        };
        if named.is_none() && !path.exists() {
            return Ok(Profile::default());
        }
        read_profile(&path)
    }
}

fn variable(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(&format!("{PREFIX}{}", name.to_uppercase()))
}

fn missing(name: &str) -> Failure {
    Failure::usage(format!(
        "--{name} is missing: give it, set {PREFIX}{}, or write it into ~/.config/{PROFILE}",
        name.to_uppercase()
    ))
}

fn default_profile(environment: Environment<'_>) -> Option<PathBuf> {
    let configuration = environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let configuration = configuration.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".config")));
    Some(configuration?.join(PROFILE))
}

fn read_profile(path: &Path) -> Result<Profile, Failure> {
    use figment::Figment;
    use figment::providers::{Format as _, Toml};

    let text = crate::files::read_text(path, MOST_PROFILE_BYTES)?;
    let profile: Result<Profile, _> = Figment::from(Toml::string(&text)).extract();
    let mut profile =
        profile.map_err(|error| Failure::usage(format!("the profile {}: {error}", path.display())))?;
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    for file in [
        &mut profile.cert,
        &mut profile.key,
        &mut profile.ca,
        &mut profile.crl,
    ] {
        *file = file.take().map(|file| directory.join(file));
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn each_member_comes_from_the_nearest_place() {
        let directory = tempfile::tempdir().unwrap();
        let profile = directory.path().join("officer.toml");
        std::fs::write(
            &profile,
            "vault = 'https://p:1'\ncert = 'me.pem'\nkey = '/k.pem'\nca = 'ca.pem'\ncrl = 'crl.pem'\n",
        )
        .unwrap();
        let options = Options {
            profile: Some(profile),
            key: Some("/flag.pem".into()),
            ..Options::default()
        };
        let environment = with(&[
            ("TESSERA_OFFICER_CA", "/env.pem"),
            ("TESSERA_OFFICER_KEY", "/env-key.pem"),
        ]);
        let connection = options.connection(&environment).unwrap();
        assert_eq!(connection.vault, "https://p:1");
        assert_eq!(connection.cert, directory.path().join("me.pem"));
        assert_eq!(connection.key, Path::new("/flag.pem"));
        assert_eq!(connection.ca, Path::new("/env.pem"));
    }

    #[test]
    fn what_is_missing_is_named_with_every_way_to_give_it() {
        let failure = Options::default().connection(&with(&[])).unwrap_err();
        assert_eq!(failure.code(), 2);
        let text = failure.to_string();
        assert!(
            text.contains("--vault is missing") && text.contains("TESSERA_OFFICER_VAULT"),
            "{text}"
        );
    }

    #[test]
    fn a_profile_with_a_strange_member_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let profile = directory.path().join("officer.toml");
        std::fs::write(&profile, "share = 'x'\n").unwrap();
        let options = Options {
            profile: Some(profile),
            ..Options::default()
        };
        let text = options.connection(&with(&[])).unwrap_err().to_string();
        assert!(text.contains("share"), "{text}");
        let options = Options {
            profile: Some("/nowhere/officer.toml".into()),
            ..Options::default()
        };
        assert_eq!(options.connection(&with(&[])).unwrap_err().code(), 2);
    }
}
