//! A mass import: a file of lines, each a JSON object, one for each user or card.
//!
//! The file is read as it comes. What is kept of it at a time is one line at most, however long the lines are that somebody
//! sends: a line that is too long is passed over to its end, and is a row that failed.

/// Longest line, in bytes, without what ends it.
pub const LINE_MAX: usize = 16 * 1024;
/// Most lines of a file, empty ones aside.
pub const LINES_MAX: i64 = 100_000;
/// Longest file, in bytes.
pub const FILE_MAX: u64 = 512 * 1024 * 1024;
/// Most cards of one line.
pub const CARDS_MAX: usize = 8;

/// The gateway's number of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(pub i64);

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// Users.
    Users,
    /// Users, each with cards that exist already.
    UsersWithCards,
    /// Cards that exist already, of users who do.
    Cards,
}

impl ImportKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Users, Self::UsersWithCards, Self::Cards];

    /// The name on the wire.
    #[must_use]
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::UsersWithCards => "users-with-cards",
            Self::Cards => "cards",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_word() == word)
    }

    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "USERS",
            Self::UsersWithCards => "USERS_WITH_CARDS",
            Self::Cards => "CARDS",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether a line is one card, so that its number alone names it for the partner's signature.
    #[must_use]
    pub const fn names_rows_by_line_alone(self) -> bool {
        matches!(self, Self::Cards)
    }

    /// Whether lines hold cards, which the partner signs for.
    #[must_use]
    pub const fn has_cards(self) -> bool {
        !matches!(self, Self::Users)
    }
}

/// Whether a text may name an import: 1 to 40 letters, digits, `-` and `_`, never so many digits in a row that it could be a
/// card number. The names of its rows are made of it.
#[must_use]
pub fn is_import_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    (1..=40).contains(&text.len()) && text.bytes().all(allowed) && digits.is_none_or(|run| run <= 11)
}

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStatus {
    /// The file is being taken in.
    Receiving,
    /// Its rows are worked on, in order.
    Running,
    /// Every row came to its end, well or not.
    Done,
    /// It cannot go on.
    Failed,
}

impl ImportStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Receiving, Self::Running, Self::Done, Self::Failed];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "RECEIVING",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    /// Not looked at yet.
    Waiting,
    /// Begun.
    Working,
    /// It had its effect; in a dry run: it would have.
    Done,
    /// It had none, or not all of it.
    Failed,
}

impl RowStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Working, Self::Done, Self::Failed];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Working => "WORKING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1; empty lines are counted, and passed over.
    pub number: i64,
    /// What is in it; none when it is longer than [`LINE_MAX`].
    pub content: Option<Vec<u8>>,
}

/// Takes parts of a file as they come and gives whole lines.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Whether that line is too long already.
    too_long: bool,
    /// Lines that have ended.
    ended: i64,
}

impl Lines {
    /// Takes the next part; `each` is given every line that ends in it.
    ///
    /// # Errors
    /// The first that `each` gives.
    pub fn take<E>(&mut self, part: &[u8], mut each: impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let mut rest = part;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            self.append(line);
            rest = after.get(1..).unwrap_or_default();
            if let Some(line) = self.end() {
                each(line)?;
            }
        }
        self.append(rest);
        Ok(())
    }

    /// The last line, where the file does not end with the end of a line.
    #[must_use]
    pub fn last(mut self) -> Option<Line> {
        self.end()
    }

    fn append(&mut self, part: &[u8]) {
        // One byte more than a line has: a carriage return may end it.
        if self.too_long || self.begun.len() + part.len() > LINE_MAX + 1 {
            self.too_long = true;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Option<Line> {
        let mut content = std::mem::take(&mut self.begun);
        let mut too_long = std::mem::take(&mut self.too_long);
        self.ended += 1;
        if content.last() == Some(&b'\r') {
            content.pop();
        }
        too_long |= content.len() > LINE_MAX;
        if too_long {
            return Some(Line {
                number: self.ended,
                content: None,
            });
        }
        let empty = content.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        (!empty).then_some(Line {
            number: self.ended,
            content: Some(content),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for part in parts {
            let taken = lines.take(part, |line| {
                found.push(line);
                Ok::<_, Infallible>(())
            });
            assert!(taken.is_ok());
        }
        found.extend(lines.last());
        found
    }

    fn line(number: i64, content: &str) -> Line {
        Line {
            number,
            content: Some(content.as_bytes().to_vec()),
        }
    }

    #[test]
    fn lines_end_with_either_end_and_the_last_one_with_none() {
        let expected = [line(1, "a"), line(2, "b"), line(4, "c")];
        assert_eq!(read(&[b"a\nb\r\n\nc"]), expected);
        assert_eq!(read(&[b"a\nb\r", b"\n \t\nc\n"]), expected);
        assert!(read(&[b""]).is_empty() && read(&[b"\n\r\n"]).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_fails_alone() {
        let fits = "x".repeat(LINE_MAX);
        let long = "y".repeat(LINE_MAX + 1);
        let file = format!("{fits}\r\n{long}\n{long}{long}\nz\n{long}");
        let found = read(&[file.as_bytes()]);
        let too_long = |number| Line {
            number,
            content: None,
        };
        assert_eq!(
            found,
            [
                line(1, &fits),
                too_long(2),
                too_long(3),
                line(4, "z"),
                too_long(5)
            ]
        );
    }

    #[test]
    fn a_name_of_an_import_cannot_be_a_card_number() {
        assert!(is_import_name("batch-2026_11") && is_import_name("12345678901"));
        for bad in ["", "a b", "a:1", "a.1", "123456789012", &"x".repeat(41)] {
            assert!(!is_import_name(bad), "{bad}");
        }
    }

    #[test]
    fn names_survive() {
        for kind in ImportKind::ALL {
            assert_eq!(ImportKind::from_name(kind.as_str()), Some(kind));
            assert_eq!(ImportKind::from_word(kind.as_word()), Some(kind));
        }
        for status in ImportStatus::ALL {
            assert_eq!(ImportStatus::from_name(status.as_str()), Some(status));
        }
        for status in RowStatus::ALL {
            assert_eq!(RowStatus::from_name(status.as_str()), Some(status));
        }
    }

    proptest! {
        /// However the file is cut into parts, its lines are the same, and never is more kept than one line.
        #[test]
        fn how_a_file_is_cut_does_not_matter(
            file in vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), any::<u8>()], 0..400),
            cuts in vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
            cuts.extend([0, file.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &file[pair[0]..pair[1]]).collect();
            let found = read(&parts);
            prop_assert_eq!(&found, &read(&[&file]));
            let expected: Vec<Vec<u8>> = file
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
                .filter(|line| !line.iter().all(|byte| matches!(byte, b' ' | b'\t')))
                .collect();
            let contents: Vec<Vec<u8>> = found.into_iter().filter_map(|line| line.content).collect();
            prop_assert_eq!(contents, expected);
        }
    }
}
