//! Doors under `/secure`.
