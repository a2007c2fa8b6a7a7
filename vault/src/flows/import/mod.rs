//! Import: cards that exist elsewhere come in from a file that is sealed to the vault. Two officers agree on the exact file
//! by its hash; it is spooled as ciphertext, and a job takes it in line by line, each row in a transaction of its own with
//! its result, so that it goes on after any crash where it was.

mod clean;
mod outcome;
mod row;
mod run;
mod upload;

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use shared::ids::{ApprovalToken, JobToken};
use shared::vault_api::bulk::{ImportPlan, ImportRow, ImportRows};

pub use self::clean::clean;
pub use self::run::step;
pub use self::upload::{Upload, begin};
use crate::crypto::fingerprint::PanFingerprint;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Record;
use crate::registers::Registers;
use crate::store::Tree;

/// Most lines of a file.
const MOST_LINES: u64 = 1_000_000;
/// Most rows in one answer.
const MOST_ROWS_SHOWN: u64 = 1000;

const PLAN: &str = "plan/";
const ROW: &str = "row/";
const SEEN: &str = "seen/";

/// What a job of an import does, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportWork {
    /// What two officers agreed on.
    pub plan: ImportPlan,
    /// Their approval.
    pub approval: ApprovalToken,
    /// Bytes of the file that are done.
    offset: u64,
    /// Rows that are done.
    rows: u64,
}

/// An import whose file has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ImportRecord {
    approval: ApprovalToken,
    job: JobToken,
}

impl Record for ImportRecord {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        plan_key(&self.approval)
    }
}

/// The result of one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RowRecord {
    approval: ApprovalToken,
    row: ImportRow,
}

impl Record for RowRecord {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        row_key(&self.approval, self.row.row)
    }
}

/// A number of this file that was met already; kept until the job has ended. Under the fingerprint's key, like the index of
/// cards, so that nothing here outlives a purge.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    #[serde(skip)]
    key: Vec<u8>,
    row: u64,
}

impl Seen {
    fn key_of(approval: &ApprovalToken, fingerprint: &PanFingerprint) -> Vec<u8> {
        [seen_prefix(approval), fingerprint.to_key()].concat()
    }
}

impl Record for Seen {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        self.key.clone()
    }
}

fn plan_key(approval: &ApprovalToken) -> Vec<u8> {
    format!("{PLAN}{approval}").into_bytes()
}

fn row_prefix(approval: &ApprovalToken) -> Vec<u8> {
    format!("{ROW}{approval}/").into_bytes()
}

fn row_key(approval: &ApprovalToken, row: u64) -> Vec<u8> {
    [row_prefix(approval), row.to_be_bytes().to_vec()].concat()
}

fn seen_prefix(approval: &ApprovalToken) -> Vec<u8> {
    format!("{SEEN}{approval}/").into_bytes()
}

/// The name of the spooled file.
fn file_name(approval: &ApprovalToken) -> String {
    format!("import-{approval}.jwe")
}

/// Whether a plan can be carried out.
///
/// # Errors
/// `PROGRAM_UNKNOWN`, `IMPORT_HASH_INVALID`, `IMPORT_LINES_INVALID`.
pub fn check(plan: &ImportPlan, registers: &Registers) -> Result<(), Error> {
    if registers.program(&plan.program).is_none() {
        return Err(Error::conflict("PROGRAM_UNKNOWN", "There is no such program."));
    }
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if plan.sha256.len() != 64 || !plan.sha256.bytes().all(hex) {
        return Err(Error::conflict(
            "IMPORT_HASH_INVALID",
            "The hash of a file is 64 lower-case hexadecimal digits.",
        ));
    }
    if !(1..=MOST_LINES).contains(&plan.lines) {
        return Err(Error::conflict(
            "IMPORT_LINES_INVALID",
            format!("A file has 1 to {MOST_LINES} lines."),
        ));
    }
    Ok(())
}

/// What became of the rows from `from` on, at most `limit` of them.
///
/// # Errors
/// There is no such import, or its file has not come.
pub fn rows(vault: &OpenVault, approval: ApprovalToken, from: u64, limit: u64) -> Result<ImportRows, Error> {
    if vault.records.get::<ImportRecord>(&plan_key(&approval))?.is_none() {
        return Err(Error::NotFound("import"));
    }
    let limit = usize::try_from(limit.clamp(1, MOST_ROWS_SHOWN)).unwrap_or(1);
    let first = row_key(&approval, from);
    let found: Vec<RowRecord> = vault.records.scan(
        &row_prefix(&approval),
        Bound::Included(first.as_slice()),
        limit + 1,
    )?;
    let next = found.get(limit).map(|record| record.row.row);
    Ok(ImportRows {
        approval,
        rows: found.into_iter().take(limit).map(|record| record.row).collect(),
        next,
    })
}
