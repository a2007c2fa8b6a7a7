//! Keys of installations that were replaced are revoked in the vault too: the app that had such a key is gone, and whoever
//! digs it out of an old device shall prove nothing with it.

use crate::error::Error;
use crate::flows::revoke_due_key::{Revocation, revoke_due_key};
use crate::services::Services;
use crate::store::installations;

/// Keys a turn.
const BATCH: i64 = 100;

/// Revokes what is due. Returns how many keys.
pub(super) async fn revoke(services: &Services) -> Result<u64, Error> {
    let due = {
        let mut read = services.db.read().await?;
        installations::keys_due(&mut read, BATCH).await?
    };
    let mut revoked = 0;
    for key in due {
        if revoke_due_key(services, &key).await? == Revocation::Done {
            revoked += 1;
        }
    }
    Ok(revoked)
}
