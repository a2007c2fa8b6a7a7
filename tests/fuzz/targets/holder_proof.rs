//! The header `Holder-Proof`: nothing that nobody signed verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::jws::holder_proof::HolderProof;

fuzz_target!(|text: &str| match HolderProof::parse(text) {
    Ok(HolderProof::ByHolder(proof)) => assert!(proof.verify_with(&[]).is_err()),
    // It brings its own certificate: whose that is, is not asked here.
    Ok(HolderProof::ByPartner(proof)) => drop(proof.verify()),
    Err(_) => {}
});
