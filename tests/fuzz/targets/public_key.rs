//! The header `Public-Key`: a key that is taken is the same key in each of its forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::public_key::PublicKey;

fuzz_target!(|value: &str| {
    let Ok(key) = PublicKey::from_header(value) else {
        return;
    };
    let thumbprint = key.thumbprint();
    for again in [
        PublicKey::from_spki_der(&key.to_spki_der()),
        PublicKey::from_spki_pem(&key.to_spki_pem()),
        PublicKey::from_jwk(&key.to_jwk()),
    ] {
        assert_eq!(again.map(|key| key.thumbprint()).ok().as_ref(), Some(&thumbprint));
    }
});
