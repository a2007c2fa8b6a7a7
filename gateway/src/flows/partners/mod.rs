//! Partners: from where and with which certificates their servers are let in, and what their traffic may be sealed by.

pub mod admit;
pub mod certificates;
pub mod file_request;
pub mod issue_certificate;
pub mod pin_certificate;
pub mod rules;
pub mod settings;

use shared::mtls::identity::Name;

use crate::domain::event::{Event, EventKind};
use crate::domain::operator::Scope;
use crate::domain::partner::{CertificateId, Partner, PartnerId};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::partners;

/// Makes the rows of partners that the configuration names and the database does not know yet.
///
/// # Errors
/// When the database is away.
pub async fn sync(services: &Services) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    for program in &services.config.programs {
        partners::ensure(&mut tx, &program.partner, services.now()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a partner is told of one of its certificates.
pub(in crate::flows) fn of_certificate(kind: EventKind, partner: &Name, id: CertificateId) -> Event {
    Event::new(kind, partner).telling("certificateId", id.0)
}

/// A partner that is within an operator's scope.
///
/// # Errors
/// `NOT_FOUND` when there is none, or it is another's.
pub async fn find(services: &Services, scope: &Scope, id: PartnerId) -> Result<Partner, Error> {
    let mut read = services.db.read().await?;
    partners::find(&mut read, id)
        .await?
        .filter(|partner| scope.sees(&partner.name))
        .ok_or_else(|| Code::NotFound.into())
}
