//! A share as its custodian keeps it: one line of letters and digits that can be printed and typed in again.
//!
//! `tessera-share-1-SLOT-NN-` and 13 groups of four, then 8 letters of checksum; base32 (RFC 4648 §6, lower case).
//! Hyphens, white space and case do not matter. The checksum tells a slip of the hand from a share that is wrong.

use std::fmt;

use ring::digest::{Context, SHA256, digest};
use zeroize::{Zeroize, Zeroizing};

use super::SlotId;
use super::gf256::Point;
use crate::secret::SecretBytes;

const PREFIX: &[u8] = b"tesserashare1";
const SLOT_SYMBOLS: usize = 8;
const INDEX_DIGITS: usize = 2;
const VALUE_SYMBOLS: usize = 52;
const CHECKSUM_BYTES: usize = 5;
const CHECKSUM_SYMBOLS: usize = 8;
/// Letters and digits of a share, hyphens not counted.
const SYMBOLS: usize = PREFIX.len() + SLOT_SYMBOLS + INDEX_DIGITS + VALUE_SYMBOLS + CHECKSUM_SYMBOLS;
/// Far more than a share with white space between all its letters; what is longer is not looked at.
const MAX_TEXT_BYTES: usize = 512;

/// The text of a share: a secret that wipes itself and does not print.
pub struct ShareText(Zeroizing<String>);

impl ShareText {
    /// Takes over text as a custodian gave it.
    #[must_use]
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text, for the custodian's eyes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShareText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareText")
    }
}

/// Text that is no intact share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Another beginning, length or letter.
    #[error(
        "not a share: one begins with tessera-share-1 and has {SYMBOLS} letters and digits, hyphens not counted"
    )]
    NotAShare,
    /// A letter was mistyped or two were swapped.
    #[error("the share's checksum does not fit: a letter was mistyped")]
    Mistyped,
}

/// One share of one slot's secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) slot: SlotId,
    pub(super) point: Point,
}

impl Share {
    /// The share's text.
    pub(super) fn to_text(&self) -> ShareText {
        let mut compact = Zeroizing::new(String::with_capacity(SYMBOLS));
        compact.extend(PREFIX.iter().copied().map(char::from));
        compact.push_str(&base32(self.slot.as_bytes()));
        compact.push_str(&format!("{:02}", self.point.index));
        compact.push_str(&Zeroizing::new(base32(self.point.value.expose())));
        let sum = base32(&checksum(compact.as_bytes()));
        let mut text = Zeroizing::new(String::with_capacity(2 * SYMBOLS));
        let mut rest = compact.as_str();
        let slot_and_index = [7, 5, 1, SLOT_SYMBOLS, INDEX_DIGITS];
        for length in slot_and_index
            .into_iter()
            .chain(std::iter::repeat_n(4, VALUE_SYMBOLS / 4))
        {
            let (group, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            text.push_str(group);
            text.push('-');
            rest = after;
        }
        text.push_str(&sum);
        ShareText(text)
    }

    /// Reads a share's text.
    pub(super) fn parse(text: &ShareText) -> Result<Self, ShareError> {
        let text = text.0.as_bytes();
        if text.len() > MAX_TEXT_BYTES {
            return Err(ShareError::NotAShare);
        }
        let mut compact = Zeroizing::new(Vec::with_capacity(MAX_TEXT_BYTES));
        let symbols = text
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace() && **byte != b'-');
        compact.extend(symbols.map(u8::to_ascii_lowercase));
        if compact.len() != SYMBOLS {
            return Err(ShareError::NotAShare);
        }
        let (content, sum) = compact.split_at(SYMBOLS - CHECKSUM_SYMBOLS);
        let rest = content.strip_prefix(PREFIX).ok_or(ShareError::NotAShare)?;
        let (slot, rest) = rest.split_at(SLOT_SYMBOLS);
        let (index, value) = rest.split_at(INDEX_DIGITS);
        let sum = decode_base32::<CHECKSUM_BYTES>(sum).ok_or(ShareError::NotAShare)?;
        if *sum != checksum(content) {
            return Err(ShareError::Mistyped);
        }
        let slot = decode_base32(slot).ok_or(ShareError::NotAShare)?;
        let value = decode_base32::<32>(value).ok_or(ShareError::NotAShare)?;
        let index = std::str::from_utf8(index)
            .ok()
            .and_then(|digits| digits.parse().ok());
        let index = index.filter(|index| *index > 0).ok_or(ShareError::NotAShare)?;
        let value = SecretBytes::from_slice(&*value).ok_or(ShareError::NotAShare)?;
        Ok(Self {
            slot: SlotId::from_bytes(*slot),
            point: Point { index, value },
        })
    }

    /// What the slot remembers of the share. The value has 256 random bits, so its hash gives nothing away, and a wrong
    /// share is told at once from a right one, together with whose it is.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(b"tessera.share.digest.1");
        context.update(self.slot.as_bytes());
        context.update(&[self.point.index]);
        context.update(self.point.value.expose());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        bytes
    }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    for (byte, hash) in sum.iter_mut().zip(digest(&SHA256, content).as_ref()) {
        *byte = *hash;
    }
    sum
}

/// Base32 without a table, so that no index depends on a secret.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u16, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(symbol((buffer >> bits) as u8 & 31));
        }
    }
    if bits > 0 {
        text.push(symbol((buffer << (5 - bits)) as u8 & 31));
    }
    buffer.zeroize();
    text
}

/// `a`–`z` for 0 to 25, `2`–`7` for 26 to 31, without a branch.
fn symbol(value: u8) -> char {
    let digit = 25u8.wrapping_sub(value) >> 7;
    char::from(
        value
            .wrapping_add(b'a')
            .wrapping_sub(digit.wrapping_neg() & (b'a' + 26 - b'2')),
    )
}

/// The bytes of exactly `N` bytes in base32; `None` for a strange symbol or padding bits that are not zero.
pub(super) fn decode_base32<const N: usize>(symbols: &[u8]) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    let mut free = bytes.iter_mut();
    let (mut buffer, mut bits, mut strange) = (0u16, 0, 0u8);
    for symbol in symbols {
        let letter = in_range(*symbol, b'a', b'z');
        let digit = in_range(*symbol, b'2', b'7');
        strange |= !(letter | digit);
        let value = (symbol.wrapping_sub(b'a') & letter) | (symbol.wrapping_sub(b'2' - 26) & digit);
        buffer = (buffer << 5) | u16::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *free.next()? = (buffer >> bits) as u8;
        }
    }
    let padding = buffer & ((1 << bits) - 1);
    buffer.zeroize();
    (strange == 0 && padding == 0 && bits < 5 && free.next().is_none()).then_some(bytes)
}

/// All ones if `first ≤ byte ≤ last`, else 0; without a branch.
fn in_range(byte: u8, first: u8, last: u8) -> u8 {
    let (byte, first, last) = (i16::from(byte), i16::from(first), i16::from(last));
    (((first - 1 - byte) & (byte - last - 1)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use proptest::array::{uniform5, uniform32};
    use proptest::prelude::any;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn share(slot: [u8; 5], index: u8, value: [u8; 32]) -> Share {
        let value = SecretBytes::from_slice(&value).unwrap();
        Share {
            slot: SlotId::from_bytes(slot),
            point: Point { index, value },
        }
    }

    fn parse(text: &str) -> Result<Share, ShareError> {
        Share::parse(&ShareText::new(Zeroizing::new(text.to_owned())))
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        // §10, lower case and without padding.
        for (plain, text) in [
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
        let all: Vec<char> = (0..32).map(symbol).collect();
        assert_eq!(all.iter().collect::<String>(), "abcdefghijklmnopqrstuvwxyz234567");
        assert_eq!(*decode_base32::<3>(b"mzxw6").unwrap(), *b"foo");
        assert!(decode_base32::<3>(b"mzxw7").is_none(), "padding bits");
        assert!(
            (0..=255u8)
                .filter(|byte| decode_base32::<5>(&[*byte; 8]).is_some())
                .count()
                == 32
        );
    }

    #[test]
    fn the_text_is_pinned() {
        let text = share([0xA5; 5], 3, [0x5A; 32]).to_text();
        let groups: Vec<&str> = text.expose().split('-').collect();
        assert_eq!(groups[..5], ["tessera", "share", "1", "uws2ljnf", "03"]);
        assert_eq!(groups.len(), 5 + 13 + 1);
        assert!(groups[5..18].iter().all(|group| group.len() == 4));
        assert_eq!(format!("{text:?}"), "ShareText");
    }

    #[test]
    fn hyphens_spaces_and_case_do_not_matter() {
        let own = share([1; 5], 16, [7; 32]);
        let text = own.to_text();
        let typed = format!("  {}\n", text.expose().to_uppercase().replace('-', " "));
        assert_eq!(parse(&typed).unwrap(), own);
    }

    #[test]
    fn a_slip_of_the_hand_is_told_from_no_share_at_all() {
        let text = share([1; 5], 2, [7; 32]).to_text();
        let text = text.expose();
        let body = "tessera-share-1-".len();
        for (at, letter) in text
            .char_indices()
            .skip(body)
            .filter(|(_, letter)| *letter != '-')
        {
            let other = if letter == 'b' { 'c' } else { 'b' };
            let mut typed = text.to_owned();
            typed.replace_range(at..=at, &other.to_string());
            assert_eq!(parse(&typed), Err(ShareError::Mistyped), "{at}");
        }
        let long = "a".repeat(MAX_TEXT_BYTES + 1);
        for bad in [
            "",
            "tessera-share-2-",
            &text[1..],
            &text[..text.len() - 1],
            &text.replace("tessera", "TESSERb"),
            &long,
        ] {
            assert_eq!(parse(bad), Err(ShareError::NotAShare), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_share_survives_its_text(slot in uniform5(any::<u8>()), index in 1u8..=99, value in uniform32(any::<u8>())) {
            let own = share(slot, index, value);
            prop_assert_eq!(parse(own.to_text().expose()).unwrap(), own);
        }

        #[test]
        fn no_text_makes_the_parser_fail_otherwise(text in ".{0,200}") {
            prop_assert!(parse(&text).is_err());
        }
    }
}
