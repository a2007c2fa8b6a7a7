//! App PINs and operators' passwords by Argon2id (RFC 9106), with the parameters of OWASP's floor. A PIN of 4 to 8 digits is guessed by anyone who
//! has the hash, so the hash is the second line of defence: the first is the counter of wrong tries.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::installation::AppPin;
use crate::domain::operator::Password;
use crate::error::{Code, Error};

/// Memory of one hash, in KiB: 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;

/// Who waits for a core, for each core there is: a second's work at some 30 ms a hash.
const WAITING_PER_CORE: usize = 32;
/// Longest wait for a core.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What is hashed here: a secret that wipes itself.
pub trait Hashed: Send + 'static {
    /// Its bytes.
    fn bytes(&self) -> &[u8];
}

impl Hashed for AppPin {
    fn bytes(&self) -> &[u8] {
        self.expose()
    }
}

impl Hashed for Password {
    fn bytes(&self) -> &[u8] {
        self.expose()
    }
}

/// Hashes PINs off the async threads, at most one for each core at a time; few may wait.
pub struct PinHasher {
    permits: Arc<Semaphore>,
    queue: Semaphore,
    argon2: Argon2<'static>,
    /// A hash of nobody's PIN: compared with where there is no installation, so that both take as long.
    decoy: String,
}

/// A core's turn to hash one PIN.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl PinHasher {
    /// A hasher with a decoy of its own.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(random: &SystemRandom) -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| failed())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, &salt(random)?, &salt(random)?)?;
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self {
            permits: Arc::new(Semaphore::new(cores)),
            queue: Semaphore::new(cores * WAITING_PER_CORE),
            argon2,
            decoy,
        })
    }

    /// Waits for a core.
    ///
    /// # Errors
    /// `BUSY` when too many wait already, or the wait is too long.
    pub async fn turn(&self) -> Result<Turn, Error> {
        self.turn_within(WAIT_MAX).await
    }

    async fn turn_within(&self, wait: Duration) -> Result<Turn, Error> {
        let busy = || Error::from(Code::Busy).retry_after(1);
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let permit = timeout(wait, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| failed())?;
        Ok(Turn { _permit: permit })
    }

    /// The PIN's hash in PHC form, under a fresh salt.
    ///
    /// # Errors
    /// `BUSY`; when the system gives no random numbers.
    pub async fn hash(&self, pin: impl Hashed, random: &SystemRandom) -> Result<String, Error> {
        let turn = self.turn().await?;
        let (argon2, salt) = (self.argon2.clone(), salt(random)?);
        off_thread(turn, move || hash(&argon2, pin.bytes(), &salt)).await?
    }

    /// Whether this is the PIN that was hashed; without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// When a hash in the database is not one.
    pub async fn verify(&self, turn: Turn, pin: impl Hashed, hash: Option<String>) -> Result<bool, Error> {
        let argon2 = self.argon2.clone();
        let (known, hash) = (hash.is_some(), hash.unwrap_or_else(|| self.decoy.clone()));
        off_thread(turn, move || {
            let hash =
                PasswordHash::new(&hash).map_err(|_| Error::internal("a stored PIN hash is not one"))?;
            Ok(argon2.verify_password(pin.bytes(), &hash).is_ok() && known)
        })
        .await?
    }
}

async fn off_thread<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(move || {
        // The turn goes with the work: a caller that hangs up does not free it before the core is free.
        let _turn = turn;
        work()
    })
    .await
    .map_err(|_| failed())
}

fn salt(random: &SystemRandom) -> Result<[u8; 16], Error> {
    let mut salt = [0; 16];
    random
        .fill(&mut salt)
        .map_err(|_| Error::internal("the system gives no random numbers"))?;
    Ok(salt)
}

fn hash(argon2: &Argon2<'_>, pin: &[u8], salt: &[u8]) -> Result<String, Error> {
    argon2
        .hash_password_with_salt(pin, salt)
        .map(|hash| hash.to_string())
        .map_err(|_| failed())
}

fn failed() -> Error {
    Error::internal("hashing a PIN failed")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn pin(digits: &str) -> AppPin {
        AppPin::parse(Zeroizing::new(digits.to_owned())).unwrap()
    }

    #[tokio::test]
    async fn only_the_pin_that_was_hashed_fits() {
        let random = SystemRandom::new();
        let hasher = PinHasher::new(&random).unwrap();
        let hash = hasher.hash(pin("246810"), &random).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (digits, hash, fits) in [
            ("246810", Some(hash.clone()), true),
            ("246811", Some(hash), false),
            ("246810", None, false),
        ] {
            let turn = hasher.turn().await.unwrap();
            assert_eq!(hasher.verify(turn, pin(digits), hash).await.unwrap(), fits);
        }
    }

    #[tokio::test]
    async fn a_wait_for_a_core_is_bounded_in_number_and_in_time() {
        let hasher = PinHasher::new(&SystemRandom::new()).unwrap();
        let code = |turn: Result<Turn, Error>| turn.map_err(|error| error.code()).err();
        let cores = u32::try_from(hasher.permits.available_permits()).unwrap();
        let taken = hasher.permits.acquire_many(cores).await.unwrap();
        assert_eq!(
            code(hasher.turn_within(Duration::ZERO).await),
            Some(Code::Busy),
            "too long"
        );
        drop(taken);
        let waiting = u32::try_from(hasher.queue.available_permits()).unwrap();
        let full = hasher.queue.acquire_many(waiting).await.unwrap();
        assert_eq!(code(hasher.turn().await), Some(Code::Busy), "too many");
        drop(full);
        assert!(hasher.turn().await.is_ok());
    }
}
