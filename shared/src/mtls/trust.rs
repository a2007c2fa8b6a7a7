//! Whom we trust: root certificates and their revocation lists, from files, replaced while the process runs.
//!
//! Every root needs a genuine list. A certificate whose status no list tells is refused, and so is every certificate
//! once its list is out of date: whoever can hold back new lists could otherwise undo a revocation (the price is an
//! outage when nobody renews the lists, which is why [`ReloadingTrust::lists_expire_at`] is there to be watched).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::peer::Peer;
use super::reload::{LoadError, Reload, Reloaded, Watched, read};
use super::{provider, unix_time};
use crate::clock::Clock;

/// Roots and revocation lists in force.
pub struct ReloadingTrust {
    roots_path: PathBuf,
    lists_path: PathBuf,
    watched: Watched,
    clock: Clock,
    current: ArcSwap<Trust>,
}

/// One generation of trust. Its number goes up with each reload, so that a connection knows when to be checked again.
pub(super) struct Trust {
    pub(super) generation: u64,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) servers: Arc<dyn ServerCertVerifier>,
    pub(super) lists_expire_at: OffsetDateTime,
    lists_issued_at: OffsetDateTime,
    roots_expire_at: OffsetDateTime,
    lists: Vec<ListAge>,
}

/// Whose list it is, and since when it holds.
struct ListAge {
    issuer: Vec<u8>,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
}

impl ReloadingTrust {
    /// Reads the roots (PEM certificates) and their revocation lists (PEM CRLs, one at least for each root).
    ///
    /// # Errors
    /// [`LoadError`]; among others when a root has no list, a list is not signed by its root, or is out of date.
    pub fn load(
        roots: impl Into<PathBuf>,
        lists: impl Into<PathBuf>,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let (roots_path, lists_path) = (roots.into(), lists.into());
        let watched = Watched::new(vec![roots_path.clone(), lists_path.clone()]);
        let current = ArcSwap::from_pointee(load(&roots_path, &lists_path, &clock, None)?);
        Ok(Self {
            roots_path,
            lists_path,
            watched,
            clock,
            current,
        })
    }

    /// When the first of the lists in force goes out of date, and with it every certificate of its issuer.
    #[must_use]
    pub fn lists_expire_at(&self) -> OffsetDateTime {
        self.current.load().lists_expire_at
    }

    /// When the oldest of the lists in force was issued.
    #[must_use]
    pub fn lists_issued_at(&self) -> OffsetDateTime {
        self.current.load().lists_issued_at
    }

    /// The last valid instant of the first root that ends.
    #[must_use]
    pub fn roots_expire_at(&self) -> OffsetDateTime {
        self.current.load().roots_expire_at
    }

    /// Checks a chain (own certificate first) as a handshake would: issuer, validity, revocation, client purpose,
    /// identity. Also for chains that come another way, such as the `x5c` of a partner's proof (RFC 7515 section 4.1.6).
    ///
    /// # Errors
    /// What rustls says is wrong with it.
    pub fn check_client(&self, chain: &[CertificateDer<'_>]) -> Result<Peer, rustls::Error> {
        self.current.load().check_client(chain, &self.clock)
    }

    pub(super) fn current(&self) -> Guard<Arc<Trust>> {
        self.current.load()
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl Trust {
    pub(super) fn check_client(
        &self,
        chain: &[CertificateDer<'_>],
        clock: &Clock,
    ) -> Result<Peer, rustls::Error> {
        let (own, others) = chain
            .split_first()
            .ok_or(rustls::Error::NoCertificatesPresented)?;
        let now = unix_time(clock).ok_or(rustls::Error::FailedToGetCurrentTime)?;
        self.clients.verify_client_cert(own, others, now)?;
        Peer::from_certificate(own)
            .map_err(|_| rustls::CertificateError::ApplicationVerificationFailure.into())
    }
}

impl Reload for ReloadingTrust {
    fn reload(&self) -> Reloaded {
        self.watched.if_changed(|| {
            let former = self.current.load_full();
            match load(&self.roots_path, &self.lists_path, &self.clock, Some(&former)) {
                Ok(trust) => {
                    let (path, lists_expire_at) = (self.lists_path.display(), trust.lists_expire_at);
                    tracing::info!(%path, %lists_expire_at, "new roots and revocation lists in force");
                    self.current.store(Arc::new(trust));
                    Reloaded::Replaced
                }
                Err(error) => {
                    tracing::warn!(%error, "new roots or revocation lists refused, the old ones stay in force");
                    Reloaded::Kept(error)
                }
            }
        })
    }
}

impl fmt::Debug for ReloadingTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadingTrust")
            .field("roots", &self.roots_path)
            .field("lists", &self.lists_path)
            .finish_non_exhaustive()
    }
}

fn load(
    roots_path: &Path,
    lists_path: &Path,
    clock: &Clock,
    former: Option<&Trust>,
) -> Result<Trust, LoadError> {
    let no_pem = |path: &Path, expected| LoadError::NoPem {
        path: path.to_owned(),
        expected,
    };
    let unusable = |path: &Path, reason: String| LoadError::Unusable {
        path: path.to_owned(),
        reason,
    };

    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(roots_path)?)
        .collect::<Result<_, _>>()
        .map_err(|_| no_pem(roots_path, "certificate"))?;
    let lists: Vec<CertificateRevocationListDer<'static>> =
        CertificateRevocationListDer::pem_slice_iter(&read(lists_path)?)
            .collect::<Result<_, _>>()
            .map_err(|_| no_pem(lists_path, "revocation list"))?;

    let (store, parsed_roots) = parsed(&roots).map_err(|reason| unusable(roots_path, reason))?;
    let ages = lists
        .iter()
        .map(|list| genuine(list, &parsed_roots, lists_path, clock))
        .collect::<Result<Vec<_>, _>>()?;
    none_missing(&parsed_roots, &ages)?;
    none_older(&ages, former)?;

    let lists_expire_at = ages
        .iter()
        .map(|age| age.next_update)
        .min()
        .ok_or_else(|| no_pem(lists_path, "revocation list"))?;
    let lists_issued_at = ages.iter().map(|age| age.this_update).min();
    let roots_expire_at = parsed_roots
        .iter()
        .map(|root| root.validity().not_after.to_datetime());
    let roots_expire_at = roots_expire_at
        .min()
        .ok_or_else(|| no_pem(roots_path, "certificate"))?;
    let store = Arc::new(store);
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&store), provider())
        .with_crls(lists.clone())
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| unusable(lists_path, error.to_string()))?;
    let servers = WebPkiServerVerifier::builder_with_provider(store, provider())
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| unusable(lists_path, error.to_string()))?;
    let generation = former.map_or(1, |former| former.generation + 1);
    Ok(Trust {
        generation,
        clients,
        servers,
        lists_expire_at,
        lists_issued_at: lists_issued_at.unwrap_or(lists_expire_at),
        roots_expire_at,
        lists: ages,
    })
}

/// The roots as rustls wants them, and as we read them.
fn parsed<'a>(
    roots: &'a [CertificateDer<'static>],
) -> Result<(RootCertStore, Vec<X509Certificate<'a>>), String> {
    let mut store = RootCertStore::empty();
    let mut parsed = Vec::with_capacity(roots.len());
    for root in roots {
        store.add(root.clone()).map_err(|error| error.to_string())?;
        let (_, root) = X509Certificate::from_der(root).map_err(|error| error.to_string())?;
        parsed.push(root);
    }
    Ok((store, parsed))
}

/// The list's age, once its signature was found to be that of a root and its time not past.
fn genuine(
    list: &CertificateRevocationListDer<'_>,
    roots: &[X509Certificate<'_>],
    path: &Path,
    clock: &Clock,
) -> Result<ListAge, LoadError> {
    let (_, list) = CertificateRevocationList::from_der(list).map_err(|error| LoadError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let issuer = list.issuer();
    let signed = roots
        .iter()
        .filter(|root| root.subject().as_raw() == issuer.as_raw())
        .any(|root| list.verify_signature(root.public_key()).is_ok());
    if !signed {
        return Err(LoadError::ListNotGenuine {
            issuer: issuer.to_string(),
        });
    }
    match list.next_update().map(|time| time.to_datetime()) {
        Some(next_update) if next_update > clock.now() => Ok(ListAge {
            issuer: issuer.as_raw().to_owned(),
            this_update: list.last_update().to_datetime(),
            next_update,
        }),
        _ => Err(LoadError::ListExpired {
            issuer: issuer.to_string(),
        }),
    }
}

fn none_missing(roots: &[X509Certificate<'_>], lists: &[ListAge]) -> Result<(), LoadError> {
    let listed =
        |root: &&X509Certificate<'_>| lists.iter().any(|list| list.issuer == root.subject().as_raw());
    match roots.iter().find(|root| !listed(root)) {
        Some(root) => Err(LoadError::ListMissing {
            issuer: root.subject().to_string(),
        }),
        None => Ok(()),
    }
}

fn none_older(lists: &[ListAge], former: Option<&Trust>) -> Result<(), LoadError> {
    for old in former.into_iter().flat_map(|former| &former.lists) {
        let newest = lists
            .iter()
            .filter(|list| list.issuer == old.issuer)
            .map(|list| list.this_update)
            .max();
        if newest.is_some_and(|newest| newest < old.this_update) {
            let issuer = x509_parser::x509::X509Name::from_der(&old.issuer)
                .map_or_else(|_| String::new(), |(_, name)| name.to_string());
            return Err(LoadError::ListOlder { issuer });
        }
    }
    Ok(())
}
