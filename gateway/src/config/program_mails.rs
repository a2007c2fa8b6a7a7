//! Mails about events of a program: to its users, and to the partner.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::domain::event::EventKind;
use crate::domain::letter;
use crate::domain::person::Email;

/// Who is written to about what.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct ProgramMails {
    /// The partner's address: low balances, disabled endpoints, imports, certificates. Without one the partner is not
    /// written to.
    #[serde(deserialize_with = "address")]
    pub contact: Option<Email>,
    /// Of which events users are told by mail. Of a further key at the vault they are told whatever stands here.
    #[serde(deserialize_with = "kinds")]
    pub to_users: Vec<EventKind>,
    /// The language of the mails.
    pub language: Language,
}

impl Default for ProgramMails {
    fn default() -> Self {
        Self {
            contact: None,
            to_users: letter::TO_USERS_BY_DEFAULT.to_vec(),
            language: Language::En,
        }
    }
}

/// A language of mails.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Email>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Email::parse(&text)
        .map(Some)
        .map_err(|rule| D::Error::custom(rule.message))
}

fn kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventKind>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let known = |name: &String| EventKind::from_name(name).filter(|kind| letter::TO_USERS.contains(kind));
    let kinds: Option<Vec<_>> = names.iter().map(known).collect();
    kinds.ok_or_else(|| D::Error::custom("to_users names an event of which users are not told by mail"))
}
