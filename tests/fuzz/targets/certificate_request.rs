//! A certificate request: read from PEM as partners send it, and from the DER within, where damage goes deeper.
#![no_main]

use certs::request::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Request::from_pem(bytes);
    let _ = Request::from_der(bytes);
});
