//! A mail server that keeps what it is given: as much of SMTP (RFC 5321) as a client needs that sends one mail a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than any mail takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mail that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMail {
    /// `RCPT TO`.
    pub recipient: String,
    /// Headers and text, as they came.
    pub text: String,
}

impl ReceivedMail {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        lines
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The first word that begins so: a token.
    ///
    /// # Errors
    /// When there is none.
    pub fn word(&self, beginning: &str) -> Result<String> {
        // Quoted-printable breaks long lines with `=`.
        let text = self.text.replace("=\r\n", "").replace("=\n", "");
        let word = text.split_whitespace().find(|word| word.starts_with(beginning));
        word.map(str::to_owned)
            .with_context(|| format!("no {beginning}… in the mail"))
    }
}

/// What the server does with the next mails.
#[derive(Debug, Default)]
struct Behaviour {
    /// So many are turned away after they were read, as by a server that breaks before it answers.
    breaks: usize,
}

/// The server. It ends with this value.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
    received: watch::Receiver<Vec<ReceivedMail>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// A server on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (keep, received) = watch::channel(Vec::new());
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let behave = Arc::clone(&behaviour);
        let keep = Arc::new(keep);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keep, behave) = (Arc::clone(&keep), Arc::clone(&behave));
                tokio::spawn(async move {
                    // A client that breaks off has sent nothing.
                    let _ = converse(stream, &keep, &behave).await;
                });
            }
        });
        Ok(Self {
            port,
            behaviour,
            received,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the next `count` connections when the mail is read and not yet taken: the client cannot know.
    pub fn break_next(&self, count: usize) {
        let mut behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        behaviour.breaks = count;
    }

    /// All mails to that address, those among them whose taking was not told; waits until there are `count`.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn mails_to(&self, recipient: &str, count: usize) -> Result<Vec<ReceivedMail>> {
        let mut received = self.received.clone();
        let of = |mails: &Vec<ReceivedMail>| -> Vec<ReceivedMail> {
            let own = mails.iter().filter(|mail| mail.recipient == recipient);
            own.cloned().collect()
        };
        let found = timeout(PATIENCE, received.wait_for(|mails| of(mails).len() >= count)).await;
        let mails = found
            .with_context(|| format!("{count} mails to {recipient} did not come"))?
            .context("the mail server ended")?;
        Ok(of(&mails))
    }
}

async fn converse(
    stream: TcpStream,
    keep: &watch::Sender<Vec<ReceivedMail>>,
    behaviour: &Mutex<Behaviour>,
) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example ESMTP\r\n").await?;
    let mut recipient = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.trim_end().to_ascii_uppercase();
        let answer = if verb == "DATA" {
            stream.write_all(b"354 go on\r\n").await?;
            let text = data(&mut stream).await?;
            keep.send_modify(|mails| {
                mails.push(ReceivedMail {
                    recipient: recipient.clone(),
                    text,
                });
            });
            if is_to_break(behaviour) {
                return Ok(());
            }
            "250 taken"
        } else if verb == "QUIT" {
            stream.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else if let Some(to) = verb.strip_prefix("RCPT TO:") {
            recipient = to.trim_matches(['<', '>', ' ']).to_ascii_lowercase();
            "250 ok"
        } else {
            "250 ok"
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn is_to_break(behaviour: &Mutex<Behaviour>) -> bool {
    let mut behaviour = behaviour.lock().unwrap_or_else(PoisonError::into_inner);
    let breaks = behaviour.breaks > 0;
    behaviour.breaks = behaviour.breaks.saturating_sub(1);
    breaks
}

/// The mail up to the lone full stop, with doubled stops undone (RFC 5321 section 4.5.2).
async fn data(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        anyhow::ensure!(stream.read_line(&mut line).await? > 0, "the mail broke off");
        if line.trim_end() == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
