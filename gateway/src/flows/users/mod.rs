//! What is done with a registered user: changed, locked, unlocked, exported, removed.

pub mod export;
pub mod lock;
pub mod remove;
pub mod update;

use crate::domain::lock::Party;
use crate::domain::user::UserId;
use crate::store::audit::Stamp;

/// Who does something about whom.
pub struct AboutUser<'a> {
    /// The user.
    pub user: UserId,
    /// Who does it.
    pub by: Party,
    /// What an operator's action is called in the audit trail; none on other channels.
    pub stamp: Option<&'a Stamp>,
}
