//! What a certificate of each role says. A profile decides every parameter: the CA, the identity, the key usage, the kinds
//! of key and the lifetime. Nothing else that is said about a certificate, a request's wishes least of all, changes them.

use shared::mtls::identity::{Identity, Name};
use time::Duration;

use crate::ca::Ca;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::kind::Kind;
use crate::public_key::KeyRule;

/// Who may open a connection with the certificate, and who may answer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Extended key usage `serverAuth` alone.
    Server,
    /// Extended key usage `clientAuth` alone.
    Client,
}

/// A certificate to be made: a kind and what distinguishes one holder of it from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `spiffe://tessera/vault`, loopback and these hosts; signs attestations and Vault-Proofs with the same key.
    Vault(Vec<Host>),
    /// `spiffe://tessera/gateway` as a server, loopback and these hosts.
    GatewayServer(Vec<Host>),
    /// `spiffe://tessera/gateway` as a client of the vault.
    GatewayClient,
    /// `spiffe://tessera/officer/{name}`.
    Officer(Name),
    /// `spiffe://tessera/auditor/{name}`.
    Auditor(Name),
    /// `spiffe://tessera/processor/{name}`.
    Processor(Name),
    /// `spiffe://tessera/bureau/{name}`.
    Bureau(Name),
    /// `spiffe://tessera/partner/{name}`, from the partner CA.
    Partner(Name),
}

/// A machine's certificate: short, because both binaries reload theirs without dropping connections, and a stolen key that
/// went unnoticed dies with it.
const MACHINE_LIFETIME: Duration = Duration::days(90);
/// An officer's or auditor's: PCI DSS 7.2.4 wants access reviewed every six months; at its end somebody must say yes again.
const PERSON_LIFETIME: Duration = Duration::days(183);
/// Another company's: PCI DSS 12.8.4 wants a service provider's standing looked at once a year.
const COMPANY_LIFETIME: Duration = Duration::days(365);

impl Profile {
    /// The profile of this kind, with the parts that it takes.
    ///
    /// # Errors
    /// When a name is missing or not taken, or hosts are not taken.
    pub fn new(kind: Kind, name: Option<Name>, hosts: Vec<Host>) -> Result<Self> {
        let word = kind.word();
        if !hosts.is_empty() && !matches!(kind, Kind::Vault | Kind::GatewayServer) {
            return Err(Error::HostsNotTaken(word));
        }
        match (kind, name) {
            (Kind::Vault, None) => Ok(Self::Vault(hosts)),
            (Kind::GatewayServer, None) => Ok(Self::GatewayServer(hosts)),
            (Kind::GatewayClient, None) => Ok(Self::GatewayClient),
            (Kind::Vault | Kind::GatewayServer | Kind::GatewayClient, Some(_)) => {
                Err(Error::NameNotTaken(word))
            }
            (Kind::Officer, Some(name)) => Ok(Self::Officer(name)),
            (Kind::Auditor, Some(name)) => Ok(Self::Auditor(name)),
            (Kind::Processor, Some(name)) => Ok(Self::Processor(name)),
            (Kind::Bureau, Some(name)) => Ok(Self::Bureau(name)),
            (Kind::Partner, Some(name)) => Ok(Self::Partner(name)),
            (Kind::Officer | Kind::Auditor | Kind::Processor | Kind::Bureau | Kind::Partner, None) => {
                Err(Error::NameMissing(word))
            }
        }
    }

    /// The CA that signs it.
    #[must_use]
    pub fn ca(&self) -> Ca {
        match self {
            Self::Partner(_) => Ca::Partner,
            Self::Vault(_)
            | Self::GatewayServer(_)
            | Self::GatewayClient
            | Self::Officer(_)
            | Self::Auditor(_)
            | Self::Processor(_)
            | Self::Bureau(_) => Ca::Internal,
        }
    }

    /// The identity: its URI is the one in the subject alternative name.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match self {
            Self::Vault(_) => Identity::Vault,
            Self::GatewayServer(_) | Self::GatewayClient => Identity::Gateway,
            Self::Officer(name) => Identity::Officer(name.clone()),
            Self::Auditor(name) => Identity::Auditor(name.clone()),
            Self::Processor(name) => Identity::Processor(name.clone()),
            Self::Bureau(name) => Identity::Bureau(name.clone()),
            Self::Partner(name) => Identity::Partner(name.clone()),
        }
    }

    /// The name that distinguishes files of this profile: the identity's name, or the role where there is but one.
    #[must_use]
    pub fn stem(&self) -> &str {
        match self {
            Self::Vault(_) => "vault",
            Self::GatewayServer(_) => "gateway-server",
            Self::GatewayClient => "gateway-client",
            Self::Officer(name)
            | Self::Auditor(name)
            | Self::Processor(name)
            | Self::Bureau(name)
            | Self::Partner(name) => name.as_str(),
        }
    }

    /// The DNS names and addresses: loopback and the given ones for servers, none for clients.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let (Self::Vault(given) | Self::GatewayServer(given)) = self else {
            return Vec::new();
        };
        let mut hosts = Host::loopback().to_vec();
        for host in given {
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        hosts
    }

    /// The extended key usage. The vault answers only: its calls to the gateway go out under other keys, so `clientAuth`
    /// would only widen what its key is good for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match self {
            Self::Vault(_) | Self::GatewayServer(_) => Usage::Server,
            Self::GatewayClient
            | Self::Officer(_)
            | Self::Auditor(_)
            | Self::Processor(_)
            | Self::Bureau(_)
            | Self::Partner(_) => Usage::Client,
        }
    }

    /// The keys it takes. The vault's must be P-256, because attestations and Vault-Proofs are ES256.
    pub(crate) fn key_rule(&self) -> KeyRule {
        match self {
            Self::Vault(_) => KeyRule::P256Only,
            _ => KeyRule::P256OrRsa,
        }
    }

    /// How long it is valid from the moment of signing.
    pub(crate) fn lifetime(&self) -> Duration {
        match self {
            Self::Vault(_) | Self::GatewayServer(_) | Self::GatewayClient => MACHINE_LIFETIME,
            Self::Officer(_) | Self::Auditor(_) => PERSON_LIFETIME,
            Self::Processor(_) | Self::Bureau(_) | Self::Partner(_) => COMPANY_LIFETIME,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, Usage};
    use crate::ca::Ca;
    use crate::error::Error;
    use crate::kind::Kind;

    #[test]
    fn the_named_roles_carry_their_name_and_the_others_do_not() {
        for kind in Kind::ALL {
            let named = Profile::new(kind, Some("acme".parse().unwrap()), vec![]);
            let unnamed = Profile::new(kind, None, vec![]);
            match kind {
                Kind::Vault | Kind::GatewayServer | Kind::GatewayClient => {
                    assert!(matches!(named, Err(Error::NameNotTaken(_))));
                    assert!(unnamed.is_ok());
                }
                _ => {
                    assert_eq!(
                        named.unwrap().identity().to_string(),
                        format!("spiffe://tessera/{}/acme", kind.word())
                    );
                    assert!(matches!(unnamed, Err(Error::NameMissing(_))));
                }
            }
        }
    }

    #[test]
    fn only_servers_take_hosts_and_each_is_listed_once() {
        let hosts = vec!["vault.internal".parse().unwrap(), "localhost".parse().unwrap()];
        let vault = Profile::new(Kind::Vault, None, hosts.clone()).unwrap();
        let names: Vec<String> = vault.hosts().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["localhost", "127.0.0.1", "::1", "vault.internal"]);
        let client = Profile::new(Kind::GatewayClient, None, hosts);
        assert!(matches!(client, Err(Error::HostsNotTaken(_))));
    }

    #[test]
    fn only_partners_come_from_the_partner_ca() {
        let partner = Profile::Partner("acme".parse().unwrap());
        assert_eq!((partner.ca(), partner.usage()), (Ca::Partner, Usage::Client));
        assert_eq!(Profile::Officer("alice".parse().unwrap()).ca(), Ca::Internal);
        assert_eq!(Profile::GatewayServer(vec![]).usage(), Usage::Server);
    }
}
