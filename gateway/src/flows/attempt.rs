//! What an error of the vault means depends on which try of a request brought it: one that changed nothing itself says
//! nothing of the try before it.

use time::OffsetDateTime;

use super::claimed::in_flight;
use crate::clients::vault::{Refusal, VaultError};
use crate::error::Error;
use crate::store::card_requests::PATIENCE;
use crate::store::idempotency::Claim;

/// Which try of a request asks the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The first: nothing was asked under its key before.
    First,
    /// A later one, of the client or of a job.
    Repeated {
        /// Whether an earlier one may still be at work in the vault.
        soon: bool,
    },
}

impl Attempt {
    /// A try of a request that began at `began`, now.
    #[must_use]
    pub fn again(began: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self::Repeated {
            soon: now < began + PATIENCE,
        }
    }

    /// The try of whoever holds this claim.
    #[must_use]
    pub fn of_claim(claim: &Claim, now: OffsetDateTime) -> Self {
        claim
            .resumed_from()
            .map_or(Self::First, |began| Self::again(began, now))
    }

    /// What the caller is told, and whether the request has to stay repeatable ([`Error::vault_may_have_acted`]). A
    /// repeated one ends by a refusal alone: the vault looks for the earlier answer first, so it has none. Where the
    /// earlier try may be the very cause of the refusal, it is waited for.
    #[must_use]
    pub fn judge(self, error: VaultError) -> Error {
        match (self, &error) {
            (Self::Repeated { soon: true }, VaultError::Refused(refusal)) if is_of_earlier_try(refusal) => {
                in_flight().unsettled()
            }
            (Self::First, _) | (Self::Repeated { .. }, VaultError::Refused(_)) => error.into(),
            (Self::Repeated { .. }, _) => Error::from(error).unsettled(),
        }
    }
}

/// Whether an earlier try that has spent a nonce or a budget, and not committed yet, looks like this to a later one.
const fn is_of_earlier_try(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::HolderProofInvalid | Refusal::TooManyRequests { .. } | Refusal::AlreadyPrinted
    )
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::clients::vault::Effect;
    use crate::error::Code;
    use crate::store::tests::NOON;

    const SOON: Attempt = Attempt::Repeated { soon: true };
    const LATE: Attempt = Attempt::Repeated { soon: false };

    fn away(effect: Effect) -> VaultError {
        VaultError::Unavailable {
            retry_after_seconds: 1,
            effect,
            reason: String::new(),
        }
    }

    fn spent_nonce() -> VaultError {
        VaultError::Refused(Refusal::HolderProofInvalid)
    }

    #[test]
    fn a_vault_that_is_away_settles_a_first_try_and_no_later_one() {
        assert!(!Attempt::First.judge(away(Effect::None)).vault_may_have_acted());
        assert!(Attempt::First.judge(away(Effect::Unknown)).vault_may_have_acted());
        for attempt in [SOON, LATE] {
            for effect in [Effect::None, Effect::Unknown] {
                let told = attempt.judge(away(effect));
                assert_eq!(told.code(), Code::VaultUnavailable);
                assert!(told.vault_may_have_acted(), "{attempt:?} {effect:?}");
            }
            assert!(
                attempt
                    .judge(VaultError::Protocol(String::new()))
                    .vault_may_have_acted()
            );
        }
    }

    #[test]
    fn a_nonce_that_the_earlier_try_may_have_spent_ends_nothing_until_that_try_is_over() {
        let told = SOON.judge(spent_nonce());
        assert_eq!(told.code(), Code::IdempotencyInFlight);
        assert!(told.vault_may_have_acted());
        for attempt in [Attempt::First, LATE] {
            let told = attempt.judge(spent_nonce());
            assert_eq!(told.code(), Code::HolderProofInvalid);
            assert!(!told.vault_may_have_acted(), "{attempt:?}");
        }
    }

    #[test]
    fn a_refusal_that_no_earlier_try_can_cause_settles_every_one() {
        for attempt in [Attempt::First, SOON, LATE] {
            let told = attempt.judge(VaultError::Refused(Refusal::InvalidPayload));
            assert_eq!(told.code(), Code::InvalidPayload);
            assert!(!told.vault_may_have_acted(), "{attempt:?}");
        }
    }

    #[test]
    fn a_repeat_is_soon_for_a_minute() {
        assert_eq!(Attempt::again(NOON, NOON + Duration::seconds(59)), SOON);
        assert_eq!(Attempt::again(NOON, NOON + PATIENCE), LATE);
    }
}
