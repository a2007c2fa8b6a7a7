//! The vault put together: certificates, store, process, listener. Binding is apart from running, and running ends by a
//! signal or by a failed store.

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use shared::clock::Clock;
use shared::http::limits::ListenerLimits;
use shared::jwe::RsaKeySize;
use shared::mtls::actix::{PeerGuard, remember_peer};
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::reload::{Reload, watch};
use shared::mtls::server;
use shared::mtls::trust::ReloadingTrust;

use crate::bulk::restore::RestoreError;
use crate::bulk::restored;
use crate::config::{Config, Tls};
use crate::ending::Ending;
use crate::follow;
use crate::http;
use crate::jobs;
use crate::keys::epoch::EpochFiles;
use crate::observe::Observed;
use crate::observe::certificates::Certificates as Inventory;
use crate::open_vault::Surroundings;
use crate::process::Process;
use crate::random::Random;
use crate::signer::ReloadingSigner;
use crate::store::{EngineError, Store, StoreOptions};
use crate::witness::Witnesses;

/// How it is described in the inventory of cryptography.
pub const TRANSPORT: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "connections",
    algorithm: "TLS 1.3, mutual",
    source: "RFC 8446",
    library: "rustls with ring",
    names: &[],
};

/// How soon replaced certificates and revocation lists are in force.
const RELOAD_EVERY: Duration = Duration::from_secs(1);
/// How long a connection may rest between two requests. The buffers of an open connection are not ours to wipe: actix and
/// rustls keep the last request in them, which for a processor is card data. They go back to the heap, which wipes them,
/// when the connection ends. Under load no connection rests; after a pause a new one costs a handshake, a millisecond.
const REST_TIME: Duration = Duration::from_secs(5);
/// Exit status after a failed store (`EX_IOERR` of sysexits).
const STORE_FAILED: i32 = 74;

/// Why the vault cannot run.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct StartError {
    what: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn cannot<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl FnOnce(E) -> StartError {
    move |source| StartError {
        what,
        source: source.into(),
    }
}

/// Ends the process at once. What a failed store holds is known only after it was opened anew, and closing it in order
/// would be one more write.
fn abandon(error: &EngineError) -> ! {
    tracing::error!(%error, "the store failed: the process ends and must be started anew");
    std::process::exit(STORE_FAILED);
}

/// Everything that stands in certificate files.
struct Certificates {
    own: Arc<ReloadingCertificate>,
    internal: Arc<ReloadingTrust>,
    partners: Arc<ReloadingTrust>,
    signer: Arc<ReloadingSigner>,
}

impl Certificates {
    fn load(tls: &Tls, clock: &Clock) -> Result<Self, StartError> {
        let own = ReloadingCertificate::load(&tls.certificate, &tls.key, clock.clone());
        let own = Arc::new(own.map_err(cannot("own certificate"))?);
        let internal = ReloadingTrust::load(&tls.ca, &tls.crl, clock.clone());
        let partners = ReloadingTrust::load(&tls.partner_ca, &tls.partner_crl, clock.clone());
        let follows: Arc<dyn Reload> = own.clone();
        let signer = ReloadingSigner::load(tls.certificate.clone(), tls.key.clone(), follows);
        Ok(Self {
            own,
            internal: Arc::new(internal.map_err(cannot("internal CA"))?),
            partners: Arc::new(partners.map_err(cannot("partner CA"))?),
            signer: Arc::new(signer.map_err(cannot("signing key"))?),
        })
    }

    fn inventory(&self) -> Inventory {
        Inventory::new(
            Arc::clone(&self.own),
            Arc::clone(&self.internal),
            Arc::clone(&self.partners),
        )
    }

    fn reloading(&self) -> Vec<Arc<dyn Reload>> {
        // The signer looks at the certificate's files for both.
        vec![self.signer.clone(), self.internal.clone(), self.partners.clone()]
    }
}

/// Opens the store of a configuration.
///
/// # Errors
/// [`StartError`].
pub fn open_store(config: &Config) -> Result<Store, StartError> {
    let options = config.store_options().map_err(cannot("store"))?;
    Store::open(&options).map_err(cannot("store"))
}

/// Opens the store of a configuration elsewhere or otherwise than it says.
///
/// # Errors
/// [`StartError`].
pub fn open_store_at(options: &StoreOptions) -> Result<Store, StartError> {
    Store::open(options).map_err(cannot("store"))
}

/// What flows need besides keys.
///
/// # Errors
/// [`StartError`].
pub fn surroundings(config: &Config, store: Store, clock: &Clock) -> Result<Surroundings, StartError> {
    let certificates = Certificates::load(&config.tls, clock)?;
    assemble(config, store, clock, &certificates)
}

fn assemble(
    config: &Config,
    store: Store,
    clock: &Clock,
    certificates: &Certificates,
) -> Result<Surroundings, StartError> {
    Ok(Surroundings {
        store,
        clock: clock.clone(),
        random: Random::default(),
        signer: certificates.signer.handle(),
        partner_trust: Arc::clone(&certificates.partners),
        observed: Arc::new(Observed::new(certificates.inventory())),
        retention: config.retention_rules(),
        bulk: config.bulk_rules(),
        environment: config.environment,
        epoch: epoch_files(config)?,
        hsm: config.hsm(),
        max_key_age_days: config.keys.max_age_days,
        // Checked when the configuration was read.
        rsa_key_size: config.rsa_key_size().unwrap_or(RsaKeySize::Bits4096),
        origin: config.audit_origin().into(),
        ending: Ending::default(),
        witnesses: Arc::new(Witnesses::new(&config.audit, clock).map_err(cannot("witness"))?),
    })
}

/// The files of the epoch secret, checked against the store's place.
///
/// # Errors
/// [`StartError`].
pub fn epoch_files(config: &Config) -> Result<EpochFiles, StartError> {
    EpochFiles::new(config.epoch_files(), &config.store_directory()).map_err(cannot("epoch secret"))
}

/// Serves until a signal, or until the store fails.
///
/// # Errors
/// [`StartError`]. A store that fails while serving ends the process.
pub async fn serve(config: &Config, clock: Clock) -> Result<(), StartError> {
    let store = open_store(config)?;
    if restored::is_unfinished(&store).map_err(cannot("store"))? {
        return Err(cannot("store")(RestoreError::Unfinished));
    }
    let certificates = Certificates::load(&config.tls, &clock)?;
    let surroundings = assemble(config, store.clone(), &clock, &certificates)?;
    let witnesses = Arc::clone(&surroundings.witnesses);
    let ending = surroundings.ending.clone();
    let process = Process::locked(surroundings);
    let process = web::Data::new(process.map_err(cannot("root key slots"))?);
    process.open_by_itself().await.map_err(cannot("unlock"))?;

    let own = Arc::clone(&certificates.own);
    let tls = server::mutual(own, Arc::clone(&certificates.internal), &clock).map_err(cannot("TLS"))?;
    let (data, trust) = (process.clone(), Arc::clone(&certificates.internal));
    let app = move || {
        let guard = PeerGuard::new(Arc::clone(&trust), http::refuse_peer);
        App::new()
            .app_data(data.clone())
            .configure(http::configure)
            .wrap(guard)
            .wrap(from_fn(http::measure))
    };
    let limits = ListenerLimits {
        rest_time: REST_TIME,
        ..ListenerLimits::mutual(config.workers())
    };
    let server = limits.apply(HttpServer::new(app).on_connect(remember_peer));
    let server = server
        .bind_rustls_0_23(config.listen, tls)
        .map_err(cannot("listener"))?;
    for address in server.addrs() {
        tracing::info!(%address, state = ?process.status().state, "listening");
    }

    let mut reloading = certificates.reloading();
    reloading.extend(witnesses.reloading());
    let running = server.run();
    let ended = tokio::select! {
        ended = running => ended.map_err(cannot("listener")),
        error = store.failed() => abandon(&error),
        () = watch(RELOAD_EVERY, reloading) => Ok(()),
        () = jobs::run(process.clone()) => Ok(()),
        error = ending.on_signal() => Err(cannot("signals")(error)),
        () = follow::look_for_others(store.clone()) => Ok(()),
        () = witnesses.run(&process) => Ok(()),
    };
    if let Ok(vault) = process.open_vault() {
        witnesses.tell_all(&vault).await;
    }
    store.close().await;
    ended
}
