//! A rule that a value can break. The value itself is never repeated.

/// What the value had to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// A stable name in capitals.
    pub code: &'static str,
    /// The rule as a sentence.
    pub message: &'static str,
}

/// A string was wanted.
pub const NOT_TEXT: Rule = Rule {
    code: "NOT_A_STRING",
    message: "Must be a string.",
};
/// A member must be there.
pub const REQUIRED: Rule = Rule {
    code: "REQUIRED",
    message: "Must be present.",
};
/// A member is not known here.
pub const UNKNOWN: Rule = Rule {
    code: "UNKNOWN_MEMBER",
    message: "Is not a member of this request.",
};
