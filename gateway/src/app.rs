//! The whole program in operation: database, vault client, two listeners, jobs, and an orderly end.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use rustls::ServerConfig;
use shared::clock::Clock;
use shared::http::limits::ListenerLimits;
use shared::mtls::actix::{PeerGuard, remember_peer};
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::identity::Identity;
use shared::mtls::reload::{LoadError, Reload, watch};
use shared::mtls::trust::ReloadingTrust;
use shared::mtls::{client, server};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::clients::kyc_provider::{Providers, ProvidersError};
use crate::clients::mailer::{Mailer, MailerError};
use crate::clients::vault::{VaultClient, VaultClientError};
use crate::clients::webhook::{WebhookClient, WebhookTls, WebhookTlsError};
use crate::config::{Config, Limits};
use crate::document_keys::DocumentKeys;
use crate::error::Error;
use crate::flows::partners;
use crate::flows::webhooks::keep_remote_urls::keep_remote_urls;
use crate::http::{self, ON_PARTNER, ON_PUBLIC};
use crate::jobs;
use crate::key_file::KeyFileError;
use crate::operator_key::OperatorKey;
use crate::rates::Rates;
use crate::services::{ForKyc, ForOperators, Services};
use crate::store::idempotency::free_all;
use crate::store::webhooks::deliveries;
use crate::store::{Db, OpenError, StoreError};

/// How often certificate and revocation files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// Why the gateway does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A certificate, key or list cannot be used.
    #[error(transparent)]
    Files(#[from] LoadError),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client of the vault cannot be made.
    #[error(transparent)]
    Vault(#[from] VaultClientError),
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A port cannot be bound, or a listener failed.
    #[error("listening: {0}")]
    Io(#[from] std::io::Error),
    /// The operators' key, or the documents' keys, cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The clients of KYC providers cannot be made.
    #[error(transparent)]
    KycProviders(#[from] ProvidersError),
    /// The mailer cannot be made.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// TLS towards webhook endpoints cannot be set up.
    #[error(transparent)]
    WebhookTls(#[from] WebhookTlsError),
    /// The client of webhook endpoints cannot be made.
    #[error("the client of webhook endpoints cannot be made: {0}")]
    Webhooks(#[from] reqwest::Error),
    /// No random numbers, or the like.
    #[error("{0}")]
    Machine(#[from] Error),
    /// What runs beside the listeners has ended by itself.
    #[error("the jobs, or the watch over certificates, ended by themselves")]
    Background,
}

/// TLS of both listeners and of the client, and what has to be looked at again and again.
struct Tls {
    public: ServerConfig,
    partner: ServerConfig,
    partner_trust: Arc<ReloadingTrust>,
    vault: rustls::ClientConfig,
    webhooks: rustls::ClientConfig,
    reloading: Vec<Arc<dyn Reload>>,
}

impl Tls {
    fn load(config: &Config, clock: &Clock) -> Result<Self, RunError> {
        let certificate =
            |chain: &Path, key: &Path| ReloadingCertificate::load(chain, key, clock.clone()).map(Arc::new);
        let public = certificate(&config.public.certificate, &config.public.key)?;
        let partner = certificate(&config.partner.certificate, &config.partner.key)?;
        let own = certificate(&config.vault.certificate, &config.vault.key)?;
        let partner_trust = Arc::new(ReloadingTrust::load(
            &config.partner.client_ca,
            &config.partner.client_crl,
            clock.clone(),
        )?);
        let vault_trust = Arc::new(ReloadingTrust::load(
            &config.vault.ca,
            &config.vault.crl,
            clock.clone(),
        )?);
        let webhooks = WebhookTls::load(&config.webhooks, clock)?;
        let mut reloading: Vec<Arc<dyn Reload>> = vec![
            Arc::clone(&public) as _,
            Arc::clone(&partner) as _,
            Arc::clone(&own) as _,
            Arc::clone(&partner_trust) as _,
            Arc::clone(&vault_trust) as _,
        ];
        reloading.extend(webhooks.certificate.map(|certificate| certificate as _));
        Ok(Self {
            public: server::public(Arc::clone(&public), clock)?,
            partner: server::mutual(Arc::clone(&partner), Arc::clone(&partner_trust), clock)?,
            vault: client::mutual(Arc::clone(&own), Arc::clone(&vault_trust), Identity::Vault, clock)?,
            webhooks: webhooks.config,
            partner_trust,
            reloading,
        })
    }
}

/// The parts put together, over a database of this version's schema.
async fn prepare(
    config: Config,
    clock: Clock,
    vault: rustls::ClientConfig,
    webhooks: rustls::ClientConfig,
    partner_trust: Arc<ReloadingTrust>,
) -> Result<Services, RunError> {
    let operators = ForOperators {
        key: OperatorKey::load(&config.operators.key_file)?,
        mailer: Mailer::new(&config.mail)?,
        webhooks: WebhookClient::new(webhooks, config.environment)?,
    };
    let kyc = ForKyc {
        keys: DocumentKeys::load(
            &config.kyc.documents_key_file,
            &config.kyc.documents_earlier_key_files,
        )?,
        providers: Providers::new(&config.kyc, config.environment)?,
    };
    let db = Db::open(&config.database.url, config.database.connections).await?;
    db.migrate().await?;
    let vault = Arc::new(VaultClient::new(&config.vault.url, vault)?);
    Ok(Services::new(
        config,
        db,
        vault,
        partner_trust,
        clock,
        operators,
        kyc,
    )?)
}

/// Does one thing with the services, beside a gateway that may be serving, and ends.
///
/// # Errors
/// [`RunError`] when the services cannot be had; otherwise what `work` says.
pub async fn once<T>(
    config: Config,
    clock: Clock,
    work: impl AsyncFnOnce(&Services) -> Result<T, Error>,
) -> Result<T, RunError> {
    let tls = Tls::load(&config, &clock)?;
    let services = prepare(
        config,
        clock,
        tls.vault,
        tls.webhooks,
        Arc::clone(&tls.partner_trust),
    )
    .await?;
    let done = work(&services).await;
    services.db.close().await;
    Ok(done?)
}

/// Runs until SIGTERM or SIGINT, then lets requests under way finish, within a limit.
///
/// # Errors
/// [`RunError`] when it cannot start, a listener fails, or what runs beside the listeners ends.
pub async fn serve(config: Config, clock: Clock) -> Result<(), RunError> {
    let tls = Tls::load(&config, &clock)?;
    let services = Arc::new(
        prepare(
            config,
            clock,
            tls.vault,
            tls.webhooks,
            Arc::clone(&tls.partner_trust),
        )
        .await?,
    );
    if services.db.is_single_process() {
        let mut tx = services.db.begin().await?;
        free_all(&mut tx).await?;
        deliveries::free_all(&mut tx).await?;
        tx.commit().await?;
    }
    partners::sync(&services).await?;
    keep_remote_urls(&services).await?;
    let rates = Arc::new(Rates::new(&services.config.limits));

    let public = TcpListener::bind(services.config.public.listen)?;
    let partner = TcpListener::bind(services.config.partner.listen)?;
    announce(&services, public.local_addr()?, partner.local_addr()?)?;
    let public = public_server(&services, &rates, public, tls.public)?;
    let partner = partner_server(&services, &rates, partner, tls.partner, tls.partner_trust)?;

    let mut background = JoinSet::new();
    background.spawn(watch(RELOAD_EVERY, tls.reloading));
    background.spawn(jobs::run(Arc::clone(&services), Arc::clone(&rates)));
    background.spawn(jobs::card_requests::run(Arc::clone(&services)));
    background.spawn(jobs::mails::run(Arc::clone(&services)));
    background.spawn(jobs::imports::run(Arc::clone(&services)));
    background.spawn(jobs::notices::run(Arc::clone(&services)));
    for (name, provider) in services.kyc_providers.all() {
        let (name, provider) = (name.clone(), Arc::clone(provider));
        background.spawn(jobs::kyc_submissions::run(Arc::clone(&services), name, provider));
    }
    background.spawn(jobs::events::run(Arc::clone(&services)));
    background.spawn(jobs::webhooks::run(Arc::clone(&services)));
    let handles = [public.handle(), partner.handle()];
    let ending = tokio::spawn(end_on_signal(handles.clone()));
    let serving = async { tokio::join!(public, partner) };
    let ((public, partner), beside) = serve_beside(serving, background, || stop(handles)).await;
    ending.abort();
    services.db.close().await;
    public?;
    partner?;
    beside?;
    tracing::info!("ended");
    Ok(())
}

/// Serves to the end. What runs beside it never ends by itself: should it, by a panic, `stop` is called, for a process
/// without its jobs would look well and leave work undone.
async fn serve_beside<T, S: Future<Output = ()>>(
    serving: impl Future<Output = T>,
    mut background: JoinSet<()>,
    stop: impl FnOnce() -> S,
) -> (T, Result<(), RunError>) {
    let mut serving = pin!(serving);
    tokio::select! {
        served = &mut serving => return (served, Ok(())),
        Some(ended) = background.join_next() => {
            tracing::error!(error = ended.err().map(|error| error.to_string()), "a background task ended");
        }
    }
    let (served, ()) = tokio::join!(serving, stop());
    (served, Err(RunError::Background))
}

async fn stop([public, partner]: [ServerHandle; 2]) {
    tokio::join!(public.stop(true), partner.stop(true));
}

/// Stops both listeners on the first signal; a second one is the kernel's to act upon no more, requests are bounded.
async fn end_on_signal(servers: [ServerHandle; 2]) -> Result<(), std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending: requests under way are finished");
    stop(servers).await;
    Ok(())
}

fn announce(services: &Services, public: SocketAddr, partner: SocketAddr) -> Result<(), std::io::Error> {
    tracing::info!(%public, %partner, "listening");
    if let Some(file) = &services.config.public.address_file {
        let unfinished = file.with_extension("new");
        std::fs::write(
            &unfinished,
            format!("{{\"public\":\"{public}\",\"partner\":\"{partner}\"}}\n"),
        )?;
        std::fs::rename(unfinished, file)?;
    }
    Ok(())
}

fn limits(limits: &Limits, of: fn(usize) -> ListenerLimits) -> ListenerLimits {
    let workers = match limits.workers {
        0 => available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    ListenerLimits {
        connections_per_worker: limits.connections_per_worker,
        shutdown_time: Duration::from_secs(limits.shutdown_seconds),
        ..of(workers)
    }
}

fn public_server(
    services: &Arc<Services>,
    rates: &Arc<Rates>,
    listener: TcpListener,
    tls: ServerConfig,
) -> Result<Server, std::io::Error> {
    let limits = limits(&services.config.limits, ListenerLimits::public);
    let (services, rates) = (Arc::clone(services), Arc::clone(rates));
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(http::around))
            .configure(|config| http::configure(config, ON_PUBLIC, &services, &rates))
    });
    Ok(limits
        .apply(server)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?
        .run())
}

fn partner_server(
    services: &Arc<Services>,
    rates: &Arc<Rates>,
    listener: TcpListener,
    tls: ServerConfig,
    trust: Arc<ReloadingTrust>,
) -> Result<Server, std::io::Error> {
    let limits = limits(&services.config.limits, ListenerLimits::mutual);
    let (services, rates) = (Arc::clone(services), Arc::clone(rates));
    let server = HttpServer::new(move || {
        App::new()
            .wrap(PeerGuard::new(Arc::clone(&trust), http::refuse_peer))
            .wrap(from_fn(http::around))
            .configure(|config| http::configure(config, ON_PARTNER, &services, &rates))
    })
    .on_connect(remember_peer);
    Ok(limits
        .apply(server)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?
        .run())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_ends_the_process() {
        let mut background = JoinSet::new();
        background.spawn(pending());
        background.spawn(async { panic!("a job's defect") });
        let stopped = Notify::new();
        let served = serve_beside(stopped.notified(), background, || async { stopped.notify_one() });
        assert!(matches!(served.await, ((), Err(RunError::Background))));
    }

    #[tokio::test]
    async fn a_server_that_was_told_to_end_ends_well() {
        let mut background = JoinSet::new();
        background.spawn(pending());
        let (served, beside) = serve_beside(async { 7 }, background, pending).await;
        assert_eq!(served, 7);
        assert!(beside.is_ok());
    }
}
