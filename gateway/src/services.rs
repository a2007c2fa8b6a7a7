//! What flows work with: database, vault, clock, randomness, configuration. Made once, shared by all workers.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use shared::clock::Clock;
use shared::ids::{IdempotencyKey, ProgramName};
use shared::mtls::identity::Name;
use shared::mtls::trust::ReloadingTrust;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::clients::kyc_provider::Providers;
use crate::clients::mailer::Mailer;
use crate::clients::vault::VaultClient;
use crate::clients::webhook::WebhookClient;
use crate::config::{Config, Kyc, Program};
use crate::document_keys::DocumentKeys;
use crate::domain::installation::InstallationId;
use crate::domain::user::{User, UserId};
use crate::error::Error;
use crate::flows::document_room::DocumentRooms;
use crate::flows::partners::rules::SettingsCache;
use crate::flows::pin_hash::PinHasher;
use crate::flows::vault_keys::VaultKeysCache;
use crate::flows::vault_state::VaultStateCache;
use crate::operator_key::OperatorKey;
use crate::rates::{Rate, document_uploads, installation_logins};
use crate::store::Db;
use crate::store::idempotency::Claims;

/// What operators' logins need beside the rest, and what events leave by.
pub struct ForOperators {
    /// Seals what is kept for operators.
    pub key: OperatorKey,
    /// The mail server.
    pub mailer: Mailer,
    /// Endpoints of partners.
    pub webhooks: WebhookClient,
}

/// What KYC applications need beside the rest.
pub struct ForKyc {
    /// Seals and opens documents.
    pub keys: DocumentKeys,
    /// Who decides outside of this house.
    pub providers: Providers,
}

/// What documents of KYC applications need beside the rest.
pub struct ForDocuments {
    /// Seals and opens them.
    pub keys: DocumentKeys,
    /// How many documents may be in memory at the same time.
    pub rooms: DocumentRooms,
    /// How often a user's documents may be sent.
    pub uploads: Rate<UserId>,
}

impl ForDocuments {
    /// The parts, as configured.
    #[must_use]
    pub fn new(keys: DocumentKeys, config: &Kyc) -> Self {
        Self {
            keys,
            rooms: DocumentRooms::of(config.documents_at_once),
            uploads: document_uploads(config.documents_per_hour_per_user),
        }
    }
}

/// Everything a flow may need.
pub struct Services {
    /// Rows.
    pub db: Db,
    /// The vault.
    pub vault: Arc<VaultClient>,
    /// Which requests are under way.
    pub claims: Claims,
    /// The time.
    pub clock: Clock,
    /// The system's random numbers.
    pub random: SystemRandom,
    /// What the operator decided.
    pub config: Config,
    /// Seals what is kept for operators.
    pub operator_key: OperatorKey,
    /// The mail server.
    pub mailer: Mailer,
    /// Documents of KYC applications.
    pub documents: ForDocuments,
    /// Who decides about KYC applications outside of this house.
    pub kyc_providers: Providers,
    /// Endpoints of partners.
    pub webhooks: WebhookClient,
    /// Told when this process has something new to deliver to them.
    pub deliveries_due: Notify,
    /// Hashes app PINs and passwords, few at a time.
    pub pins: PinHasher,
    /// How often an installation may log in.
    pub installation_logins: Rate<InstallationId>,
    /// The vault's public keys.
    pub vault_keys: VaultKeysCache,
    /// What operators decided about partners.
    pub partner_settings: SettingsCache,
    /// Whose client certificates count on the partner listener.
    pub partner_trust: Arc<ReloadingTrust>,
    /// Wakes the job that carries out work on cards: there is some that nobody else begins with.
    pub card_work: Notify,
    /// Whether the vault is locked.
    pub vault_state: VaultStateCache,
    /// Tells the job that a mass import was received.
    pub imports: Notify,
}

impl Services {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the system gives no random numbers, or PINs cannot be hashed.
    pub fn new(
        config: Config,
        db: Db,
        vault: Arc<VaultClient>,
        partner_trust: Arc<ReloadingTrust>,
        clock: Clock,
        operators: ForOperators,
        kyc: ForKyc,
    ) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let process = URL_SAFE_NO_PAD.encode(random_bytes::<16>(&random)?);
        Ok(Self {
            db,
            vault,
            claims: Claims::of_process(process),
            clock,
            operator_key: operators.key,
            mailer: operators.mailer,
            documents: ForDocuments::new(kyc.keys, &config.kyc),
            kyc_providers: kyc.providers,
            webhooks: operators.webhooks,
            deliveries_due: Notify::new(),
            pins: PinHasher::new(&random)?,
            random,
            installation_logins: installation_logins(&config.limits),
            config,
            vault_keys: VaultKeysCache::default(),
            partner_settings: SettingsCache::default(),
            partner_trust,
            card_work: Notify::new(),
            vault_state: VaultStateCache::default(),
            imports: Notify::new(),
        })
    }

    /// The current instant, in whole milliseconds: as rows hold it, so that what is told at once is what is read later.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now().truncate_to_millisecond()
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        random_bytes(&self.random)
    }

    /// A fresh idempotency key for a call to the vault: 256 random bits.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn vault_key(&self) -> Result<IdempotencyKey, Error> {
        URL_SAFE_NO_PAD
            .encode(self.random::<32>()?)
            .parse()
            .map_err(|_| Error::internal("a random key is no idempotency key"))
    }

    /// A partner's program of this name, if it is configured.
    #[must_use]
    pub fn program_named(&self, partner: &Name, name: &ProgramName) -> Option<&Program> {
        self.config
            .programs
            .iter()
            .find(|program| program.name == *name && program.partner == *partner)
    }

    /// The program under which a user's balances and cards are created.
    ///
    /// # Errors
    /// When the operator has removed the program from the configuration.
    pub fn program_of(&self, user: &User) -> Result<&Program, Error> {
        self.program_named(&user.partner, &user.program)
            .ok_or_else(|| Error::internal("a user's program is not configured"))
    }
}

fn random_bytes<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    random
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system gives no random numbers"))?;
    Ok(bytes)
}
