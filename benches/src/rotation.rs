//! A rotation at noon: what rewrapping every data key of a large vault takes, and what the reveals of that time feel of it.
//! The yardstick is the same vault in the same run, before and after.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use deploy::actors::Officer;
use deploy::stand::{Stand, StandOptions};
use hdrhistogram::Histogram;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobKind, JobState, Rotation};
use shared::vault_api::paths;

use crate::closed_loop::{Load, Sample, prepared};
use crate::meter::Meter;
use crate::vault_load::{Receiving, VaultLoad};
use crate::wire::request;

/// Reveals under way at once: a busy afternoon of a vault that has millions of cards.
const CONNECTIONS: usize = 16;
/// All prepared reveals are sent; their nonces are good for a minute.
const CELL_TIME: Duration = Duration::from_secs(50);
/// How often job and memory are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What to measure.
#[derive(Debug, Clone)]
pub struct RotationPlan {
    /// An empty directory on the volume to be measured.
    pub directory: PathBuf,
    /// Cards in the vault.
    pub cards: usize,
    /// Reveals of one cell.
    pub reveals: usize,
    /// Cells before and after the rotation.
    pub rounds: usize,
}

/// Reveals of one part of the run.
struct Part {
    name: &'static str,
    latencies: Histogram<u64>,
    operations: u64,
    elapsed: Duration,
}

/// What came of it.
pub struct RotationReport {
    cards: usize,
    parts: Vec<Part>,
    job: Job,
    took: Duration,
    resident: [u64; 3],
    disk: [u64; 2],
}

impl RotationPlan {
    /// Fills a vault and rotates its card KEK while holders reveal their cards. `say` is told what is going on.
    ///
    /// # Errors
    /// The first step that fails.
    pub async fn run(&self, say: &dyn Fn(&str)) -> Result<RotationReport> {
        say("starting the pair");
        let options = StandOptions::for_tests(&self.directory.join("pair"))?;
        let program = options.program.name.to_string();
        let mut stand = Stand::start(options).await?;
        say(&format!("issuing {} cards", self.cards));
        let load = VaultLoad::create(&stand, &program, self.cards).await?;
        let meter = Meter::at(stand.vault()?.pid());
        let disk_before = disk_bytes(&stand.layout().vault_data)?;
        say("reveals before the rotation");
        let mut before = Part::new("before")?;
        for _ in 0..self.rounds {
            before.add(&self.reveals(&load, meter).await?)?;
        }
        let resident_before = meter.resident_bytes()?;
        say("the rotation, with reveals beside it");
        let (officer, second) = (stand.officer(1)?, stand.officer(2)?);
        let began = Instant::now();
        officer
            .carry_through(&second, &Proposal::Rotate(Rotation::CardKek))
            .await?;
        let (during, job, took, peak) = self.during(&load, &officer, meter, began).await?;
        ensure!(job.state == JobState::Done, "the rotation ended as {job:?}");
        say("reveals after the rotation");
        let mut after = Part::new("after")?;
        for _ in 0..self.rounds {
            after.add(&self.reveals(&load, meter).await?)?;
        }
        let disk_after = disk_bytes(&stand.layout().vault_data)?;
        let resident = [resident_before, peak, meter.resident_bytes()?];
        stand.stop().await?;
        Ok(RotationReport {
            cards: self.cards,
            parts: vec![before, during, after],
            job,
            took,
            resident,
            disk: [disk_before, disk_after],
        })
    }

    /// Reveals go on until the job has ended; job and memory are looked at meanwhile.
    async fn during(
        &self,
        load: &VaultLoad,
        officer: &Officer,
        meter: Meter,
        began: Instant,
    ) -> Result<(Part, Job, Duration, u64)> {
        let (ended, peak) = (RefCell::new(None), Cell::new(0));
        let watch = async {
            loop {
                peak.set(peak.get().max(meter.resident_bytes()?));
                let job = rotation_job(officer).await?;
                if !matches!(job.state, JobState::Running | JobState::Verifying) {
                    *ended.borrow_mut() = Some((job, began.elapsed()));
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let traffic = async {
            let mut part = Part::new("while it runs")?;
            while ended.borrow().is_none() {
                part.add(&self.reveals(load, meter).await?)?;
            }
            anyhow::Ok(part)
        };
        let ((), part) = futures_util::future::try_join(watch, traffic).await?;
        let (job, took) = ended.into_inner().context("the job was not seen to end")?;
        Ok((part, job, took, peak.get()))
    }

    async fn reveals(&self, load: &VaultLoad, meter: Meter) -> Result<Sample> {
        let requests = load.reveals(self.reveals, Receiving::Rsa).await?;
        let health = request("GET", paths::HEALTH, &[], b"");
        let cell = Load {
            endpoint: load.endpoint(),
            warm_up: &health,
            connections: CONNECTIONS,
            time: CELL_TIME,
            status: 200,
            processes: &[meter],
        };
        let sample = cell.run(prepared(requests)).await?;
        load.check_reveal(&sample.body, Receiving::Rsa)?;
        Ok(sample)
    }
}

async fn rotation_job(officer: &Officer) -> Result<Job> {
    let jobs: Vec<Job> = officer.door().get(paths::JOBS).await?.expect(200)?.read_as()?;
    let own = jobs.into_iter().find(|job| job.kind == JobKind::RotateCardKek);
    own.context("no rotation among the jobs")
}

fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        bytes += if facts.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            facts.len()
        };
    }
    Ok(bytes)
}

impl Part {
    fn new(name: &'static str) -> Result<Self> {
        Ok(Self {
            name,
            latencies: Histogram::new(3)?,
            operations: 0,
            elapsed: Duration::ZERO,
        })
    }

    fn add(&mut self, sample: &Sample) -> Result<()> {
        self.latencies.add(&sample.latencies)?;
        self.operations += sample.operations;
        self.elapsed += sample.elapsed;
        Ok(())
    }

    fn micros(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1_000.0
    }

    fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

impl fmt::Display for RotationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "Rotation of the card KEK over {} cards: {seconds:.0} s, {:.0} data keys a second, {} failed, {CONNECTIONS} \
             connections revealing all the while.\n",
            self.cards,
            self.job.progress.done as f64 / seconds,
            self.job.progress.failed,
        )?;
        writeln!(
            f,
            "| reveals | operations/s | p50 µs | p99 µs | p99.9 µs | p99 ÷ before |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|")?;
        let slow_before = self.parts.first().map_or(f64::NAN, |before| before.micros(99.0));
        for part in &self.parts {
            writeln!(
                f,
                "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} |",
                part.name,
                part.rate(),
                part.micros(50.0),
                part.micros(99.0),
                part.micros(99.9),
                part.micros(99.0) / slow_before,
            )?;
        }
        let [resident_before, peak, resident_after] = self.resident.map(mib);
        let [disk_before, disk_after] = self.disk.map(mib);
        writeln!(
            f,
            "\nResident memory, MiB: {resident_before:.0} before, {peak:.0} at most, {resident_after:.0} after. \
             Store on disk, MiB: {disk_before:.0} before, {disk_after:.0} after."
        )
    }
}
