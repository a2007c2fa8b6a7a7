//! Secret digits: in one place on the heap, so that moving their owner leaves no copy behind; wiped there, compared in
//! constant time.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Up to `N` ASCII digits.
pub(super) struct Digits<const N: usize> {
    place: Box<Zeroizing<[u8; N]>>,
    length: usize,
}

impl<const N: usize> Digits<N> {
    /// `length` zeros to be written over; no more than `N`.
    pub(super) fn zeros(length: usize) -> Self {
        let mut place = Box::new(Zeroizing::new([0; N]));
        place.fill(b'0');
        Self {
            place,
            length: length.min(N),
        }
    }

    /// A copy of `ascii`, of which no more than `N` are taken.
    pub(super) fn copy_of(ascii: &[u8]) -> Self {
        let mut digits = Self::zeros(ascii.len());
        for (own, digit) in digits.as_mut_bytes().iter_mut().zip(ascii) {
            *own = *digit;
        }
        digits
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.place.get(..self.length).unwrap_or_default()
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.place.get_mut(..self.length).unwrap_or_default()
    }
}

/// Whether two digit strings are the same; only their lengths may be told from the time it takes.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
