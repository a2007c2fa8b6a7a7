//! One event per access (PCI DSS 10.2): who, what, when, from where, which card, and how it ended. No card data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use shared::ids::{CardToken, HolderToken, ProgramName};
use shared::jwe::BodyHash;
use shared::mtls::identity::Identity;
use shared::thumbprint::Thumbprint;
use shared::vault_api::Actor;
use time::OffsetDateTime;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The key ceremony made this vault.
    Initialise,
    /// The process began, locked.
    Start,
    /// A custodian gave a share: refused, or taken. What happens while the vault is locked is written when it opens.
    GiveShare,
    /// The shares were complete: the vault opened.
    Unlock,
    /// An officer locked the vault.
    Lock,
    /// A holder was created.
    CreateHolder,
    /// A holder key came in.
    EnrolKey,
    /// A holder key was revoked.
    RevokeKey,
    /// A challenge was made.
    Challenge,
    /// The payload of a request to create a card was opened.
    OpenIssuePayload,
    /// A card was issued.
    Issue,
    /// A card that existed already was brought in: it got a token, was found to have one, or (no match) may have none.
    Tokenise,
    /// A row of an import was judged for a dry run, as tokenising it would: its number was looked up, and nothing done.
    JudgeRow,
    /// Full card data was sealed to the holder.
    Reveal,
    /// A new CVV was sealed to the holder.
    ResetCvv,
    /// A new CVV was made and told to nobody.
    ResetCvvUnseen,
    /// Plastic was ordered.
    Print,
    /// A physical card was ordered.
    Order,
    /// What waits was given to the bureau as a batch.
    MakeBatch,
    /// The bureau fetched a batch again.
    FetchBatch,
    /// A card's data was sealed to the bureau, in a batch.
    Personalise,
    /// The bureau said how far an order is.
    ChangeOrder,
    /// A PIN was set.
    SetPin,
    /// The PIN try counter was cleared.
    ClearPinTries,
    /// A card was given a later end and another CVV.
    Renew,
    /// The next plastic of a card was ordered.
    OrderRenewal,
    /// A card was locked for good.
    LockFinally,
    /// A processor locked a card; the note says with which code.
    LockOutside,
    /// A processor asked for the lifting of a card's lock.
    UnlockOutside,
    /// A card was closed.
    Erase,
    /// The secrets of closed cards were destroyed.
    Destroy,
    /// A processor asked whether a CVV is right.
    VerifyCvv,
    /// A processor asked whether a PIN is right.
    VerifyPin,
    /// An officer proposed an operation.
    Propose,
    /// A second officer approved it, and it was done.
    Approve,
    /// The audit log was read.
    ReadAudit,
    /// Programs, parties, proposals or a holder's keys were read.
    ReadRegister,
    /// A key got a new version, or an old one was destroyed; the note names it.
    RotateKey,
    /// A job was begun, paused, resumed, throttled, aborted, or ended; the note says which.
    ChangeJob,
    /// A slot was made, verified, replaced or removed.
    ChangeSlot,
    /// A custodian fetched their share, sealed to them.
    FetchShare,
    /// A custodian showed a share to verify or drill a slot.
    DrillSlot,
    /// A backup was made, or its epoch secret was destroyed at the end of its life.
    Backup,
    /// This vault was restored from a backup.
    Restore,
    /// A card was taken in from a file.
    Import,
    /// Card data was sealed to the recipient of an export.
    Export,
    /// Destroying erased cards was halted or taken up again.
    HaltErasures,
    /// A record did not open, or did not read.
    CorruptRecord,
    /// Somebody came to a door that is not theirs.
    Denied,
    /// Refusals beyond the rate at which each is written down.
    ExcessRefusals,
}

impl Operation {
    /// What officers do, and what follows from it: not refused when a key is used up, since it ends that.
    #[must_use]
    pub const fn is_of_officers(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::GiveShare
                | Self::Unlock
                | Self::Lock
                | Self::Propose
                | Self::Approve
                | Self::ReadAudit
                | Self::ReadRegister
                | Self::RotateKey
                | Self::ChangeJob
                | Self::ChangeSlot
                | Self::FetchShare
                | Self::DrillSlot
                | Self::CorruptRecord
        )
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done.
    Done,
    /// Asked again with the same key: the first answer was given again, and nothing done.
    Replayed,
    /// A comparison was made, or was not permitted, and the answer was no.
    NoMatch,
    /// Refused, with the code of the answer and the reason, which the caller is not told.
    Refused {
        /// The problem code.
        code: String,
        /// Why.
        reason: String,
    },
}

/// Who vouches for the end user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// A key enrolled for the holder signed this very request.
    ProvenByHolder(Thumbprint),
    /// The partner's registered key signed it.
    ProvenByPartner(String),
    /// Nobody but the caller: the user in `actor` is hearsay.
    Asserted,
}

/// An event. Members that do not apply are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Whose certificate; absent for what the vault does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Identity>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// Who vouches for the end user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// The end user, device and trace, as the gateway says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Which program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramName>,
    /// Which holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderToken>,
    /// Which card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardToken>,
    /// Whether card data left the vault in the answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emitted: bool,
    /// The hash of the JWE in the answer: by it, whoever got an answer finds its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bdh: Option<BodyHash>,
    /// One more fact, such as an approval's hash, a key's thumbprint or a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Event {
    /// An event of the vault's own that was done.
    #[must_use]
    pub fn done(operation: Operation, at: OffsetDateTime) -> Self {
        Self {
            at,
            operation,
            outcome: Outcome::Done,
            caller: None,
            from: None,
            assurance: None,
            actor: None,
            program: None,
            holder: None,
            card: None,
            emitted: false,
            bdh: None,
            note: None,
        }
    }
}
