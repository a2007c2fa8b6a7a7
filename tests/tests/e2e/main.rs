//! End to end: the real binaries over real TLS, on SQLite and on PostgreSQL, driven by the actors of `deploy`.
//!
//! A module per theme. Most tests share one pair per engine; a test that kills, locks or reconfigures starts its own.
//! PostgreSQL is used where `TESSERA_TEST_POSTGRES_URL` names a server; `tests/run` starts one.

mod admin;
mod admin_desk;
mod audit;
mod between;
mod blind;
mod budgets;
mod bulk;
mod card_life;
mod cards;
mod ceremony;
mod content;
mod crashes;
mod dry_runs;
mod enrolment;
mod entry;
mod erasure;
mod gateways;
mod idempotency;
mod imports;
mod in_flight;
mod jwe_abuse;
mod kyc;
mod kyc_providers;
mod limits;
mod locks;
mod metrics;
mod money;
mod money_kills;
mod officer;
mod operators;
mod outage;
mod pair;
mod partner_balances;
mod partners;
mod plastic;
mod processes;
mod proofs;
mod raw;
mod remote_urls;
mod renewal;
mod reveals;
mod rotation;
mod slots;
mod tokenise;
mod user_life;
mod users;
mod webhook_kills;
mod webhooks;
