//! The stand and its actors: starts the real pair of binaries with certificates of its own, and speaks to it as phones,
//! partners, officers, processors, auditors and attackers do. The demo, the end-to-end tests and the benchmarks all stand on
//! this one library, so that what is tested is what is shown.

pub mod actors;
pub mod answer;
pub mod stand;
