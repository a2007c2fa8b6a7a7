//! Where the vault's operations are. The text after each name says which role may call it.

use crate::ids::{ApprovalToken, BatchToken, CardToken, HolderToken, JobToken, SlotName};
use crate::thumbprint::Thumbprint;

/// `POST`, bureaus: make a batch of what waits.
pub const BATCHES: &str = "/v1/bureau/batches";
/// `GET`, officers and auditors: orders that the bureau has not confirmed, `?hours=` the fewest since they were placed.
pub const WAITING_ORDERS: &str = "/v1/orders/waiting";
/// `GET`, gateway: what happened without the gateway, `?after=&limit=&wait=`; waits for news.
pub const NOTICES: &str = "/v1/notices";
/// `POST`, gateway: everything up to an index was applied.
pub const ACKNOWLEDGE_NOTICES: &str = "/v1/notices/acknowledge";
/// `GET`, every role: liveness.
pub const HEALTH: &str = "/health";
/// `GET`, every role: locked or unlocked, version, slots.
pub const STATUS: &str = "/v1/status";
/// `GET`, every role: this API as an OpenAPI 3.1 document.
pub const OPENAPI: &str = "/openapi.json";
/// `GET`, every role: the vault's public keys with their attestation.
pub const KEYS: &str = "/v1/keys";
/// `POST`, officers who are custodians: one share of the root key.
pub const UNLOCK: &str = "/v1/unlock";
/// `POST`, officers: lock the vault, forgetting every key.
pub const LOCK: &str = "/v1/lock";
/// `GET`, officers and auditors: programs. Changed through approvals.
pub const PROGRAMS: &str = "/v1/programs";
/// `GET`, officers and auditors: registered persons and parties. Changed through approvals.
pub const PARTIES: &str = "/v1/parties";
/// `POST` (propose): officers; `GET` (list): officers and auditors.
pub const APPROVALS: &str = "/v1/approvals";
/// `POST`, gateway: create a holder.
pub const HOLDERS: &str = "/v1/holders";
/// `POST`, gateway: a nonce under which a partner signs for the card rows of a mass import.
pub const IMPORT_SESSIONS: &str = "/v1/import-sessions";
/// `POST`, gateway: judge a row of a mass import without tokenising its card.
pub const ROW_VERDICTS: &str = "/v1/row-verdicts";
/// `POST`, processors: does this CVV belong to this PAN?
pub const VERIFY_CVV: &str = "/v1/processor/cvv/verify";
/// `POST`, processors: does this PIN belong to this PAN?
pub const VERIFY_PIN: &str = "/v1/processor/pin/verify";
/// `POST`, processors: lock the card of this PAN (lock outside).
pub const LOCK_OUTSIDE: &str = "/v1/processor/locks";
/// `POST`, processors: lift the lock of the card of this PAN.
pub const UNLOCK_OUTSIDE: &str = "/v1/processor/unlocks";
/// `GET`, auditors and officers: events, `?from=&limit=`.
pub const AUDIT_EVENTS: &str = "/v1/audit/events";
/// `GET`, auditors and officers: a signed checkpoint of the log.
pub const AUDIT_CHECKPOINT: &str = "/v1/audit/checkpoint";
/// `GET`, auditors and officers: that an event is in the log of a size, `?index=&size=`.
pub const AUDIT_INCLUSION: &str = "/v1/audit/proofs/inclusion";
/// `GET`, auditors and officers: that a log of one size begins with that of another, `?from=&to=`.
pub const AUDIT_CONSISTENCY: &str = "/v1/audit/proofs/consistency";
/// `GET`, auditors: metrics in Prometheus' text format.
pub const METRICS: &str = "/metrics";
/// `GET`, officers and auditors: everything that ends, certificates and revocation lists.
pub const CERTIFICATES: &str = "/v1/certificates";
/// `GET`, officers and auditors: every key version with age, state and uses.
pub const KEY_INVENTORY: &str = "/v1/keys/inventory";
/// `GET`, officers and auditors: root key slots.
pub const SLOTS: &str = "/v1/slots";
/// `GET`, officers and auditors: jobs, newest first.
pub const JOBS: &str = "/v1/jobs";
/// `POST`, officers: open every record once and name those that do not.
pub const INTEGRITY: &str = "/v1/jobs/integrity";
/// `GET`, officers and auditors: backups whose life has not ended.
pub const BACKUPS: &str = "/v1/backups";
/// `GET`, officers and auditors: what is kept, what was destroyed, and from when it is beyond recovery.
pub const RETENTION: &str = "/v1/retention";
/// `GET`, officers and auditors: holder keys that wait.
pub const PENDING_KEYS: &str = "/v1/holders/pending-keys";

/// `GET`, officers and auditors: one job.
#[must_use]
pub fn job(job: &JobToken) -> String {
    format!("{JOBS}/{job}")
}

/// `POST`, officers: let a job rest.
#[must_use]
pub fn pause_job(job: &JobToken) -> String {
    format!("{JOBS}/{job}/pause")
}

/// `POST`, officers: let a job go on.
#[must_use]
pub fn resume_job(job: &JobToken) -> String {
    format!("{JOBS}/{job}/resume")
}

/// `POST`, officers: how fast a job may be.
#[must_use]
pub fn throttle_job(job: &JobToken) -> String {
    format!("{JOBS}/{job}/throttle")
}

/// `GET`, the custodian: their own share of a slot, sealed to their certificate's key.
#[must_use]
pub fn slot_share(slot: &SlotName) -> String {
    format!("{SLOTS}/{slot}/share")
}

/// `POST`, the custodian: show the share, to verify a pending slot or to drill an active one.
#[must_use]
pub fn drill_slot(slot: &SlotName) -> String {
    format!("{SLOTS}/{slot}/drill")
}

/// `POST`, officers: the file of an approved import.
#[must_use]
pub fn import_file(approval: &ApprovalToken) -> String {
    format!("/v1/imports/{approval}/file")
}

/// `GET`, officers: what became of each row, `?from=&limit=`.
#[must_use]
pub fn import_rows(approval: &ApprovalToken) -> String {
    format!("/v1/imports/{approval}/rows")
}

/// `GET`, officers: the file of an approved export, once it is done.
#[must_use]
pub fn export_file(approval: &ApprovalToken) -> String {
    format!("/v1/exports/{approval}/file")
}

/// `GET`, officers and auditors: one proposal.
#[must_use]
pub fn approval(approval: &ApprovalToken) -> String {
    format!("{APPROVALS}/{approval}")
}

/// `POST`, another registered officer than the one who proposed.
#[must_use]
pub fn approve(approval: &ApprovalToken) -> String {
    format!("{APPROVALS}/{approval}/approve")
}

/// `GET`, gateway: a holder's keys; `POST`, gateway: enrol one.
#[must_use]
pub fn holder_keys(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/keys")
}

/// `POST`, gateway: revoke a key.
#[must_use]
pub fn revoke_key(holder: &HolderToken, key: &Thumbprint) -> String {
    format!("{HOLDERS}/{holder}/keys/{key}/revoke")
}

/// `POST`, gateway: a challenge for holder operations.
#[must_use]
pub fn holder_challenges(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/challenges")
}

/// `POST`, gateway: judge the proof and open the payload of a request to create a card, without creating it.
#[must_use]
pub fn open_issue_payload(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/issue-payload")
}

/// `POST`, gateway: issue a card.
#[must_use]
pub fn issue(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/cards")
}

/// `POST`, gateway: judge the proof and open the payload of a request to tokenise a card, without tokenising it.
#[must_use]
pub fn open_tokenise_payload(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/token-payload")
}

/// `POST`, gateway: a token for a card that exists already.
#[must_use]
pub fn tokenise(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/tokens")
}

/// `POST`, gateway: a token for the card in a row of a mass import.
#[must_use]
pub fn tokenise_row(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/row-tokens")
}

/// `GET`, gateway: answers with data of this holder's cards, `?after=&limit=`.
#[must_use]
pub fn reveals_of_holder(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/reveals")
}

/// `GET`, gateway: answers with data of this card, `?after=&limit=`.
#[must_use]
pub fn reveals_of_card(token: &CardToken) -> String {
    card(token, "reveals")
}

/// A path below one card.
fn card(card: &CardToken, verb: &str) -> String {
    format!("/v1/cards/{card}/{verb}")
}

/// `POST`, gateway: a challenge for operations on this card.
#[must_use]
pub fn card_challenges(token: &CardToken) -> String {
    card(token, "challenges")
}

/// `POST`, gateway: full card data, for the key of the request.
#[must_use]
pub fn reveal(token: &CardToken) -> String {
    card(token, "reveal")
}

/// `POST`, gateway: a new CVV, told to the holder.
#[must_use]
pub fn reset_cvv(token: &CardToken) -> String {
    card(token, "cvv")
}

/// `POST`, gateway: a new CVV, told to nobody (an administrator's reset).
#[must_use]
pub fn reset_cvv_unseen(token: &CardToken) -> String {
    card(token, "cvv-unseen")
}

/// `POST`, gateway: order plastic of a virtual card.
#[must_use]
pub fn print(token: &CardToken) -> String {
    card(token, "print")
}

/// `POST`, gateway: set the PIN.
#[must_use]
pub fn set_pin(token: &CardToken) -> String {
    card(token, "pin")
}

/// `POST`, gateway: clear the PIN try counter (when lock code 6 is lifted).
#[must_use]
pub fn clear_pin_tries(token: &CardToken) -> String {
    card(token, "pin-tries/clear")
}

/// `POST`, gateway: move the end of a card on.
#[must_use]
pub fn renew(token: &CardToken) -> String {
    card(token, "renew")
}

/// `POST`, gateway: order the next plastic of a card that nears its end.
#[must_use]
pub fn renew_plastic(token: &CardToken) -> String {
    card(token, "renewal")
}

/// `POST`, gateway: the renewed plastic is in its holder's hands.
#[must_use]
pub fn activate_renewal(token: &CardToken) -> String {
    card(token, "renewal/activate")
}

/// `POST`, gateway: set the one-way flag of an irreversible lock.
#[must_use]
pub fn lock_finally(token: &CardToken) -> String {
    card(token, "final-lock")
}

/// `POST`, gateway and officers: close the card for good and destroy its secrets after the grace time.
#[must_use]
pub fn erase(token: &CardToken) -> String {
    card(token, "erase")
}

/// `GET`, bureaus: a batch again, byte for byte.
#[must_use]
pub fn batch(batch: &BatchToken) -> String {
    format!("{BATCHES}/{batch}")
}

/// `POST`, gateway: judge the proof and open the payload of an order of a physical card, without ordering it.
#[must_use]
pub fn open_order_payload(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/order-payload")
}

/// `POST`, gateway: order a physical card.
#[must_use]
pub fn order(holder: &HolderToken) -> String {
    format!("{HOLDERS}/{holder}/physical-cards")
}
