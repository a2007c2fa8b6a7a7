//! Challenges of a process that has its store for itself: they live in memory. A restart voids those that are open, which
//! costs a client one more request; a spent one can never come back, since its nonce is no longer known.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::ids::Nonce;

use super::{JTI_SECONDS, LIFETIME_SECONDS, MOST_OPEN, NotFresh, Purpose, TooManyOpen, identifier_of};

#[derive(Default)]
struct Register {
    open: HashMap<Nonce, (Purpose, i64)>,
    per_purpose: HashMap<Purpose, HashSet<Nonce>>,
    spent_jtis: HashMap<[u8; 32], i64>,
    swept_at: i64,
}

/// All open challenges and all identifiers that were spent lately.
#[derive(Default)]
pub(super) struct InMemory(Mutex<Register>);

impl InMemory {
    pub(super) fn open(&self, purpose: Purpose, nonce: Nonce, now: i64) -> Result<i64, TooManyOpen> {
        let mut register = self.lock();
        register.sweep(now);
        register.drop_old_of(&purpose, now);
        let open = register.per_purpose.entry(purpose.clone()).or_default();
        if open.len() >= MOST_OPEN {
            return Err(TooManyOpen);
        }
        open.insert(nonce.clone());
        let expires = now + LIFETIME_SECONDS;
        register.open.insert(nonce, (purpose, expires));
        Ok(expires)
    }

    pub(super) fn is_open(&self, purpose: &Purpose, nonce: &Nonce, now: i64) -> Result<(), NotFresh> {
        match self.lock().open.get(nonce) {
            Some((for_what, expires)) if for_what == purpose && *expires > now => Ok(()),
            _ => Err(NotFresh::Nonce),
        }
    }

    pub(super) fn spend(
        &self,
        purpose: &Purpose,
        nonce: &Nonce,
        jti: &str,
        now: i64,
    ) -> Result<(), NotFresh> {
        let mut register = self.lock();
        match register.open.get(nonce) {
            Some((for_what, expires)) if for_what == purpose && *expires > now => {}
            _ => return Err(NotFresh::Nonce),
        }
        register.open.remove(nonce);
        if let Some(open) = register.per_purpose.get_mut(purpose) {
            open.remove(nonce);
            if open.is_empty() {
                register.per_purpose.remove(purpose);
            }
        }
        let identifier = identifier_of(purpose, jti);
        if register
            .spent_jtis
            .get(&identifier)
            .is_some_and(|until| *until > now)
        {
            return Err(NotFresh::Jti);
        }
        register.spent_jtis.insert(identifier, now + JTI_SECONDS);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register {
    /// Forgets what is over, once a lifetime.
    fn sweep(&mut self, now: i64) {
        if (now - self.swept_at).abs() < LIFETIME_SECONDS {
            return;
        }
        self.swept_at = now;
        self.open.retain(|_, (_, expires)| *expires > now);
        self.spent_jtis.retain(|_, until| *until > now);
        let open = &self.open;
        self.per_purpose.retain(|_, nonces| {
            nonces.retain(|nonce| open.contains_key(nonce));
            !nonces.is_empty()
        });
    }

    fn drop_old_of(&mut self, purpose: &Purpose, now: i64) {
        let Some(nonces) = self.per_purpose.get_mut(purpose) else {
            return;
        };
        let open = &mut self.open;
        nonces.retain(|nonce| {
            let live = open.get(nonce).is_some_and(|(_, expires)| *expires > now);
            if !live {
                open.remove(nonce);
            }
            live
        });
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::{CardToken, HolderToken};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn nonce(n: u8) -> Nonce {
        Nonce::from_random(&[n; 32])
    }

    fn holder(n: u8) -> HolderToken {
        HolderToken::from_random(&[n; 16]).unwrap()
    }

    fn card(n: u8) -> Purpose {
        Purpose::Card(holder(1), CardToken::from_random(&[n; 16]).unwrap())
    }

    #[test]
    fn a_nonce_is_good_once() {
        let challenges = InMemory::default();
        challenges.open(card(1), nonce(1), NOW).unwrap();
        assert_eq!(challenges.is_open(&card(1), &nonce(1), NOW), Ok(()));
        assert_eq!(challenges.spend(&card(1), &nonce(1), "a", NOW), Ok(()));
        assert_eq!(
            challenges.spend(&card(1), &nonce(1), "b", NOW),
            Err(NotFresh::Nonce)
        );
    }

    #[test]
    fn a_holder_nonce_never_serves_a_card() {
        let challenges = InMemory::default();
        challenges
            .open(Purpose::Holder(holder(1)), nonce(1), NOW)
            .unwrap();
        assert_eq!(
            challenges.spend(&card(1), &nonce(1), "a", NOW),
            Err(NotFresh::Nonce)
        );
        assert_eq!(
            challenges.spend(&Purpose::Holder(holder(2)), &nonce(1), "a", NOW),
            Err(NotFresh::Nonce)
        );
        assert_eq!(
            challenges.spend(&Purpose::Holder(holder(1)), &nonce(1), "a", NOW),
            Ok(())
        );
    }

    #[test]
    fn a_minute_is_the_end() {
        let challenges = InMemory::default();
        challenges.open(card(1), nonce(1), NOW).unwrap();
        let late = challenges.spend(&card(1), &nonce(1), "a", NOW + LIFETIME_SECONDS);
        assert_eq!(late, Err(NotFresh::Nonce));
    }

    #[test]
    fn several_are_open_side_by_side_up_to_a_bound() {
        let challenges = InMemory::default();
        for n in 0..16 {
            challenges.open(card(1), nonce(n), NOW).unwrap();
        }
        assert_eq!(challenges.open(card(1), nonce(99), NOW), Err(TooManyOpen));
        assert!(
            challenges.open(card(2), nonce(99), NOW).is_ok(),
            "another card has room of its own"
        );
        for n in 0..16 {
            assert_eq!(challenges.spend(&card(1), &nonce(n), &n.to_string(), NOW), Ok(()));
        }
        challenges.open(card(1), nonce(100), NOW).unwrap();
        assert!(
            challenges
                .open(card(1), nonce(101), NOW + LIFETIME_SECONDS)
                .is_ok()
        );
    }

    #[test]
    fn an_identifier_is_good_once() {
        let challenges = InMemory::default();
        challenges.open(card(1), nonce(1), NOW).unwrap();
        challenges.open(card(1), nonce(2), NOW).unwrap();
        assert_eq!(challenges.spend(&card(1), &nonce(1), "same", NOW), Ok(()));
        assert_eq!(
            challenges.spend(&card(1), &nonce(2), "same", NOW),
            Err(NotFresh::Jti)
        );
    }

    #[test]
    fn memory_is_given_back() {
        let challenges = InMemory::default();
        challenges.open(card(1), nonce(1), NOW).unwrap();
        challenges
            .open(card(2), nonce(2), NOW + JTI_SECONDS + LIFETIME_SECONDS)
            .unwrap();
        let register = challenges.lock();
        assert_eq!((register.open.len(), register.per_purpose.len()), (1, 1));
    }
}
