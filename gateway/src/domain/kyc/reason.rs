//! Why an application was rejected, and what of it the applicant is told.

use crate::domain::rule::Rule;
use crate::domain::text::is_line;

/// Longest text beside the code, in characters.
const TEXT_MAX: usize = 500;

/// Why an application was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionReason {
    /// A document cannot be read.
    DocumentUnreadable,
    /// A document has expired.
    DocumentExpired,
    /// A document is of a kind or a country that is not accepted.
    DocumentNotAccepted,
    /// A document is missing.
    DocumentMissing,
    /// Data and documents say different things.
    DataMismatch,
    /// The photo of the person is not of the person on the document.
    PhotoMismatch,
    /// The person is too young.
    Underage,
    /// The person has an account already.
    Duplicate,
    /// The person is on a list of sanctions.
    Sanctioned,
    /// Something about the application is false.
    SuspectedFraud,
    /// Anything else.
    Other,
}

impl RejectionReason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::DocumentUnreadable,
        Self::DocumentExpired,
        Self::DocumentNotAccepted,
        Self::DocumentMissing,
        Self::DataMismatch,
        Self::PhotoMismatch,
        Self::Underage,
        Self::Duplicate,
        Self::Sanctioned,
        Self::SuspectedFraud,
        Self::Other,
    ];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DocumentUnreadable => "DOCUMENT_UNREADABLE",
            Self::DocumentExpired => "DOCUMENT_EXPIRED",
            Self::DocumentNotAccepted => "DOCUMENT_NOT_ACCEPTED",
            Self::DocumentMissing => "DOCUMENT_MISSING",
            Self::DataMismatch => "DATA_MISMATCH",
            Self::PhotoMismatch => "PHOTO_MISMATCH",
            Self::Underage => "UNDERAGE",
            Self::Duplicate => "DUPLICATE",
            Self::Sanctioned => "SANCTIONED",
            Self::SuspectedFraud => "SUSPECTED_FRAUD",
            Self::Other => "OTHER",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether the applicant may know. Who is warned of a suspicion gets away with it, and in many places warning is an
    /// offence ("tipping off", Directive (EU) 2015/849 article 39).
    #[must_use]
    pub const fn may_be_told(self) -> bool {
        !matches!(self, Self::Sanctioned | Self::SuspectedFraud)
    }
}

/// A reason, and a sentence to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The code.
    pub reason: RejectionReason,
    /// What else the applicant shall know: which document, what to do about it.
    pub message: Option<String>,
}

impl Rejection {
    /// As the applicant is told: a suspicion is `OTHER`, without a sentence.
    #[must_use]
    pub fn as_told(&self) -> Self {
        if self.reason.may_be_told() {
            return self.clone();
        }
        Self {
            reason: RejectionReason::Other,
            message: None,
        }
    }
}

/// Reads a reason.
///
/// # Errors
/// The rule, for another name.
pub fn parse_reason(name: &str) -> Result<RejectionReason, Rule> {
    RejectionReason::from_name(name).ok_or(Rule {
        code: "NOT_A_REASON",
        message: "Must be a reason of a rejection, as the API document lists them.",
    })
}

/// Reads the sentence to a reason.
///
/// # Errors
/// The rule, for more than one line or too long a one.
pub fn parse_message(text: &str) -> Result<String, Rule> {
    if is_line(text, TEXT_MAX) {
        Ok(text.to_owned())
    } else {
        Err(Rule {
            code: "NOT_A_MESSAGE",
            message: "Must be 1 to 500 characters on one line.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for reason in RejectionReason::ALL {
            assert_eq!(RejectionReason::from_name(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn an_applicant_is_not_warned_of_a_suspicion() {
        for reason in RejectionReason::ALL {
            let rejection = Rejection {
                reason,
                message: Some("Why.".to_owned()),
            };
            let hidden = matches!(
                reason,
                RejectionReason::Sanctioned | RejectionReason::SuspectedFraud
            );
            assert_eq!(rejection.as_told() != rejection, hidden, "{reason:?}");
            if hidden {
                assert_eq!(rejection.as_told().reason, RejectionReason::Other);
                assert_eq!(rejection.as_told().message, None);
            }
        }
    }
}
