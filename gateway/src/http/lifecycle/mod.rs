//! Doors under `/lifecycle`: a partner's server about its users.

pub(super) mod users;
