//! A PIN: 4 to 12 digits, and a refusal repeats none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault::domain::pin::Pin;

fuzz_target!(|text: &[u8]| match Pin::parse(text) {
    Ok(pin) => {
        assert_eq!(pin.as_bytes(), text);
        assert!((4..=12).contains(&pin.length()) && text.iter().all(u8::is_ascii_digit));
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
