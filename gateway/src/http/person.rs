//! A person's members, as registration and KYC both take them.

use time::OffsetDateTime;

use super::body::Fields;
use super::doc::shape::{Member, optional, required};
use super::doc::words;
use crate::domain::person::{
    BirthDate, Country, Email, Person, PersonName, PhoneNumber, address_line, postal_code,
};
use shared::vault_api::cards::PostalAddress;

/// Takes a whole person.
pub(super) fn person(fields: &mut Fields, now: OffsetDateTime) -> Option<Person> {
    let email = fields.text("email", Email::parse);
    let phone_number = fields.text("phoneNumber", PhoneNumber::parse);
    let first_name = fields.text("firstName", PersonName::parse);
    let last_name = fields.text("lastName", PersonName::parse);
    let date_of_birth = fields.text("dateOfBirth", |text| BirthDate::parse(text, now));
    let nationality = fields.text("nationality", Country::parse);
    let address = fields.optional_object("address", address);
    Some(Person {
        email: email?,
        phone_number: phone_number?,
        first_name: first_name?,
        last_name: last_name?,
        date_of_birth: date_of_birth?,
        nationality: nationality?,
        address,
    })
}

/// Takes the members of an address.
pub(super) fn address(fields: &mut Fields) -> Option<PostalAddress> {
    let line1 = fields.text("line1", address_line);
    let line2 = fields.optional_text("line2", address_line);
    let city = fields.text("city", address_line);
    let postal_code = fields.text("postalCode", postal_code);
    let country = fields.text("country", Country::parse);
    Some(PostalAddress {
        line1: line1?,
        line2,
        city: city?,
        postal_code: postal_code?,
        country: country?.as_str().to_owned(),
    })
}

/// The members of a whole person, as [`person`] reads them.
pub(super) fn members() -> Vec<Member> {
    vec![
        required("email", words::email()),
        required("phoneNumber", words::phone_number()),
        required("firstName", words::person_name("Jan")),
        required("lastName", words::person_name("Kowalski")),
        required("dateOfBirth", words::date_of_birth()),
        required("nationality", words::country()),
        optional("address", words::address()),
    ]
}
