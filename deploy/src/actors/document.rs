//! Documents as a phone photographs or scans them: small, sound, and with a line inside by which they are found again.

/// A document and its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleDocument {
    /// The media type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl SampleDocument {
    /// A picture of one colour that carries `line` in a comment, and `filling` bytes of nothing.
    #[must_use]
    pub fn png(line: &str, filling: usize) -> Self {
        let mut bytes = b"\x89PNG\r\n\x1A\n".to_vec();
        let mut chunk = |name: &[u8; 4], data: &[u8]| {
            let named = [name.as_slice(), data].concat();
            bytes.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
            bytes.extend_from_slice(&named);
            bytes.extend_from_slice(&crc32(&named).to_be_bytes());
        };
        let sides = [640_u32.to_be_bytes(), 480_u32.to_be_bytes()].concat();
        chunk(b"IHDR", &[sides.as_slice(), &[8, 2, 0, 0, 0]].concat());
        chunk(b"tEXt", &[b"Comment\0", line.as_bytes()].concat());
        chunk(b"IDAT", &vec![0; filling.max(1)]);
        chunk(b"IEND", b"");
        Self {
            content_type: "image/png",
            bytes,
        }
    }

    /// A page with `line` in a comment.
    #[must_use]
    pub fn pdf(line: &str) -> Self {
        let text = format!(
            "%PDF-1.4\n% {line}\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] \
             /Count 0 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF"
        );
        Self {
            content_type: "application/pdf",
            bytes: text.into_bytes(),
        }
    }

    /// A photo of one pixel with `line` in a comment.
    #[must_use]
    pub fn jpeg(line: &str) -> Self {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xFE];
        let length = u16::try_from(line.len() + 2).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(&[0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
        bytes.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0x3F, 0, 0x12, 0x34, 0xFF, 0xD9]);
        Self {
            content_type: "image/jpeg",
            bytes,
        }
    }
}

/// ISO 3309, a bit at a time: a sample is made once.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => 0xEDB8_8320 ^ (crc >> 1),
            _ => crc >> 1,
        })
    })
}
