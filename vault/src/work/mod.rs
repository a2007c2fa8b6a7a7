//! Long work: begun by an approval, done in small transactions that write what they did together with how far they are,
//! so that it goes on where it was after any crash. It yields to live traffic, rests and ends on officers' words, and
//! nothing that is corrupt stops the rest.
//!
//! A further kind of work is a variant of [`Work`] and a `step` of its own: it takes a [`Turn`], does one batch through
//! [`Turn::commit`], and says how many items that were.

mod begin;
mod control;
mod failures;
mod pace;
mod record;
mod runner;
mod step;
mod turn;

pub use self::begin::{NewJob, begin};
pub use self::control::{Change, abort, change, find, list};
pub use self::pace::Desk;
pub use self::record::{JobRecord, Work};
pub use self::runner::run;
#[cfg(test)]
pub use self::runner::run_to_end;
pub use self::step::Stepped;
pub use self::turn::{Failed, Turn};

#[cfg(test)]
mod tests;
