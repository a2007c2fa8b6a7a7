//! What a certificate request wishes for, in words. Nothing of it is granted; the operator reads it to see what the
//! requester believed to get. All text comes from the requester, so control characters are escaped and length is bounded.

use std::net::IpAddr;

use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension, X509Extension};
use x509_parser::x509::X509Name;

/// Characters shown of one wish.
const MAX_SHOWN: usize = 200;

/// The subject, if it is not empty.
pub(crate) fn subject(name: &X509Name<'_>) -> Option<String> {
    name.iter_rdn()
        .next()
        .is_some()
        .then(|| harmless(&format!("subject {name}")))
}

/// An attribute that is no extension and not read.
pub(crate) fn attribute(oid: &Oid<'_>) -> String {
    harmless(&format!("the attribute {oid}"))
}

/// One requested extension.
pub(crate) fn extension(extension: &X509Extension<'_>) -> String {
    let wish = match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
            "basicConstraints CA:TRUE".to_owned()
        }
        ParsedExtension::BasicConstraints(_) => "basicConstraints CA:FALSE".to_owned(),
        ParsedExtension::KeyUsage(usage) => format!("keyUsage {usage}"),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            format!("extendedKeyUsage {}", purposes(usage).join(", "))
        }
        ParsedExtension::SubjectAlternativeName(names) => {
            let names: Vec<String> = names.general_names.iter().map(general_name).collect();
            format!("subjectAltName {}", names.join(", "))
        }
        ParsedExtension::ParseError { .. } => format!("a malformed extension {}", extension.oid),
        _ => format!("the extension {}", extension.oid),
    };
    harmless(&wish)
}

fn purposes(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = known
        .iter()
        .filter(|(asked, _)| *asked)
        .map(|(_, word)| (*word).to_owned());
    named.chain(usage.other.iter().map(ToString::to_string)).collect()
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::RFC822Name(address) => format!("email:{address}"),
        GeneralName::DirectoryName(name) => format!("dirName:{name}"),
        GeneralName::RegisteredID(oid) => format!("RID:{oid}"),
        GeneralName::OtherName(oid, _) => format!("otherName:{oid}"),
        GeneralName::IPAddress(bytes) => ip_address(bytes),
        GeneralName::X400Address(_) | GeneralName::EDIPartyName(_) | GeneralName::Invalid(..) => {
            "a name of a kind that is not read".to_owned()
        }
    }
}

fn ip_address(bytes: &[u8]) -> String {
    let address = <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map_or_else(|_| "IP:malformed".to_owned(), |address| format!("IP:{address}"))
}

/// Text of the requester, fit for a terminal.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{MAX_SHOWN, harmless};

    #[test]
    fn a_terminal_is_not_steered_and_a_page_not_filled() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(harmless(&"x".repeat(5000)).chars().count(), MAX_SHOWN + 1);
    }
}
