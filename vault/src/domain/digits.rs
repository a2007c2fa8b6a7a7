//! Secret digits: compared in constant time.

use subtle::ConstantTimeEq;

/// Whether two digit strings are the same; only their lengths may be told from the time it takes.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
