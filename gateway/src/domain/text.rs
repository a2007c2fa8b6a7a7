//! What texts of several kinds have in common.

/// Searches for card numbers begin at 13 digits in a row.
const DIGITS_IN_A_ROW_MAX: usize = 12;

/// Whether this is one line of 1 to `max` characters, none of which controls anything.
#[must_use]
pub fn is_line(text: &str, max: usize) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    (1..=max).contains(&text.chars().count()) && !text.chars().any(breaks)
}

/// Whether a search for card numbers would stop here: nothing that is ours to make up or to log looks like that.
#[must_use]
pub fn may_be_card_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit())
        .any(|digits| digits.len() > DIGITS_IN_A_ROW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_counted_in_characters_and_does_not_break() {
        assert!(is_line("żółw", 4));
        for bad in ["", "żółwi", "a\nb", "a\0", "\u{2028}"] {
            assert!(!is_line(bad, 4), "{bad:?}");
        }
    }

    #[test]
    fn thirteen_digits_in_a_row_may_be_a_card_number() {
        assert!(may_be_card_number("a9999000000001b"));
        assert!(!may_be_card_number("999900000000-999900000000"));
    }
}
