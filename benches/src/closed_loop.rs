//! The closed loop: each connection sends its next request when it has the answer to the one before. All of it on one thread,
//! so that the client never takes more than one core.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use crate::meter::Meter;
use crate::wire::{Connection, Endpoint};

/// Connections for what is only prepared.
const PREPARING_CONNECTIONS: usize = 64;
/// Three digits of a latency are true.
const DIGITS: u8 = 3;

/// CPU time by the names of a process's threads.
pub type Threads = BTreeMap<String, Duration>;

/// Gives request after request; `None` ends the loop.
pub type Requests<'a> = Box<dyn FnMut() -> Option<Vec<u8>> + 'a>;

/// What is sent where, and when it ends.
pub struct Load<'a> {
    /// The listener.
    pub endpoint: &'a Endpoint,
    /// Sent once on each connection before anything is counted: the server sees the last of the handshake with it.
    pub warm_up: &'a [u8],
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Ends the loop even if there are more requests.
    pub time: Duration,
    /// The status of a good answer; any other ends the run.
    pub status: u16,
    /// Whose CPU time is counted.
    pub processes: &'a [Meter],
}

/// What came of it.
pub struct Sample {
    /// Answers.
    pub operations: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Nanoseconds from a request's first byte to its answer's last.
    pub latencies: Histogram<u64>,
    /// CPU time of each process, in the order of the load's.
    pub cpu: Vec<Duration>,
    /// The same by the names of its threads.
    pub threads: Vec<Threads>,
    /// Resident bytes of each process at the end.
    pub resident: Vec<u64>,
    /// CPU time of the client itself.
    pub client_cpu: Duration,
    /// The body of one answer, to be looked at.
    pub body: Vec<u8>,
}

impl Load<'_> {
    /// Runs the loop.
    ///
    /// # Errors
    /// The first answer of another status, a broken connection, or a process that is gone.
    pub async fn run(&self, requests: Requests<'_>) -> Result<Sample> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let mut connection = Connection::open(self.endpoint).await?;
            connection.exchange(self.warm_up).await?;
            connections.push(connection);
        }
        let (requests, body) = (RefCell::new(requests), RefCell::new(Vec::new()));
        let latencies = RefCell::new(Histogram::<u64>::new(DIGITS)?);
        let own = Meter::at(std::process::id());
        let (cpu_before, own_before) = (self.cpu()?, own.cpu()?);
        let threads_before = self.threads()?;
        let started = Instant::now();
        let lanes = connections.into_iter().map(async |mut connection| {
            while started.elapsed() < self.time {
                let Some(request) = (requests.borrow_mut())() else {
                    break;
                };
                let began = Instant::now();
                let reply = connection.exchange(&request).await?;
                let nanoseconds = u64::try_from(began.elapsed().as_nanos())?;
                ensure!(
                    reply.status == self.status,
                    "expected {}, got {}: {}",
                    self.status,
                    reply.status,
                    String::from_utf8_lossy(reply.body)
                );
                latencies.borrow_mut().record(nanoseconds)?;
                if body.borrow().is_empty() {
                    *body.borrow_mut() = reply.body.to_vec();
                }
            }
            Ok(())
        });
        try_join_all(lanes).await?;
        let elapsed = started.elapsed();
        let spent = self.cpu()?.into_iter().zip(cpu_before);
        let threads = self.threads()?.into_iter().zip(&threads_before);
        let latencies = latencies.into_inner();
        Ok(Sample {
            operations: latencies.len(),
            elapsed,
            latencies,
            cpu: spent
                .map(|(after, before)| after.saturating_sub(before))
                .collect(),
            threads: threads.map(|(after, before)| difference(after, before)).collect(),
            resident: self
                .processes
                .iter()
                .map(Meter::resident_bytes)
                .collect::<Result<_>>()?,
            client_cpu: own.cpu()?.saturating_sub(own_before),
            body: body.into_inner(),
        })
    }

    fn cpu(&self) -> Result<Vec<Duration>> {
        self.processes.iter().map(Meter::cpu).collect()
    }

    fn threads(&self) -> Result<Vec<Threads>> {
        self.processes.iter().map(Meter::cpu_by_thread).collect()
    }
}

fn difference(after: Threads, before: &Threads) -> Threads {
    let since = |(name, time): (String, Duration)| {
        let earlier = before.get(&name).copied().unwrap_or_default();
        (name, time.saturating_sub(earlier))
    };
    after.into_iter().map(since).collect()
}

impl Sample {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the latency, microseconds.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1_000.0
    }

    /// CPU time of the process at `index`, microseconds an operation.
    #[must_use]
    pub fn cpu_micros(&self, index: usize) -> f64 {
        self.micros(self.cpu.get(index).copied().unwrap_or_default())
    }

    /// CPU time of the client, microseconds an operation.
    #[must_use]
    pub fn client_micros(&self) -> f64 {
        self.micros(self.client_cpu)
    }

    /// A time of this loop, microseconds an operation.
    #[must_use]
    pub fn micros(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1_000_000.0 / (self.operations.max(1)) as f64
    }
}

/// Sends every request, over many connections, and gives the bodies of the answers in the order of the requests.
///
/// # Errors
/// The first answer of another status, or a broken connection.
pub async fn gather(endpoint: &Endpoint, requests: &[Vec<u8>], status: u16) -> Result<Vec<Vec<u8>>> {
    let next = Cell::new(0);
    let bodies = RefCell::new(vec![Vec::new(); requests.len()]);
    let lanes = (0..PREPARING_CONNECTIONS.min(requests.len())).map(async |_| {
        let mut connection = Connection::open(endpoint).await?;
        loop {
            let index = next.replace(next.get() + 1);
            let Some(request) = requests.get(index) else {
                return Ok(());
            };
            let reply = connection.exchange(request).await?;
            ensure!(
                reply.status == status,
                "preparing: expected {status}, got {}: {}",
                reply.status,
                String::from_utf8_lossy(reply.body)
            );
            *bodies.borrow_mut().get_mut(index).context("an answer too many")? = reply.body.to_vec();
        }
    });
    try_join_all(lanes).await?;
    Ok(bodies.into_inner())
}

/// Requests that were made before.
#[must_use]
pub fn prepared<'a>(requests: Vec<Vec<u8>>) -> Requests<'a> {
    let mut requests = requests.into_iter();
    Box::new(move || requests.next())
}
