//! The vault's public keys for those who seal to it: asked for briefly, and served on while the vault is away for as long
//! as its attestation holds.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::vault_api::keys::VaultKeys;
use time::{Duration, OffsetDateTime};

use crate::error::Error;
use crate::services::Services;

/// How long an answer of the vault is passed on without asking again.
const FRESH_FOR: Duration = Duration::seconds(60);

/// The last answer of the vault.
#[derive(Default)]
pub struct VaultKeysCache(ArcSwapOption<Kept>);

struct Kept {
    keys: Arc<VaultKeys>,
    fresh_until: OffsetDateTime,
    attested_until: OffsetDateTime,
}

/// The vault's keys with their attestation.
///
/// # Errors
/// 503 when the vault is away and no attested answer is left.
pub async fn vault_keys(services: &Services) -> Result<Arc<VaultKeys>, Error> {
    let now = services.now();
    let kept = services.vault_keys.0.load_full();
    if let Some(kept) = kept.as_ref().filter(|kept| now < kept.fresh_until) {
        return Ok(Arc::clone(&kept.keys));
    }
    match services.vault.keys().await {
        Ok(keys) => {
            let attested_until = attested_until(&keys.attestation)
                .ok_or_else(|| Error::internal("the vault's attestation has another shape"))?;
            let keys = Arc::new(keys);
            let fresh_until = (now + FRESH_FOR).min(attested_until);
            services.vault_keys.0.store(Some(Arc::new(Kept {
                keys: Arc::clone(&keys),
                fresh_until,
                attested_until,
            })));
            Ok(keys)
        }
        Err(error) => match kept.filter(|kept| now < kept.attested_until) {
            Some(kept) => {
                tracing::warn!(%error, "the vault's keys are served from memory");
                Ok(Arc::clone(&kept.keys))
            }
            None => Err(error.into()),
        },
    }
}

/// The end of an attestation. Its signature is for those to check who seal; this reads how long it is worth passing on.
fn attested_until(attestation: &str) -> Option<OffsetDateTime> {
    let claims = URL_SAFE_NO_PAD.decode(attestation.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    OffsetDateTime::from_unix_timestamp(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_attestation_is_read() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(
            attested_until(&token(r#"{"exp":1795000000}"#))
                .unwrap()
                .unix_timestamp(),
            1_795_000_000
        );
        for other in [
            token("{}"),
            token(r#"{"exp":"soon"}"#),
            token("[]"),
            String::new(),
            "a.b".to_owned(),
        ] {
            assert!(attested_until(&other).is_none(), "{other}");
        }
    }
}
