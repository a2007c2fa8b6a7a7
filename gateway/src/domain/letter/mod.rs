//! Mails about events: plain text, in English, by family. No name, no data of a person, no more of a card than its last four
//! digits: a mail goes through many hands.

mod card;
mod partner;
mod person;
mod security;

use serde_json::{Map, Value};
use shared::money::Money;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::event::EventKind;

/// Events of which users can be told by mail.
pub const TO_USERS: [EventKind; 12] = [
    EventKind::HolderKeyPending,
    EventKind::InstallationPaired,
    EventKind::UserLocked,
    EventKind::UserUnlocked,
    EventKind::KycChanged,
    EventKind::CardLocked,
    EventKind::CardShipped,
    EventKind::CardDeliveryFailed,
    EventKind::CardReplaced,
    EventKind::CardRenewed,
    EventKind::CardExpired,
    EventKind::PinSet,
];

/// Events of which users are told by mail where a program says nothing.
pub const TO_USERS_BY_DEFAULT: [EventKind; 8] = [
    EventKind::HolderKeyPending,
    EventKind::InstallationPaired,
    EventKind::KycChanged,
    EventKind::CardLocked,
    EventKind::CardShipped,
    EventKind::CardReplaced,
    EventKind::CardRenewed,
    EventKind::CardExpired,
];

/// Events of which a partner's contact is told by mail: said a second time, for the tests.
#[cfg(test)]
pub const TO_PARTNERS: [EventKind; 5] = [
    EventKind::PartnerBalanceLow,
    EventKind::WebhookDisabled,
    EventKind::ImportFinished,
    EventKind::CertificateIssued,
    EventKind::CertificateRevoked,
];

/// Whether users are told whatever a program says: whoever steals an account must not have taken the warning away before.
#[must_use]
pub fn is_never_left_out(kind: EventKind) -> bool {
    kind == EventKind::HolderKeyPending
}

/// What a letter is about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whose user, or which partner, it is.
    pub partner: &'a str,
    /// When it happened.
    pub at: OffsetDateTime,
    /// The last four digits of the card.
    pub last_four: Option<&'a str>,
    /// What the event tells.
    pub data: &'a Map<String, Value>,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: &'static str,
    /// The text.
    pub text: String,
}

/// The letter to a user; none where there is nothing to say.
#[must_use]
pub fn to_user(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    security::letter(kind, facts)
        .or_else(|| person::letter(kind, facts))
        .or_else(|| card::letter(kind, facts))
}

/// The letter to a partner's contact; none where there is nothing to say.
#[must_use]
pub fn to_partner(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    partner::letter(kind, facts)
}

impl Facts<'_> {
    fn word(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }

    fn is_told(&self, name: &str) -> bool {
        self.data.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// An amount, which events tell in minor units beside its currency.
    fn amount(&self, name: &str) -> Option<Money> {
        Some(Money {
            minor: self.data.get(name)?.as_i64()?,
            currency: self.word("currency")?.parse().ok()?,
        })
    }

    /// "Your card ending in 1234".
    fn card(&self) -> String {
        match self.last_four {
            Some(digits) => format!("Your card ending in {digits}"),
            None => "Your card".to_owned(),
        }
    }

    fn when(&self) -> String {
        written(self.at)
    }

    /// An instant among what is told.
    fn instant(&self, name: &str) -> Option<String> {
        OffsetDateTime::parse(self.word(name)?, &Rfc3339)
            .ok()
            .map(written)
    }

    fn signed(&self, subject: &'static str, text: &str) -> Letter {
        Letter {
            subject,
            text: format!(
                "Hello,\n\n{text}\n\nThis mail was sent by Tessera for {}. Nobody of ours will ever ask you for a PIN, a \
                 card number or a code.\n",
                self.partner
            ),
        }
    }
}

fn written(at: OffsetDateTime) -> String {
    const FORM: &[FormatItem<'_>] =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]");
    at.to_offset(UtcOffset::UTC)
        .format(FORM)
        .map_or_else(|_| "just now".to_owned(), |at| format!("{at} (UTC)"))
}

#[cfg(test)]
mod tests;
