//! A card number: digits alone are taken, the mask shows ten of them at most, and a refusal repeats none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault::domain::pan::Pan;

fuzz_target!(|text: &[u8]| match Pan::parse(text) {
    Ok(pan) => {
        assert_eq!(pan.as_bytes(), text);
        assert!((12..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit));
        let mask = pan.masked().map(|mask| mask.to_string()).unwrap_or_default();
        assert_eq!(mask.len(), text.len());
        assert!(mask.bytes().filter(u8::is_ascii_digit).count() <= 10);
    }
    // It may name the lengths that are taken.
    Err(refusal) => {
        let text = refusal.to_string();
        assert!(
            !text
                .as_bytes()
                .windows(4)
                .any(|part| part.iter().all(u8::is_ascii_digit))
        );
    }
});
