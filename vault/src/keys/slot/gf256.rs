//! Shamir's secret sharing over GF(2⁸) with the polynomial x⁸ + x⁴ + x³ + x + 1 (0x11B), byte by byte: a polynomial of
//! degree t − 1 with the secret at 0 and uniform coefficients, evaluated at 1, 2, …, n.
//!
//! Arithmetic is without branches, tables or indices that depend on secrets. Our own, because the crate at hand
//! (vsss-rs 6) leaves coefficients and combined secrets unwiped in plain vectors and brings five crates of curves and
//! big integers for the forty lines below.

use ring::rand::SecureRandom;

use crate::secret::{RandomFailed, SecretBytes};

/// Most shares of one secret.
pub const MAX_SHARES: u8 = 16;
/// Fewest shares that open. One share that opens is no split knowledge (PCI DSS 3.7.6).
pub const MIN_THRESHOLD: u8 = 2;

/// One point of the polynomials: an index from 1 and 32 bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) index: u8,
    pub(super) value: SecretBytes<32>,
}

impl Point {
    /// The same point again; both wipe themselves.
    pub(super) fn copy(&self) -> Self {
        let mut value = SecretBytes::zeroed();
        value.expose_mut().copy_from_slice(self.value.expose());
        Self {
            index: self.index,
            value,
        }
    }
}

/// The product in the field, in constant time.
const fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut product) = (a, b, 0);
    let mut bit = 0;
    while bit < 8 {
        product ^= a & (b & 1).wrapping_neg();
        let carry = (a >> 7).wrapping_neg();
        a = (a << 1) ^ (0x1B & carry);
        b >>= 1;
        bit += 1;
    }
    product
}

/// The multiplicative inverse, a²⁵⁴; 0 for 0.
const fn invert(a: u8) -> u8 {
    let mut result = 1;
    let mut square = a;
    let mut bit = 1;
    // 254 = 0b1111_1110: all powers a^(2^bit) for bit 1 to 7.
    while bit < 8 {
        square = multiply(square, square);
        result = multiply(result, square);
        bit += 1;
    }
    result
}

/// Splits a secret into `shares` points, any `threshold` of which give it back. The caller has checked
/// 2 ≤ threshold ≤ shares ≤ [`MAX_SHARES`].
pub(super) fn split(
    secret: &SecretBytes<32>,
    threshold: u8,
    shares: u8,
    rng: &dyn SecureRandom,
) -> Result<Vec<Point>, RandomFailed> {
    // Every coefficient is uniform, zero included: leaving zero out would rule out a value of the secret for each set
    // of t − 1 shares (RUSTSEC-2024-0398).
    let mut coefficients = Vec::with_capacity(usize::from(threshold));
    for _ in 1..threshold {
        coefficients.push(SecretBytes::<32>::random(rng)?);
    }
    Ok((1..=shares)
        .map(|index| Point {
            index,
            value: evaluate(secret, &coefficients, index),
        })
        .collect())
}

/// Horner's rule, from the highest coefficient down to the secret.
fn evaluate(secret: &SecretBytes<32>, coefficients: &[SecretBytes<32>], x: u8) -> SecretBytes<32> {
    let mut value = SecretBytes::zeroed();
    for coefficient in coefficients.iter().rev().chain([secret]) {
        for (sum, byte) in value.expose_mut().iter_mut().zip(coefficient.expose()) {
            *sum = multiply(*sum, x) ^ byte;
        }
    }
    value
}

/// The value at 0 of the polynomial through these points: Lagrange's formula. Indices must differ and not be 0; with
/// fewer points than the threshold, or a false one, the result is a random-looking wrong secret.
pub(super) fn combine(points: &[Point]) -> SecretBytes<32> {
    let mut secret = SecretBytes::zeroed();
    for point in points {
        let others = points
            .iter()
            .map(|other| other.index)
            .filter(|index| *index != point.index);
        // Indices are public. At 0: ∏ x_j / (x_j − x_i), and minus is xor.
        let weight = others.fold(1, |weight, other| {
            multiply(weight, multiply(other, invert(other ^ point.index)))
        });
        for (sum, byte) in secret.expose_mut().iter_mut().zip(point.value.expose()) {
            *sum ^= multiply(*byte, weight);
        }
    }
    secret
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn secret(byte: u8) -> SecretBytes<32> {
        SecretBytes::from_slice(&std::array::from_fn::<u8, 32, _>(|index| {
            byte.wrapping_add(index as u8)
        }))
        .unwrap()
    }

    fn copies(points: &[Point], mask: u32) -> Vec<Point> {
        let chosen = points
            .iter()
            .enumerate()
            .filter(|(index, _)| mask & (1 << index) != 0);
        let copy = |point: &Point| Point {
            index: point.index,
            value: SecretBytes::from_slice(point.value.expose()).unwrap(),
        };
        chosen.map(|(_, point)| copy(point)).collect()
    }

    #[test]
    fn multiplication_is_that_of_the_field() {
        // FIPS 197 §4.2.
        assert_eq!(multiply(0x57, 0x83), 0xC1);
        assert_eq!(multiply(0x57, 0x13), 0xFE);
        for a in 0..=255u8 {
            assert_eq!(multiply(a, 1), a);
            assert_eq!(multiply(a, 0), 0);
            assert_eq!(multiply(a, invert(a)), u8::from(a != 0), "{a}");
            for b in 0..=255u8 {
                assert_eq!(multiply(a, b), multiply(b, a));
                assert_eq!(multiply(a, b), by_table(a, b));
            }
        }
    }

    /// The product by polynomial division, as one would on paper.
    fn by_table(a: u8, b: u8) -> u8 {
        let mut product = 0u32;
        for bit in 0..8 {
            if b & (1 << bit) != 0 {
                product ^= u32::from(a) << bit;
            }
        }
        for bit in (8..16).rev() {
            if product & (1 << bit) != 0 {
                product ^= 0x11B << (bit - 8);
            }
        }
        product as u8
    }

    #[test]
    fn a_polynomial_by_hand_gives_its_known_points() {
        // f(x) = 0x42 + 0x07·x + 0x9C·x², computed by a few lines of Python.
        let constant = |byte| SecretBytes::from_slice(&[byte; 32]).unwrap();
        let at = |x| evaluate(&constant(0x42), &[constant(0x07), constant(0x9C)], x).expose()[0];
        assert_eq!([at(0), at(1), at(2), at(3), at(255)], KNOWN_POINTS);
    }

    const KNOWN_POINTS: [u8; 5] = [0x42, 0xD9, 0x0A, 0x91, 0x35];

    #[test]
    fn every_subset_of_threshold_size_or_larger_opens_and_no_smaller_one_does() {
        for (threshold, shares) in [(2, 2), (2, 3), (3, 5), (5, 5), (4, 7), (3, 9)] {
            let points = split(&secret(threshold), threshold, shares, &SystemRandom::new()).unwrap();
            for mask in 1u32..1 << shares {
                let chosen = copies(&points, mask);
                let whole = chosen.len() >= usize::from(threshold);
                assert_eq!(
                    combine(&chosen) == secret(threshold),
                    whole,
                    "{threshold} of {shares}, mask {mask:b}"
                );
            }
        }
    }

    #[test]
    fn one_false_share_spoils_the_secret() {
        let points = split(&secret(0), 3, 5, &SystemRandom::new()).unwrap();
        let mut chosen = copies(&points, 0b111);
        chosen[1].value.expose_mut()[7] ^= 1;
        assert_ne!(combine(&chosen), secret(0));
    }

    /// One share short of the threshold, every value of the secret is equally likely: the value of a share takes all 256
    /// values alike. A generator that left out zero coefficients would never show the secret itself as a share's value
    /// (RUSTSEC-2024-0398).
    #[test]
    fn shares_below_the_threshold_are_uniform() {
        const ROUNDS: usize = 2000;
        let mut counts = [[0u32; 256]; 2];
        for _ in 0..ROUNDS {
            let points = split(&SecretBytes::zeroed(), 2, 2, &SystemRandom::new()).unwrap();
            for (counts, point) in counts.iter_mut().zip(&points) {
                point
                    .value
                    .expose()
                    .iter()
                    .for_each(|byte| counts[usize::from(*byte)] += 1);
            }
        }
        let expected = (ROUNDS * 32 / 256) as i64;
        for counts in counts {
            assert!(counts[0] > 0, "a coefficient of zero never came");
            // χ² with 255 degrees of freedom: mean 255, deviation 22.6; beyond 400 once in 10⁸ runs.
            let chi_squared = counts
                .iter()
                .map(|count| (i64::from(*count) - expected).pow(2))
                .sum::<i64>()
                / expected;
            assert!((130..400).contains(&chi_squared), "{chi_squared}");
        }
    }
}
