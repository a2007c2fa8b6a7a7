//! Looks for texts in the memory of a running process, as whoever has taken it over would.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};

use anyhow::{Context, Result};
use rustix::io::Errno;

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;
/// What the kernel maps into every process and lets nobody read from outside.
const KERNEL_MAPPINGS: [&str; 3] = ["[vvar]", "[vvar_vclock]", "[vsyscall]"];

/// How often each needle occurs in the readable memory of a process, and how many bytes were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryScan {
    /// Hits per needle, in the order of the needles.
    pub hits: Vec<usize>,
    /// Bytes read.
    pub bytes: u64,
    /// Mappings with hits, as `/proc/PID/maps` names them, and how many.
    pub places: Vec<(String, usize)>,
}

impl MemoryScan {
    /// Hits of all needles together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.hits.iter().sum()
    }
}

/// Reads all memory of the process `pid` and counts the needles. Needs the right to trace it (root, or its parent).
///
/// # Errors
/// When the process is gone or the kernel does not permit it.
pub fn scan_memory(pid: u32, needles: &[Vec<u8>]) -> Result<MemoryScan> {
    let maps =
        fs::read_to_string(format!("/proc/{pid}/maps")).context("no such process, or not permitted")?;
    let mut memory =
        File::open(format!("/proc/{pid}/mem")).context("the kernel does not permit to read it")?;
    let search = Search::new(needles);
    let mut scan = MemoryScan {
        hits: vec![0; needles.len()],
        bytes: 0,
        places: Vec::new(),
    };
    let mut buffer = Vec::new();
    for (line, region) in maps
        .lines()
        .filter_map(|line| Some((line, readable_region(line)?)))
    {
        let before = scan.total();
        let mut at = region.0;
        buffer.clear();
        while at < region.1 {
            let wanted = CHUNK_BYTES.min(usize::try_from(region.1 - at)?);
            let kept = buffer.len();
            buffer.resize(kept + wanted, 0);
            memory.seek(SeekFrom::Start(at))?;
            let fresh = buffer.get_mut(kept..).unwrap_or_default();
            match memory.read(fresh) {
                Ok(0) => break,
                Ok(read) => {
                    buffer.truncate(kept + read);
                    at += read as u64;
                    scan.bytes += read as u64;
                }
                // The process runs on: a mapping may have gone since it was listed.
                Err(error) if is_unmapped(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => buffer.truncate(kept),
                Err(error) => return Err(error).context("the kernel does not permit to read it"),
            }
            search.take(&mut buffer, &mut scan.hits);
        }
        search.count(&buffer, buffer.len(), &mut scan.hits);
        let found = scan.total() - before;
        if found > 0 {
            scan.places.push((line.to_owned(), found));
        }
    }
    Ok(scan)
}

/// Whether reading met a page that is not there.
fn is_unmapped(error: &std::io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::IO, Errno::FAULT]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

/// Start and end of a line of `/proc/PID/maps`, when it may be read.
fn readable_region(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let readable = fields.next()?.starts_with('r');
    let kernel = line
        .split_ascii_whitespace()
        .last()
        .is_some_and(|name| KERNEL_MAPPINGS.contains(&name));
    let address = |text| u64::from_str_radix(text, 16).ok();
    (readable && !kernel).then_some((address(start)?, address(end)?))
}

/// Open connections that somebody has to a port of this machine, as its listener sees them.
///
/// # Errors
/// When the kernel does not tell.
pub fn connections_to(port: u16) -> Result<usize> {
    /// `TCP_ESTABLISHED` and `TCP_CLOSE_WAIT` of the kernel: a socket that its process still holds.
    const HELD: [&str; 2] = ["01", "08"];
    let mut held = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).with_context(|| format!("cannot read {table}"))?;
        let is_held = |line: &&str| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let own = fields.get(1).and_then(|address| address.rsplit_once(':'));
            let own = own.and_then(|(_, own)| u16::from_str_radix(own, 16).ok());
            own == Some(port) && fields.get(3).is_some_and(|state| HELD.contains(state))
        };
        held += text.lines().skip(1).filter(is_held).count();
    }
    Ok(held)
}

/// How often each needle occurs in bytes that are at hand.
#[must_use]
pub fn count_in(bytes: &[u8], needles: &[Vec<u8>]) -> Vec<usize> {
    let mut hits = vec![0; needles.len()];
    Search::new(needles).count(bytes, bytes.len(), &mut hits);
    hits
}

/// Many needles at once: most places of the haystack are passed by a look at two bytes.
struct Search<'a> {
    needles: &'a [Vec<u8>],
    longest: usize,
    /// Which pairs of bytes a needle begins with.
    beginnings: Vec<bool>,
}

impl<'a> Search<'a> {
    fn new(needles: &'a [Vec<u8>]) -> Self {
        let mut beginnings = vec![false; 1 << 16];
        for slot in needles.iter().filter_map(|needle| beginning(needle)) {
            if let Some(slot) = beginnings.get_mut(slot) {
                *slot = true;
            }
        }
        Self {
            needles,
            longest: needles.iter().map(Vec::len).max().unwrap_or(0),
            beginnings,
        }
    }

    /// Counts what begins early enough to be whole in the buffer, and leaves the rest for the next chunk.
    fn take(&self, buffer: &mut Vec<u8>, hits: &mut [usize]) {
        let judged = (buffer.len() + 1).saturating_sub(self.longest);
        self.count(buffer, judged, hits);
        buffer.drain(..judged);
    }

    /// Counts the needles that begin before `end`.
    fn count(&self, bytes: &[u8], end: usize, hits: &mut [usize]) {
        for start in 0..end {
            let rest = bytes.get(start..).unwrap_or_default();
            let candidate = beginning(rest).is_some_and(|slot| self.beginnings.get(slot) == Some(&true));
            if candidate {
                for (needle, hits) in self.needles.iter().zip(hits.iter_mut()) {
                    *hits += usize::from(rest.starts_with(needle));
                }
            }
        }
    }
}

/// The first two bytes as a number; needles are longer than that.
fn beginning(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [first, second, ..] => Some(usize::from(u16::from_be_bytes([*first, *second]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_once_wherever_a_chunk_ends() {
        let needles = [
            b"needle".to_vec(),
            b"a much longer needle".to_vec(),
            b"end".to_vec(),
        ];
        let search = Search::new(&needles);
        let text = b"--needle-needl-a much longer needl--end".to_vec();
        for cut in 0..text.len() {
            let (mut buffer, mut hits) = (Vec::new(), [0; 3]);
            for part in [&text[..cut], &text[cut..]] {
                buffer.extend_from_slice(part);
                search.take(&mut buffer, &mut hits);
            }
            search.count(&buffer, buffer.len(), &mut hits);
            assert_eq!(hits, [1, 0, 1], "cut at {cut}");
        }
        assert_eq!(count_in(&text, &needles), [1, 0, 1]);
    }

    #[test]
    fn what_a_process_holds_is_found_in_its_memory() {
        // Built at run time, so that the needle itself stands in no other place than these two vectors.
        let held: Vec<u8> = (0..32u8).map(|n| n.wrapping_mul(37) ^ 0x5A).collect();
        let scan = scan_memory(std::process::id(), &[held.clone(), vec![0xA7; 48]]).unwrap();
        assert!(scan.hits[0] >= 1, "{scan:?}");
        assert!(scan.bytes > 100_000);
    }
}
