//! Cards by the thousand: import from a file that is sealed to the vault, export to a recipient's key. Each needs an
//! approval that names the exact file or recipient, and each is a job.
//!
//! A file is lines, each ended by a line feed, each a compact JWE of at most [`MOST_LINE_BYTES`]. What stands in one is
//! JSON. Import: `{"rows":[{"cardNo","exp","cvv"?,"pin"?,"holder"?,"reference"?}]}` with 1 to [`MOST_ROWS`] rows, all
//! values text, `exp` the last day of the month. Export: `{"rows":[{"card","cardNo","exp","holder"}]}`.

use serde::{Deserialize, Serialize};

use crate::expiry::Expiry;
use crate::ids::{ApprovalToken, CardToken, HolderToken, JobToken, ProgramName};
use crate::masked::MaskedPan;
use crate::public_key::PublicKey;

/// Longest line, in bytes, its end not counted: [`MOST_ROWS`] rows with every member as long as it may be, sealed to a key
/// of 8192 bits.
pub const MOST_LINE_BYTES: usize = 32 * 1024;
/// Most rows in a line.
pub const MOST_ROWS: usize = 64;

/// Take in existing cards. Part of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportPlan {
    /// The program that the cards belong to.
    pub program: ProgramName,
    /// Hex SHA-256 of the whole file, as both officers computed it.
    pub sha256: String,
    /// Lines of the file.
    pub lines: u64,
    /// Whether to judge every row and keep nothing.
    pub dry_run: bool,
}

/// Give out card data of a program. Part of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportPlan {
    /// The program.
    pub program: ProgramName,
    /// To whom every line is sealed.
    pub recipient: PublicKey,
    /// Most cards that may leave; the job fails rather than to exceed it.
    pub most_cards: u64,
    /// Why; 1 to 200 characters, goes into the audit log.
    pub reason: String,
}

/// What became of one row of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportRow {
    /// The row's number in the file, from 1, counted over all lines; a line that cannot be read counts as one row.
    pub row: u64,
    /// The caller's own reference, when the row had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What became of it.
    pub outcome: ImportOutcome,
    /// The card: the new one, or for a duplicate the one that this partner has already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardToken>,
    /// Its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderToken>,
    /// First six and last four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_card_no: Option<MaskedPan>,
    /// The month through which it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<Expiry>,
    /// Why it was refused: a code for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How a row of an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportOutcome {
    /// Taken in (in a dry run: would be).
    Imported,
    /// The vault has this number already.
    Duplicate,
    /// Not taken in.
    Refused,
}

/// Answer (202) of [`super::paths::import_file`]: the file is whole and is what the officers approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportBegun {
    /// The job that takes it in.
    pub job: JobToken,
}

/// Answer (200) of [`super::paths::import_rows`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportRows {
    /// The approval.
    pub approval: ApprovalToken,
    /// Rows in order.
    pub rows: Vec<ImportRow>,
    /// The row to ask for next; absent at the end of what has been done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
