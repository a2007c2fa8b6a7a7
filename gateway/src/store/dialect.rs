//! All that SQLite and PostgreSQL differ in: how to connect, how to begin, how to take the next number.
//!
//! Parameters are `$1`, `$2`, … on both; `RETURNING` and `ON CONFLICT` are the same.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Row as _};

use super::StoreError;

/// How long to wait for a connection, and SQLite for a lock of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Settings of every SQLite connection: the log is written ahead and synced at each commit (a commit that was
/// acknowledged survives a power cut), and a lock is waited for. What is deleted is overwritten with zeros: personal data that
/// was erased shall not be found in the file.
const SQLITE_SETTINGS: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";
const SQLITE_WRITER: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;";
const SQLITE_READER: &str = "PRAGMA query_only = ON;";

/// PostgreSQL's SQLSTATEs of what passes: serialization failure, deadlock, shutdown, start, too many connections, a full disk.
const PASSING_STATES: [&str; 6] = ["40001", "40P01", "57P01", "57P03", "53300", "53100"];
/// SQLite's codes of what passes, in their low byte: BUSY, LOCKED, FULL.
const PASSING_SQLITE: [i32; 3] = [5, 6, 13];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// What is numbered in sequence, each from 1001.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Users.
    Users,
    /// Balances.
    Balances,
    /// Cards.
    Cards,
    /// Installations.
    Installations,
    /// KYC applications and decisions.
    Kyc,
    /// Activation codes.
    ActivationCodes,
    /// Idempotency entries.
    Idempotency,
    /// Work on cards that has begun.
    CardRequests,
    /// Cards that are made after their request was answered.
    CardCreations,
    /// Orders of plastic.
    Orders,
    /// Operators.
    Operators,
    /// Entries of the trail of what operators did.
    Audit,
    /// Mails to be sent.
    Mails,
    /// Events that partners are told of.
    Events,
    /// Documents of KYC applications.
    KycDocuments,
    /// Exports of what is held about a user.
    UserExports,
    /// Webhook endpoints.
    Webhooks,
    /// Partners.
    Partners,
    /// Their certificates.
    PartnerCertificates,
    /// The ledger's accounts.
    Accounts,
    /// The ledger's transfers.
    Transfers,
    /// Partner balances.
    PartnerBalances,
    /// Reloads of partner balances.
    PartnerReloads,
    /// Mass imports.
    Imports,
}

impl Sequence {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Balances => "balances",
            Self::Cards => "cards",
            Self::Installations => "installations",
            Self::Kyc => "kyc",
            Self::ActivationCodes => "activation_codes",
            Self::Idempotency => "idempotency",
            Self::CardRequests => "card_requests",
            Self::CardCreations => "card_creations",
            Self::Orders => "orders",
            Self::Operators => "operators",
            Self::Audit => "audit",
            Self::Mails => "mails",
            Self::Events => "events",
            Self::KycDocuments => "kyc_documents",
            Self::UserExports => "user_exports",
            Self::Webhooks => "webhooks",
            Self::Partners => "partners",
            Self::PartnerCertificates => "partner_certificates",
            Self::Accounts => "accounts",
            Self::Transfers => "transfers",
            Self::PartnerBalances => "partner_balances",
            Self::PartnerReloads => "partner_reloads",
            Self::Imports => "imports",
        }
    }
}

impl Engine {
    pub(super) fn of(url: &str) -> Option<Self> {
        // Options in a SQLite URL could undo the settings above.
        if url.starts_with("sqlite:///") && !url.contains('?') {
            Some(Self::Sqlite)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Some(Self::Postgres)
        } else {
            None
        }
    }

    pub(super) async fn writers(self, url: &str, connections: u32) -> Result<AnyPool, sqlx::Error> {
        match self {
            Self::Sqlite => sqlite(1, SQLITE_WRITER).connect(&format!("{url}?mode=rwc")).await,
            Self::Postgres => {
                AnyPoolOptions::new()
                    .max_connections(connections)
                    .acquire_timeout(PATIENCE)
                    .connect(url)
                    .await
            }
        }
    }

    /// SQLite's connections for reading. They may open the file for writing, since WAL needs its index, but never write.
    pub(super) async fn readers(self, url: &str, connections: u32) -> Result<AnyPool, sqlx::Error> {
        sqlite(connections, SQLITE_READER)
            .connect(&format!("{url}?mode=rw"))
            .await
    }

    /// SQLite takes the write lock at once: a transaction that reads first and then finds that another has written is
    /// refused without waiting (`SQLITE_BUSY_SNAPSHOT`).
    pub(super) const fn begin_statement(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Empties the log of what was written ahead, in which former content stands until it is written over.
    pub(super) const fn drop_traces_statement(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA wal_checkpoint(TRUNCATE)"),
            Self::Postgres => None,
        }
    }

    /// SQLite has one writer at a time: nothing is locked by somebody else within a transaction.
    pub(super) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Whether the cause of an error with this code goes away by itself or by an operator's hand, so that the same
    /// statement may go well later.
    fn passes(self, code: &str) -> bool {
        match self {
            Self::Sqlite => code
                .parse::<i32>()
                .is_ok_and(|code| PASSING_SQLITE.contains(&(code & 0xFF))),
            Self::Postgres => PASSING_STATES.contains(&code),
        }
    }

    pub(super) async fn next_number(
        self,
        connection: &mut AnyConnection,
        sequence: Sequence,
    ) -> Result<i64, StoreError> {
        let row = match self {
            Self::Sqlite => {
                sqlx::query("UPDATE sequences SET next = next + 1 WHERE name = $1 RETURNING next - 1")
                    .bind(sequence.as_str())
                    .fetch_one(connection)
                    .await?
            }
            Self::Postgres => {
                // The names are those of `Sequence::as_str`.
                sqlx::query(AssertSqlSafe(format!(
                    "SELECT nextval('{}_number')",
                    sequence.as_str()
                )))
                .fetch_one(connection)
                .await?
            }
        };
        Ok(row.try_get(0)?)
    }
}

fn sqlite(connections: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // The file does not go away between two uses of a connection.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SQLITE_SETTINGS).execute(&mut *connection).await?;
                sqlx::raw_sql(settings).execute(&mut *connection).await?;
                Ok(())
            })
        })
}

/// Whether a later try may go well.
pub(super) fn is_passing(error: &dyn DatabaseError) -> bool {
    let engine = if error.try_downcast_ref::<SqliteError>().is_some() {
        Engine::Sqlite
    } else {
        Engine::Postgres
    };
    error.code().is_some_and(|code| engine.passes(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_read_in_the_words_of_each_engine() {
        for (engine, code, passes) in [
            (Engine::Sqlite, "5", true),
            (Engine::Sqlite, "517", true),
            (Engine::Sqlite, "13", true),
            (Engine::Sqlite, "11", false),
            (Engine::Postgres, "40001", true),
            (Engine::Postgres, "53100", true),
            // 22021 is 0x5605: as a number of SQLite's it would be BUSY.
            (Engine::Postgres, "22021", false),
            (Engine::Postgres, "22P05", false),
        ] {
            assert_eq!(engine.passes(code), passes, "{engine:?} {code}");
        }
    }
}
