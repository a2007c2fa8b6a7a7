//! Sealers of keys that were seen before. Building OpenSSL's key from its numbers costs half as much as sealing to it
//! (18 µs beside 36, `examples/rsa_step_cost.rs`), and a phone or a partner comes back with the same key.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use super::seal::{SealError, Sealer};
use crate::public_key::PublicKey;

/// A bounded cache. It holds public keys only: whoever floods it gets two generations of `capacity` keys, about 2 KiB each,
/// and no more.
pub struct SealerCache {
    capacity: usize,
    generations: Mutex<Generations>,
}

/// A key that is used moves to the young generation; a full young one becomes the old one, and the old one is dropped.
#[derive(Default)]
struct Generations {
    young: HashMap<PublicKey, Arc<Sealer>>,
    old: HashMap<PublicKey, Arc<Sealer>>,
}

impl SealerCache {
    /// A cache whose generations hold `capacity` keys each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            generations: Mutex::default(),
        }
    }

    /// The sealer of `key`.
    ///
    /// # Errors
    /// [`SealError`] when a new one cannot be built.
    pub fn get(&self, key: &PublicKey) -> Result<Arc<Sealer>, SealError> {
        if let Some(known) = self.lookup(key) {
            return Ok(known);
        }
        // Built outside the lock: two threads may build the same sealer, neither waits for the other.
        let sealer = Arc::new(Sealer::new(key)?);
        self.keep(key.clone(), Arc::clone(&sealer));
        Ok(sealer)
    }

    fn lookup(&self, key: &PublicKey) -> Option<Arc<Sealer>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(key) {
            return Some(Arc::clone(known));
        }
        let known = generations.old.remove(key)?;
        generations.insert(key.clone(), Arc::clone(&known), self.capacity);
        Some(known)
    }

    fn keep(&self, key: PublicKey, sealer: Arc<Sealer>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.insert(key, sealer, self.capacity);
    }
}

impl Generations {
    fn insert(&mut self, key: PublicKey, sealer: Arc<Sealer>, capacity: usize) {
        if self.young.len() >= capacity {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, sealer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::HolderKey;

    fn keys(count: usize) -> Vec<PublicKey> {
        let key = |_| {
            let pair = rcgen::KeyPair::generate().unwrap();
            PublicKey::P256(
                HolderKey::from_uncompressed(pair.public_key_raw())
                    .unwrap()
                    .point()
                    .clone(),
            )
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn a_key_in_use_stays_and_the_others_make_room() {
        let cache = SealerCache::new(2);
        let keys = keys(20);
        let get = |at: usize| cache.get(&keys[at]).unwrap();
        let first = get(0);
        let second = get(1);
        for at in 2..20 {
            get(at);
            assert!(Arc::ptr_eq(&first, &get(0)), "used each time");
        }
        assert!(!Arc::ptr_eq(&second, &get(1)), "not used for long");
        let generations = cache.generations.lock().unwrap();
        assert!(generations.young.len() <= 2 && generations.old.len() <= 2);
    }
}
