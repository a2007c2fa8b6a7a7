use proptest::prelude::*;

use super::*;
use crate::domain::kyc::samples::{jpeg_sample, pdf_sample, png_sample};

fn samples() -> [(DocumentType, Vec<u8>); 3] {
    [
        (DocumentType::Pdf, pdf_sample()),
        (DocumentType::Jpeg, jpeg_sample()),
        (DocumentType::Png, png_sample(2, 3)),
    ]
}

#[test]
fn a_sound_document_is_taken_as_what_it_is_and_as_nothing_else() {
    for (own, bytes) in samples() {
        assert_eq!(judge(&bytes, own), Ok(bytes.len()), "{own:?}");
        for other in DocumentType::ALL.into_iter().filter(|other| *other != own) {
            assert_eq!(judge(&bytes, other), Err(OTHER_TYPE), "{own:?} as {other:?}");
        }
    }
    assert_eq!(judge(&[], DocumentType::Png), Err(EMPTY));
}

#[test]
fn a_document_cut_short_anywhere_is_refused() {
    for (own, bytes) in samples() {
        for length in 0..bytes.len() {
            assert!(judge(&bytes[..length], own).is_err(), "{own:?} of {length} bytes");
        }
    }
}

#[test]
fn what_follows_the_end_is_not_kept() {
    for (own, bytes) in samples() {
        let mut longer = bytes.clone();
        longer.extend_from_slice(b"PK\x03\x04 an archive behind it");
        assert_eq!(judge(&longer, own), Ok(bytes.len()), "{own:?}");
    }
    let mut far = pdf_sample();
    far.extend_from_slice(&[b' '; 2_000]);
    assert_eq!(judge(&far, DocumentType::Pdf), Err(NOT_WHOLE));
}

#[test]
fn what_only_begins_like_a_picture_is_refused() {
    for (bytes, declared) in [
        (
            &b"\x89PNG\r\n\x1A\n<script>alert(1)</script>"[..],
            DocumentType::Png,
        ),
        (&b"\xFF\xD8\xFF\xE0 not a segment"[..], DocumentType::Jpeg),
        (&b"%PDF-1.7 nothing else"[..], DocumentType::Pdf),
        (
            &b"%PDF-9.9\n1 0 obj\nendobj\nstartxref\n0\n%%EOF"[..],
            DocumentType::Pdf,
        ),
    ] {
        assert_eq!(judge(bytes, declared), Err(NOT_WHOLE), "{declared:?}");
    }
    for bytes in [
        &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..],
        b"GIF89a",
        b"MZ\x90\x00",
        b"PK\x03\x04",
    ] {
        for declared in DocumentType::ALL {
            assert_eq!(judge(bytes, declared), Err(OTHER_TYPE));
        }
    }
}

#[test]
fn a_picture_that_would_fill_a_viewers_memory_is_refused() {
    for (width, height) in [(0, 1), (1, 0), (20_001, 1), (20_000, 20_000)] {
        assert_eq!(
            judge(&png_sample(width, height), DocumentType::Png),
            Err(NOT_WHOLE),
            "{width} by {height}"
        );
    }
    let mut flat = jpeg_sample();
    let frame = flat.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    flat[frame + 5] = 0;
    flat[frame + 6] = 0;
    assert_eq!(judge(&flat, DocumentType::Jpeg), Err(NOT_WHOLE));
}

#[test]
fn a_pdf_that_acts_or_is_closed_is_refused() {
    for refused in PDF_REFUSED {
        let text = String::from_utf8(pdf_sample()).unwrap();
        let name = std::str::from_utf8(refused).unwrap();
        let acting = text.replacen("/Catalog", &format!("/Catalog {name} 3 0 R"), 1);
        assert_eq!(judge(acting.as_bytes(), DocumentType::Pdf), Err(ACTIVE), "{name}");
    }
}

#[test]
fn the_checksum_is_the_standards() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

proptest! {
    #[test]
    fn no_bytes_bring_the_judge_down(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for declared in DocumentType::ALL {
            prop_assert!(judge(&bytes, declared).is_err());
        }
    }

    #[test]
    fn bytes_behind_a_true_beginning_are_judged_too(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (declared, start) in [
            (DocumentType::Pdf, &b"%PDF-1.4\n"[..]),
            (DocumentType::Jpeg, &[0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0]),
            (DocumentType::Png, b"\x89PNG\r\n\x1A\n"),
        ] {
            let whole = [start, &bytes].concat();
            if let Ok(kept) = judge(&whole, declared) {
                prop_assert!(kept <= whole.len());
                prop_assert_eq!(judge(&whole[..kept], declared), Ok(kept));
            }
        }
    }

    #[test]
    fn a_png_with_a_flipped_bit_is_refused(at in 8_usize..70, bit in 0_u8..8) {
        let mut bytes = png_sample(2, 3);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(judge(&bytes, DocumentType::Png).is_err());
    }
}
