//! What each operation is, said beside its door: [`Doc`] is the mandatory last argument of every row of the route tables.
//!
//! A door's `doc()` says what only the door knows: what it is for, its members, its answers, its own errors. Everything that
//! follows from the row (verb, path, caller) is added by [`document`]: parameters of the path, security, the headers and the
//! errors that all such operations have in common.

pub mod document;
mod errors;
pub mod examples;
mod headers;
mod seed;
pub mod shape;
mod tag;
#[cfg(test)]
mod tests;
pub mod words;

use serde_json::Value;
use utoipa::ToSchema;

use self::shape::{Member, Shape, object};
pub use self::tag::Tag;
use crate::error::Code;

/// A description of one operation.
#[derive(Debug, Clone)]
pub struct Doc {
    tag: Tag,
    summary: &'static str,
    says: String,
    body: Body,
    query: Vec<Member>,
    paged: bool,
    texts_of_path: Vec<(&'static str, Shape)>,
    enc: bool,
    proof: Proof,
    minted_anew: bool,
    takes_idempotency_key: bool,
    needs: Needs,
    answers: Vec<Answer>,
    errors: Vec<Code>,
}

/// The body of a request.
#[derive(Debug, Clone)]
enum Body {
    /// There is none, and what is sent is not looked at.
    None,
    /// A JSON object.
    Plain(Shape),
    /// `{payload}` only.
    Sealed(Shape),
    /// Either.
    PlainOrSealed(Shape),
    /// `{payload}`, or nothing.
    SealedOrNothing(Shape),
    /// Bytes of one of these media types, at most so many.
    Bytes(&'static [&'static str], u64),
}

/// Whether a `Holder-Proof` goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It is not looked at.
    None,
    /// It may.
    Optional,
    /// It must.
    Required,
}

/// What has to work for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// The process alone.
    Nothing,
    /// The database.
    Store,
    /// Database and vault.
    Vault,
}

/// An answer that is no error.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    says: &'static str,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Nothing,
    Json(Shape),
    Sealed(Shape),
    Bytes(&'static [&'static str]),
}

impl Doc {
    /// An operation under a heading, in a few words. The description is the first thing to add: [`Doc::says`].
    pub fn new(tag: Tag, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            says: String::new(),
            body: Body::None,
            query: Vec::new(),
            paged: false,
            texts_of_path: Vec::new(),
            enc: false,
            proof: Proof::None,
            minted_anew: false,
            takes_idempotency_key: false,
            needs: Needs::Store,
            answers: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// What a caller has to know, in Markdown. Paragraphs add up.
    pub fn says(mut self, text: &str) -> Self {
        if !self.says.is_empty() {
            self.says.push_str("\n\n");
        }
        self.says.push_str(text);
        self
    }

    /// A JSON body of these members. Where none is required, the body may be absent.
    pub fn body(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.body = Body::Plain(object(members));
        self
    }

    /// A JSON body of a shape that is more than a list of members.
    pub fn body_of(mut self, shape: Shape) -> Self {
        self.body = Body::Plain(shape);
        self
    }

    /// A body that is read and has no members: absent, or `{}`.
    pub fn no_members(self) -> Self {
        self.body([])
    }

    /// A sealed body only; these are the members within.
    pub fn sealed_body(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.body = Body::Sealed(object(members));
        self
    }

    /// The same members in clear or sealed.
    pub fn plain_or_sealed_body(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.body = Body::PlainOrSealed(object(members));
        self
    }

    /// A sealed body, or none.
    pub fn sealed_body_or_none(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.body = Body::SealedOrNothing(object(members));
        self
    }

    /// A body of bytes: one of these media types, at most so many bytes.
    pub fn bytes_body(mut self, media_types: &'static [&'static str], most: u64) -> Self {
        self.body = Body::Bytes(media_types, most);
        self
    }

    /// A parameter of the query: `required(…)` or `optional(…)`.
    pub fn query(mut self, parameter: Member) -> Self {
        self.query.push(parameter);
        self
    }

    /// A parameter of the path that is no number.
    pub fn path_text(mut self, name: &'static str, shape: Shape) -> Self {
        self.texts_of_path.push((name, shape));
        self
    }

    /// An *enc* endpoint: `Public-Key` and `Encrypted-Request` are needed.
    pub fn enc(mut self) -> Self {
        self.enc = true;
        self.asks_vault()
    }

    /// A `Holder-Proof` may come along.
    pub fn proof_optional(mut self) -> Self {
        self.proof = Proof::Optional;
        self.asks_vault()
    }

    /// A `Holder-Proof` must come along.
    pub fn proof_required(mut self) -> Self {
        self.proof = Proof::Required;
        self.asks_vault()
    }

    /// A POST of which no answer is kept: a retry makes anew what it gives out, without a second effect.
    pub fn minted_anew(mut self) -> Self {
        self.minted_anew = true;
        self
    }

    /// Takes an `Idempotency-Key` though it is no POST.
    pub fn idempotent(mut self) -> Self {
        self.takes_idempotency_key = true;
        self
    }

    /// Asks the vault, so that it can be 503 `VAULT_UNAVAILABLE`.
    pub fn asks_vault(mut self) -> Self {
        self.needs = Needs::Vault;
        self
    }

    /// Needs neither database nor vault.
    pub fn needs_nothing(mut self) -> Self {
        self.needs = Needs::Nothing;
        self
    }

    /// Answers a type, with an example of it.
    pub fn answers<T: ToSchema>(self, status: u16, says: &'static str, example: Value) -> Self {
        self.answers_shape(status, says, Shape::of::<T>(example))
    }

    /// Answers JSON of a shape.
    pub fn answers_shape(self, status: u16, says: &'static str, shape: Shape) -> Self {
        self.answering(status, says, Content::Json(shape))
    }

    /// Answers 200 with a page of a list (and takes `limit` and `cursor`), with an example of an item.
    pub fn answers_page<T: ToSchema>(self, says: &'static str, example: Value) -> Self {
        self.answers_page_of(says, Shape::of::<T>(example))
    }

    /// Answers 200 with a page of a list of a shape.
    pub fn answers_page_of(mut self, says: &'static str, item: Shape) -> Self {
        self.paged = true;
        self.answers_shape(200, says, headers::page_of(item))
    }

    /// Answers `{payload}`: this shape, sealed by the vault to `Public-Key`.
    pub fn answers_sealed(self, status: u16, says: &'static str, plaintext: Shape) -> Self {
        self.answering(status, says, Content::Sealed(plaintext))
    }

    /// Answers without a body.
    pub fn answers_nothing(self, status: u16, says: &'static str) -> Self {
        self.answering(status, says, Content::Nothing)
    }

    /// Answers bytes of one of these media types.
    pub fn answers_bytes(
        self,
        status: u16,
        says: &'static str,
        media_types: &'static [&'static str],
    ) -> Self {
        self.answering(status, says, Content::Bytes(media_types))
    }

    /// The errors of this operation's own. Those that follow from verb, path, caller, body and headers are added.
    pub fn errors(mut self, codes: &[Code]) -> Self {
        self.errors.extend_from_slice(codes);
        self
    }

    fn answering(mut self, status: u16, says: &'static str, content: Content) -> Self {
        self.answers.push(Answer {
            status,
            says,
            content,
        });
        self
    }

    /// Every shape of the operation: of its body, its query and its answers.
    fn shapes(&self) -> Vec<&Shape> {
        let body = match &self.body {
            Body::None | Body::Bytes(..) => None,
            Body::Plain(shape)
            | Body::Sealed(shape)
            | Body::PlainOrSealed(shape)
            | Body::SealedOrNothing(shape) => Some(shape),
        };
        let answers = self.answers.iter().filter_map(|answer| match &answer.content {
            Content::Nothing | Content::Bytes(_) => None,
            Content::Json(shape) | Content::Sealed(shape) => Some(shape),
        });
        body.into_iter()
            .chain(self.query.iter().map(Member::shape))
            .chain(answers)
            .collect()
    }

    /// The components that the operation refers to.
    fn needs(&self) -> Vec<(String, Value)> {
        self.shapes()
            .into_iter()
            .flat_map(|shape| shape.needs().to_vec())
            .collect()
    }
}
