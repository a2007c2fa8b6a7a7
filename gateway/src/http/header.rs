//! Headers that mean something come once, or not at all.

use actix_web::http::header::HeaderMap;

use crate::error::{Code, Error};

/// The value of a header, if there is one.
///
/// # Errors
/// `INVALID_HEADER` when it comes twice (two readers may take two different ones) or is not visible ASCII.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name);
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Code::InvalidHeader.into());
    }
    first.to_str().map(Some).map_err(|_| Code::InvalidHeader.into())
}
