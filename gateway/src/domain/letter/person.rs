//! Where a user stands: identity and access.

use super::{Facts, Letter};
use crate::domain::event::EventKind;
use crate::domain::kyc::KycStatus;

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    match kind {
        EventKind::KycChanged => kyc_changed(facts),
        EventKind::UserLocked => Some(facts.signed(
            "Your access was locked",
            &format!(
                "Your access was locked on {}. Sessions have ended. If you do not know why, ask {}.",
                facts.when(),
                facts.partner
            ),
        )),
        EventKind::UserUnlocked => Some(facts.signed(
            "Your access was unlocked",
            &format!(
                "Your access was unlocked on {}. You can log in again.",
                facts.when()
            ),
        )),
        _ => None,
    }
}

/// An application that waits is no news to whoever sent it.
fn kyc_changed(facts: &Facts<'_>) -> Option<Letter> {
    match KycStatus::from_name(facts.word("kycStatus")?)? {
        KycStatus::Accepted => Some(facts.signed(
            "Your identity is confirmed",
            "Your identity is confirmed. You can create cards now.",
        )),
        KycStatus::Rejected => Some(facts.signed(
            "Your identity could not be confirmed",
            "Your identity could not be confirmed. The app says what is missing; you can apply again.",
        )),
        KycStatus::None | KycStatus::InProgress => None,
    }
}
