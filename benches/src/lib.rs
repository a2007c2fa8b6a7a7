//! What the pair costs, measured beside what it could not cost less: a closed-loop load generator that starts the real
//! binaries, drives them over real TLS, and sets every figure beside a yardstick of the same run on the same machine.
#![expect(
    clippy::float_arithmetic,
    reason = "rates, percentiles and ratios of measurements; no money is counted here"
)]

pub mod bare_commit;
pub mod closed_loop;
pub mod crypto_steps;
pub mod floor;
pub mod gateway_load;
pub mod meter;
pub mod plan;
pub mod report;
pub mod rotation;
pub mod vault_load;
pub mod wire;
pub mod yardstick;
