//! RFC 7638 thumbprints, computed from the numbers of an OpenSSL key.

use anyhow::{Result, bail};
use openssl::bn::{BigNum, BigNumContext};
use openssl::pkey::{HasPublic, Id, PKey};
use serde_json::{Value, json};

use super::compact::{base64url, sha256_base64url};

/// Bytes of a coordinate on P-256.
const COORDINATE_BYTES: i32 = 32;

/// The required members of the key's JWK, in the lexicographic order that RFC 7638 §3.3 asks for.
pub(crate) fn public_jwk<T: HasPublic>(key: &PKey<T>) -> Result<Value> {
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa()?;
            Ok(json!({ "e": base64url(&rsa.e().to_vec()), "kty": "RSA", "n": base64url(&rsa.n().to_vec()) }))
        }
        Id::EC => {
            let key = key.ec_key()?;
            let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
            key.public_key()
                .affine_coordinates(key.group(), &mut x, &mut y, &mut *BigNumContext::new()?)?;
            let text =
                |number: &BigNum| Ok::<_, anyhow::Error>(base64url(&number.to_vec_padded(COORDINATE_BYTES)?));
            Ok(json!({ "crv": "P-256", "kty": "EC", "x": text(&x)?, "y": text(&y)? }))
        }
        other => bail!("no JWK for keys of kind {other:?}"),
    }
}

/// SHA-256 over the canonical JWK, base64url.
pub(crate) fn thumbprint<T: HasPublic>(key: &PKey<T>) -> Result<String> {
    Ok(sha256_base64url(&serde_json::to_string(&public_jwk(key)?)?))
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;

    use super::*;

    /// The modulus of RFC 7638 §3.1.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        use base64::Engine as _;
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(N)
            .unwrap();
        let rsa =
            Rsa::from_public_components(BigNum::from_slice(&n).unwrap(), BigNum::from_u32(65537).unwrap());
        let key = PKey::from_rsa(rsa.unwrap()).unwrap();
        assert_eq!(
            thumbprint(&key).unwrap(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
