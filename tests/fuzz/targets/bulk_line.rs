//! An opened line of the vault's own import: one refusal without a word of it, or at most sixty-four rows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault::bulk::line;

fuzz_target!(|plain: &[u8]| if let Ok(rows) = line::parse(plain) {
    assert!((1..=64).contains(&rows.len()));
});
