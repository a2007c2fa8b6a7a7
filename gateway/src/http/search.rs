//! By what users are looked for, by operators and partners alike: what is named has to fit exactly.

use shared::problem::FieldError;

use super::page::Filters;
use crate::domain::number::parse_number;
use crate::domain::person::{Email, ExternalId, PhoneNumber};
use crate::domain::rule::Rule;
use crate::domain::user::UserId;
use crate::error::Error;
use crate::store::customers::Filter;

/// The parameters.
pub(super) const FILTERS: [&str; 4] = ["email", "phoneNumber", "externalId", "id"];

const NOT_AN_ID: Rule = Rule {
    code: "NOT_AN_ID",
    message: "Must be an id.",
};

/// Reads the values of those that were given.
///
/// # Errors
/// `VALIDATION_FAILED` for a value that nobody can have.
pub(super) fn read_filter(given: &Filters) -> Result<Filter, Error> {
    let mut filter = Filter::default();
    for (name, value) in given {
        match *name {
            "email" => filter.email = Some(fits(name, Email::parse(value))?.as_str().to_owned()),
            "phoneNumber" => {
                filter.phone_number = Some(fits(name, PhoneNumber::parse(value))?.as_str().to_owned());
            }
            "externalId" => {
                filter.external_id = Some(fits(name, ExternalId::parse(value))?.as_str().to_owned());
            }
            _ => filter.id = Some(UserId(fits(name, parse_number(value).ok_or(NOT_AN_ID))?)),
        }
    }
    Ok(filter)
}

fn fits<T>(name: &str, value: Result<T, Rule>) -> Result<T, Error> {
    value.map_err(|rule| {
        Error::invalid(vec![FieldError {
            field: name.to_owned().into(),
            code: rule.code.into(),
            message: rule.message.into(),
        }])
    })
}
