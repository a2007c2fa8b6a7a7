//! The rules of cards, users and money, as pure functions of values: no async, no SQL, no web.

pub mod balance;
pub mod card;
pub mod event;
pub mod import;
pub mod installation;
pub mod kyc;
pub mod ledger;
pub mod letter;
pub mod lock;
pub mod number;
pub mod operator;
pub mod order;
pub mod partner;
pub mod partner_balance;
pub mod person;
pub mod rule;
pub mod text;
pub mod user;
pub mod webhook;
