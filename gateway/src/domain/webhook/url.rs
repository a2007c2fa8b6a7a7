//! The URL of an endpoint, read strictly: what two parsers could read in two ways is not taken.

use serde::Deserialize;

use super::super::rule::Rule;

/// Longest URL.
const URL_MAX: usize = 2_048;

/// `https://host[:port][/path][?query]`; `http://` to this machine alone, in development.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Reads a URL. Whether it may be called here is judged by its client.
    ///
    /// # Errors
    /// The rule that is broken: user names, fragments, and everything but printable ASCII are refused.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        const RULE: Rule = Rule {
            code: "NOT_A_WEBHOOK_URL",
            message: "Must be an absolute https URL of at most 2048 ASCII characters, without user name and fragment.",
        };
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(RULE)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).ok_or(RULE)?;
        let in_authority = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        let in_tail = |byte: u8| byte.is_ascii_graphic() && !br#"#\"<>^`{|}"#.contains(&byte);
        let fits = text.len() <= URL_MAX
            && !authority.is_empty()
            && authority.bytes().all(in_authority)
            && tail.bytes().all(in_tail);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(RULE)
        }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).map_err(|rule| rule.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_strictly() {
        for good in [
            "https://bank.example/hooks",
            "https://bank.example:8443/hooks?tenant=1&x=%20",
            "https://[2001:db8::1]/",
            "https://bank.example?x",
            "http://127.0.0.1:9000/x",
        ] {
            assert_eq!(WebhookUrl::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://bank.example/{}", "x".repeat(2_048));
        for bad in [
            "",
            "bank.example",
            "ftp://bank.example",
            "HTTPS://bank.example",
            "https://",
            "https:///x",
            "https://user@bank.example/",
            "https://bank.example@evil.example/",
            "https://bank.example\\@evil.example/",
            "https://bank.example/#x",
            "https://bank.example/ x",
            "https://bänk.example/",
            "https://bank.example/\r\nX: y",
            "https://bank%2eexample/",
            &long,
        ] {
            assert!(WebhookUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
