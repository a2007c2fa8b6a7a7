//! Two certificate authorities of the same name, of which only the first is trusted, and what they have signed.

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType, date_time_ymd,
};
use serde_json::{Value, json};
use shared::jwe::{RsaKeySize, RsaPrivateKey};

use crate::raw::base64url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A key and the chain that its certificate leads.
pub(crate) struct Certified {
    pub pkcs8: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Certified {
    /// The value of the header member `x5c`.
    pub(crate) fn x5c(&self) -> Value {
        self.chain
            .iter()
            .map(|der| STANDARD.encode(der))
            .collect::<Vec<_>>()
            .into()
    }
}

pub(crate) struct Pki {
    pub(crate) ca_pem: String,
    pub(crate) vault: Certified,
    pub(crate) gateway: Certified,
    pub(crate) vault_of_other_ca: Certified,
    pub(crate) vault_expired: Certified,
    pub(crate) vault_for_clients: Certified,
    pub(crate) vault_with_two_uris: Certified,
    pub(crate) partner: Certified,
    pub(crate) partner_rsa: Certified,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let (trusted, other) = (authority(), authority());
        let (server, client) = (
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        let vault = "spiffe://tessera/vault";
        let p256 = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let rsa = RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap();
        let rsa =
            KeyPair::from_der_and_sign_algo(&rsa.as_slice().try_into().unwrap(), &PKCS_RSA_SHA256).unwrap();
        let leaf = |issuer, key, uris: &[&str], usage: &ExtendedKeyUsagePurpose| {
            certify(issuer, key, uris, usage, 2099)
        };
        Self {
            ca_pem: trusted.pem(),
            vault: leaf(&trusted, p256(), &[vault], &server),
            gateway: leaf(&trusted, p256(), &["spiffe://tessera/gateway"], &server),
            vault_of_other_ca: leaf(&other, p256(), &[vault], &server),
            vault_expired: certify(&trusted, p256(), &[vault], &server, 2025),
            vault_for_clients: leaf(&trusted, p256(), &[vault], &client),
            vault_with_two_uris: leaf(&trusted, p256(), &[vault, "spiffe://tessera/gateway"], &server),
            partner: leaf(&trusted, p256(), &["spiffe://tessera/partner/vector"], &client),
            partner_rsa: leaf(&trusted, rsa, &["spiffe://tessera/partner/vector-rsa"], &client),
        }
    }

    /// A header with a chain.
    pub(crate) fn header(typ: &str, alg: &str, certified: &Certified) -> String {
        json!({ "alg": alg, "typ": typ, "x5c": certified.x5c() }).to_string()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Tessera test vectors, not a real CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certify(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
    uris: &[&str],
    usage: &ExtendedKeyUsagePurpose,
    last_year: i32,
) -> Certified {
    let mut params = CertificateParams::default();
    // Certificates of one key must differ in name only where the vector says so; the identity is the URI.
    params.distinguished_name.push(
        DnType::CommonName,
        base64url(key.public_key_raw().get(..6).unwrap()),
    );
    params.subject_alt_names = uris
        .iter()
        .map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap()))
        .collect();
    params.extended_key_usages = vec![usage.clone()];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    let certificate = params.signed_by(&key, issuer).unwrap();
    Certified {
        pkcs8: key.serialize_der(),
        chain: vec![certificate.der().to_vec()],
    }
}
