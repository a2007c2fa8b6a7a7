//! How often keys have sealed, as it is kept: counted up with the commits, taken over at the opening.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::keys::header::{KeyId, KeyPurpose};
use crate::records::{Record, Records, Tx};
use crate::store::Tree;

/// How often a key has sealed, all processes together.
#[derive(Serialize, Deserialize)]
struct KeyUses {
    key: KeyId,
    uses: u64,
}

impl Record for KeyUses {
    const TREE: Tree = Tree::Counters;
    fn key(&self) -> Vec<u8> {
        uses_key(self.key)
    }
}

/// No card token begins like this.
fn uses_key(key: KeyId) -> Vec<u8> {
    format!("uses/{}/{}", key.purpose.as_str(), key.version).into_bytes()
}

impl Tx<'_, '_> {
    /// Writes down the uses of keys that came together.
    pub(crate) fn write_uses(&mut self) -> Result<Vec<(KeyId, u64, u64)>, Error> {
        let mut written = Vec::new();
        for (key, more) in self.keyring().uses().due() {
            let before: Option<KeyUses> = self.get(&uses_key(key))?;
            let uses = before.map_or(0, |record| record.uses).saturating_add(more);
            self.put(&KeyUses { key, uses })?;
            written.push((key, more, uses));
        }
        Ok(written)
    }
}

impl Records {
    /// Takes over the counts that were written before this process began.
    ///
    /// # Errors
    /// A count cannot be read.
    pub fn begin_uses(&self) -> Result<(), Error> {
        let keyring = self.keyring();
        for header in keyring.headers() {
            if !matches!(header.id.purpose, KeyPurpose::CardKek | KeyPurpose::Records) {
                continue;
            }
            let stored = self.get::<KeyUses>(&uses_key(header.id))?;
            if let Some(stored) = stored {
                keyring.uses().begin_at(header.id, stored.record.uses);
            }
        }
        Ok(())
    }
}
