//! The chain over the events' exact bytes:
//!
//! ```text
//! hash(-1) = 32 zero bytes
//! hash(i)  = SHA-256(0x01 ‖ hash(i-1) ‖ SHA-256(0x00 ‖ event(i)))
//! ```
//! The two prefix bytes keep an event from posing as a link (RFC 6962 §2.1).

use std::fmt;

use ring::digest::{Context, SHA256};

/// A place in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Events up to here.
    pub size: u64,
    /// Hash of the last of them.
    pub hash: [u8; 32],
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({}, {})", self.size, hex(&self.hash))
    }
}

impl Head {
    /// The head after one more event.
    #[must_use]
    pub fn after(self, event: &[u8]) -> Self {
        let leaf = digest(&[&[0x00], event]);
        Self {
            size: self.size.saturating_add(1),
            hash: digest(&[&[0x01], &self.hash, &leaf]),
        }
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_earlier_byte_changes_the_head() {
        let head = Head::default().after(b"one").after(b"two");
        assert_eq!(head.size, 2);
        assert_ne!(head.hash, Head::default().after(b"onE").after(b"two").hash);
        assert_ne!(head.hash, Head::default().after(b"two").after(b"one").hash);
        assert_ne!(head.hash, Head::default().after(b"two").hash);
    }
}
