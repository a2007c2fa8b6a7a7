//! The mail server, over SMTP. One connection a mail: there are few, and none of them is in a hurry.

use std::path::Path;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::config::{Mail, MailTls};

/// Longest wait for each answer of the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for a whole mail.
pub const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);

/// Why there is no mailer.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The sender is not one.
    #[error("mail.from is not a sender: {0}")]
    From(#[from] lettre::address::AddressError),
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("mail: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be written as a mail: no later try will do better.
    #[error("the mail cannot be written: {0}")]
    Unwritable(String),
    /// The server did not take it, or did not answer.
    #[error("the mail server did not take it: {0}")]
    NotTaken(#[from] lettre::transport::smtp::Error),
    /// The server was too slow.
    #[error("the mail server was too slow")]
    TooSlow,
}

/// Sends mails.
pub struct Mailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// A mailer as configured; it connects when there is something to send.
    ///
    /// # Errors
    /// [`MailerError`] when the sender is none, or a file cannot be used.
    pub fn new(config: &Mail) -> Result<Self, MailerError> {
        let mut tls = TlsParameters::builder(config.host.clone());
        if let Some(ca) = &config.ca {
            tls = tls.add_root_certificate(Certificate::from_pem(&read(ca)?)?);
        }
        let tls = match config.tls {
            MailTls::Tls => Tls::Wrapper(tls.build()?),
            MailTls::Starttls => Tls::Required(tls.build()?),
            MailTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let (Some(username), Some(file)) = (&config.username, &config.password_file) {
            let password = String::from_utf8_lossy(&read(file)?).trim_end().to_owned();
            transport = transport.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self {
            from: config.from.parse()?,
            transport: transport.build(),
        })
    }

    /// The domain of the sender: of the Message-IDs too.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Sends a mail of plain text. Returns when the server has taken it over.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, message_id: &str, to: &str, subject: &str, text: &str) -> Result<(), SendError> {
        let to: Mailbox = to
            .parse()
            .map_err(|error| SendError::Unwritable(format!("the address: {error}")))?;
        let message = Message::builder()
            .message_id(Some(message_id.to_owned()))
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|error| SendError::Unwritable(error.to_string()))?;
        tokio::time::timeout(PATIENCE_IN_ALL, self.transport.send(message))
            .await
            .map_err(|_| SendError::TooSlow)??;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, MailerError> {
    std::fs::read(path).map_err(|error| MailerError::File {
        path: path.display().to_string(),
        error,
    })
}
