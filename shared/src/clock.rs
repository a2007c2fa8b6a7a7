//! Time as a parameter: the binaries read the system clock through one type, tests turn their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// A source of the current time in UTC.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that moves only when it is told to.
    Manual(ManualClock),
    /// The machine's clock and the shift that a file tells: for rehearsals in which days pass. In development only.
    Shifted(ShiftFile),
}

impl Clock {
    /// The machine's clock, or the shifted one where a file was named.
    #[must_use]
    pub fn of(shift_file: Option<&Path>) -> Self {
        shift_file.map_or(Self::System, |file| Self::Shifted(ShiftFile(file.to_owned())))
    }

    /// The current instant, UTC.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> OffsetDateTime {
        match self {
            Self::System => OffsetDateTime::now_utc(),
            Self::Manual(clock) => clock.now(),
            Self::Shifted(file) => OffsetDateTime::now_utc().saturating_add(file.shift()),
        }
    }

    /// The current instant in whole seconds since the Unix epoch.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        self.now().unix_timestamp()
    }
}

/// A file with a whole number of seconds; read at each look, so that every process that shares it moves at once. Where there
/// is no such file, or no number in it, nothing is shifted.
#[derive(Clone, Debug)]
pub struct ShiftFile(PathBuf);

impl ShiftFile {
    fn shift(&self) -> Duration {
        let told = fs::read_to_string(&self.0).unwrap_or_default();
        Duration::seconds(told.trim().parse().unwrap_or(0))
    }
}

/// A clock for tests; clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<OffsetDateTime>>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the clock forward by `by` (backward when negative).
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_moves_the_clock_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("clock");
        let clock = Clock::of(Some(&file));
        let real = Clock::System.now();
        assert!(clock.now() - real < Duration::HOUR, "no file, no shift");
        fs::write(&file, "172800\n").unwrap();
        assert!(clock.now() - real >= Duration::days(2));
        fs::write(&file, "two days").unwrap();
        assert!(clock.now() - real < Duration::HOUR);
    }
}
