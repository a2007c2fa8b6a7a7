//! What the process does to itself before it reads its first secret: no core dumps, no debugger or `/proc/PID/mem` for
//! others of the same user, files for its own user only, and a proof that memory can be locked.

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

use crate::environment::Environment;
use crate::secret::{LockedBytes, MemoryNotLocked};

/// Group and others get nothing.
const PRIVATE: Mode = Mode::from_raw_mode(0o077);

/// What was reached, read back from the kernel where it can be read: for the start log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// `RLIMIT_CORE`, soft and hard, is 0.
    pub core_dumps_off: bool,
    /// `PR_GET_DUMPABLE` is 0: no core, no `ptrace` and no reading of memory by other processes of the same user.
    pub not_dumpable: bool,
    /// The file mode mask, e.g. `0o077`.
    pub umask: u32,
    /// A page could be locked. Only development starts without.
    pub memory_locked: bool,
    /// `RLIMIT_MEMLOCK` in bytes; `None`: unlimited. Each key in locked memory takes one page of it.
    pub memory_lock_limit: Option<u64>,
}

/// A protection that could not be had; the vault does not start without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HardeningError {
    /// `setrlimit(RLIMIT_CORE)` failed or did not hold.
    #[error("core dumps cannot be switched off: {0}")]
    CoreDumps(Errno),
    /// `prctl(PR_SET_DUMPABLE)` failed or did not hold.
    #[error("the process cannot be made undumpable: {0}")]
    Dumpable(Errno),
    /// A library's errors would take a backtrace on a failed decryption, and so take longer than on another failure.
    #[error(
        "RUST_BACKTRACE is set: unset it, for it makes failed decryptions tell themselves apart by their timing"
    )]
    Backtraces,
    /// `mlock` was refused outside development.
    #[error(transparent)]
    MemoryNotLocked(#[from] MemoryNotLocked),
}

/// Hardens the process; to be called first in `main`, before any thread starts.
///
/// # Errors
/// [`HardeningError`].
pub fn harden(environment: Environment) -> Result<Report, HardeningError> {
    umask(PRIVATE);
    let backtraces = |name| std::env::var_os(name).is_some_and(|value| value != "0");
    if environment == Environment::Production
        && (backtraces("RUST_BACKTRACE") || backtraces("RUST_LIB_BACKTRACE"))
    {
        return Err(HardeningError::Backtraces);
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(HardeningError::CoreDumps)?;
    if getrlimit(Resource::Core) != none {
        return Err(HardeningError::CoreDumps(Errno::PERM));
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(HardeningError::Dumpable)?;
    if dumpable_behavior().map_err(HardeningError::Dumpable)? != DumpableBehavior::NotDumpable {
        return Err(HardeningError::Dumpable(Errno::PERM));
    }
    let probe = LockedBytes::<1>::filled_by::<MemoryNotLocked>(environment, |_| Ok(()))?;
    Ok(Report {
        core_dumps_off: true,
        not_dumpable: true,
        umask: PRIVATE.as_raw_mode(),
        memory_locked: probe.is_locked(),
        memory_lock_limit: getrlimit(Resource::Memlock).current,
    })
}
