//! Doors under `/customers`.
