//! Pages of lists: `?limit=&cursor=` → `items`, `nextCursor`. A cursor names the last item shown; callers take it as it is.

use actix_web::web::Query;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::body::Fields;
use crate::domain::number::NUMBER_END;
use crate::domain::rule::Rule;
use crate::error::Error;

const ONCE: Rule = Rule {
    code: "UNKNOWN_PARAMETER",
    message: "Takes each filter once, percent-encoded.",
};

/// Items when the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Items with numbers above this.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
}

/// Filters that were named, each with its value.
pub type Filters = Vec<(&'static str, String)>;

/// A part of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Page {
    /// Reads the query string.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for a limit out of range, a cursor that is none of ours, and whatever else is asked for.
    pub fn of_query(query: &str, limit_max: u32) -> Result<Self, Error> {
        let mut page = Self {
            after: 0,
            limit: LIMIT_DEFAULT.min(limit_max),
        };
        let mut fields = Fields::empty();
        for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let twice = query
                .split('&')
                .take(index)
                .any(|earlier| earlier.split('=').next() == Some(name));
            match name {
                "limit" if !twice => match value.parse() {
                    Ok(limit) if (1..=limit_max).contains(&limit) => page.limit = limit,
                    _ => fields.refuse(
                        "limit",
                        Rule {
                            code: "OUT_OF_RANGE",
                            message: "Must be an integer from 1 to the largest page.",
                        },
                    ),
                },
                "cursor" if !twice => match cursor_number(value) {
                    Some(after) => page.after = after,
                    None => fields.refuse(
                        "cursor",
                        Rule {
                            code: "UNKNOWN_CURSOR",
                            message: "Must be a nextCursor of this list.",
                        },
                    ),
                },
                _ => fields.refuse(
                    "query",
                    Rule {
                        code: "UNKNOWN_PARAMETER",
                        message: "Takes limit and cursor, once each.",
                    },
                ),
            }
        }
        fields.finish(|| Some(page))
    }

    /// Reads a query string that may name filters beside limit and cursor. Gives those that were named, each once, decoded.
    ///
    /// # Errors
    /// As [`Page::of_query`]; a filter that comes twice, or cannot be decoded.
    pub fn of_filtered(
        query: &str,
        limit_max: u32,
        filters: &[&'static str],
    ) -> Result<(Self, Filters), Error> {
        let filter_of = |pair: &str| {
            let name = pair.split('=').next().unwrap_or(pair);
            filters.iter().copied().find(|filter| *filter == name)
        };
        let (named, rest): (Vec<_>, Vec<_>) = query.split('&').partition(|pair| filter_of(pair).is_some());
        let page = Self::of_query(&rest.join("&"), limit_max)?;
        let mut given = Vec::new();
        let mut fields = Fields::empty();
        let pairs = Query::<Vec<(String, String)>>::from_query(&named.join("&"));
        for (name, value) in pairs.map(Query::into_inner).unwrap_or_default() {
            match filters.iter().copied().find(|filter| *filter == name) {
                Some(filter) if given.iter().all(|(earlier, _)| *earlier != filter) => {
                    given.push((filter, value))
                }
                _ => fields.refuse("query", ONCE),
            }
        }
        if given.len() != named.iter().filter(|pair| !pair.is_empty()).count() {
            fields.refuse("query", ONCE);
        }
        fields.finish(|| Some((page, given)))
    }

    /// How many rows to ask for: one more than wanted tells whether there are more.
    #[must_use]
    pub fn rows(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page of these rows, of which there may be one too many. `number` is what the list is ordered by.
    pub fn of_rows<R, T>(
        self,
        mut rows: Vec<R>,
        number: impl Fn(&R) -> i64,
        show: impl Fn(R) -> Result<T, Error>,
    ) -> Result<Listed<T>, Error> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more {
            rows.last().map(|row| cursor(number(row)))
        } else {
            None
        };
        Ok(Listed {
            items: rows.into_iter().map(show).collect::<Result<_, _>>()?,
            next_cursor,
        })
    }
}

fn cursor(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

fn cursor_number(cursor: &str) -> Option<i64> {
    let bytes: [u8; 8] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    Some(i64::from_be_bytes(bytes)).filter(|number| (1..NUMBER_END).contains(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is asked for: a page within its bounds, or a refusal.
        #[test]
        fn no_query_leads_out_of_the_list(query in "(limit|cursor|email|[a-z]{0,3})=[ -~]{0,14}(&(limit|cursor)=[A-Za-z0-9_-]{0,12})?") {
            if let Ok(page) = Page::of_query(&query, 100) {
                prop_assert!((1..=100).contains(&page.limit) && (0..NUMBER_END).contains(&page.after));
            }
        }

        #[test]
        fn a_cursor_leads_back_to_its_number_and_no_other_text_does(number in 1..NUMBER_END, text in ".{0,12}") {
            prop_assert_eq!(cursor_number(&cursor(number)), Some(number));
            prop_assert!(cursor_number(&text).is_none_or(|found| cursor(found) == text));
        }
    }

    #[test]
    fn a_query_is_read_strictly() {
        let read = |query| Page::of_query(query, 100);
        assert_eq!(read("").unwrap(), Page { after: 0, limit: 20 });
        let query = format!("limit=7&cursor={}", cursor(1005));
        assert_eq!(
            read(&query).unwrap(),
            Page {
                after: 1005,
                limit: 7
            }
        );
        for bad in [
            "limit=0",
            "limit=101",
            "limit=x",
            "limit=",
            "limit=1&limit=2",
            "cursor=",
            "cursor=!!",
            "cursor=AAAAAAAAAAA",
            "offset=3",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_are_taken_once_and_decoded() {
        let read = |query| Page::of_filtered(query, 100, &["email", "id"]);
        let (page, given) = read("email=ada%2B1%40bank.example&limit=3&id=7").unwrap();
        assert_eq!(page.limit, 3);
        let expected = [("email", "ada+1@bank.example"), ("id", "7")];
        assert_eq!(given, expected.map(|(name, value)| (name, value.to_owned())));
        assert!(read("").unwrap().1.is_empty());
        for bad in ["email=a&email=b", "name=x", "email=a&limit=0"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_row_too_many_becomes_the_next_page() {
        let page = Page { after: 0, limit: 2 };
        let listed = page.of_rows(vec![1001, 1002, 1003], |row| *row, Ok).unwrap();
        assert_eq!(
            (listed.items, listed.next_cursor),
            (vec![1001, 1002], Some(cursor(1002)))
        );
        let listed = page.of_rows(vec![1001, 1002], |row| *row, Ok).unwrap();
        assert_eq!((listed.items, listed.next_cursor), (vec![1001, 1002], None));
    }
}
