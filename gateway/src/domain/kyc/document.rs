//! Documents of an application: what they show, of which type they are, and which of them a program asks for.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::domain::rule::Rule;

/// The gateway's number of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentId(pub i64);

/// What a document shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// The front of an identity card.
    IdentityFront,
    /// Its back.
    IdentityBack,
    /// The page of a passport that shows its holder.
    Passport,
    /// The front of a driving licence.
    DrivingLicence,
    /// A permit to live in a country.
    ResidencePermit,
    /// A bill or a letter that shows where the person lives.
    ProofOfAddress,
    /// The person's face.
    Selfie,
    /// The person, holding the document.
    SelfieWithDocument,
    /// Anything else that was asked for.
    Other,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::IdentityFront,
        Self::IdentityBack,
        Self::Passport,
        Self::DrivingLicence,
        Self::ResidencePermit,
        Self::ProofOfAddress,
        Self::Selfie,
        Self::SelfieWithDocument,
        Self::Other,
    ];

    /// The name on the wire, in the configuration and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdentityFront => "IDENTITY_FRONT",
            Self::IdentityBack => "IDENTITY_BACK",
            Self::Passport => "PASSPORT",
            Self::DrivingLicence => "DRIVING_LICENCE",
            Self::ResidencePermit => "RESIDENCE_PERMIT",
            Self::ProofOfAddress => "PROOF_OF_ADDRESS",
            Self::Selfie => "SELFIE",
            Self::SelfieWithDocument => "SELFIE_WITH_DOCUMENT",
            Self::Other => "OTHER",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The types that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentType {
    /// PDF (ISO 32000).
    Pdf,
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
}

impl DocumentType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Pdf, Self::Jpeg, Self::Png];

    /// The media type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The ending of a file's name.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The type with this media type, as a header names it: parameters are passed over.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let essence = name.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(essence))
    }
}

/// What a program asks for: one of these kinds. In the configuration: `"PASSPORT"`, or `"PASSPORT|IDENTITY_FRONT"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Requirement(Vec<DocumentKind>);

impl Requirement {
    /// Whether one of the kinds is among these.
    #[must_use]
    pub fn is_met_by(&self, given: &[DocumentKind]) -> bool {
        self.0.iter().any(|kind| given.contains(kind))
    }
}

impl FromStr for Requirement {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        let kinds = text.split('|').map(|name| DocumentKind::from_name(name.trim()));
        kinds.collect::<Option<_>>().map(Self).ok_or(NOT_A_KIND)
    }
}

impl TryFrom<String> for Requirement {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().map_err(|rule: Rule| rule.message)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            f.write_str(kind.as_str())?;
        }
        Ok(())
    }
}

/// The name is of no kind of document.
pub const NOT_A_KIND: Rule = Rule {
    code: "NOT_A_DOCUMENT_KIND",
    message: "Must be a kind of document: IDENTITY_FRONT, IDENTITY_BACK, PASSPORT, DRIVING_LICENCE, \
              RESIDENCE_PERMIT, PROOF_OF_ADDRESS, SELFIE, SELFIE_WITH_DOCUMENT or OTHER.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for kind in DocumentKind::ALL {
            assert_eq!(DocumentKind::from_name(kind.as_str()), Some(kind));
        }
        for known in DocumentType::ALL {
            assert_eq!(DocumentType::from_name(known.as_str()), Some(known));
        }
        assert_eq!(DocumentType::from_name("Image/PNG; q=1"), Some(DocumentType::Png));
        for other in ["", "image/*", "image/svg+xml", "application/pdfx"] {
            assert_eq!(DocumentType::from_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_requirement_is_met_by_any_of_its_kinds() {
        let one: Requirement = "PASSPORT|IDENTITY_FRONT".parse().unwrap();
        assert!(one.is_met_by(&[DocumentKind::Selfie, DocumentKind::IdentityFront]));
        assert!(!one.is_met_by(&[DocumentKind::Selfie]));
        assert_eq!(one.to_string(), "PASSPORT or IDENTITY_FRONT");
        for bad in ["", "PASSPORT|", "passport"] {
            assert!(bad.parse::<Requirement>().is_err(), "{bad}");
        }
    }
}
