//! The first step of every flow that may be asked for twice.

use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::Tx;
use crate::store::idempotency::{Answer, Claim, Claimed, Request};

/// Seconds after which to ask again for what is under way: longer than most requests take.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What a flow goes on with.
pub enum Opened {
    /// The answer that was given before.
    Replay(Answer),
    /// The right to answer.
    Claim(Claim),
}

/// Claims the request within the flow's first transaction.
///
/// # Errors
/// `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_IN_FLIGHT`.
pub async fn open(services: &Services, tx: &mut Tx, request: &Request) -> Result<Opened, Error> {
    match services.claims.claim(tx, request, services.now()).await? {
        Claimed::Replay(answer) => Ok(Opened::Replay(answer)),
        Claimed::Open(claim) => Ok(Opened::Claim(claim)),
        Claimed::InFlight => Err(in_flight()),
        Claimed::Reused => Err(Code::IdempotencyKeyReused.into()),
    }
}

/// What a caller is told whose request is still worked on.
#[must_use]
pub fn in_flight() -> Error {
    Error::from(Code::IdempotencyInFlight).retry_after(RETRY_AFTER_SECONDS)
}
