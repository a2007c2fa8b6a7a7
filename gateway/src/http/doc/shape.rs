//! What a value looks like: a JSON Schema (2020-12) with an example of it, made from small words.
//!
//! A shape carries the components that it refers to, so that a document holds what it uses and nothing else.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

/// Five parts of base64url: a compact JWE.
pub const JWE_PATTERN: &str =
    r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$";
/// Three parts of base64url: a compact JWS.
pub const JWS_PATTERN: &str = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$";
/// What a compact JWE looks like; it opens to nothing.
pub const JWE_EXAMPLE: &str = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0.b3dlcg.bm9uY2Utb2YtMTI.Y2lwaGVydGV4dA.dGFnLW9mLTE2LWJ5dGVz";
/// What a compact JWS looks like; nobody signed it.
pub const JWS_EXAMPLE: &str = "eyJhbGciOiJFUzI1NiJ9.eyJvcCI6InJldmVhbCJ9.c2lnbmF0dXJl";

/// A schema, an example that fits it, and the components that the schema names.
#[derive(Debug, Clone)]
pub struct Shape {
    schema: Map<String, Value>,
    example: Value,
    needs: Vec<(String, Value)>,
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Member {
    name: &'static str,
    shape: Shape,
    required: bool,
}

impl Member {
    /// Its name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// What its value looks like.
    pub(super) const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The same member where it may be left out.
    pub fn may_be_left_out(mut self) -> Self {
        self.required = false;
        self
    }

    /// The same member where it must be there.
    pub fn must_be_there(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether it must be there.
    pub(super) const fn is_required(&self) -> bool {
        self.required
    }
}

/// A member that must be there.
pub fn required(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: true,
    }
}

/// A member that may be left out.
pub fn optional(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: false,
    }
}

/// Text of so many characters.
pub fn text(least: u64, most: u64, example: &str) -> Shape {
    Shape::new(
        json!({ "type": "string", "minLength": least, "maxLength": most }),
        example,
    )
}

/// One line of text: 1 to so many characters, none of which controls anything.
pub fn line(most: u64, example: &str) -> Shape {
    text(1, most, example).with("pattern", r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")
}

/// Text of a form. The pattern is ECMA 262.
pub fn pattern(pattern: &str, example: &str) -> Shape {
    Shape::new(json!({ "type": "string", "pattern": pattern }), example)
}

/// One of these words.
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Shape {
    Shape::of_schema(enumeration(words))
}

/// One of these words, as the schema of an answer's member: `#[schema(schema_with = …)]`.
pub fn enumeration(words: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let words: Vec<_> = words.into_iter().collect();
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .examples(words.first().copied())
        .enum_values(Some(words));
    RefOr::T(object.build().into())
}

/// An integer within these bounds, both of which are allowed.
pub fn integer(least: i64, most: i64, example: i64) -> Shape {
    Shape::new(
        json!({ "type": "integer", "format": "int64", "minimum": least, "maximum": most }),
        example,
    )
}

/// Money in minor units of the currency beside it: 1 to so much.
pub fn amount(most: i64, example: i64) -> Shape {
    integer(1, most, example).saying("In minor units of the currency, such as cents.")
}

/// True or false.
pub fn boolean(example: bool) -> Shape {
    Shape::new(json!({ "type": "boolean" }), example)
}

/// A compact JWS of at most so many characters.
pub fn jws(most: u64) -> Shape {
    pattern(JWS_PATTERN, JWS_EXAMPLE).with("maxLength", most)
}

/// A compact JWE of at most so many characters.
pub fn jwe(most: u64) -> Shape {
    pattern(JWE_PATTERN, JWE_EXAMPLE).with("maxLength", most)
}

/// Values of one shape, so many of them.
pub fn list(of: Shape, least: u64, most: u64) -> Shape {
    let example = json!([of.example]);
    let schema = json!({ "type": "array", "items": of.schema, "minItems": least, "maxItems": most });
    Shape::new(schema, example).needing(of.needs)
}

/// An object of these members and no others.
pub fn object(members: impl IntoIterator<Item = Member>) -> Shape {
    let (mut properties, mut names, mut example, mut needs) =
        (Map::new(), Vec::new(), Map::new(), Vec::new());
    for Member {
        name,
        shape,
        required,
    } in members
    {
        if required {
            names.push(json!(name));
        }
        example.insert(name.to_owned(), shape.example);
        properties.insert(name.to_owned(), Value::Object(shape.schema));
        needs.extend(shape.needs);
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (false, Some(schema)) = (names.is_empty(), schema.as_object_mut()) {
        schema.insert("required".to_owned(), Value::Array(names));
    }
    Shape::new(schema, Value::Object(example)).needing(needs)
}

impl Shape {
    fn new(schema: Value, example: impl Into<Value>) -> Self {
        let schema = match schema {
            Value::Object(schema) => schema,
            // `true` and `false` are schemas too, and nobody here makes them.
            _ => Map::new(),
        };
        let example = example.into();
        Self {
            schema,
            example,
            needs: Vec::new(),
        }
    }

    /// The type of an answer, by its `ToSchema`, with an example of it.
    pub fn of<T: ToSchema>(example: Value) -> Self {
        let mut needs = Vec::new();
        T::schemas(&mut needs);
        needs.push((T::name().into_owned(), T::schema()));
        let written = |schema: RefOr<Schema>| serde_json::to_value(schema).unwrap_or(Value::Null);
        let needs = needs.into_iter().map(|(name, schema)| (name, written(schema)));
        let reference = json!({ "$ref": format!("#/components/schemas/{}", T::name()) });
        Self::new(reference, example).needing(needs)
    }

    /// The schema of a member of an answer, as a shape.
    pub fn of_schema(schema: RefOr<Schema>) -> Self {
        let mut shape = Self::new(serde_json::to_value(schema).unwrap_or(Value::Null), Value::Null);
        let first = shape.schema.get("examples").and_then(|examples| examples.get(0));
        shape.example = first.cloned().unwrap_or(Value::Null);
        shape.schema.shift_remove("examples");
        shape
    }

    /// A component of this name: the same wherever it is used.
    pub fn named(self, name: &str) -> Self {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let mut needs = self.needs;
        needs.push((name.to_owned(), Value::Object(self.schema)));
        Self::new(reference, self.example).needing(needs)
    }

    /// This object with further members, all of which are there. For answers that are composed.
    pub fn and(self, members: impl IntoIterator<Item = Member>) -> Self {
        let mut more = object(members);
        more.schema.shift_remove("additionalProperties");
        let mut example = self.example;
        if let (Some(all), Value::Object(more)) = (example.as_object_mut(), more.example) {
            all.extend(more);
        }
        Self::new(json!({ "allOf": [self.schema, more.schema] }), example)
            .needing(self.needs)
            .needing(more.needs)
    }

    /// This shape or the other, and not both.
    pub fn or(self, other: Self) -> Self {
        let schema = json!({ "oneOf": [self.schema, other.schema] });
        Self::new(schema, self.example)
            .needing(self.needs)
            .needing(other.needs)
    }

    /// What the value means.
    pub fn saying(self, says: &str) -> Self {
        self.with("description", says)
    }

    /// Another keyword of JSON Schema.
    pub fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.schema.insert(keyword.to_owned(), value.into());
        self
    }

    /// A secret: it is sent and never shown again.
    pub fn secret(self) -> Self {
        self.with("format", "password").with("writeOnly", true)
    }

    /// Another example.
    pub fn like(mut self, example: impl Into<Value>) -> Self {
        self.example = example.into();
        self
    }

    fn needing(mut self, needs: impl IntoIterator<Item = (String, Value)>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// The schema.
    pub fn schema(&self) -> Value {
        Value::Object(self.schema.clone())
    }

    /// The example.
    pub const fn example(&self) -> &Value {
        &self.example
    }

    /// The components that the schema names.
    pub fn needs(&self) -> &[(String, Value)] {
        &self.needs
    }

    /// Whether an object of this shape may be empty.
    pub(super) fn may_be_empty(&self) -> bool {
        !self.schema.contains_key("required") && !self.schema.contains_key("oneOf")
    }
}
