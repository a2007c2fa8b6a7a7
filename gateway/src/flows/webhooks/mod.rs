//! Webhook endpoints: what partners and operators do with them, and the delivery of events to them.
//!
//! Secrets are sealed under the operators' key, in their rows as in the answers that are remembered for retries.

pub mod change;
pub mod create;
pub mod deliver;
pub mod keep_remote_urls;
pub mod replay;
pub mod rotate;
mod secret;
pub mod test_endpoint;

use shared::mtls::identity::Name;
use sqlx::AnyConnection;

use crate::domain::operator::Scope;
use crate::domain::webhook::{Endpoint, EndpointId};
use crate::error::{Code, Error};
use crate::store::webhooks;

/// An endpoint within a scope.
///
/// # Errors
/// `NOT_FOUND` for one that is none, or somebody else's.
pub async fn find(connection: &mut AnyConnection, scope: &Scope, id: EndpointId) -> Result<Endpoint, Error> {
    webhooks::find(connection, id)
        .await?
        .filter(|endpoint| scope.sees(&endpoint.partner))
        .ok_or_else(|| Code::NotFound.into())
}

/// The scope of a partner's own calls.
#[must_use]
pub fn own(partner: &Name) -> Scope {
    Scope::Partner(partner.clone())
}

#[cfg(test)]
pub(in crate::flows) mod tests;
