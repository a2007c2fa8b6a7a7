//! `?limit=&cursor=` and filters: whatever is asked for, a page is within its bounds.
#![no_main]

use gateway::http::page::Page;
use libfuzzer_sys::fuzz_target;

/// Largest page.
const MOST: u32 = 100;
/// Beyond the largest id of the contract.
const IDS_END: i64 = 1 << 40;

fuzz_target!(|query: &str| {
    let plain = Page::of_query(query, MOST).ok();
    let filtered = Page::of_filtered(query, MOST, &["email", "externalId"]).ok();
    for page in plain.into_iter().chain(filtered.map(|(page, _)| page)) {
        assert!((1..=MOST).contains(&page.limit) && (0..IDS_END).contains(&page.after));
    }
});
