//! Cardholders and the keys that may speak for them.
//!
//! The rule of first use: the first key of a holder who never had a key and has no card is taken as it comes. Everything
//! later needs an active key's signature, possession of a card, a partner's ticket, maturity in view of the user, or two
//! officers. Revocation never makes a holder "first" again.

use serde::{Deserialize, Serialize};
use shared::ids::{CardToken, HolderToken, ProgramName};
use shared::public_key::HolderKey;
use shared::thumbprint::Thumbprint;
use shared::vault_api::governance::EnrolmentPolicy;
use shared::vault_api::holders::KeyState;

/// Keys that a holder may have active or pending at once.
pub const MOST_LIVE_KEYS: usize = 16;

const SECONDS_PER_HOUR: i64 = 3600;

/// A cardholder. The program, and with it the partner, is fixed at creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The holder's name outside the vault.
    pub token: HolderToken,
    /// The program.
    pub program: ProgramName,
    /// Whether a key was ever enrolled, in whatever state it is now.
    pub ever_had_key: bool,
    /// Whether a card was ever issued.
    pub ever_had_card: bool,
    /// The partner's own name for the user, fixed by the first enrolment ticket.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl Holder {
    /// A holder without history.
    #[must_use]
    pub fn new(token: HolderToken, program: ProgramName) -> Self {
        Self {
            token,
            program,
            ever_had_key: false,
            ever_had_card: false,
            external_id: None,
        }
    }

    fn is_first_use(&self) -> bool {
        !self.ever_had_key && !self.ever_had_card
    }
}

/// How a key came in: its lineage, for the audit log and for officers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Origin {
    /// Trust on first use.
    FirstUse,
    /// Co-signed by an active key.
    CoSigned {
        /// That key.
        key: Thumbprint,
    },
    /// Possession of one card, for which alone it is active.
    Possession {
        /// The card.
        card: CardToken,
    },
    /// A partner's enrolment ticket.
    Ticket,
    /// The gateway's word alone.
    GatewayWord,
}

/// Whether a key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Acceptance {
    /// Accepted.
    Active,
    /// Accepted from an instant on (unix seconds), if the program lets keys mature.
    Pending {
        /// Absent: two officers only.
        matures_at: Option<i64>,
    },
    /// Never again.
    Revoked,
}

impl Acceptance {
    /// The state at `now`.
    #[must_use]
    pub fn state(self, now: i64) -> KeyState {
        match self {
            Self::Active => KeyState::Active,
            Self::Pending { matures_at: Some(at) } if at <= now => KeyState::Active,
            Self::Pending { .. } => KeyState::Pending,
            Self::Revoked => KeyState::Revoked,
        }
    }
}

/// A holder's key as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnrolledKey {
    /// Whose it is.
    pub holder: HolderToken,
    /// The public key.
    pub key: HolderKey,
    /// How it came in.
    pub origin: Origin,
    /// Whether it is accepted.
    pub acceptance: Acceptance,
    /// Unix seconds.
    pub enrolled_at: i64,
}

impl EnrolledKey {
    /// Whether the key may speak for `card` (`None`: for the holder as a whole) at `now`.
    #[must_use]
    pub fn speaks_for(&self, card: Option<&CardToken>, now: i64) -> bool {
        let in_scope = match &self.origin {
            Origin::Possession { card: own } => card == Some(own),
            Origin::FirstUse | Origin::CoSigned { .. } | Origin::Ticket | Origin::GatewayWord => true,
        };
        in_scope && self.acceptance.state(now) == KeyState::Active
    }
}

/// What came along with a key that wants in, already verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A proof by this active key.
    CoSignature(Thumbprint),
    /// The data of this card.
    Possession(CardToken),
    /// The secret of a partner's ticket.
    Ticket,
    /// Nothing but the gateway's word.
    None,
}

/// Why a key stays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// The program takes keys by ticket, and there was none.
    #[error("the program asks for an enrolment ticket")]
    TicketRequired,
    /// Too many live keys.
    #[error("the holder has as many keys as are allowed")]
    TooManyKeys,
}

/// Decides how a key comes in.
///
/// # Errors
/// The rule that keeps it out.
pub fn admit(
    holder: &Holder,
    policy: &EnrolmentPolicy,
    live_keys: usize,
    evidence: Evidence,
    now: i64,
) -> Result<(Origin, Acceptance), EnrolmentRefusal> {
    if live_keys >= MOST_LIVE_KEYS {
        return Err(EnrolmentRefusal::TooManyKeys);
    }
    match (evidence, policy) {
        (Evidence::Ticket, _) => Ok((Origin::Ticket, Acceptance::Active)),
        // Where tickets are asked for, they are asked for the first and for every further key.
        (_, EnrolmentPolicy::Ticket) => Err(EnrolmentRefusal::TicketRequired),
        (Evidence::CoSignature(key), _) => Ok((Origin::CoSigned { key }, Acceptance::Active)),
        (Evidence::Possession(card), _) => Ok((Origin::Possession { card }, Acceptance::Active)),
        (Evidence::None, _) if holder.is_first_use() => Ok((Origin::FirstUse, Acceptance::Active)),
        (Evidence::None, EnrolmentPolicy::MaturesAfter { hours }) => {
            let matures_at = now.saturating_add(i64::from(*hours).saturating_mul(SECONDS_PER_HOUR));
            Ok((
                Origin::GatewayWord,
                Acceptance::Pending {
                    matures_at: Some(matures_at),
                },
            ))
        }
        (Evidence::None, EnrolmentPolicy::OfficersOnly) => {
            Ok((Origin::GatewayWord, Acceptance::Pending { matures_at: None }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const MATURES: EnrolmentPolicy = EnrolmentPolicy::MaturesAfter { hours: 24 };

    fn holder() -> Holder {
        Holder::new(
            HolderToken::from_random(&[1; 16]).unwrap(),
            "demo-eur".parse().unwrap(),
        )
    }

    #[test]
    fn the_first_key_is_taken_as_it_comes() {
        let admitted = admit(&holder(), &MATURES, 0, Evidence::None, NOW).unwrap();
        assert_eq!(admitted, (Origin::FirstUse, Acceptance::Active));
    }

    #[test]
    fn a_holder_with_any_history_is_never_first_again() {
        for (had_key, had_card) in [(true, false), (false, true), (true, true)] {
            let holder = Holder {
                ever_had_key: had_key,
                ever_had_card: had_card,
                ..holder()
            };
            let (origin, acceptance) = admit(&holder, &MATURES, 0, Evidence::None, NOW).unwrap();
            assert_eq!(origin, Origin::GatewayWord);
            assert_eq!(acceptance.state(NOW), KeyState::Pending);
            assert_eq!(acceptance.state(NOW + 86_399), KeyState::Pending);
            assert_eq!(acceptance.state(NOW + 86_400), KeyState::Active);
        }
    }

    #[test]
    fn ticket_programs_never_trust_first_use() {
        let admit = |evidence| admit(&holder(), &EnrolmentPolicy::Ticket, 0, evidence, NOW);
        let co_signed = Evidence::CoSignature(Thumbprint::from_bytes([1; 32]));
        for evidence in [Evidence::None, co_signed] {
            assert_eq!(admit(evidence), Err(EnrolmentRefusal::TicketRequired));
        }
        assert_eq!(admit(Evidence::Ticket), Ok((Origin::Ticket, Acceptance::Active)));
    }

    #[test]
    fn without_maturing_a_pending_key_waits_for_officers_for_ever() {
        let holder = Holder {
            ever_had_key: true,
            ..holder()
        };
        let (_, acceptance) = admit(&holder, &EnrolmentPolicy::OfficersOnly, 0, Evidence::None, NOW).unwrap();
        assert_eq!(acceptance.state(i64::MAX), KeyState::Pending);
    }

    #[test]
    fn keys_are_bounded() {
        let refused = admit(&holder(), &MATURES, MOST_LIVE_KEYS, Evidence::None, NOW);
        assert_eq!(refused, Err(EnrolmentRefusal::TooManyKeys));
    }
}
