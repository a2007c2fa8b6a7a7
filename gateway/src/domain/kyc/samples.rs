//! Small sound documents, for tests.

/// A picture of this size, whose pixels nobody looks at.
pub(crate) fn png_sample(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        let named = [name.as_slice(), data].concat();
        bytes.extend_from_slice(&named);
        bytes.extend_from_slice(&super::content::crc32_for_tests(&named).to_be_bytes());
    };
    let header = [
        width.to_be_bytes().as_slice(),
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    chunk(b"IHDR", &header);
    chunk(b"IDAT", b"a picture");
    chunk(b"IEND", b"");
    bytes
}

/// A picture of 1 by 1.
pub(crate) fn jpeg_sample() -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    bytes.extend_from_slice(&[0xFF, 0xE0, 0, 16]);
    bytes.extend_from_slice(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    bytes.extend_from_slice(&[0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
    bytes.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0x3F, 0]);
    bytes.extend_from_slice(&[0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD0, 0x56]);
    bytes.extend_from_slice(&[0xFF, 0xD9]);
    bytes
}

/// A page without anything on it.
pub(crate) fn pdf_sample() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\n\
      endobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF"
        .to_vec()
}
