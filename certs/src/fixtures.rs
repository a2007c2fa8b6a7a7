//! Certificates that must be refused, for tests: each is what its profile says but for one fault. They are signed and
//! recorded like any other, so that what refuses them is the fault and nothing else.

use std::path::Path;

use clap::ValueEnum;
use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::mtls::identity::{Identity, TRUST_DOMAIN};
use time::{Duration, OffsetDateTime};

use crate::authority::Authority;
use crate::ca::Ca;
use crate::error::Result;
use crate::files;
use crate::issued::{Certificate, Issued, PairPaths};
use crate::key::PrivateKey;
use crate::profile::{Profile, Usage};
use crate::revocation::Reason;
use crate::root::Root;
use crate::serial::Serial;
use crate::template::Template;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Its time is over since yesterday.
    Expired,
    /// Its time begins tomorrow.
    NotYetValid,
    /// It is on the CRL.
    Revoked,
    /// Signed by a CA that bears the right names and has another key.
    ForeignCa,
    /// Signed by the other one of the two CAs: a partner by the internal CA, anyone else by the partner CA.
    OtherCa,
    /// `serverAuth` where `clientAuth` is due, or the reverse.
    WrongUsage,
    /// No URI among its names.
    NoIdentity,
    /// The URI of the same role in another trust domain.
    ForeignIdentity,
    /// A URI of this trust domain that is not of the form `spiffe://tessera/{role}[/{name}]`.
    MalformedIdentity,
    /// Its own URI and the vault's.
    TwoIdentities,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 10] = [
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::ForeignCa,
        Self::OtherCa,
        Self::WrongUsage,
        Self::NoIdentity,
        Self::ForeignIdentity,
        Self::MalformedIdentity,
        Self::TwoIdentities,
    ];

    /// The fault's word in file names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Revoked => "revoked",
            Self::ForeignCa => "foreign-ca",
            Self::OtherCa => "other-ca",
            Self::WrongUsage => "wrong-usage",
            Self::NoIdentity => "no-identity",
            Self::ForeignIdentity => "foreign-identity",
            Self::MalformedIdentity => "malformed-identity",
            Self::TwoIdentities => "two-identities",
        }
    }

    /// Bends a sound template to this fault, as far as the fault lies in what the certificate says.
    fn bend(self, template: &mut Template, now: OffsetDateTime) {
        match self {
            Self::Expired => {
                template.not_before = now - Duration::days(2);
                template.not_after = now - Duration::days(1);
            }
            Self::NotYetValid => {
                template.not_before = now + Duration::days(1);
                template.not_after = now + Duration::days(2);
            }
            Self::WrongUsage => {
                template.usage = match template.usage {
                    Usage::Server => Usage::Client,
                    Usage::Client => Usage::Server,
                };
            }
            Self::NoIdentity => template.uris.clear(),
            Self::ForeignIdentity => {
                for uri in &mut template.uris {
                    *uri = uri.replace(TRUST_DOMAIN, "spiffe://elsewhere/");
                }
            }
            Self::MalformedIdentity => {
                for uri in &mut template.uris {
                    uri.push_str("/../vault");
                }
            }
            Self::TwoIdentities => template.uris.push(Identity::Vault.to_string()),
            Self::Revoked | Self::ForeignCa | Self::OtherCa => {}
        }
    }
}

/// Makes a certificate of `profile` with `fault`, from the CAs in `ca_dir`. [`Fault::Revoked`] publishes a new CRL there.
///
/// # Errors
/// As [`Authority::open`] and [`Authority::issue`].
pub fn create(ca_dir: &Path, profile: &Profile, fault: Fault, clock: &Clock) -> Result<Issued> {
    let now = clock.now().truncate_to_second();
    let mut template = Template::new(profile, now);
    fault.bend(&mut template, now);
    match fault {
        Fault::ForeignCa => foreign(profile.ca(), &template, now),
        Fault::OtherCa => {
            let other = match profile.ca() {
                Ca::Internal => Ca::Partner,
                Ca::Partner => Ca::Internal,
            };
            Authority::open(ca_dir, other, clock)?.issue_template(&template)
        }
        Fault::Revoked => {
            let mut authority = Authority::open(ca_dir, profile.ca(), clock)?;
            let issued = authority.issue_template(&template)?;
            authority.revoke_serial(&issued.certificate.record.serial, Reason::Superseded)?;
            Ok(issued)
        }
        _ => Authority::open(ca_dir, profile.ca(), clock)?.issue_template(&template),
    }
}

/// Makes every fault of `profile` and writes `STEM.FAULT.pem` and `.key` into `out`, which is created if missing.
///
/// # Errors
/// As [`create`]; and when a file stands there already.
pub fn create_all(
    ca_dir: &Path,
    profile: &Profile,
    out: &Path,
    clock: &Clock,
) -> Result<Vec<(Fault, PairPaths)>> {
    let all = Fault::ALL.map(|fault| {
        (
            fault,
            PairPaths::new(out, &format!("{}.{}", profile.stem(), fault.word())),
        )
    });
    files::make_dir(out)?;
    files::refuse_existing(
        all.iter()
            .flat_map(|(_, pair)| [pair.key.as_path(), pair.certificate.as_path()]),
    )?;
    for (fault, pair) in &all {
        create(ca_dir, profile, *fault, clock)?.write(pair)?;
    }
    Ok(all.into())
}

fn foreign(ca: Ca, template: &Template, now: OffsetDateTime) -> Result<Issued> {
    let rng = SystemRandom::new();
    let (root, _) = Root::generate(ca, now, &rng)?;
    let (serial, key) = (Serial::random(&rng)?, PrivateKey::generate(&rng)?);
    let signed = root.sign(template, &serial, &key)?;
    Ok(Issued {
        certificate: Certificate::new(&signed, template, serial, &key),
        key,
    })
}
