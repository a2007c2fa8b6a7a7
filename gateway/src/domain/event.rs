//! What partners are told of: an event is written in the transaction that brings it about, and leaves later.
//!
//! An event tells of numbers, states and tokens, never of personal or card data: what changed is fetched from the API, by
//! whoever may.

use serde_json::{Map, Value};
use shared::ids::ProgramName;
use shared::mtls::identity::Name;

use super::card::CardId;
use super::user::UserId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A user was registered.
    UserCreated,
    /// Personal data was changed.
    UserUpdated,
    /// A user was locked.
    UserLocked,
    /// A user was unlocked.
    UserUnlocked,
    /// A user was removed, personal data erased.
    UserRemoved,
    /// A device was paired.
    InstallationPaired,
    /// An installation was revoked.
    InstallationRevoked,
    /// A further key was announced at the vault and waits: if the user did not do this, it is to be revoked.
    HolderKeyPending,
    /// The KYC status changed.
    KycChanged,
    /// A balance was created.
    BalanceCreated,
    /// A balance was locked, unlocked or closed.
    BalanceStateChanged,
    /// Money was paid in.
    BalanceReloaded,
    /// Money was paid into a partner's balance.
    PartnerBalanceReloaded,
    /// A partner's balance fell below its level.
    PartnerBalanceLow,
    /// A card was created.
    CardCreated,
    /// A card that was asked for asynchronously was not created.
    CardRequestFailed,
    /// A card was locked, here or outside.
    CardLocked,
    /// A lock was lifted.
    CardUnlocked,
    /// A card was removed.
    CardRemoved,
    /// Plastic was ordered.
    CardOrdered,
    /// The bureau linked the plastic to the card.
    CardLinked,
    /// The plastic was handed to the carrier.
    CardShipped,
    /// The bureau could not make or deliver the plastic.
    CardDeliveryFailed,
    /// The plastic came back.
    CardReturned,
    /// The bureau did not confirm an order within its time.
    CardOverdue,
    /// A physical card was activated.
    CardActivated,
    /// A card took the place of another.
    CardReplaced,
    /// A card got another end and another CVV.
    CardRenewed,
    /// The next plastic of a card that nears its end was ordered.
    CardRenewalOrdered,
    /// A card that nears its end is not renewed.
    CardNotRenewed,
    /// A card's last month has passed.
    CardExpired,
    /// A PIN was set.
    PinSet,
    /// A new CVV was made.
    CvvReset,
    /// A transaction was posted.
    TransactionPosted,
    /// A mass import came to its end.
    ImportFinished,
    /// A partner's certificate was returned.
    CertificateIssued,
    /// A partner's certificate was revoked.
    CertificateRevoked,
    /// Nothing is sent to a webhook endpoint any more: it is gone, or has failed for days.
    WebhookDisabled,
    /// A partner tests an endpoint. It goes to that endpoint alone.
    WebhookTest,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 39] = [
        Self::UserCreated,
        Self::UserUpdated,
        Self::UserLocked,
        Self::UserUnlocked,
        Self::UserRemoved,
        Self::InstallationPaired,
        Self::InstallationRevoked,
        Self::HolderKeyPending,
        Self::KycChanged,
        Self::BalanceCreated,
        Self::BalanceStateChanged,
        Self::BalanceReloaded,
        Self::PartnerBalanceReloaded,
        Self::PartnerBalanceLow,
        Self::CardCreated,
        Self::CardRequestFailed,
        Self::CardLocked,
        Self::CardUnlocked,
        Self::CardRemoved,
        Self::CardOrdered,
        Self::CardLinked,
        Self::CardShipped,
        Self::CardDeliveryFailed,
        Self::CardReturned,
        Self::CardOverdue,
        Self::CardActivated,
        Self::CardReplaced,
        Self::CardRenewed,
        Self::CardRenewalOrdered,
        Self::CardNotRenewed,
        Self::CardExpired,
        Self::PinSet,
        Self::CvvReset,
        Self::TransactionPosted,
        Self::ImportFinished,
        Self::CertificateIssued,
        Self::CertificateRevoked,
        Self::WebhookDisabled,
        Self::WebhookTest,
    ];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "user.created",
            Self::UserUpdated => "user.updated",
            Self::UserLocked => "user.locked",
            Self::UserUnlocked => "user.unlocked",
            Self::UserRemoved => "user.removed",
            Self::InstallationPaired => "installation.paired",
            Self::InstallationRevoked => "installation.revoked",
            Self::HolderKeyPending => "holder_key.pending",
            Self::KycChanged => "kyc.changed",
            Self::BalanceCreated => "balance.created",
            Self::BalanceStateChanged => "balance.state_changed",
            Self::BalanceReloaded => "balance.reloaded",
            Self::PartnerBalanceReloaded => "partner_balance.reloaded",
            Self::PartnerBalanceLow => "partner_balance.low",
            Self::CardCreated => "card.created",
            Self::CardRequestFailed => "card.request_failed",
            Self::CardLocked => "card.locked",
            Self::CardUnlocked => "card.unlocked",
            Self::CardRemoved => "card.removed",
            Self::CardOrdered => "card.ordered",
            Self::CardLinked => "card.linked",
            Self::CardShipped => "card.shipped",
            Self::CardDeliveryFailed => "card.delivery_failed",
            Self::CardReturned => "card.returned",
            Self::CardOverdue => "card.overdue",
            Self::CardActivated => "card.activated",
            Self::CardReplaced => "card.replaced",
            Self::CardRenewed => "card.renewed",
            Self::CardRenewalOrdered => "card.renewal_ordered",
            Self::CardNotRenewed => "card.not_renewed",
            Self::CardExpired => "card.expired",
            Self::PinSet => "card.pin_set",
            Self::CvvReset => "card.cvv_reset",
            Self::TransactionPosted => "transaction.posted",
            Self::ImportFinished => "import.finished",
            Self::CertificateIssued => "certificate.issued",
            Self::CertificateRevoked => "certificate.revoked",
            Self::WebhookDisabled => "webhook.disabled",
            Self::WebhookTest => "webhook.test",
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UserCreated => "A user was registered.",
            Self::UserUpdated => "Personal data was changed.",
            Self::UserLocked => "A user was locked.",
            Self::UserUnlocked => "A user was unlocked.",
            Self::UserRemoved => "A user was removed, personal data erased.",
            Self::InstallationPaired => "A device was paired.",
            Self::InstallationRevoked => "An installation was revoked.",
            Self::HolderKeyPending => {
                "A further key was announced at the vault and waits: if the user did not do this, it is to be revoked."
            }
            Self::KycChanged => "The KYC status changed.",
            Self::BalanceCreated => "A balance was created.",
            Self::BalanceStateChanged => "A balance was locked, unlocked or closed.",
            Self::BalanceReloaded => "Money was paid in.",
            Self::PartnerBalanceReloaded => "Money was paid into a partner's balance.",
            Self::PartnerBalanceLow => "A partner's balance fell below its level.",
            Self::CardCreated => "A card was created.",
            Self::CardRequestFailed => "A card that was asked for asynchronously was not created.",
            Self::CardLocked => "A card was locked, here or outside.",
            Self::CardUnlocked => "A lock was lifted.",
            Self::CardRemoved => "A card was removed.",
            Self::CardOrdered => "Plastic was ordered.",
            Self::CardLinked => "The bureau linked the plastic to the card.",
            Self::CardShipped => "The plastic was handed to the carrier.",
            Self::CardDeliveryFailed => "The bureau could not make or deliver the plastic.",
            Self::CardReturned => "The plastic came back.",
            Self::CardOverdue => "The bureau did not confirm an order within its time.",
            Self::CardActivated => "A physical card was activated.",
            Self::CardReplaced => "A card took the place of another.",
            Self::CardRenewed => {
                "A card got another end and another CVV: its next plastic has taken over, or it has none."
            }
            Self::CardRenewalOrdered => "The next plastic of a card that nears its end was ordered.",
            Self::CardNotRenewed => "A card that nears its end is not renewed; `code` says why.",
            Self::CardExpired => "A card's last month has passed.",
            Self::PinSet => "A PIN was set.",
            Self::CvvReset => "A new CVV was made.",
            Self::TransactionPosted => "A transaction was posted.",
            Self::ImportFinished => "A mass import came to its end.",
            Self::CertificateIssued => "A partner's certificate was returned.",
            Self::CertificateRevoked => "A partner's certificate was revoked.",
            Self::WebhookDisabled => {
                "Nothing is sent to a webhook endpoint any more: it is gone, or has failed for days."
            }
            Self::WebhookTest => "A partner tests an endpoint. It goes to that endpoint alone.",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An event that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Whose event it is.
    pub partner: Name,
    /// The user it is about.
    pub user: Option<UserId>,
    /// The card it is about: events of one card are numbered in sequence.
    pub card: Option<CardId>,
    /// The program it is about, where it is about no user: an event about a user is of the user's program.
    pub program: Option<ProgramName>,
    /// What else is told.
    pub data: Map<String, Value>,
}

impl Event {
    /// An event among what is `partner`'s.
    #[must_use]
    pub fn new(kind: EventKind, partner: &Name) -> Self {
        Self {
            kind,
            partner: partner.clone(),
            user: None,
            card: None,
            program: None,
            data: Map::new(),
        }
    }

    /// About a user.
    #[must_use]
    pub const fn about_user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// About a card.
    #[must_use]
    pub const fn about_card(mut self, card: CardId) -> Self {
        self.card = Some(card);
        self
    }

    /// About a program as a whole.
    #[must_use]
    pub fn about_program(mut self, program: &ProgramName) -> Self {
        self.program = Some(program.clone());
        self
    }

    /// Telling one thing more: a number, a state, a token.
    #[must_use]
    pub fn telling(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_are_found_again() {
        let names: HashSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.as_str()), Some(kind));
        }
    }

    /// The list that partners are given.
    #[test]
    fn every_kind_stands_in_the_page_for_partners() {
        let page = include_str!("../../../docs/webhooks.md");
        for kind in EventKind::ALL {
            let row = format!("| `{}` | {} |", kind.as_str(), kind.meaning());
            assert!(page.contains(&row), "docs/webhooks.md lacks: {row}");
        }
    }
}
