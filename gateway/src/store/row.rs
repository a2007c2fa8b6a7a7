//! Columns to values. A text that no flow writes is a named corruption, never a default.

use std::str::FromStr;

use sqlx::any::AnyRow;
use sqlx::{Any, ColumnIndex, Decode, Row, Type};

use super::StoreError;

/// A column as a type of the driver's.
pub(super) fn get<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Any> + Type<Any>,
    &'static str: ColumnIndex<AnyRow>,
{
    Ok(row.try_get(column)?)
}

/// A text column as a checked type of ours.
pub(super) fn parse<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    get::<String>(row, column)?
        .parse()
        .map_err(|_| StoreError::Corrupt(column))
}

/// The same of a column that may be empty.
pub(super) fn parse_optional<T: FromStr>(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    get::<Option<String>>(row, column)?
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| StoreError::Corrupt(column))
}

/// A text column as one of an enum's names.
pub(super) fn named<T>(
    row: &AnyRow,
    column: &'static str,
    from_name: fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    from_name(&get::<String>(row, column)?).ok_or(StoreError::Corrupt(column))
}

/// A column of exactly `N` bytes.
pub(super) fn bytes<const N: usize>(row: &AnyRow, column: &'static str) -> Result<[u8; N], StoreError> {
    get::<Vec<u8>>(row, column)?
        .try_into()
        .map_err(|_| StoreError::Corrupt(column))
}
