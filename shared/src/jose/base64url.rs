//! Base64url without padding (RFC 7515 §2), accepted in its canonical form only: no padding, no white space, no stray
//! bits in the last symbol.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The one text form of `bytes`.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the text form of `bytes` to `text`.
pub(crate) fn encode_into(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads the canonical form; anything else is `None`.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads the canonical form of exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Refuse the length before decoding: the text may be as long as a header may be.
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode("_-8").as_deref(), Some(&[0xFF, 0xEF][..]));
        for other in ["_-8=", "_-9", "/+8", " _-8", "_-8\n", "_-8A\u{e9}", "_"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_array_is_read_at_its_own_length_only() {
        assert_eq!(decode_array::<2>("_-8"), Some([0xFF, 0xEF]));
        assert_eq!(decode_array::<3>("_-8"), None);
        assert_eq!(decode_array::<1>("_-8"), None);
    }
}
