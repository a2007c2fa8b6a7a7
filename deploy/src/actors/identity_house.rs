//! A house that establishes identities, as somebody else would run one: takes documents and applications over HTTP, checks
//! every signature by its own reading of Standard Webhooks, answers when asked, and calls back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::door::Door;
use super::jose::random_id;
use crate::answer::Answer;

/// Longer than any application takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest message, in bytes.
const MESSAGE_MAX: usize = 64 * 1024 * 1024;

/// A document as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedDocument {
    /// What it is said to show.
    pub kind: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// How often it came.
    pub times: u32,
}

/// What has come, and what comes next.
#[derive(Debug, Default, Clone)]
pub struct Received {
    /// Applications by number, as they came.
    pub applications: BTreeMap<u64, Value>,
    /// Documents by application and number.
    pub documents: BTreeMap<(u64, u64), ReceivedDocument>,
    /// How often each application came.
    pub times: BTreeMap<u64, u32>,
    /// Messages that were not signed as they should be.
    pub unsigned: u32,
    /// How often it was asked.
    pub asked: u32,
    /// Messages that it turned away, or whose answer broke off, as it was told to.
    pub disturbed: u32,
}

#[derive(Debug, Default)]
struct Behaviour {
    /// So many messages are answered with 500.
    failures: u32,
    /// So many messages are taken, and the connection is closed without an answer.
    breaks: u32,
    /// Told when asked, by application.
    verdicts: BTreeMap<u64, Value>,
    /// Told as the answer to every application.
    at_once: Option<Value>,
}

struct State {
    theirs: hmac::Key,
    behaviour: Mutex<Behaviour>,
    received: watch::Sender<Received>,
}

/// The house. It ends with this value.
pub struct IdentityHouse {
    state: Arc<State>,
    ours: hmac::Key,
    port: u16,
    files: [PathBuf; 2],
    server: ServerHandle,
}

impl IdentityHouse {
    /// A house on a free port of loopback, with both secrets in files below `directory`.
    ///
    /// # Errors
    /// When files or the port cannot be had.
    pub fn start(directory: &Path) -> Result<Self> {
        let (theirs, sent) = secret(directory, "kyc-requests.secret")?;
        let (ours, heard) = secret(directory, "kyc-callbacks.secret")?;
        let state = Arc::new(State {
            theirs,
            behaviour: Mutex::default(),
            received: watch::Sender::new(Received::default()),
        });
        let data = web::Data::from(Arc::clone(&state));
        let app = move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(MESSAGE_MAX))
                .route("/v1/{message}", web::post().to(take))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0))?;
        let port = server.addrs().first().context("no address")?.port();
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        Ok(Self {
            state,
            ours,
            port,
            files: [sent, heard],
            server,
        })
    }

    /// The section of the gateway's configuration that names this house.
    #[must_use]
    pub fn section(&self, name: &str) -> String {
        let [sent, heard] = &self.files;
        format!(
            "[[kyc.providers]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{}/v1\"\nsecret_file = '{}'\n\
             callback_secret_file = '{}'\npoll_seconds = 600\n",
            self.port,
            sent.display(),
            heard.display(),
        )
    }

    /// Answers the next `count` messages with 500.
    pub fn fail_next(&self, count: u32) {
        self.behaviour().failures = count;
    }

    /// Takes the next `count` messages and breaks off before the answer: whoever sent them cannot know.
    pub fn break_next(&self, count: u32) {
        self.behaviour().breaks = count;
    }

    /// What is told when asked about an application.
    pub fn tell(&self, application: u64, verdict: Value) {
        self.behaviour().verdicts.insert(application, verdict);
    }

    /// What is answered to every application at once.
    pub fn decide_at_once(&self, verdict: Value) {
        self.behaviour().at_once = Some(verdict);
    }

    /// What has come until now.
    #[must_use]
    pub fn received(&self) -> Received {
        self.state.received.borrow().clone()
    }

    /// Waits until what has come is as wanted.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn wait_until(&self, wanted: impl Fn(&Received) -> bool) -> Result<Received> {
        let mut received = self.state.received.subscribe();
        let found = timeout(PATIENCE, received.wait_for(|received| wanted(received))).await;
        let received = found.context("what was awaited did not come")??;
        Ok(received.clone())
    }

    /// Calls back: a message with an id of its own, or of the test's.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call_back(&self, door: &Door, path: &str, message: &Callback<'_>) -> Result<Answer> {
        let body = serde_json::to_vec(&message.body)?;
        let id = match message.id {
            Some(id) => id.to_owned(),
            None => random_id()?,
        };
        let signature = sign(&self.ours, &id, message.timestamp, &body);
        let call = door
            .call(Method::POST, path)
            .header("webhook-id", &id)
            .header("webhook-timestamp", &message.timestamp.to_string())
            .header("webhook-signature", &signature);
        call.body("application/json", body).send().await
    }

    /// Stops listening: from the outside, a house that has burnt down.
    pub async fn stop(&self) {
        self.server.stop(false).await;
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.state
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for IdentityHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityHouse({})", self.port)
    }
}

/// A callback.
#[derive(Debug)]
pub struct Callback<'a> {
    /// The message's id; none makes a fresh one.
    pub id: Option<&'a str>,
    /// Seconds since the Unix epoch.
    pub timestamp: i64,
    /// The body.
    pub body: Value,
}

fn secret(directory: &Path, name: &str) -> Result<(hmac::Key, PathBuf)> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .ok()
        .context("no randomness")?;
    let path = directory.join(name);
    fs::write(&path, format!("whsec_{}\n", STANDARD.encode(bytes)))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok((hmac::Key::new(hmac::HMAC_SHA256, &bytes), path))
}

fn sign(key: &hmac::Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)))
}

fn is_signed(state: &State, request: &HttpRequest, body: &[u8]) -> Option<()> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let timestamp = header("webhook-timestamp")?.parse().ok()?;
    let expected = sign(&state.theirs, header("webhook-id")?, timestamp, body);
    (header("webhook-signature")? == expected).then_some(())
}

async fn take(request: HttpRequest, state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let application = message["applicationId"].as_u64().unwrap_or_default();
    if is_signed(&state, &request, &body).is_none() || application == 0 {
        state.received.send_modify(|received| received.unsigned += 1);
        return HttpResponse::Unauthorized().finish();
    }
    let (fails, breaks) = {
        let mut behaviour = state.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = behaviour.failures > 0;
        behaviour.failures = behaviour.failures.saturating_sub(1);
        let breaks = !fails && behaviour.breaks > 0;
        behaviour.breaks = behaviour.breaks.saturating_sub(u32::from(breaks));
        (fails, breaks)
    };
    if fails || breaks {
        state.received.send_modify(|received| received.disturbed += 1);
    }
    if fails {
        return HttpResponse::InternalServerError().finish();
    }
    let name = request.match_info().get("message").unwrap_or_default();
    let answer = match name {
        "documents" => keep_document(&state, application, &message),
        "applications" => keep_application(&state, application, &message),
        "decisions" => decision(&state, application),
        _ => return HttpResponse::NotFound().finish(),
    };
    if breaks {
        // An answer that never comes to its end: the sender gives up, and cannot know.
        return HttpResponse::Ok().body(Broken);
    }
    match answer {
        Some(answer) => HttpResponse::Ok().json(answer),
        None => HttpResponse::Accepted().finish(),
    }
}

/// A body that breaks off at once.
struct Broken;

impl MessageBody for Broken {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1_000)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("broken off"))))
    }
}

fn keep_document(state: &State, application: u64, message: &Value) -> Option<Value> {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let content = STANDARD.decode(text("content")).unwrap_or_default();
    let sound = text("sha256") == STANDARD.encode(digest(&SHA256, &content));
    let number = message["documentId"].as_u64().unwrap_or_default();
    state.received.send_modify(|received| {
        if !sound {
            received.unsigned += 1;
            return;
        }
        let kept = received.documents.entry((application, number));
        let kept = kept.or_insert_with(|| ReceivedDocument {
            kind: text("kind"),
            content_type: text("contentType"),
            content,
            times: 0,
        });
        kept.times += 1;
    });
    None
}

fn keep_application(state: &State, application: u64, message: &Value) -> Option<Value> {
    state.received.send_modify(|received| {
        received.applications.insert(application, message.clone());
        *received.times.entry(application).or_default() += 1;
    });
    let behaviour = state.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
    behaviour.at_once.clone()
}

fn decision(state: &State, application: u64) -> Option<Value> {
    state.received.send_modify(|received| received.asked += 1);
    let behaviour = state.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
    let verdict = behaviour.verdicts.get(&application).cloned();
    Some(verdict.unwrap_or_else(|| json!({ "status": "PENDING" })))
}
