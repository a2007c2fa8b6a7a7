//! A user: whose cards and balances these are. Personal data is not part of it; few places need that.

use shared::ids::{HolderToken, ProgramName};
use shared::mtls::identity::Name;

use super::kyc::KycStatus;

/// The gateway's number of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

/// A registered user, known to the vault as a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub id: UserId,
    /// Whose user this is.
    pub partner: Name,
    /// Under which program balances and cards are created.
    pub program: ProgramName,
    /// The user in the vault.
    pub holder: HolderToken,
    /// Whether the identity is established.
    pub kyc: KycStatus,
}
