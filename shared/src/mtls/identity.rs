//! Who a certificate speaks for: the one URI SAN `spiffe://tessera/{role}[/{name}]`, parsed strictly.
//!
//! A certificate with no URI, two URIs, another scheme or trust domain, or a name where none belongs has no identity
//! at all. The subject's common name is never looked at.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Scheme and trust domain of every identity.
pub const TRUST_DOMAIN: &str = "spiffe://tessera/";

/// Longest name of an identity, in bytes.
pub const NAME_MAX_LENGTH: usize = 64;

/// The name of one officer, auditor, processor, bureau or partner.
///
/// 1 to 64 bytes of `a-z`, `0-9`, `-` and `.`; begins and ends with a letter or digit, so that it is neither a path
/// segment with a meaning of its own (`.`, `..`) nor an option of a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let allowed = bytes
            .iter()
            .all(|byte| plain(byte) || matches!(byte, b'-' | b'.'));
        let ends_plain = bytes.first().is_some_and(plain) && bytes.last().is_some_and(plain);
        if bytes.len() <= NAME_MAX_LENGTH && allowed && ends_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::BadName)
        }
    }
}

impl TryFrom<String> for Name {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part of an identity that permissions are given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The vault itself.
    Vault,
    /// The gateway.
    Gateway,
    /// A member of the security team.
    Officer,
    /// One who may read the audit log and nothing else.
    Auditor,
    /// An issuing processor.
    Processor,
    /// A personalisation bureau.
    Bureau,
    /// A partner's server.
    Partner,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Vault,
        Self::Gateway,
        Self::Officer,
        Self::Auditor,
        Self::Processor,
        Self::Bureau,
        Self::Partner,
    ];

    /// The role as it stands in the URI.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Gateway => "gateway",
            Self::Officer => "officer",
            Self::Auditor => "auditor",
            Self::Processor => "processor",
            Self::Bureau => "bureau",
            Self::Partner => "partner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The holder of a certificate. Printed and stored as its URI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Identity {
    /// `spiffe://tessera/vault`
    Vault,
    /// `spiffe://tessera/gateway`
    Gateway,
    /// `spiffe://tessera/officer/{name}`
    Officer(Name),
    /// `spiffe://tessera/auditor/{name}`
    Auditor(Name),
    /// `spiffe://tessera/processor/{name}`
    Processor(Name),
    /// `spiffe://tessera/bureau/{name}`
    Bureau(Name),
    /// `spiffe://tessera/partner/{name}`
    Partner(Name),
}

impl Identity {
    /// Reads the identity from the one URI among the certificate's subject alternative names.
    ///
    /// Says nothing about who signed the certificate: that is the handshake's business.
    ///
    /// # Errors
    /// [`IdentityError`] when the certificate cannot be parsed, carries no or several URIs, or the URI is not an
    /// identity.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        match X509Certificate::from_der(certificate) {
            Ok(([], parsed)) => Self::from_parsed(&parsed),
            Ok(_) | Err(_) => Err(IdentityError::NotACertificate),
        }
    }

    pub(super) fn from_parsed(certificate: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::NotACertificate)?;
        let mut uri = None;
        for name in names.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::URI(text) if uri.is_none() => uri = Some(*text),
                GeneralName::URI(_) => return Err(IdentityError::SeveralUris),
                // An entry that cannot be read may be a URI to another reader.
                GeneralName::Invalid(..) => return Err(IdentityError::NotACertificate),
                _ => {}
            }
        }
        uri.ok_or(IdentityError::NoUri)?.parse()
    }

    /// The identity's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Vault => Role::Vault,
            Self::Gateway => Role::Gateway,
            Self::Officer(_) => Role::Officer,
            Self::Auditor(_) => Role::Auditor,
            Self::Processor(_) => Role::Processor,
            Self::Bureau(_) => Role::Bureau,
            Self::Partner(_) => Role::Partner,
        }
    }

    /// The identity's name; none for the vault and the gateway.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        match self {
            Self::Vault | Self::Gateway => None,
            Self::Officer(name)
            | Self::Auditor(name)
            | Self::Processor(name)
            | Self::Bureau(name)
            | Self::Partner(name) => Some(name),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let path = uri.strip_prefix(TRUST_DOMAIN).ok_or(IdentityError::ForeignUri)?;
        let (role, name) = match path.split_once('/') {
            Some((role, name)) => (role, Some(name)),
            None => (path, None),
        };
        let role = Role::ALL
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or(IdentityError::UnknownRole)?;
        let named = |with: fn(Name) -> Self| {
            let name = name.ok_or(IdentityError::NameMissing(role))?;
            name.parse().map(with)
        };
        let unnamed = |identity: Self| match name {
            None => Ok(identity),
            Some(_) => Err(IdentityError::NameUnexpected(role)),
        };
        match role {
            Role::Vault => unnamed(Self::Vault),
            Role::Gateway => unnamed(Self::Gateway),
            Role::Officer => named(Self::Officer),
            Role::Auditor => named(Self::Auditor),
            Role::Processor => named(Self::Processor),
            Role::Bureau => named(Self::Bureau),
            Role::Partner => named(Self::Partner),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TRUST_DOMAIN}{}", self.role())?;
        match self.name() {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;

    fn try_from(uri: String) -> Result<Self, Self::Error> {
        uri.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

/// Why a certificate or a URI is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are not one X.509 certificate, or a subject alternative name in it cannot be read.
    #[error("the certificate cannot be read")]
    NotACertificate,
    /// No URI among the subject alternative names.
    #[error("the certificate names no URI")]
    NoUri,
    /// More than one URI: which one counts would depend on the reader.
    #[error("the certificate names more than one URI")]
    SeveralUris,
    /// The URI is not under [`TRUST_DOMAIN`].
    #[error("the URI does not begin with {TRUST_DOMAIN}")]
    ForeignUri,
    /// The first path segment is no [`Role`].
    #[error("the URI names no known role")]
    UnknownRole,
    /// A role that needs a name has none.
    #[error("the role {0} needs a name")]
    NameMissing(Role),
    /// A role that exists once carries a name.
    #[error("the role {0} takes no name")]
    NameUnexpected(Role),
    /// The name breaks the rule of [`Name`].
    #[error(
        "a name has 1 to {NAME_MAX_LENGTH} letters a-z, digits, '-' and '.', the first and last a letter or digit"
    )]
    BadName,
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["vault.internal".to_owned()]).unwrap();
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI(Ia5String::try_from(*uri).unwrap()));
        }
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .clone()
    }

    #[test]
    fn every_identity_survives_its_uri() {
        for uri in [
            "spiffe://tessera/vault",
            "spiffe://tessera/gateway",
            "spiffe://tessera/officer/o-1",
            "spiffe://tessera/auditor/a.b",
            "spiffe://tessera/processor/p",
            "spiffe://tessera/bureau/b9",
            "spiffe://tessera/partner/acme-bank.eu",
        ] {
            let identity: Identity = uri.parse().unwrap();
            assert_eq!(identity.to_string(), uri);
            assert_eq!(
                Identity::from_certificate(&certificate(&[uri])).unwrap(),
                identity
            );
            let json = serde_json::to_string(&identity).unwrap();
            assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity);
        }
    }

    #[test]
    fn a_uri_that_is_nearly_an_identity_is_none() {
        let long = format!("spiffe://tessera/partner/{}", "a".repeat(NAME_MAX_LENGTH + 1));
        for (uri, error) in [
            ("", IdentityError::ForeignUri),
            ("https://tessera/vault", IdentityError::ForeignUri),
            ("spiffe://other/vault", IdentityError::ForeignUri),
            ("SPIFFE://tessera/vault", IdentityError::ForeignUri),
            ("spiffe://tessera.evil/vault", IdentityError::ForeignUri),
            ("spiffe://tessera/", IdentityError::UnknownRole),
            ("spiffe://tessera//vault", IdentityError::UnknownRole),
            ("spiffe://tessera/Vault", IdentityError::UnknownRole),
            ("spiffe://tessera/vault?x", IdentityError::UnknownRole),
            ("spiffe://tessera/root", IdentityError::UnknownRole),
            (
                "spiffe://tessera/vault/",
                IdentityError::NameUnexpected(Role::Vault),
            ),
            (
                "spiffe://tessera/gateway/two",
                IdentityError::NameUnexpected(Role::Gateway),
            ),
            (
                "spiffe://tessera/officer",
                IdentityError::NameMissing(Role::Officer),
            ),
            ("spiffe://tessera/officer/", IdentityError::BadName),
            ("spiffe://tessera/partner/a/b", IdentityError::BadName),
            ("spiffe://tessera/partner/..", IdentityError::BadName),
            ("spiffe://tessera/partner/-a", IdentityError::BadName),
            ("spiffe://tessera/partner/A", IdentityError::BadName),
            ("spiffe://tessera/partner/a%62", IdentityError::BadName),
            (long.as_str(), IdentityError::BadName),
        ] {
            assert_eq!(uri.parse::<Identity>(), Err(error), "{uri}");
        }
    }

    #[test]
    fn a_certificate_needs_exactly_one_uri() {
        let of = |uris: &[&str]| Identity::from_certificate(&certificate(uris));
        assert_eq!(of(&[]), Err(IdentityError::NoUri));
        assert_eq!(
            of(&["spiffe://tessera/vault", "https://example.com/"]),
            Err(IdentityError::SeveralUris)
        );
        assert_eq!(
            of(&["spiffe://tessera/vault", "spiffe://tessera/vault"]),
            Err(IdentityError::SeveralUris)
        );
    }

    #[test]
    fn bytes_after_the_certificate_or_no_certificate_at_all_are_refused() {
        let mut bytes = certificate(&["spiffe://tessera/vault"]).to_vec();
        bytes.push(0);
        for bad in [bytes, Vec::new(), vec![0x30, 0x03, 1, 2, 3]] {
            assert_eq!(
                Identity::from_certificate(&CertificateDer::from(bad)),
                Err(IdentityError::NotACertificate)
            );
        }
    }
}
