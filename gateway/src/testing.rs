//! What unit tests of flows and doors stand on: real rows, a clock that tests turn, and a vault that is away (what it
//! answers when it is there is shown end to end, by the real one).

use std::path::Path;
use std::sync::Arc;

use certs::{Authority, Ca};
use ring::rand::SystemRandom;
use rustls::{ClientConfig, RootCertStore};
use shared::clock::{Clock, ManualClock};
use shared::mtls::trust::ReloadingTrust;

use crate::clients::kyc_provider::Providers;
use crate::clients::mailer::Mailer;
use crate::clients::vault::VaultClient;
use crate::clients::webhook::{WebhookClient, WebhookTls};
use crate::config::Config;
use crate::document_keys::DocumentKeys;
use crate::operator_key::OperatorKey;
use crate::services::{ForKyc, ForOperators, Services};
use crate::store::tests::{NOON, TestDb, databases};

/// Services over one database.
pub(crate) struct Stage {
    pub(crate) services: Arc<Services>,
    pub(crate) clock: ManualClock,
    /// A key of documents that was in use before.
    pub(crate) earlier_documents: DocumentKeys,
    /// The engine, for the message of a failed assertion.
    pub(crate) engine: &'static str,
    _database: Box<dyn std::any::Any>,
}

/// One stage for each engine there is.
pub(crate) async fn stages() -> Vec<Stage> {
    databases().await.into_iter().map(stage).collect()
}

fn webhooks(config: &Config) -> WebhookClient {
    let tls = WebhookTls::load(&config.webhooks, &Clock::System).unwrap();
    WebhookClient::new(tls.config, config.environment).unwrap()
}

fn stage(test: TestDb) -> Stage {
    let clock = ManualClock::starting_at(NOON);
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    // Port 1 of the loopback address: nobody listens there.
    let vault = Arc::new(VaultClient::new("https://127.0.0.1:1", tls).unwrap());
    let engine = test.engine;
    let (db, directory) = test.into_parts();
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("operators.key");
    OperatorKey::create(&file, &SystemRandom::new()).unwrap();
    let documents = keys.path().join("documents.key");
    DocumentKeys::create(&documents, &SystemRandom::new()).unwrap();
    let earlier = keys.path().join("earlier.key");
    DocumentKeys::create(&earlier, &SystemRandom::new()).unwrap();
    let config = Config::sample();
    let kyc = ForKyc {
        keys: DocumentKeys::load(&documents, std::slice::from_ref(&earlier)).unwrap(),
        providers: Providers::new(&config.kyc, config.environment).unwrap(),
    };
    let operators = ForOperators {
        key: OperatorKey::load(&file).unwrap(),
        mailer: Mailer::new(&config.mail).unwrap(),
        webhooks: webhooks(&config),
    };
    let clock_of_services = Clock::Manual(clock.clone());
    let services = Services::new(
        config,
        db,
        vault,
        partner_trust(keys.path()),
        clock_of_services,
        operators,
        kyc,
    )
    .unwrap();
    Stage {
        services: Arc::new(services),
        clock,
        earlier_documents: DocumentKeys::load(&earlier, &[]).unwrap(),
        engine,
        _database: Box::new(directory),
    }
}

/// A partner authority of this test's own, as the partner listener would trust it.
fn partner_trust(dir: &Path) -> Arc<ReloadingTrust> {
    Authority::create(dir, Ca::Partner, &Clock::System).unwrap();
    let (root, list) = (Ca::Partner.certificate_path(dir), Ca::Partner.crl_path(dir));
    Arc::new(ReloadingTrust::load(root, list, Clock::System).unwrap())
}
