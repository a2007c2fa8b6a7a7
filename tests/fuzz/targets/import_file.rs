//! The file of a mass import: its lines are the same however it is cut, and each is read as each kind of row.
#![no_main]

use gateway::domain::import::{Line, Lines};
use gateway::http::import_rows::{Reading, card_row, newcomer};
use libfuzzer_sys::fuzz_target;
use shared::jwe::AlgPolicy;
use time::OffsetDateTime;

fn lines(parts: &[&[u8]]) -> Vec<Line> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for part in parts {
        let _: Result<(), ()> = lines.take(part, |line| {
            found.push(line);
            Ok(())
        });
    }
    found.extend(lines.last());
    found
}

fuzz_target!(|file: &[u8]| {
    let whole = lines(&[file]);
    let (front, back) = file.split_at(file.len() / 2);
    assert_eq!(lines(&[front, back]), whole);
    for line in whole {
        let content = line.content.unwrap_or_default();
        for with_cards in [false, true] {
            let reading = Reading {
                now: OffsetDateTime::UNIX_EPOCH,
                algorithms: AlgPolicy::Sha1Too,
                with_cards,
            };
            let _ = newcomer(&content, reading);
            let _ = card_row(&content, reading);
        }
    }
});
