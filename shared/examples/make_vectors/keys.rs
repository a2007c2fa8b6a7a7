//! Key pairs as any client reads them: JWK and PKCS#8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::bn::BigNumRef;
use openssl::pkey::PKey;
use serde_json::{Value, json};
use shared::jwe::{RsaKeySize, RsaPrivateKey};
use shared::jws::HolderSigner;

use crate::raw::base64url;

/// An RSA key pair of 2048 bits.
pub(crate) fn rsa() -> (RsaPrivateKey, Value) {
    let pkcs8 = RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap();
    let rsa = PKey::private_key_from_pkcs8(&pkcs8).unwrap().rsa().unwrap();
    let number = |number: &BigNumRef| base64url(number.to_vec());
    let key = RsaPrivateKey::from_pkcs8(&pkcs8).unwrap();
    let mut private = key.public_key().to_jwk();
    private["d"] = json!(number(rsa.d()));
    private["p"] = json!(number(rsa.p().unwrap()));
    private["q"] = json!(number(rsa.q().unwrap()));
    private["dp"] = json!(number(rsa.dmp1().unwrap()));
    private["dq"] = json!(number(rsa.dmq1().unwrap()));
    private["qi"] = json!(number(rsa.iqmp().unwrap()));
    let entry = json!({
        "thumbprint": key.thumbprint(),
        "publicJwk": key.public_key(),
        "privateJwk": private,
        "pkcs8": STANDARD.encode(pkcs8.as_slice()),
    });
    (key, entry)
}

/// A P-256 key pair.
pub(crate) fn p256() -> (Vec<u8>, Value) {
    let pkcs8 = rcgen::KeyPair::generate().unwrap().serialize_der();
    let public = HolderSigner::from_pkcs8(&pkcs8).unwrap().public_key().unwrap();
    let scalar = PKey::private_key_from_pkcs8(&pkcs8).unwrap().ec_key().unwrap();
    let mut private = public.to_jwk();
    private["d"] = json!(base64url(scalar.private_key().to_vec_padded(32).unwrap()));
    let entry = json!({
        "thumbprint": public.thumbprint(),
        "publicJwk": public,
        "privateJwk": private,
        "pkcs8": STANDARD.encode(&pkcs8),
    });
    (pkcs8, entry)
}
