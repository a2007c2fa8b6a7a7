//! What operators do about themselves and about one another. Each change writes its entry into the audit trail, and its mail,
//! in the same transaction.

pub mod accept_invitation;
pub mod create_first;
pub mod invite;
pub mod log_in;
mod mail;
pub mod manage;
pub mod note_view;
pub mod reset_password;
mod second_factor;
#[cfg(test)]
pub(crate) mod tests;

/// What an operator's session token begins with.
const SESSION_PREFIX: &str = "ops_";
/// Characters of it: the prefix, and 256 bits in base64url.
const SESSION_LENGTH: usize = SESSION_PREFIX.len() + 43;

/// Whether this has the form of an operator's session token: nobody looks up what has not.
#[must_use]
pub fn has_form_of_token(text: &str) -> bool {
    text.len() == SESSION_LENGTH && text.starts_with(SESSION_PREFIX)
}
