//! Room for documents in memory: so many in all, and few of one user's at a time, so that somebody who sends slowly does not
//! keep everybody else out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::user::UserId;
use crate::error::{Code, Error};

/// Documents of one user at a time: both sides of a card.
const OF_ONE_USER: u32 = 2;
/// Seconds after which to ask again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// All the room there is. Shared by all workers.
pub struct DocumentRooms {
    in_all: Arc<Semaphore>,
    by_user: Arc<Mutex<HashMap<UserId, u32>>>,
}

/// The right to hold one document in memory; given back when dropped.
pub struct Room {
    user: Option<UserId>,
    by_user: Arc<Mutex<HashMap<UserId, u32>>>,
    _permit: OwnedSemaphorePermit,
}

impl DocumentRooms {
    /// Room for so many documents.
    #[must_use]
    pub fn of(documents: usize) -> Self {
        Self {
            in_all: Arc::new(Semaphore::new(documents)),
            by_user: Arc::default(),
        }
    }

    /// Takes room for one document: of this user who sends it, or for somebody who looks at it.
    ///
    /// # Errors
    /// `BUSY` when there is none.
    pub fn take(&self, user: Option<UserId>) -> Result<Room, Error> {
        let busy = || Error::from(Code::Busy).retry_after(RETRY_AFTER_SECONDS);
        let permit = Arc::clone(&self.in_all).try_acquire_owned().map_err(|_| busy())?;
        if let Some(user) = user {
            let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
            let held = by_user.entry(user).or_default();
            if *held >= OF_ONE_USER {
                return Err(busy());
            }
            *held += 1;
        }
        Ok(Room {
            user,
            by_user: Arc::clone(&self.by_user),
            _permit: permit,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(user) = self.user else { return };
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = by_user.get_mut(&user) {
            *held -= 1;
            if *held == 0 {
                by_user.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_in_all_and_for_one_user_and_is_given_back() {
        let rooms = DocumentRooms::of(4);
        let busy = |user| rooms.take(user).err().map(|error| error.code()) == Some(Code::Busy);
        let (ada, bob) = (Some(UserId(1)), Some(UserId(2)));
        let first = rooms.take(ada).unwrap();
        let second = rooms.take(ada).unwrap();
        assert!(busy(ada));
        let third = rooms.take(bob).unwrap();
        let look = rooms.take(None).unwrap();
        assert!(busy(bob) && busy(None));
        drop((first, look));
        let again = rooms.take(ada).unwrap();
        assert!(busy(ada));
        drop((second, third, again));
        assert!(rooms.by_user.lock().unwrap().is_empty());
        assert_eq!(rooms.in_all.available_permits(), 4);
    }
}
