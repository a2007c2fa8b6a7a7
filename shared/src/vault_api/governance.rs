//! What officers do: unlock, register parties, set up programs. Everything but unlocking takes two of them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::bulk::{ExportPlan, ImportPlan};
use super::jobs::Rotation;
use super::slots::NewSlot;
use crate::ids::{ApprovalToken, CardToken, HolderToken, JobToken, ProgramName, SlotName};
use crate::money::Currency;
use crate::mtls::identity::Identity;
use crate::mtls::peer::SpkiThumbprint;
use crate::public_key::PublicKey;
use crate::thumbprint::Thumbprint;

/// Whether the vault holds its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LockState {
    /// No key in memory: everything but health, status and unlock answers 503.
    Locked,
    /// Serving.
    Unlocked,
}

/// Answer (200) of [`super::paths::STATUS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether the vault holds its keys.
    pub state: LockState,
    /// The version of the program.
    pub version: String,
    /// Shares given so far in the running unlock.
    pub shares_given: u8,
    /// Shares needed: of the slot whose shares are being given, else of the one that needs fewest; absent when the vault
    /// has no custodians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_needed: Option<u8>,
    /// Which slots there are.
    #[serde(default)]
    pub slots: SlotCounts,
    /// The problem code of the last try to open without custodians, if it failed: `HSM_UNAVAILABLE`, `HSM_PIN_REFUSED`,
    /// `HSM_KEY_MISSING`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_trouble: Option<String>,
}

/// The slots that open the vault, by kind, and those that do not open yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotCounts {
    /// Split among custodians.
    pub custodians: u8,
    /// Kept by a PKCS#11 token.
    pub tokens: u8,
    /// In a file (development).
    pub key_files: u8,
    /// Made, and not verified yet.
    pub pending: u8,
}

/// Hand in a share of the root key. The body carries a secret: it has no `Debug` and is wiped by its owner.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GiveShare {
    /// The share's text, as the ceremony printed it.
    pub share: zeroize::Zeroizing<String>,
}

/// The rules of a card program. Changed by two officers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// Its name.
    pub name: ProgramName,
    /// The partner whose cards these are: the name in the certificate's URI SAN.
    pub partner: String,
    /// The processor that may verify PINs and CVVs of this program.
    pub processor: String,
    /// The personalisation bureau.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bureau: Option<String>,
    /// The bureau's key, RSA of 2048 bits and more or P-256: batches are sealed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bureau_key: Option<PublicKey>,
    /// Currency of the program's balances.
    pub currency: Currency,
    /// 6 to 12 leading digits under which cards are issued.
    pub bin: String,
    /// Months from issue to expiry.
    pub validity_months: u16,
    /// Whether plastic of a virtual card may be ordered.
    pub digital_first: bool,
    /// Whether the next plastic of a card may be ordered on the gateway's word, which says name and address: a physical card
    /// has number and CVV2 printed on it. Without this, cards with plastic expire.
    #[serde(default)]
    pub renews_plastic: bool,
    /// Fewest digits of a PIN (at least 4).
    pub pin_min_digits: u8,
    /// Most digits of a PIN (at most 12).
    pub pin_max_digits: u8,
    /// Whether holder proofs are demanded.
    pub holder_proof: HolderProofPolicy,
    /// How further keys come in.
    pub enrolment: EnrolmentPolicy,
    /// What may be done per hour.
    pub budgets: Budgets,
}

/// Whether card data leaves without a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolderProofPolicy {
    /// Never.
    Required,
    /// For holders who never had a key (clients written to the letter of the seed).
    Optional,
}

/// How a further key of a holder becomes active without co-signature, possession or ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum EnrolmentPolicy {
    /// After this many hours as pending.
    MaturesAfter {
        /// Hours, at least 1.
        hours: u16,
    },
    /// Only by two officers.
    OfficersOnly,
    /// First and further keys need an enrolment ticket of the partner.
    Ticket,
}

/// Upper bounds per hour (and per card, holder, partner); persistent, counting everything that emits card data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budgets {
    /// Reveals and CVV resets of one card.
    pub emissions_per_card: u32,
    /// Reveals, CVV resets and proven issues of one holder.
    pub emissions_per_holder: u32,
    /// The same over all holders of the partner.
    pub emissions_per_partner: u32,
    /// The same through one gateway.
    pub emissions_per_gateway: u32,
    /// Cards issued to one holder.
    pub issues_per_holder: u32,
    /// PIN sets of one card.
    pub pin_sets_per_card: u32,
    /// Keys enrolled by one holder.
    pub enrolments_per_holder: u32,
    /// Cards erased through one gateway.
    pub erasures_per_gateway: u32,
    /// Cards given to the program's bureau.
    #[serde(default = "bureau_emissions")]
    pub emissions_per_bureau: u32,
    /// Numbers brought in and looked up for one holder, whatever came of it.
    #[serde(default = "tokenise_per_holder")]
    pub tokenise_per_holder: u32,
    /// The same for all holders of the partner, rows of imports among them.
    #[serde(default = "tokenise_per_partner")]
    pub tokenise_per_partner: u32,
    /// The same through one gateway.
    #[serde(default = "tokenise_per_gateway")]
    pub tokenise_per_gateway: u32,
}

/// What programs from before there was this budget have.
const fn bureau_emissions() -> u32 {
    1_000
}

/// Numbers an hour for one holder, in programs that were agreed on before there was such a budget.
const fn tokenise_per_holder() -> u32 {
    20
}

/// The same for one partner.
const fn tokenise_per_partner() -> u32 {
    5_000
}

/// The same through one gateway.
const fn tokenise_per_gateway() -> u32 {
    10_000
}

/// A registered person or party: a certificate alone grants nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Party {
    /// Role and name, as in the certificate's URI SAN.
    pub identity: Identity,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo, base64url.
    pub key_thumbprint: SpkiThumbprint,
}

/// What can be proposed to a second officer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    tag = "type",
    content = "parameters",
    deny_unknown_fields
)]
pub enum Proposal {
    /// Create a program or change its rules (never its partner).
    SetProgram(Program),
    /// Register a person or party, or the next key of one.
    RegisterParty(Party),
    /// Strike a person or party from the register.
    StrikeParty(Identity),
    /// Make a holder's pending key active before its time.
    ActivateKey {
        /// Whose key.
        holder: HolderToken,
        /// Which.
        key: Thumbprint,
    },
    /// Open a closed card again, in its grace time.
    RestoreCard(CardToken),
    /// Forget a card's failed PIN and CVV comparisons, the 30-day caps too.
    ClearFailures(CardToken),
    /// Give a key a new version.
    Rotate(Rotation),
    /// End a job before its end.
    AbortJob(JobToken),
    /// Make a further way to the root key. A custodians' slot opens nothing before each of them has shown their share.
    AddSlot {
        /// The slot.
        slot: NewSlot,
        /// The slot that it takes the place of, once it is verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<SlotName>,
    },
    /// Remove a slot. One that opens must remain.
    RemoveSlot(SlotName),
    /// Write a backup, whose epoch secret is kept for this long.
    Backup {
        /// Days, 1 to 3650.
        life_days: u16,
    },
    /// Take in cards from a file.
    ImportCards(ImportPlan),
    /// Give out card data, sealed to a recipient.
    ExportCards(ExportPlan),
    /// Destroy no secrets of erased cards for this long; 0: destroy again.
    HaltErasures {
        /// Hours, at most 720.
        hours: u16,
    },
}

/// Answer (201) to a proposal, and an item of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Its token.
    pub id: ApprovalToken,
    /// What would be done.
    pub proposal: Proposal,
    /// Hex SHA-256 of the exact parameters: what the second officer repeats.
    pub hash: String,
    /// Who proposed it.
    pub proposed_by: Identity,
    /// Where it stands.
    pub state: ApprovalState,
    /// When it lapses.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApprovalState {
    /// Waits for a second officer.
    Open,
    /// Approved and done.
    Done,
    /// Lapsed.
    Expired,
}

/// Approve a proposal by repeating its hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approve {
    /// The hash shown with the proposal.
    pub hash: String,
}
