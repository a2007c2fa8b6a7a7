//! What a process has taken so far, as the kernel counts it (`/proc`, see proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Where `utime` stands in `/proc/PID/stat` after the process name: field 14, counted from field 3 on.
const USER_TIME: usize = 11;

/// A process that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    pid: u32,
}

impl Meter {
    /// A meter at the process `pid`.
    #[must_use]
    pub const fn at(pid: u32) -> Self {
        Self { pid }
    }

    /// CPU time of all its threads, in the kernel and outside, since it started. Counted in ticks of 10 ms.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("the process is gone")?;
        let ticks = cpu_ticks(&text).context("/proc/PID/stat is not as proc(5) says")?;
        Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
    }

    /// CPU time of its threads by their names, numbers at the end left off: which part of the program takes it. Threads that
    /// ended are not in it.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_by_thread(&self) -> Result<BTreeMap<String, Duration>> {
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid)).context("the process is gone")? {
            let thread = thread?.path();
            // A thread may end between the listing and the reading.
            let Ok(name) = fs::read_to_string(thread.join("comm")) else {
                continue;
            };
            let Ok(times) = fs::read_to_string(thread.join("schedstat")) else {
                continue;
            };
            let on_cpu = times.split_ascii_whitespace().next().unwrap_or("0").parse()?;
            *threads.entry(family(&name)).or_default() += Duration::from_nanos(on_cpu);
        }
        Ok(threads)
    }

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_bytes(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.pid)).context("the process is gone")?;
        let pages: u64 = text
            .split_ascii_whitespace()
            .nth(1)
            .context("/proc/PID/statm is not as proc(5) says")?
            .parse()?;
        Ok(pages * rustix::param::page_size() as u64)
    }
}

/// The name of a thread without the number that tells it from its siblings, fit for a table.
fn family(name: &str) -> String {
    let name = name
        .trim_end()
        .trim_end_matches(|c: char| c.is_ascii_digit() || "-:|".contains(c));
    name.replace('|', "/")
}

/// `utime + stime`. The name, in parentheses, may hold anything: counted from its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(USER_TIME);
    let (user, system) = (
        times.next()?.parse::<u64>().ok()?,
        times.next()?.parse::<u64>().ok()?,
    );
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted_from_the_end_of_the_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42 (short) S"), None);
    }

    #[test]
    fn siblings_share_a_name() {
        assert_eq!(family("sled-io-3\n"), "sled-io");
        assert_eq!(family("store-commit\n"), "store-commit");
        assert_eq!(family("actix-rt|system\n"), "actix-rt/system");
    }

    #[test]
    fn work_shows_on_the_meter() {
        let meter = Meter::at(std::process::id());
        let before = meter.cpu().unwrap();
        let mut number = 1_u64;
        while meter.cpu().unwrap() < before + Duration::from_millis(30) {
            number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7);
        }
        assert!(meter.resident_bytes().unwrap() > 100_000, "{number}");
    }
}
