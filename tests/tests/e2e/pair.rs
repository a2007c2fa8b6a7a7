//! The pairs that the tests use: one for each database engine, started at first need and ended with the process; and pairs of
//! a test's own.

use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use deploy::actors::{Card, MailServer, Operator, PartnerServer, Phone, Processor};
use deploy::stand::{Database, Stand, StandOptions};
use sqlx::Connection as _;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// Names a PostgreSQL server on which databases may be created.
const POSTGRES_VARIABLE: &str = "TESSERA_TEST_POSTGRES_URL";

/// A running pair and those whom most tests need.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) stand: Stand,
    pub(crate) partner: PartnerServer,
    /// Certified and registered, with users of its own.
    pub(crate) other_partner: PartnerServer,
    pub(crate) processor: Processor,
    /// Takes the gateway's mails.
    pub(crate) mail: MailServer,
}

/// Operators with sessions: one of each role for the partner, one of another partner's, one of the platform's.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) admin: Operator,
    pub(crate) manager: Operator,
    pub(crate) employee: Operator,
    pub(crate) other: Operator,
    pub(crate) platform: Operator,
}

/// A user with a phone and a card.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) user: u64,
    pub(crate) prefix: String,
    pub(crate) phone: Phone,
    pub(crate) card: Card,
}

/// One runtime for all tests, because connections belong to the runtime that opened them.
#[expect(clippy::expect_used, reason = "without a runtime no test can say anything")]
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Runtime::new().expect("the system gives no runtime"))
        .block_on(test)
}

/// Runs a test on the shared pair with SQLite and, where there is a server, on the one with PostgreSQL.
pub(crate) fn on_each_engine(test: impl AsyncFn(&Pair) -> Result<()>) {
    run(async {
        static SQLITE: OnceCell<Pair> = OnceCell::const_new();
        static POSTGRES: OnceCell<Pair> = OnceCell::const_new();
        let outcome = async {
            test(
                SQLITE
                    .get_or_try_init(|| Pair::start("sqlite", Database::Sqlite))
                    .await?,
            )
            .await
        };
        finished("SQLite", outcome.await);
        if std::env::var_os(POSTGRES_VARIABLE).is_some() {
            let start = async || Pair::start("postgres", fresh_postgres("shared").await?).await;
            let outcome = async { test(POSTGRES.get_or_try_init(start).await?).await };
            finished("PostgreSQL", outcome.await);
        }
    });
}

/// Fails with every cause of the error.
pub(crate) fn finished(engine: &str, outcome: Result<()>) {
    let failure = outcome.err().map(|error| format!("{error:#}"));
    assert!(failure.is_none(), "on {engine}: {}", failure.unwrap_or_default());
}

/// Says a figure that belongs into the run's summary, past the test harness, which would keep it to itself.
pub(crate) fn report(figure: &str) {
    // Nobody reading is no failure of the test.
    let _ = writeln!(std::io::stdout(), "measured: {figure}");
}

/// Every engine that is there, for a test that starts its own pair.
pub(crate) async fn engines(purpose: &str) -> Result<Vec<Database>> {
    let mut engines = vec![Database::Sqlite];
    if std::env::var_os(POSTGRES_VARIABLE).is_some() {
        engines.push(fresh_postgres(purpose).await?);
    }
    Ok(engines)
}

/// An empty database for a vault, where there is a server.
pub(crate) async fn vault_database(purpose: &str) -> Result<Option<String>> {
    if std::env::var_os(POSTGRES_VARIABLE).is_none() {
        return Ok(None);
    }
    match fresh_postgres(&format!("vault_{purpose}")).await? {
        Database::Postgres(url) => Ok(Some(url)),
        Database::Sqlite => Ok(None),
    }
}

/// An empty database on the test server.
async fn fresh_postgres(purpose: &str) -> Result<Database> {
    let server =
        std::env::var(POSTGRES_VARIABLE).with_context(|| format!("{POSTGRES_VARIABLE} is not text"))?;
    let name = format!("tessera_{purpose}_{}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(&server)
        .await
        .context("the PostgreSQL server does not answer")?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await?;
    let (before, options) = server
        .split_once('?')
        .map_or((server.as_str(), None), |(url, rest)| (url, Some(rest)));
    let (base, _) = before.rsplit_once('/').context("the URL names no database")?;
    let options = options.map(|rest| format!("?{rest}")).unwrap_or_default();
    Ok(Database::Postgres(format!("{base}/{name}{options}")))
}

/// A directory of this run; what earlier runs left is cleared away.
pub(crate) fn scratch(purpose: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static CLEARED: OnceLock<()> = OnceLock::new();
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    CLEARED.get_or_init(|| clear_left_overs(&base));
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = base.join(format!("e2e-{}-{number}-{purpose}", std::process::id()));
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn clear_left_overs(base: &std::path::Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("e2e-")
            .and_then(|rest| rest.split('-').next())
            .map(str::to_owned);
        if owner.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            // What stays behind is cleared next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Pair {
    async fn start(purpose: &str, database: Database) -> Result<Self> {
        let mut options = StandOptions::for_tests(&scratch(purpose)?)?;
        options.database = database;
        Box::pin(Self::with(options)).await
    }

    /// A pair of a test's own.
    pub(crate) async fn with(options: StandOptions) -> Result<Self> {
        Box::pin(Self::with_proxy(options, |_| Ok(()))).await
    }

    /// A pair of a test's own; `proxy` is called before the gateway starts.
    pub(crate) async fn with_proxy(
        mut options: StandOptions,
        proxy: impl FnOnce(&Stand) -> Result<()>,
    ) -> Result<Self> {
        options.further_partners = vec!["other-partner".parse()?];
        options.gateway_extra.push_str(OTHER_PROGRAM);
        let mail = MailServer::start().await?;
        options.mail_port = mail.port();
        let mut stand = Stand::prepare(options).await?;
        stand.start_vault().await?;
        stand.unlock().await?;
        stand.set_up().await?;
        proxy(&stand)?;
        stand.start_gateway().await?;
        let mut other_program = deploy::stand::demo_program()?;
        other_program.name = "other-eur".parse()?;
        other_program.partner = "other-partner".to_owned();
        other_program.bin = "999901".to_owned();
        let proposal = shared::vault_api::governance::Proposal::SetProgram(other_program);
        stand.carry_through(&proposal).await?;
        let other_partner = stand.partner_named(&"other-partner".parse()?)?;
        Ok(Self {
            partner: stand.partner()?,
            other_partner,
            processor: stand.processor()?,
            mail,
            stand,
        })
    }

    /// A user with KYC and a phone, without a card.
    pub(crate) async fn user(&self) -> Result<(u64, Phone)> {
        self.stand.user_with_phone(&self.partner).await
    }

    /// Operators with sessions, none of whom another test knows.
    pub(crate) async fn desk(&self) -> Result<Desk> {
        Ok(Desk {
            admin: self.operator("admin", Some("partner")).await?,
            manager: self.operator("manager", Some("partner")).await?,
            employee: self.operator("employee", Some("partner")).await?,
            other: self.operator("admin", Some("other-partner")).await?,
            platform: self.operator("admin", None).await?,
        })
    }

    /// An operator with a session.
    pub(crate) async fn operator(&self, role: &str, partner: Option<&str>) -> Result<Operator> {
        let mut operator = Box::pin(self.stand.operator(&login(role), role, partner)).await?;
        operator.log_in().await?;
        Ok(operator)
    }

    /// A user with KYC, a phone and a virtual card.
    pub(crate) async fn holder(&self) -> Result<Holder> {
        let (user, phone) = self.user().await?;
        let desk = phone.cards();
        let card = Card::of(&desk.create(desk.first_balance().await?, "Test").await?.content)?;
        Ok(Holder {
            user,
            prefix: PartnerServer::prefix(user),
            phone,
            card,
        })
    }
}

/// A login that nobody has.
pub(crate) fn login(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}@bank.example", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The other partner's program, as the gateway is told of it.
const OTHER_PROGRAM: &str = r#"
[[programs]]
name = "other-eur"
partner = "other-partner"
currency = "EUR"
digital_first = false
automatic_balance = false
partners_create_balances = true
"#;
