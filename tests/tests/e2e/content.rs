//! What card data must look like once a client has opened it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The test BIN of the demo's program.
pub(crate) const BIN: &str = "999900";

/// Number, CVV and expiry of a full answer, checked for their form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FullCard {
    pub(crate) pan: String,
    pub(crate) cvv: String,
    pub(crate) exp: String,
}

impl FullCard {
    /// Reads and checks `cardNo`, `cvv` and `exp`.
    pub(crate) fn of(content: &Value) -> Result<Self> {
        let text = |name: &str| {
            content
                .get(name)
                .and_then(Value::as_str)
                .with_context(|| format!("no {name}"))
        };
        let (pan, cvv, exp) = (
            text("cardNo")?.to_owned(),
            text("cvv")?.to_owned(),
            text("exp")?.to_owned(),
        );
        ensure!(
            pan.len() == 16 && pan.starts_with(BIN) && luhn_holds(&pan),
            "not a number of ours"
        );
        ensure!(
            cvv.len() == 3 && cvv.bytes().all(|byte| byte.is_ascii_digit()),
            "not a CVV"
        );
        ensure!(
            exp.len() == 10 && exp.get(4..5) == Some("-") && exp.get(7..8) == Some("-"),
            "expiry {exp}"
        );
        Ok(Self { pan, cvv, exp })
    }

    /// First six and last four: what may be shown anywhere.
    pub(crate) fn masked(&self) -> String {
        let (first, last) = (
            self.pan.get(..6).unwrap_or_default(),
            self.pan.get(12..).unwrap_or_default(),
        );
        format!("{first}******{last}")
    }
}

/// ISO/IEC 7812-1, annex B.
fn luhn_holds(pan: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let digits = pan.chars().rev().filter_map(|symbol| symbol.to_digit(10));
    digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { doubled(digit) } else { digit })
        .sum::<u32>()
        % 10
        == 0
}

/// That an answer without a proof shows no more than the mask.
pub(crate) fn is_masked(content: &Value) -> Result<()> {
    for secret in ["cardNo", "cvv", "pin"] {
        ensure!(content.get(secret).is_none(), "{secret} in a masked card");
    }
    let masked = content
        .get("maskedCardNo")
        .and_then(Value::as_str)
        .context("no maskedCardNo")?;
    ensure!(
        masked.len() == 16 && masked.contains("******"),
        "a mask of another form: {masked}"
    );
    Ok(())
}
