//! Why no answer came, in a sentence that says whose certificate or which cable to look at.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// What a broken call is told as.
pub struct Told {
    /// The sentence.
    pub sentence: String,
    /// Whether certificates are at fault: trying again changes nothing.
    pub is_about_certificates: bool,
}

/// Tells why `error` happened on the way to `url`.
pub fn sentence(error: &reqwest::Error, url: &str) -> Told {
    if let Some(tls) = find(error, tls_error) {
        return Told {
            sentence: of_tls(tls, url),
            is_about_certificates: true,
        };
    }
    let io = find(error, |cause| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind)
    });
    let sentence = match io {
        Some(io::ErrorKind::ConnectionRefused) => format!("nothing listens at {url}: does the vault run?"),
        _ if error.is_timeout() => format!("the vault at {url} did not answer in time"),
        _ if error.is_connect() => format!("cannot connect to {url}: {}", last_cause(error)),
        _ => format!(
            "the connection to {url} broke off ({}); `officer status` tells how the vault is",
            last_cause(error)
        ),
    };
    Told {
        sentence,
        is_about_certificates: false,
    }
}

/// The first cause, along the chain, of which `look` makes something.
fn find<'a, T>(
    error: &'a reqwest::Error,
    look: impl Fn(&'a (dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(found) = look(current) {
            return Some(found);
        }
        // An error inside an I/O error is not its source but its content.
        cause = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

fn tls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref::<rustls::Error>()
}

fn last_cause(error: &reqwest::Error) -> String {
    let mut last: &dyn Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn of_tls(error: &rustls::Error, url: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => format!("{url}: {}", of_server_certificate(reason)),
        rustls::Error::AlertReceived(alert) => of_alert(*alert, url),
        other => format!("no TLS with {url}: {other}"),
    }
}

fn of_server_certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is not from the CA that you named".to_owned()
        }
        CertificateError::ApplicationVerificationFailure => {
            "the server is not the vault: its certificate carries another identity".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the vault's certificate is not for this host name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the vault's certificate has expired".to_owned()
        }
        CertificateError::Revoked => "the vault's certificate was revoked".to_owned(),
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// TLS 1.3 lets a server say why it does not take a client's certificate (RFC 8446 §6.2).
fn of_alert(alert: AlertDescription, url: &str) -> String {
    let reason = match alert {
        AlertDescription::CertificateRevoked => "it was revoked",
        AlertDescription::CertificateExpired => "it has expired",
        AlertDescription::UnknownCA => "it is from a CA that the vault does not know",
        AlertDescription::CertificateUnknown
        | AlertDescription::BadCertificate
        | AlertDescription::AccessDenied => "it is not one that the vault takes (which role does it carry?)",
        other => return format!("{url} ended the TLS connection: {other:?}"),
    };
    format!("{url} does not accept your certificate: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_a_refused_handshake_is_told_from_the_other() {
        let own = of_tls(
            &rustls::Error::AlertReceived(AlertDescription::CertificateRevoked),
            "https://v",
        );
        assert!(
            own.contains("your certificate") && own.contains("revoked"),
            "{own}"
        );
        let servers = of_tls(
            &rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
            "https://v",
        );
        assert!(servers.contains("not from the CA"), "{servers}");
        let gateway = CertificateError::ApplicationVerificationFailure;
        assert!(of_tls(&rustls::Error::InvalidCertificate(gateway), "https://v").contains("not the vault"));
    }
}
