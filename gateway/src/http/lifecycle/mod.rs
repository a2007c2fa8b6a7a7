//! Doors under `/lifecycle`: a partner's server about its users.

pub(super) mod events;
pub(super) mod import_sessions;
pub(super) mod imports;
pub(super) mod users;
pub(super) mod webhooks;
