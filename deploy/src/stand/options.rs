//! What a stand can be asked for.

use std::path::{Path, PathBuf};

use anyhow::Result;
use certs::Name;
use shared::money::Currency;
use shared::vault_api::governance::{Budgets, EnrolmentPolicy, HolderProofPolicy, Program};

use super::ports::Ports;
use super::process::Lifetime;

/// The partner, processor and bureau of every development set.
pub(crate) const PARTNER: &str = "partner";
pub(crate) const PROCESSOR: &str = "processor";
pub(crate) const BUREAU: &str = "bureau";

/// Where the gateway keeps its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file in the stand's directory.
    Sqlite,
    /// An empty database at this URL.
    Postgres(String),
}

/// What the gateway's limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// What the gateway allows when nothing is configured.
    Default,
    /// Enough for a hundred users from one address, each with 200 reveals an hour.
    Demo,
    /// More than any test run reaches: for suites and benchmarks that do not test limits.
    Wide,
}

/// How to make a stand.
#[derive(Debug, Clone)]
pub struct StandOptions {
    /// An empty directory, or one to be created.
    pub dir: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// The gateway's database.
    pub database: Database,
    /// The vault's database: an empty one at this PostgreSQL URL, or none and its embedded engine.
    pub vault_database: Option<String>,
    /// Bits of the vault's RSA key for payloads.
    pub jwe_rsa_bits: u32,
    /// The program, set up in the vault and named to the gateway.
    pub program: Program,
    /// Minutes a session lives.
    pub session_minutes: u32,
    /// The gateway's limits.
    pub limits: Limits,
    /// Whether the processes outlive the one that started them.
    pub lifetime: Lifetime,
    /// Partners beside `partner`: certified and registered, without a program.
    pub further_partners: Vec<Name>,
    /// More TOML for `vault.toml`: whole sections.
    pub vault_extra: String,
    /// More arguments for `vault init`.
    pub vault_init: Vec<String>,
    /// More environment for the vault.
    pub vault_environment: Vec<(String, String)>,
    /// More TOML for `gateway.toml`: whole sections.
    pub gateway_extra: String,
    /// Lines of the section `[webhooks]` of `gateway.toml`.
    pub webhooks: String,
    /// Where the gateway hands its mails: a port of loopback. On port 1 nobody listens, and mails wait.
    pub mail_port: u16,
    /// The gateway speaks to the vault at this URL instead of the vault's own: a proxy of a test.
    pub vault_url_for_gateway: Option<String>,
}

impl StandOptions {
    /// For tests and benchmarks: free ports, SQLite, a small key that is quick to make, wide limits, processes that die with
    /// the test.
    ///
    /// # Errors
    /// Never in practice: the constants of the program are well-formed.
    pub fn for_tests(dir: &Path) -> Result<Self> {
        let mut program = demo_program()?;
        program.budgets = Budgets {
            emissions_per_card: WIDE,
            emissions_per_holder: WIDE,
            emissions_per_partner: WIDE,
            emissions_per_gateway: WIDE,
            issues_per_holder: WIDE,
            pin_sets_per_card: WIDE,
            enrolments_per_holder: WIDE,
            erasures_per_gateway: WIDE,
            emissions_per_bureau: WIDE,
            tokenise_per_holder: WIDE,
            tokenise_per_partner: WIDE,
            tokenise_per_gateway: WIDE,
        };
        Ok(Self {
            dir: dir.to_owned(),
            ports: Ports::FREE,
            database: Database::Sqlite,
            vault_database: None,
            jwe_rsa_bits: 2048,
            program,
            session_minutes: 10,
            limits: Limits::Wide,
            lifetime: Lifetime::WithParent,
            further_partners: Vec::new(),
            vault_extra: String::new(),
            vault_init: Vec::new(),
            vault_environment: Vec::new(),
            gateway_extra: String::new(),
            webhooks: String::new(),
            mail_port: 1,
            vault_url_for_gateway: None,
        })
    }

    /// For the demo: fixed ports, a 4096-bit key, limits as a small installation would have them.
    ///
    /// # Errors
    /// Never in practice: the constants of the program are well-formed.
    pub fn for_demo(dir: &Path, ports: Ports, lifetime: Lifetime) -> Result<Self> {
        Ok(Self {
            ports,
            jwe_rsa_bits: 4096,
            program: demo_program()?,
            limits: Limits::Demo,
            lifetime,
            ..Self::for_tests(dir)?
        })
    }
}

/// A budget that no test reaches.
const WIDE: u32 = 1_000_000;

/// The program of the demo: euro, digital first, a test BIN range, holder proofs required.
///
/// # Errors
/// Never in practice: its constants are well-formed.
pub fn demo_program() -> Result<Program> {
    Ok(Program {
        name: "demo-eur".parse()?,
        partner: PARTNER.to_owned(),
        processor: PROCESSOR.to_owned(),
        bureau: Some(BUREAU.to_owned()),
        // Made with the stand.
        bureau_key: None,
        currency: Currency::EUR,
        bin: "999900".to_owned(),
        validity_months: 36,
        digital_first: true,
        renews_plastic: true,
        pin_min_digits: 4,
        pin_max_digits: 12,
        holder_proof: HolderProofPolicy::Required,
        enrolment: EnrolmentPolicy::MaturesAfter { hours: 24 },
        budgets: demo_budgets(),
    })
}

/// Per hour: a holder may issue 200 cards with their data, reveal 200 times and reset 200 CVVs; a hundred holders may.
fn demo_budgets() -> Budgets {
    const CARDS: u32 = 200;
    const USERS: u32 = 100;
    Budgets {
        emissions_per_card: 2 * CARDS,
        emissions_per_holder: 3 * CARDS,
        emissions_per_partner: 3 * CARDS * USERS,
        emissions_per_gateway: 3 * CARDS * USERS,
        issues_per_holder: CARDS,
        pin_sets_per_card: 60,
        enrolments_per_holder: 20,
        erasures_per_gateway: CARDS * USERS,
        emissions_per_bureau: CARDS * USERS,
        tokenise_per_holder: CARDS,
        tokenise_per_partner: CARDS * USERS,
        tokenise_per_gateway: CARDS * USERS,
    }
}
