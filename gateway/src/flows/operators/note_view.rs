//! Writes down that an operator looks at somebody's data, before it is shown.

use crate::error::Error;
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};

/// Notes the view. Whoever cannot be noted sees nothing.
///
/// # Errors
/// When the database fails.
pub async fn note_view(services: &Services, stamp: &Stamp) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    audit::write(&mut tx, stamp, Outcome::Done, services.now()).await?;
    tx.commit().await?;
    Ok(())
}
