//! Every version of every key, how old it is and how often it was used, and what is to be done about it.

use shared::vault_api::reports::{KeyEntry, KeyInventory};
use time::OffsetDateTime;

use crate::crypto::inventory::cryptography;
use crate::error::Error;
use crate::keys::header::{KeyHeader, KeyPurpose, KeyState};
use crate::keys::keyring::Keyring;
use crate::keys::uses::WARN_AT_PERCENT;
use crate::open_vault::OpenVault;

const SECONDS_PER_DAY: i64 = 86_400;

/// The inventory at `now`.
///
/// # Errors
/// A time that no calendar has.
pub fn inventory(vault: &OpenVault) -> Result<KeyInventory, Error> {
    let (keyring, now) = (vault.keyring(), vault.now());
    let max_age_days = i64::from(vault.surroundings.max_key_age_days);
    let epoch = keyring
        .versions(KeyPurpose::Epoch)
        .find(|header| header.state == KeyState::Active);
    let epoch_since = at(epoch.map_or(0, |header| header.created_at))?;
    let keys = keyring
        .headers()
        .iter()
        .filter(|header| !matches!(header.id.purpose, KeyPurpose::Epoch | KeyPurpose::NextRoot))
        .map(|header| entry(&keyring, header, now, max_age_days))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(KeyInventory {
        keys,
        epoch: keyring.epoch(),
        epoch_since,
        cryptography: cryptography(),
    })
}

fn entry(keyring: &Keyring, header: &KeyHeader, now: i64, max_age_days: i64) -> Result<KeyEntry, Error> {
    let counted = matches!(header.id.purpose, KeyPurpose::CardKek | KeyPurpose::Records);
    let (state, ends_at) = match header.state {
        KeyState::Active => ("active", None),
        KeyState::Retiring => ("retiring", None),
        KeyState::Grace { not_after } => ("grace", Some(not_after)),
        KeyState::Destroyed { at } => ("destroyed", Some(at)),
    };
    let mut warnings = Vec::new();
    let age_days = now.saturating_sub(header.created_at) / SECONDS_PER_DAY;
    if header.state == KeyState::Active && age_days > max_age_days {
        warnings.push(format!(
            "{age_days} days old, {max_age_days} are allowed: rotate it"
        ));
    }
    if header.state == KeyState::Active && counted && keyring.uses().is_nearly_used_up(header.id) {
        warnings.push(format!("used up by {WARN_AT_PERCENT} % or more: rotate it"));
    }
    if header.state == KeyState::Retiring {
        warnings.push("retiring: it opens until a rotation finds nothing that refers to it".to_owned());
    }
    Ok(KeyEntry {
        purpose: header.id.purpose.as_str().to_owned(),
        version: header.id.version,
        state: state.to_owned(),
        created_at: at(header.created_at)?,
        ends_at: ends_at.map(at).transpose()?,
        uses: counted.then(|| keyring.uses().of(header.id)),
        most_uses: counted.then(|| keyring.uses().limit()),
        warnings,
    })
}

fn at(seconds: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| Error::Corrupt(error.to_string()))
}
