//! One certificate before it is signed: the only place where a profile becomes X.509 (RFC 5280). The fixtures bend a
//! template; everything else takes it as the profile made it.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
    SerialNumber,
};
use shared::mtls::identity::Identity;
use time::{Duration, OffsetDateTime};

use crate::error::Result;
use crate::host::Host;
use crate::profile::{Profile, Usage};
use crate::serial::Serial;

/// How far before the signing a certificate begins: machines whose clocks differ by less agree that it is valid. The same
/// five minutes as the contract grants to the time of a proof.
pub(crate) const BACKDATE: Duration = Duration::minutes(5);

/// The organisation in every subject and issuer.
const ORGANISATION: &str = "Tessera";

/// What a leaf certificate will say.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) subject: DistinguishedName,
    pub(crate) uris: Vec<String>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) usage: Usage,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Template {
    /// The certificate that `profile` stands for, signed at `now`.
    pub(crate) fn new(profile: &Profile, now: OffsetDateTime) -> Self {
        let identity = profile.identity();
        Self {
            subject: subject_of(&identity),
            uris: vec![identity.to_string()],
            hosts: profile.hosts(),
            usage: profile.usage(),
            not_before: now - BACKDATE,
            not_after: now + profile.lifetime(),
        }
    }

    /// The subject alternative names as text, `URI:…`, `DNS:…`, `IP:…`.
    pub(crate) fn names(&self) -> Vec<String> {
        let uris = self.uris.iter().map(|uri| format!("URI:{uri}"));
        let hosts = self.hosts.iter().map(|host| match host {
            Host::Dns(name) => format!("DNS:{name}"),
            Host::Ip(address) => format!("IP:{address}"),
        });
        uris.chain(hosts).collect()
    }

    /// As the signing library takes it: an end entity, critical key usage `digitalSignature`, one extended key usage, and
    /// both key identifiers.
    pub(crate) fn to_params(&self, serial: &Serial) -> Result<CertificateParams> {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        params.not_before = self.not_before;
        params.not_after = self.not_after;
        params.distinguished_name = self.subject.clone();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        for uri in &self.uris {
            params
                .subject_alt_names
                .push(SanType::URI(uri.as_str().try_into()?));
        }
        for host in &self.hosts {
            params.subject_alt_names.push(match host {
                Host::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
                Host::Ip(address) => SanType::IpAddress(*address),
            });
        }
        Ok(params)
    }
}

/// The subject of a leaf: the role as organisational unit and the name as common name, for the eyes of people; nothing
/// authorises by it.
fn subject_of(identity: &Identity) -> DistinguishedName {
    let role = identity.role().as_str();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANISATION);
    match identity.name() {
        None => subject.push(DnType::CommonName, role),
        Some(name) => {
            subject.push(DnType::OrganizationalUnitName, role);
            subject.push(DnType::CommonName, name.as_str());
        }
    }
    subject
}

/// The subject of a root.
pub(crate) fn root_subject(common_name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANISATION);
    subject.push(DnType::CommonName, common_name);
    subject
}
