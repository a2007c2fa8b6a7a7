//! What a document is, judged by its bytes: the type that was declared, whole from its first byte to its end mark. What
//! follows the end mark is no part of the document and is not kept, so that nothing rides along behind a picture.

use super::document::DocumentType;
use crate::domain::rule::Rule;

/// Largest width and height of a picture, in pixels: a phone's camera stays far below.
const SIDE_MAX: u32 = 20_000;
/// Largest picture in all, in pixels: whoever shows it needs four bytes for each.
const PIXELS_MAX: u64 = 120_000_000;
/// How far from its end a PDF's end mark may be (ISO 32000-1, implementation note 18).
const PDF_TAIL: usize = 1_024;
/// What makes a PDF act by itself, carry other files, or be closed to whoever has to look at it.
const PDF_REFUSED: [&[u8]; 5] = [
    b"/JavaScript",
    b"/Launch",
    b"/EmbeddedFile",
    b"/RichMedia",
    b"/Encrypt",
];

const EMPTY: Rule = Rule {
    code: "REQUIRED",
    message: "The body must be the document.",
};
const OTHER_TYPE: Rule = Rule {
    code: "CONTENT_TYPE_MISMATCH",
    message: "The content is not of the type that Content-Type declares.",
};
const NOT_WHOLE: Rule = Rule {
    code: "DOCUMENT_NOT_SOUND",
    message: "The document is cut short, damaged, or its picture is too large.",
};
const ACTIVE: Rule = Rule {
    code: "DOCUMENT_NOT_PLAIN",
    message: "A PDF must be neither encrypted nor hold scripts, actions or other files.",
};

/// Judges `bytes` as a document of the declared type. Returns how many of them are the document.
///
/// # Errors
/// The rule that is broken.
pub fn judge(bytes: &[u8], declared: DocumentType) -> Result<usize, Rule> {
    if bytes.is_empty() {
        return Err(EMPTY);
    }
    let found = infer::get(bytes).map(|found| found.mime_type());
    if found != Some(declared.as_str()) {
        return Err(OTHER_TYPE);
    }
    match declared {
        DocumentType::Png => png(bytes).ok_or(NOT_WHOLE),
        DocumentType::Jpeg => jpeg(bytes).ok_or(NOT_WHOLE),
        DocumentType::Pdf => pdf(bytes),
    }
}

const fn are_sound(width: u32, height: u32) -> bool {
    width > 0
        && height > 0
        && width <= SIDE_MAX
        && height <= SIDE_MAX
        && width as u64 * height as u64 <= PIXELS_MAX
}

/// ISO/IEC 15948: a signature and chunks, each with a checksum; IHDR first, IEND last.
fn png(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1A\n")?;
    let (mut is_first, mut has_picture) = (true, false);
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (chunk, after) = after.split_at_checked(length.checked_add(4)?)?;
        let (checksum, after) = after.split_first_chunk::<4>()?;
        if crc32(chunk) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let (name, data) = chunk.split_first_chunk::<4>()?;
        if is_first != (name == b"IHDR") {
            return None;
        }
        match name {
            b"IHDR" => {
                let (width, data) = data.split_first_chunk::<4>()?;
                let (height, data) = data.split_first_chunk::<4>()?;
                let sides = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
                if data.len() != 5 || !are_sound(sides.0, sides.1) {
                    return None;
                }
            }
            b"IDAT" => has_picture = true,
            b"IEND" => return (has_picture && data.is_empty()).then(|| bytes.len() - after.len()),
            _ => {}
        }
        is_first = false;
        rest = after;
    }
}

/// ITU-T T.81 annex B: segments, each with its length; scans of entropy-coded data; EOI last.
fn jpeg(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    let (mut has_frame, mut has_scan) = (false, false);
    loop {
        rest = rest.strip_prefix(&[0xFF])?;
        // A marker may be preceded by any number of fill bytes (B.1.1.2).
        while let Some(after) = rest.strip_prefix(&[0xFF]) {
            rest = after;
        }
        let (marker, after) = rest.split_first()?;
        if *marker == 0xD9 {
            return (has_frame && has_scan).then(|| bytes.len() - after.len());
        }
        if matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8) {
            return None;
        }
        let (length, _) = after.split_first_chunk::<2>()?;
        let (segment, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let content = segment.get(2..)?;
        // Start of frame, but for DHT, JPG and DAC, which stand among them.
        if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let (_, sides) = content.split_first()?;
            let (height, sides) = sides.split_first_chunk::<2>()?;
            let (width, _) = sides.split_first_chunk::<2>()?;
            let (width, height) = (u16::from_be_bytes(*width), u16::from_be_bytes(*height));
            if !are_sound(width.into(), height.into()) {
                return None;
            }
            has_frame = true;
        }
        rest = after;
        if *marker == 0xDA {
            if !has_frame {
                return None;
            }
            has_scan = true;
            rest = after_scan(after)?;
        }
    }
}

/// From the marker on that ends a scan: 0xFF, followed neither by a stuffed nought nor by a restart.
fn after_scan(coded: &[u8]) -> Option<&[u8]> {
    let at = coded.windows(2).position(|pair| match pair {
        [0xFF, next] => !matches!(next, 0x00 | 0xD0..=0xD7 | 0xFF),
        _ => false,
    })?;
    coded.get(at..)
}

/// ISO 32000-1 §7.5: header, objects, the place of the cross-reference, end mark.
fn pdf(bytes: &[u8]) -> Result<usize, Rule> {
    let version = bytes.strip_prefix(b"%PDF-").and_then(|rest| rest.get(..3));
    let known = matches!(version, Some([b'1', b'.', b'0'..=b'7'] | [b'2', b'.', b'0']));
    let tail_at = bytes.len().saturating_sub(PDF_TAIL);
    let tail = bytes.get(tail_at..).unwrap_or_default();
    let end = tail.windows(5).rposition(|found| found == b"%%EOF");
    let (true, Some(end)) = (known, end) else {
        return Err(NOT_WHOLE);
    };
    let end = tail_at + end + 5;
    let whole = bytes.get(..end).unwrap_or_default();
    let trailer = whole.get(end.saturating_sub(PDF_TAIL)..).unwrap_or_default();
    let is_built = trailer.windows(9).any(|found| found == b"startxref")
        && whole.windows(4).any(|found| found == b" obj");
    if !is_built {
        return Err(NOT_WHOLE);
    }
    let mut rest = whole;
    while let Some(at) = rest.iter().position(|byte| *byte == b'/') {
        rest = rest.get(at..).unwrap_or_default();
        if PDF_REFUSED.iter().any(|refused| rest.starts_with(refused)) {
            return Err(ACTIVE);
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(end)
}

/// The remainders of CRC-32 (ISO 3309), by byte.
const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 {
                0xEDB8_8320 ^ (remainder >> 1)
            } else {
                remainder >> 1
            };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let place = usize::from((crc as u8) ^ byte);
        CRC_TABLE.get(place).copied().unwrap_or_default() ^ (crc >> 8)
    })
}

#[cfg(test)]
pub(crate) fn crc32_for_tests(bytes: &[u8]) -> u32 {
    crc32(bytes)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
