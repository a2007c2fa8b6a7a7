//! A partner's settings, read at most once a second by each process: a change is in force everywhere within that time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shared::mtls::identity::Name;
use time::{Duration, OffsetDateTime};

use crate::domain::partner::PartnerSettings;
use crate::error::Error;
use crate::services::Services;
use crate::store::partners;

/// How long what was read stands.
const FRESH_FOR: Duration = Duration::seconds(1);

/// What was read, and until when it stands. As many entries as the configuration has partners.
#[derive(Default)]
pub struct SettingsCache(Mutex<HashMap<Name, (Arc<PartnerSettings>, OffsetDateTime)>>);

impl SettingsCache {
    fn get(&self, partner: &Name, now: OffsetDateTime) -> Option<Arc<PartnerSettings>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (settings, until) = known.get(partner)?;
        (now < *until).then(|| Arc::clone(settings))
    }

    fn put(&self, partner: &Name, settings: &Arc<PartnerSettings>, until: OffsetDateTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(partner.clone(), (Arc::clone(settings), until));
    }

    /// Forgets what was read, so that this process sees its own change at once.
    pub(super) fn forget(&self, partner: &Name) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(partner);
    }
}

/// The settings of a partner that has a program.
///
/// # Errors
/// When the database is away.
pub async fn settings_of(services: &Services, partner: &Name) -> Result<Arc<PartnerSettings>, Error> {
    if let Some(settings) = services.partner_settings.get(partner, services.now()) {
        return Ok(settings);
    }
    let mut read = services.db.read().await?;
    let found = partners::find_named(&mut read, partner).await?;
    drop(read);
    let settings = found
        .map(|partner| Arc::new(partner.settings))
        .ok_or_else(|| Error::internal("a partner with a program has no row"))?;
    services
        .partner_settings
        .put(partner, &settings, services.now() + FRESH_FOR);
    Ok(settings)
}
