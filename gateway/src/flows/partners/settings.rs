//! Changes what operators decide about a partner.

use crate::domain::partner::{Partner, PartnerSettings};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::partners;

/// Puts the settings in force.
///
/// # Errors
/// When the database is away.
pub async fn change(
    services: &Services,
    partner: Partner,
    settings: PartnerSettings,
    stamp: &Stamp,
) -> Result<Partner, Error> {
    let mut tx = services.db.begin().await?;
    if !partners::set_settings(&mut tx, partner.id, &settings).await? {
        return Err(Code::NotFound.into());
    }
    let networks: Vec<String> = settings.networks.iter().map(ToString::to_string).collect();
    let sealing = settings.sealing;
    let stamp = stamp.clone().about_partner(&partner.name).saying(format!(
        "networks [{}], RSA-OAEP {}, RSA from {} bits, EC keys {}",
        networks.join(" "),
        sealing.rsa_oaep_sha1,
        sealing.minimum_rsa_bits,
        sealing.ec_keys
    ));
    audit::write(&mut tx, &stamp, Outcome::Done, services.now()).await?;
    tx.commit().await?;
    services.partner_settings.forget(&partner.name);
    Ok(Partner { settings, ..partner })
}
