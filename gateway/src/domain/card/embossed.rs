//! The name on renewed plastic, made of the name on file: what a bureau can print of it. The vault judges it again.

/// Most characters of an embossed name (ISO/IEC 7813: the name of track 1).
const MOST_CHARACTERS: usize = 26;

/// First and last name in capitals A to Z, as ICAO 9303 writes the letters of other Latin alphabets. First names become
/// initials where the whole is too long, and the last name is cut. None when no letter of one of them can be printed.
#[must_use]
pub fn embossed_name(first: &str, last: &str) -> Option<String> {
    let (first, last) = (printable(first), printable(last));
    if first.is_empty() || last.is_empty() {
        return None;
    }
    let whole = format!("{first} {last}");
    if whole.len() <= MOST_CHARACTERS {
        return Some(whole);
    }
    // All ASCII from here on.
    let initial = first.get(..1).unwrap_or_default();
    let room = MOST_CHARACTERS - initial.len() - 1;
    let last = last.get(..room.min(last.len())).unwrap_or_default();
    Some(format!("{initial} {}", last.trim_end_matches([' ', '-', '\''])))
}

/// Words of letters with single spaces between, each beginning with a letter.
fn printable(name: &str) -> String {
    let letters: String = name.chars().map(latin).collect();
    let words = letters
        .split(' ')
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_uppercase()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A character as it is printed; nothing where it cannot be. ICAO 9303-3, section 6, table A.
fn latin(c: char) -> &'static str {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if c.is_ascii_alphabetic() {
        let place = usize::from(c.to_ascii_uppercase() as u8 - b'A');
        return LETTERS.get(place..=place).unwrap_or_default();
    }
    match c {
        ' ' => " ",
        '-' => "-",
        '\'' | '\u{2019}' => "'",
        'À'..='Ã' | 'à'..='ã' | 'Ā'..='ą' => "A",
        'Ä' | 'ä' | 'Æ' | 'æ' => "AE",
        'Å' | 'å' => "AA",
        'Ç' | 'ç' | 'Ć'..='č' => "C",
        'Ď'..='đ' | 'Ð' | 'ð' => "D",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "E",
        'Ĝ'..='ģ' => "G",
        'Ĥ'..='ħ' => "H",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "I",
        'Ĵ' | 'ĵ' => "J",
        'Ķ' | 'ķ' => "K",
        'Ĺ'..='ł' => "L",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "N",
        'Ò'..='Õ' | 'ò'..='õ' | 'Ō'..='ő' => "O",
        'Ö' | 'ö' | 'Ø' | 'ø' | 'Œ' | 'œ' => "OE",
        'Ŕ'..='ř' => "R",
        'Ś'..='š' | 'Ș' | 'ș' => "S",
        'ß' => "SS",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "T",
        'Þ' | 'þ' => "TH",
        'Ù'..='Û' | 'ù'..='û' | 'Ũ'..='ų' => "U",
        'Ü' | 'ü' => "UE",
        'Ŵ' | 'ŵ' => "W",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "Y",
        'Ź'..='ž' => "Z",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_it_can_be_printed() {
        for (first, last, embossed) in [
            ("Ada", "Example", "ADA EXAMPLE"),
            ("Łucja", "Żółć", "LUCJA ZOLC"),
            ("Jürgen", "Groß", "JUERGEN GROSS"),
            ("Anne-Marie", "O'Brien", "ANNE-MARIE O'BRIEN"),
            ("  Ada ", "de  la Cruz", "ADA DE LA CRUZ"),
            ("-Ada-", "Byron 2", "ADA BYRON"),
            ("Maximiliana Wilhelmina", "Oberhauser", "M OBERHAUSER"),
            (
                "Al",
                "Wolfeschlegelsteinhausenbergerdorff",
                "A WOLFESCHLEGELSTEINHAUSEN",
            ),
        ] {
            assert_eq!(embossed_name(first, last).as_deref(), Some(embossed));
        }
        assert_eq!(embossed_name("Ольга", "Example"), None, "nothing to print");
        assert_eq!(embossed_name("7", "Example"), None);
    }

    #[test]
    fn every_latin_letter_is_written_with_its_own_kind() {
        for c in ('À'..='ž').filter(|c| c.is_alphabetic()) {
            let written = latin(c);
            assert!(
                written.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{c}: {written}"
            );
        }
        let long = embossed_name("A", &"Ä".repeat(40)).unwrap();
        assert_eq!(long.len(), 26);
    }
}
