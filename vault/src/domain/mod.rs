//! What the vault decides, without doing it: no I/O, no clock, no store. `Pan`, `Cvv` and `Pin` exist here and nowhere
//! else in the product.

pub mod bin_range;
pub mod budget;
pub mod card;
pub mod cvv;
mod digits;
pub mod holder;
pub mod import;
pub mod order;
pub mod pan;
pub mod pin;
pub mod plastic;
pub mod program;
pub mod proof;
pub mod retention;
pub mod tokenise;
pub mod tries;
