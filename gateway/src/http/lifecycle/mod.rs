//! Doors under `/lifecycle`.
