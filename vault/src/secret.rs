//! Memory for secrets: wiped when dropped, never copied by a move, compared in constant time, and silent when printed.
//! There is no `Clone` and no `Serialize`; who wants the bytes says [`SecretBytes::expose`].
//!
//! [`LockedBytes`] besides is never written to swap (`mlock(2)`); it is for keys that live as long as the vault is
//! unlocked. `ring` expands a key into a context of its own for each operation; those contexts are short-lived, on the
//! stack, and not ours to wipe.

use std::fmt;

use region::LockGuard;
use ring::rand::SecureRandom;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::environment::Environment;

/// The system's random number generator gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct RandomFailed;

/// `N` secret bytes on the heap. A move copies the pointer and leaves nothing behind on the stack.
pub struct SecretBytes<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> SecretBytes<N> {
    /// All zero, to be filled in place by [`SecretBytes::expose_mut`].
    #[must_use]
    pub fn zeroed() -> Self {
        Self(Box::new(Zeroizing::new([0; N])))
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// [`RandomFailed`].
    pub fn random(rng: &dyn SecureRandom) -> Result<Self, RandomFailed> {
        let mut secret = Self::zeroed();
        rng.fill(secret.expose_mut()).map_err(|_| RandomFailed)?;
        Ok(secret)
    }

    /// A copy of exactly `N` bytes; `None` for another length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; N] = bytes.try_into().ok()?;
        let mut secret = Self::zeroed();
        secret.expose_mut().copy_from_slice(bytes);
        Some(secret)
    }

    /// The bytes, for the one operation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be filled.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> PartialEq for SecretBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl<const N: usize> Eq for SecretBytes<N> {}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes")
    }
}

/// The kernel would not lock memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "memory for a key cannot be locked: raise RLIMIT_MEMLOCK (LimitMEMLOCK= in the unit) or grant CAP_IPC_LOCK"
)]
pub struct MemoryNotLocked;

/// As large as the largest page of any Linux: an allocation aligned to it shares no page with anything else, so that
/// unlocking one secret cannot unlock another's page. Only the pages that hold the secret are locked, one as a rule.
#[repr(align(65536))]
struct OwnPages<const N: usize>([u8; N]);

/// `N` secret bytes that the kernel keeps out of swap.
pub struct LockedBytes<const N: usize> {
    // Dropped in this order, after `drop` has wiped: unlock, then give the memory back.
    lock: Option<LockGuard>,
    pages: Box<OwnPages<N>>,
}

impl<const N: usize> LockedBytes<N> {
    /// Locks the memory, then lets `fill` write the secret into it.
    ///
    /// # Errors
    /// [`MemoryNotLocked`] outside development, or whatever `fill` answers.
    pub fn filled_by<E: From<MemoryNotLocked>>(
        environment: Environment,
        fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let pages = Box::new(OwnPages([0; N]));
        let lock = match (region::lock(std::ptr::from_ref(&*pages), N), environment) {
            (Ok(guard), _) => Some(guard),
            (Err(error), Environment::Development) => {
                tracing::warn!(%error, "a key is in memory that may be swapped: development only");
                None
            }
            (Err(_), Environment::Production) => return Err(MemoryNotLocked.into()),
        };
        let mut locked = Self { lock, pages };
        fill(&mut locked.pages.0)?;
        Ok(locked)
    }

    /// The bytes, for the one operation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.pages.0
    }

    /// Whether the kernel keeps these bytes out of swap.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl<const N: usize> Drop for LockedBytes<N> {
    /// Wiped by hand, because it must happen before the lock goes, not when the memory is given back.
    fn drop(&mut self) {
        self.pages.0.zeroize();
    }
}

impl<const N: usize> PartialEq for LockedBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl<const N: usize> Eq for LockedBytes<N> {}

impl<const N: usize> fmt::Debug for LockedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockedBytes")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ring::rand::SystemRandom;

    use super::*;

    fn locked(byte: u8) -> LockedBytes<32> {
        LockedBytes::filled_by::<MemoryNotLocked>(Environment::Development, |bytes| {
            bytes.fill(byte);
            Ok(())
        })
        .unwrap()
    }

    #[test]
    fn secrets_print_their_kind_and_nothing_else() {
        let secret = SecretBytes::<4>::from_slice(&[0x41; 4]).unwrap();
        assert_eq!(format!("{secret:?}"), "SecretBytes");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    SecretBytes,\n)");
        assert_eq!(format!("{:?}", locked(0x41)), "LockedBytes");
    }

    #[test]
    fn secrets_compare_by_content() {
        let of = |bytes: &[u8]| SecretBytes::<3>::from_slice(bytes).unwrap();
        assert_eq!(of(b"abc"), of(b"abc"));
        assert_ne!(of(b"abc"), of(b"abd"));
        assert_eq!(locked(1), locked(1));
        assert_ne!(locked(1), locked(2));
        assert_eq!(SecretBytes::<3>::from_slice(b"ab"), None);
    }

    #[test]
    fn random_secrets_differ() {
        let rng = SystemRandom::new();
        assert_ne!(
            SecretBytes::<32>::random(&rng).unwrap(),
            SecretBytes::random(&rng).unwrap()
        );
    }

    /// `VmLck` of this process, in bytes.
    fn locked_memory() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmLck:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<usize>()
            .unwrap()
            * 1024
    }

    #[test]
    fn two_locked_secrets_never_share_a_page() {
        let (first, second) = (locked(1), locked(2));
        let page = |secret: &LockedBytes<32>| region::page::floor(secret.expose().as_ptr()).addr();
        assert_ne!(page(&first), page(&second));
        assert!(
            first.is_locked() && second.is_locked(),
            "this machine locks no memory"
        );
        // Other tests lock memory at the same time, so only a lower bound can be asserted.
        assert!(locked_memory() >= 2 * region::page::size());
        drop(first);
        assert!(locked_memory() >= region::page::size());
        assert_eq!(second.expose(), &[2; 32]);
    }
}
