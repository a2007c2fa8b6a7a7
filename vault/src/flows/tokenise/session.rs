//! The session of a mass import: one nonce, bound to a partner and to the partner's name of the import, good for a day and
//! for so many rows. It grants nothing by itself: each row is signed by the partner's key, and spent once, in the
//! transaction that tokenises it.

use std::ops::Bound;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use shared::ids::Nonce;
use shared::jwe::BodyHash;
use shared::mtls::identity::Name;
use shared::vault_api::tokens::{ImportSession, MOST_SESSION_ROWS, OpenImportSession, TokenisedRow};
use time::OffsetDateTime;

use crate::audit::event::Event;
use crate::audit::note::hex;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// How long the rows of an import may come, seconds.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;
/// Sessions of one partner that may be open at once.
const MOST_OPEN: usize = 64;
/// Sessions looked at in one sweep; the next one sees the rest.
const MOST_SWEPT: usize = 1000;
/// Entries deleted in one transaction.
const BATCH: usize = 128;
/// Longest name of an import, and of a row within it.
const MOST_NAME_BYTES: usize = 64;
/// How often the rows of a session may be judged for dry runs, times their number: a file is tried, mended and tried again.
/// What a dry run looks up is not spent, so without an end one signature would answer a gateway day and night.
const MOST_DRY_RUNS: u32 = 4;
/// The shortest card number has 12 digits.
const MOST_NAME_DIGITS: usize = 11;

const SESSION: &str = "session/";
const SIGNED: &str = "signed/";

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The hash of the nonce: the nonce itself is told to the partner alone.
    nonce: String,
    pub(super) partner: String,
    pub(super) import: String,
    rows: u32,
    used: u32,
    /// Rows that were judged for dry runs. Sessions of before have none.
    #[serde(default)]
    judged: u32,
    pub(super) opened_at: i64,
    pub(super) until: i64,
}

impl Record for Session {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        session_key(&self.partner, &self.nonce)
    }
}

/// A row that was tokenised, and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignedRow {
    session: String,
    row: String,
    pub(super) payload: BodyHash,
    pub(super) answer: TokenisedRow,
}

impl Record for SignedRow {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        row_key(&self.session, &self.row)
    }
}

fn hash(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn session_key(partner: &str, nonce_hash: &str) -> Vec<u8> {
    [session_prefix(partner).as_slice(), nonce_hash.as_bytes()].concat()
}

fn session_prefix(partner: &str) -> Vec<u8> {
    format!("{SESSION}{partner}/").into_bytes()
}

fn row_key(nonce_hash: &str, row: &str) -> Vec<u8> {
    format!("{SIGNED}{nonce_hash}/{}", hash(row)).into_bytes()
}

/// Whether a text may name an import, or a row within one.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    (1..=MOST_NAME_BYTES).contains(&text.len())
        && text.bytes().all(allowed)
        && longest.is_none_or(|run| run <= MOST_NAME_DIGITS)
}

/// Whether `row` is the name of a row of `import`.
pub(super) fn is_row_of(row: &str, import: &str) -> bool {
    let rest = row.strip_prefix(import).and_then(|rest| rest.strip_prefix(':'));
    rest.is_some_and(is_name)
}

/// Opens a session.
///
/// # Errors
/// [`Error::Validation`], `TOO_MANY_IMPORTS`.
pub async fn open(
    vault: &Arc<OpenVault>,
    mut event: Event,
    request: OpenImportSession,
) -> Result<ImportSession, Error> {
    let OpenImportSession {
        partner,
        import,
        rows,
        ..
    } = request;
    check(vault, &partner, &import, rows)?;
    let nonce = vault.surroundings.random.nonce()?;
    let now = vault.now();
    let session = Session {
        nonce: hash(nonce.as_str()),
        partner: partner.to_string(),
        import,
        rows,
        used: 0,
        judged: 0,
        opened_at: now,
        until: now.saturating_add(LIFETIME_SECONDS),
    };
    let expires_at = OffsetDateTime::from_unix_timestamp(session.until);
    let expires_at = expires_at.map_err(|error| Error::Internal(error.to_string()))?;
    event.note = Some(format!("import {} of {partner}, {rows} rows", session.import));
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let prefix = session_prefix(&session.partner);
        let open: Vec<Session> = tx.scan(&prefix, Bound::Unbounded, MOST_OPEN + 1)?;
        if open.iter().filter(|open| open.until > now).count() >= MOST_OPEN {
            return Err(Error::conflict(
                "TOO_MANY_IMPORTS",
                "The partner has as many imports open as are allowed.",
            ));
        }
        tx.put(&session)
    };
    vault.commit(event, work).await?;
    Ok(ImportSession {
        nonce,
        expires_at,
        rows,
    })
}

fn check(vault: &OpenVault, partner: &Name, import: &str, rows: u32) -> Result<(), Error> {
    let known = vault
        .registers()
        .programs()
        .any(|rules| rules.program().partner == partner.as_str());
    if !known {
        return Err(Error::NotFound("partner"));
    }
    let refused = |field, code, message: String| {
        Err(Error::Validation {
            field,
            code,
            message: message.into(),
        })
    };
    if !is_name(import) {
        let message = format!(
            "an import's name is 1 to {MOST_NAME_BYTES} of A-Z a-z 0-9 - _ . with at most {MOST_NAME_DIGITS} digits in a row"
        );
        return refused("import", "INVALID", message);
    }
    if !(1..=MOST_SESSION_ROWS).contains(&rows) {
        return refused("rows", "OUT_OF_RANGE", format!("1 to {MOST_SESSION_ROWS} rows"));
    }
    Ok(())
}

/// The session of this partner with this nonce, if it is not over.
///
/// # Errors
/// The store's.
pub(super) fn find(vault: &OpenVault, partner: &str, nonce: &Nonce) -> Result<Option<Session>, Error> {
    let key = session_key(partner, &hash(nonce.as_str()));
    let found = vault.records.get::<Session>(&key)?.map(|stored| stored.record);
    Ok(found.filter(|session| session.until > vault.now()))
}

impl Session {
    /// What became of a row under this nonce.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn row(&self, vault: &OpenVault, row: &str) -> Result<Option<SignedRow>, Error> {
        let found = vault.records.get::<SignedRow>(&row_key(&self.nonce, row))?;
        Ok(found.map(|stored| stored.record))
    }

    /// Counts a row that was looked up, whatever came of it.
    ///
    /// # Errors
    /// `IMPORT_ROWS_USED_UP`; [`Error::ProofInvalid`] for a session that is gone; the store's.
    pub(super) fn count(&self, tx: &mut Tx<'_, '_>) -> Result<(), Error> {
        let mut session = self.with_rows_left(tx)?;
        session.used += 1;
        tx.put(&session)
    }

    /// Counts a row that was looked up for a dry run, whatever came of it: apart from those of the real run, which may follow
    /// under the same signatures.
    ///
    /// # Errors
    /// As [`Session::count`]: also when none of the rows is left to the real run.
    pub(super) fn count_verdict(&self, tx: &mut Tx<'_, '_>) -> Result<(), Error> {
        let mut session = self.with_rows_left(tx)?;
        if session.judged >= session.rows.saturating_mul(MOST_DRY_RUNS) {
            return Err(used_up());
        }
        session.judged += 1;
        tx.put(&session)
    }

    /// The session as it stands in this transaction.
    fn with_rows_left(&self, tx: &mut Tx<'_, '_>) -> Result<Self, Error> {
        let gone = || Error::ProofInvalid("the nonce is not open for this import".into());
        let session: Self = tx.get(&self.key())?.ok_or_else(gone)?;
        if session.used >= session.rows {
            return Err(used_up());
        }
        Ok(session)
    }

    /// Spends a row, with its answer.
    ///
    /// # Errors
    /// [`Error::Raced`] when it was spent meanwhile; as [`Session::count`].
    pub(super) fn spend(
        &self,
        tx: &mut Tx<'_, '_>,
        row: &str,
        payload: BodyHash,
        answer: &TokenisedRow,
    ) -> Result<(), Error> {
        if tx.exists::<SignedRow>(&row_key(&self.nonce, row))? {
            return Err(Error::Raced);
        }
        self.count(tx)?;
        tx.put(&SignedRow {
            session: self.nonce.clone(),
            row: row.to_owned(),
            payload,
            answer: answer.clone(),
        })
    }
}

fn used_up() -> Error {
    Error::conflict(
        "IMPORT_ROWS_USED_UP",
        "The session has had as many rows as it was opened for.",
    )
}

/// Forgets sessions that are over, with their rows: nothing is taken under their nonces any more.
///
/// # Errors
/// The store's.
pub async fn sweep(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let sessions: Vec<Session> =
        vault
            .records
            .scan_readable(SESSION.as_bytes(), Bound::Unbounded, MOST_SWEPT)?;
    let now = vault.now();
    for session in sessions.into_iter().filter(|session| session.until <= now) {
        let prefix = format!("{SIGNED}{}/", session.nonce).into_bytes();
        loop {
            let keys = vault.records.keys::<SignedRow>(&prefix, BATCH)?;
            if keys.is_empty() {
                break;
            }
            let delete =
                move |tx: &mut Tx<'_, '_>| keys.iter().try_for_each(|key| tx.delete::<SignedRow>(key));
            vault.records.transact(delete).await?;
        }
        let key = session.key();
        vault
            .records
            .transact(move |tx| tx.delete::<Session>(&key))
            .await?;
    }
    Ok(())
}
