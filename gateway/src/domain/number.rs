//! The numbers by which the gateway names its things: from 1 to 2⁴⁰ − 1, given in sequence.

/// The first number that is too large.
pub const NUMBER_END: i64 = 1 << 40;

/// Reads a number as it stands in a path: decimal, no sign, no leading zero.
#[must_use]
pub fn parse_number(text: &str) -> Option<i64> {
    let canonical =
        !text.starts_with('0') && text.len() <= 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = canonical.then(|| text.parse().ok()).flatten()?;
    (1..NUMBER_END).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_text_form_of_a_number_in_range_is_read() {
        assert_eq!(parse_number("1125"), Some(1125));
        assert_eq!(parse_number("1099511627775"), Some(NUMBER_END - 1));
        for other in [
            "",
            "0",
            "01",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "٣",
            "1099511627776",
            "99999999999999999999",
        ] {
            assert_eq!(parse_number(other), None, "{other}");
        }
    }
}
