//! Whether a verified Holder-Proof is a proof of *this* request: operation, subject, recipient key, payload and time.
//! The signature was verified before, the nonce is spent after.

use shared::jwe::BodyHash;
use shared::jws::holder_proof::{HolderProofClaims, Op};
use shared::thumbprint::Thumbprint;

/// How far a proof's `iat` may lie from the vault's clock, seconds.
pub const IAT_TOLERANCE_SECONDS: i64 = 300;

/// What a proof must say to fit a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The operation.
    pub op: Op,
    /// Card token, idempotency key or key thumbprint, as the operation has it.
    pub subject: &'a str,
    /// The key to which the answer is sealed.
    pub recipient: &'a Thumbprint,
    /// Digest of the payload, when the request carries one.
    pub payload: Option<BodyHash>,
}

/// The proof is of something else. Which member differs goes to the audit log, never to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another operation.
    #[error("the proof is for another operation")]
    Operation,
    /// Another card, key or request.
    #[error("the proof is for another subject")]
    Subject,
    /// The answer would be sealed to another key.
    #[error("the proof names another recipient key")]
    Recipient,
    /// Another payload, or one too many, or none.
    #[error("the proof is of another payload")]
    Payload,
    /// Older or newer than five minutes.
    #[error("the proof was made at another time")]
    Time,
}

/// Compares a proof's claims with the request.
///
/// # Errors
/// The first member that differs.
pub fn fits(claims: &HolderProofClaims, expected: &Expected<'_>, now: i64) -> Result<(), Mismatch> {
    if claims.op != expected.op {
        return Err(Mismatch::Operation);
    }
    if claims.card != expected.subject {
        return Err(Mismatch::Subject);
    }
    if claims.rpk != *expected.recipient {
        return Err(Mismatch::Recipient);
    }
    if claims.bdh != expected.payload {
        return Err(Mismatch::Payload);
    }
    if claims.iat.abs_diff(now) > IAT_TOLERANCE_SECONDS.unsigned_abs() {
        return Err(Mismatch::Time);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::Nonce;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> HolderProofClaims {
        HolderProofClaims {
            op: Op::Reveal,
            card: "crd_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            nonce: Nonce::from_random(&[1; 32]),
            iat: NOW,
            jti: "one".to_owned(),
            rpk: Thumbprint::from_bytes([7; 32]),
            bdh: None,
        }
    }

    fn judge(change: impl FnOnce(&mut HolderProofClaims), payload: Option<BodyHash>) -> Result<(), Mismatch> {
        let mut changed = claims();
        change(&mut changed);
        let recipient = Thumbprint::from_bytes([7; 32]);
        let subject = claims().card;
        let expected = Expected {
            op: Op::Reveal,
            subject: &subject,
            recipient: &recipient,
            payload,
        };
        fits(&changed, &expected, NOW)
    }

    #[test]
    fn a_proof_of_this_request_fits() {
        assert_eq!(judge(|_| {}, None), Ok(()));
        assert_eq!(judge(|proof| proof.iat -= IAT_TOLERANCE_SECONDS, None), Ok(()));
        let payload = BodyHash::of("a.b.c.d.e");
        assert_eq!(judge(|proof| proof.bdh = Some(payload), Some(payload)), Ok(()));
    }

    #[test]
    fn a_proof_of_anything_else_does_not() {
        assert_eq!(
            judge(|proof| proof.op = Op::ResetCvv, None),
            Err(Mismatch::Operation)
        );
        assert_eq!(judge(|proof| proof.card.push('b'), None), Err(Mismatch::Subject));
        assert_eq!(
            judge(|proof| proof.rpk = Thumbprint::from_bytes([8; 32]), None),
            Err(Mismatch::Recipient)
        );
        assert_eq!(
            judge(|proof| proof.iat += IAT_TOLERANCE_SECONDS + 1, None),
            Err(Mismatch::Time)
        );
        assert_eq!(
            judge(|proof| proof.iat -= IAT_TOLERANCE_SECONDS + 1, None),
            Err(Mismatch::Time)
        );
        assert_eq!(judge(|proof| proof.iat = i64::MIN, None), Err(Mismatch::Time));
    }

    #[test]
    fn a_payload_is_named_exactly_when_there_is_one() {
        let (own, other) = (BodyHash::of("a.b.c.d.e"), BodyHash::of("a.b.c.d.f"));
        assert_eq!(
            judge(|proof| proof.bdh = Some(other), Some(own)),
            Err(Mismatch::Payload)
        );
        assert_eq!(judge(|proof| proof.bdh = Some(own), None), Err(Mismatch::Payload));
        assert_eq!(judge(|_| {}, Some(own)), Err(Mismatch::Payload));
    }
}
