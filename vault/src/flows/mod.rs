//! The vault's verbs, one a file: each takes parsed types and the open vault, asks the domain, commits once, and returns
//! a value. None knows HTTP.

pub mod answer;
pub mod backup;
pub mod challenge;
pub mod create_holder;
pub mod enrol_key;
pub mod erase;
pub mod export;
pub mod govern;
pub mod import;
pub mod integrity;
pub mod inventory;
pub mod issue;
pub mod lock_finally;
pub mod lock_outside;
pub mod lookup;
pub mod new_card;
pub mod notices;
pub mod order_card;
pub mod orders;
pub mod pending_keys;
pub mod print;
pub mod prove;
pub mod public_keys;
pub mod purge;
pub mod read_audit;
pub mod renew;
pub mod renew_plastic;
pub mod reset_cvv;
pub mod retention;
pub mod reveal;
pub mod reveals;
pub mod revoke_key;
pub mod rotate;
pub mod secrets;
pub mod set_pin;
pub mod slots;
pub mod sweep;
pub mod take_over;
pub mod tokenise;
pub mod verify;

#[cfg(test)]
pub(crate) mod tests;

use crate::bulk::places::FileError;
use crate::error::Error;

/// A bulk file that cannot be written or read, as an error of ours.
fn bulk_error(error: FileError) -> Error {
    match error {
        FileError::NoSpace(_) => Error::conflict("BULK_NO_SPACE", "There is no room for the file."),
        FileError::UnderWay(_) | FileError::Io(..) => Error::Internal(error.to_string()),
    }
}
