//! Where word of the audit log goes outside the vault: witnesses, who keep the newest signed checkpoint and would notice a
//! log that was cut, forked or put back, and the mirror, which keeps a copy of the events. None of them stops the service:
//! one that lags or fails raises an alarm, and the others go on.

mod file;
mod http;
mod mirror;
mod settings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use shared::clock::Clock;
use shared::mtls::reload::Reload;
use tokio::sync::Notify;

pub use self::http::AccessError;
pub use self::settings::{Audit, WitnessSection};

use self::file::FileWitness;
use self::http::HttpWitness;
use self::mirror::Mirror;
use crate::audit::checkpoint::Head;
use crate::error::Error;
use crate::flows::read_audit;
use crate::open_vault::OpenVault;
use crate::process::Process;

/// How long the last word may take when the vault is locked or the process ends.
const LAST_WORD: Duration = Duration::from_secs(5);
/// A failure that goes on is told again so often, seconds.
const REMIND_SECONDS: i64 = 60;
/// Tries against a witness that hears from another process of this vault at the same time.
const MOST_TRIES: usize = 3;

/// Why a witness did not take a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has seen more than there is: an earlier state of the disk was put back.
    #[error("the witness saw {witnessed} events, and the log ends before")]
    Behind {
        /// What it has seen.
        witnessed: u64,
    },
    /// It has seen another history.
    #[error("the witness saw another history at {witnessed} events")]
    Forked {
        /// Where.
        witnessed: u64,
    },
    /// Its last note is not signed by any key of this log.
    #[error("the witness' last note is not of this log")]
    NotOurs,
    /// It cannot be reached, read or written.
    #[error("{0}")]
    Unavailable(String),
}

impl Refusal {
    /// The problem code of an unlock that this refuses; `None`: it refuses none.
    const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Behind { .. } => Some("LOG_BEHIND_WITNESS"),
            Self::Forked { .. } => Some("LOG_FORKED"),
            Self::NotOurs => Some("WITNESS_NOT_OURS"),
            Self::Unavailable(_) => None,
        }
    }

    const fn witnessed(&self) -> Option<u64> {
        match self {
            Self::Behind { witnessed } | Self::Forked { witnessed } => Some(*witnessed),
            Self::NotOurs | Self::Unavailable(_) => None,
        }
    }
}

/// How a witness or the mirror stands, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The file, URL or directory.
    pub name: String,
    /// How many events it knows of; `None`: not heard yet.
    pub size: Option<u64>,
    /// Since when it fails, Unix seconds.
    pub failing_since: Option<i64>,
}

/// A standing that raises its alarm.
struct Alarm {
    kind: &'static str,
    clock: Clock,
    standing: Mutex<(Standing, i64)>,
}

impl Alarm {
    fn new(kind: &'static str, name: String, clock: Clock) -> Self {
        let standing = Standing {
            name,
            size: None,
            failing_since: None,
        };
        Self {
            kind,
            clock,
            standing: Mutex::new((standing, 0)),
        }
    }

    fn standing(&self) -> Standing {
        self.standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    /// Notes how a try ended; a failure is told when it begins, and once a minute.
    fn note<E: std::fmt::Display>(&self, outcome: &Result<u64, E>) {
        let now = self.clock.unix_seconds();
        let mut guard = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let (standing, told_at) = &mut *guard;
        match outcome {
            Ok(size) => {
                if standing.failing_since.take().is_some() {
                    tracing::info!(name = standing.name, size, "{} has caught up", self.kind);
                }
                standing.size = Some(*size);
            }
            Err(error) => {
                let begins = standing.failing_since.is_none();
                let since = *standing.failing_since.get_or_insert(now);
                if begins || now.saturating_sub(*told_at) >= REMIND_SECONDS {
                    *told_at = now;
                    let (name, size) = (&standing.name, standing.size);
                    tracing::error!(alarm = self.kind, name, %error, since, size, "the audit log is not followed outside");
                }
            }
        }
    }

    /// What was known before no longer counts.
    fn forget(&self) {
        self.standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .size = None;
    }
}

enum Sink {
    File(FileWitness),
    Http(Box<HttpWitness>),
}

struct Witness {
    alarm: Alarm,
    sink: tokio::sync::Mutex<Sink>,
}

impl Witness {
    /// Compares what the witness saw with the log.
    async fn check(&self, vault: &Arc<OpenVault>) -> Result<(), Refusal> {
        let mut sink = self.sink.lock().await;
        let checked = match &mut *sink {
            Sink::File(file) => file.check(vault).await,
            Sink::Http(http) => http.tell(vault).await,
        };
        if let Ok(Some(size)) = checked {
            self.alarm.note(&Ok::<_, Refusal>(size));
        }
        checked
            .map(|_| ())
            .inspect_err(|refusal| self.alarm.note(&Err(refusal)))
    }

    /// Gives it the newest checkpoint, if the log grew.
    async fn tell(&self, vault: &Arc<OpenVault>) {
        let mut sink = self.sink.lock().await;
        let told = async {
            let head = durable(vault).await?;
            let known = self.alarm.standing();
            if known.size == Some(head.size) && known.failing_since.is_none() {
                return Ok(head.size);
            }
            match &mut *sink {
                Sink::File(file) => file.tell(vault, head, known.size).await,
                Sink::Http(http) => http.tell(vault).await.map(|size| size.unwrap_or(head.size)),
            }
        };
        self.alarm.note(&told.await);
    }
}

async fn durable(vault: &Arc<OpenVault>) -> Result<Head, Refusal> {
    vault.durable_head().await.map_err(|error| unavailable(&error))
}

fn unavailable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Unavailable(error.to_string())
}

/// Signs the head, with the successions before it.
fn notes(vault: &OpenVault, head: Head, since: Option<u64>) -> Result<Vec<String>, Error> {
    let mut notes = vault.successions(since.unwrap_or(0), head.size)?;
    notes.push(read_audit::sign(vault, head)?);
    Ok(notes)
}

/// All of them.
pub struct Witnesses {
    all: Vec<Witness>,
    mirror: Option<(Alarm, Mirror)>,
    reloads: Vec<Arc<dyn Reload>>,
    every: Duration,
    grown: Notify,
}

impl Witnesses {
    /// Those of a configuration. `[audit]` is looked at; nothing is opened yet but certificates.
    ///
    /// # Errors
    /// Certificates that cannot be read, a URL that is none.
    pub fn new(settings: &Audit, clock: &Clock) -> Result<Self, AccessError> {
        let (mut all, mut reloads) = (Vec::new(), Vec::new());
        for section in &settings.witnesses {
            let (name, sink) = match section {
                WitnessSection::File { file } => (
                    file.display().to_string(),
                    Sink::File(FileWitness::new(file.clone())),
                ),
                WitnessSection::Http(access) => {
                    let http = HttpWitness::new(access, clock)?;
                    reloads.extend(http.reloads());
                    (access.url.clone(), Sink::Http(Box::new(http)))
                }
            };
            all.push(Witness {
                alarm: Alarm::new("witness", name, clock.clone()),
                sink: tokio::sync::Mutex::new(sink),
            });
        }
        let mirror = settings.mirror.as_ref().map(|directory| {
            let alarm = Alarm::new("mirror", directory.display().to_string(), clock.clone());
            (alarm, Mirror::new(directory.clone()))
        });
        Ok(Self {
            all,
            mirror,
            reloads,
            every: Duration::from_secs(settings.every_seconds.max(1)),
            grown: Notify::new(),
        })
    }

    /// Certificates and revocation lists of servers, to be read again when their files change.
    #[must_use]
    pub fn reloading(&self) -> Vec<Arc<dyn Reload>> {
        self.reloads.clone()
    }

    /// How each stands, the mirror last.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let mirror = self.mirror.iter().map(|(alarm, _)| alarm.standing());
        self.all
            .iter()
            .map(|witness| witness.alarm.standing())
            .chain(mirror)
            .collect()
    }

    /// Compares what the witnesses saw with the log of a vault that is about to open. Gives the largest size that a
    /// witness saw beyond or beside this log, when officers restored it; one that cannot be asked is an alarm and no
    /// reason.
    ///
    /// # Errors
    /// `LOG_BEHIND_WITNESS`, `LOG_FORKED`, `WITNESS_NOT_OURS`: an old disk was put back, or a witness of another vault
    /// was configured.
    pub async fn check(&self, vault: &Arc<OpenVault>, restored: bool) -> Result<Option<u64>, Error> {
        let mut given_up = None;
        for (witness, checked) in self
            .all
            .iter()
            .zip(join_all(self.all.iter().map(|one| one.check(vault))).await)
        {
            let Err(refusal) = checked else { continue };
            let Some(code) = refusal.code() else { continue };
            let name = witness.alarm.standing().name;
            match (restored, refusal.witnessed()) {
                (true, Some(witnessed)) => {
                    tracing::warn!(name, witnessed, "given up by a restore");
                    given_up = given_up.max(Some(witnessed));
                    witness.alarm.forget();
                }
                _ => return Err(Error::conflict(code, format!("{name}: {refusal}"))),
            }
        }
        Ok(given_up)
    }

    /// Tells all of them now, as the last thing before the keys are gone; waits some seconds at most.
    pub async fn tell_all(&self, vault: &Arc<OpenVault>) {
        let told = async {
            join_all(self.all.iter().map(|one| one.tell(vault))).await;
            self.mirror_once(vault).await;
        };
        if tokio::time::timeout(LAST_WORD, told).await.is_err() {
            tracing::error!(
                alarm = "witness",
                "no witness answered in time before the vault was locked"
            );
        }
    }

    /// Something worth telling at once happened.
    pub fn grown(&self) {
        self.grown.notify_waiters();
    }

    /// Follows the log for ever; dropping the future ends it. Each has its turn apart from the others.
    pub async fn run(&self, process: &Process) {
        let each = self
            .all
            .iter()
            .map(|witness| self.regularly(process, async move |vault| witness.tell(vault).await));
        let mirror = self.regularly(process, async |vault| self.mirror_once(vault).await);
        futures_util::future::join(join_all(each), mirror).await;
    }

    async fn regularly(&self, process: &Process, work: impl AsyncFn(&Arc<OpenVault>)) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.grown.notified() => {}
            }
            if let Ok(vault) = process.open_vault() {
                work(&vault).await;
            }
        }
    }

    async fn mirror_once(&self, vault: &Arc<OpenVault>) {
        let Some((alarm, mirror)) = &self.mirror else {
            return;
        };
        alarm.note(&mirror.follow(vault).await);
    }
}

#[cfg(test)]
mod tests;
