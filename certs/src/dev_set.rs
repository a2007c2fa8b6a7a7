//! A complete set for development, made by one call and never for production: all private keys lie in one directory.
//!
//! ```text
//! DIR/internal-ca.{pem,key,index.json}   internal.crl.pem
//! DIR/partner-ca.{pem,key,index.json}    partner.crl.pem
//! DIR/NAME.{pem,key}    vault, gateway-server, gateway-client, officer-1, officer-2, officer-3,
//!                       auditor, processor, bureau, partner, and each further partner
//! ```
//! The roots sign directly, so each `NAME.pem` is a leaf without a chain. Where an identity carries a name, it is the file's:
//! `officer-1.pem` says `spiffe://tessera/officer/officer-1`, `partner.pem` says `spiffe://tessera/partner/partner`.

use std::fs;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::mtls::identity::Name;

use crate::authority::Authority;
use crate::ca::Ca;
use crate::error::{Error, Result};
use crate::files;
use crate::host::Host;
use crate::issued::PairPaths;
use crate::profile::Profile;
use crate::serial::Serial;

/// What may be added to a development set.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// Further names of the two servers, beside `localhost`, `127.0.0.1` and `::1`.
    pub hosts: Vec<Host>,
    /// Further partners, beside `partner`.
    pub partners: Vec<Name>,
}

/// Where everything of a development set is.
#[derive(Clone, Debug)]
pub struct DevSet {
    /// The directory.
    pub dir: PathBuf,
    /// The internal root; verifies the vault, both gateway listeners and the vault's attestations.
    pub internal_ca: PairPaths,
    /// The partner root; verifies partners' servers.
    pub partner_ca: PairPaths,
    /// The CRL of the internal CA.
    pub internal_crl: PathBuf,
    /// The CRL of the partner CA.
    pub partner_crl: PathBuf,
    /// The vault's server certificate.
    pub vault: PairPaths,
    /// The gateway's server certificate.
    pub gateway_server: PairPaths,
    /// The gateway's client certificate for the vault.
    pub gateway_client: PairPaths,
    /// Three security officers.
    pub officers: [PairPaths; 3],
    /// An auditor.
    pub auditor: PairPaths,
    /// An issuing processor.
    pub processor: PairPaths,
    /// A personalisation bureau.
    pub bureau: PairPaths,
    /// A partner's server.
    pub partner: PairPaths,
}

impl DevSet {
    /// Makes the set at `dir`, which must not exist or be empty. It appears there whole or not at all.
    ///
    /// # Errors
    /// [`Error::Exists`] if something is there; [`Error::NameTaken`] if a partner is named like another file of the set.
    pub fn create(dir: &Path, options: &DevOptions, clock: &Clock) -> Result<Self> {
        let profiles = profiles(options)?;
        let occupied = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => fs::symlink_metadata(dir).is_ok(),
        };
        if occupied {
            return Err(Error::Exists(dir.to_owned()));
        }
        let staging = staging_path(dir)?;
        files::make_dir(&staging)?;
        let made = fill(&staging, &profiles, clock).and_then(|()| {
            // Onto an empty directory only: the system refuses any other, so a race cannot overwrite.
            fs::rename(&staging, dir).map_err(files::failed("create", dir))
        });
        if let Err(error) = made {
            drop(fs::remove_dir_all(&staging));
            return Err(error);
        }
        files::sync_parent(dir)?;
        Self::open(dir)
    }

    /// Finds the set at `dir`.
    ///
    /// # Errors
    /// [`Error::NotADevSet`] naming the first file that is missing.
    pub fn open(dir: &Path) -> Result<Self> {
        let pair = |stem: &str| PairPaths::new(dir, stem);
        let root = |ca: Ca| PairPaths {
            certificate: ca.certificate_path(dir),
            key: ca.key_path(dir),
        };
        let set = Self {
            dir: dir.to_owned(),
            internal_ca: root(Ca::Internal),
            partner_ca: root(Ca::Partner),
            internal_crl: Ca::Internal.crl_path(dir),
            partner_crl: Ca::Partner.crl_path(dir),
            vault: pair("vault"),
            gateway_server: pair("gateway-server"),
            gateway_client: pair("gateway-client"),
            officers: ["officer-1", "officer-2", "officer-3"].map(pair),
            auditor: pair("auditor"),
            processor: pair("processor"),
            bureau: pair("bureau"),
            partner: pair("partner"),
        };
        let missing = set.files().find(|path| !path.is_file()).and_then(Path::file_name);
        if let Some(name) = missing {
            let missing = name.to_string_lossy().into_owned();
            return Err(Error::NotADevSet {
                dir: dir.to_owned(),
                missing,
            });
        }
        Ok(set)
    }

    /// A further partner that was named at creation, or issued later under this name.
    #[must_use]
    pub fn partner_named(&self, name: &Name) -> PairPaths {
        PairPaths::new(&self.dir, name.as_str())
    }

    /// Opens one of the set's CAs, to issue more or to revoke.
    ///
    /// # Errors
    /// As [`Authority::open`].
    pub fn authority(&self, ca: Ca, clock: &Clock) -> Result<Authority> {
        Authority::open(&self.dir, ca, clock)
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let pairs = [
            &self.internal_ca,
            &self.partner_ca,
            &self.vault,
            &self.gateway_server,
            &self.gateway_client,
            &self.auditor,
            &self.processor,
            &self.bureau,
            &self.partner,
        ];
        let pairs = pairs.into_iter().chain(&self.officers);
        let paths = pairs.flat_map(|pair| [pair.certificate.as_path(), pair.key.as_path()]);
        paths.chain([self.internal_crl.as_path(), self.partner_crl.as_path()])
    }
}

/// The stems of the CAs' own files, which no leaf may take.
const ROOT_STEMS: [&str; 4] = ["internal-ca", "partner-ca", "internal.crl", "partner.crl"];

/// The profiles of a set, each with a file name of its own.
fn profiles(options: &DevOptions) -> Result<Vec<Profile>> {
    let mut profiles = vec![
        Profile::Vault(options.hosts.clone()),
        Profile::GatewayServer(options.hosts.clone()),
        Profile::GatewayClient,
        Profile::Officer("officer-1".parse()?),
        Profile::Officer("officer-2".parse()?),
        Profile::Officer("officer-3".parse()?),
        Profile::Auditor("auditor".parse()?),
        Profile::Processor("processor".parse()?),
        Profile::Bureau("bureau".parse()?),
        Profile::Partner("partner".parse()?),
    ];
    for name in &options.partners {
        if ROOT_STEMS.contains(&name.as_str())
            || profiles.iter().any(|profile| profile.stem() == name.as_str())
        {
            return Err(Error::NameTaken(name.to_string()));
        }
        profiles.push(Profile::Partner(name.clone()));
    }
    Ok(profiles)
}

fn fill(dir: &Path, profiles: &[Profile], clock: &Clock) -> Result<()> {
    for ca in Ca::ALL {
        let mut authority = Authority::create(dir, ca, clock)?;
        for profile in profiles.iter().filter(|profile| profile.ca() == ca) {
            authority
                .issue(profile)?
                .write(&PairPaths::new(dir, profile.stem()))?;
        }
    }
    Ok(())
}

/// A directory beside `dir` that nobody else uses.
fn staging_path(dir: &Path) -> Result<PathBuf> {
    let mut name = dir
        .file_name()
        .ok_or_else(|| Error::NotAPath(dir.to_owned()))?
        .to_owned();
    name.push(format!(".new-{}", Serial::random(&SystemRandom::new())?));
    Ok(dir.with_file_name(name))
}
