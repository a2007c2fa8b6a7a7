//! One run, from the first process to the last line of the report. The order keeps what is compared close together in time,
//! since other work on the machine comes and goes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use deploy::stand::{Stand, StandOptions};
use hdrhistogram::Histogram;
use shared::vault_api::audit::AuditCheckpoint;
use shared::vault_api::paths;
use vault::config::Config;

use crate::bare_commit::{self, BareRate, Shape};
use crate::closed_loop::{Load, Requests, Sample, prepared};
use crate::crypto_steps::Steps;
use crate::floor;
use crate::gateway_load::GatewayLoad;
use crate::meter::Meter;
use crate::report::{Bound, Report, Row, Target};
use crate::vault_load::{Receiving, VaultLoad, vault_endpoint};
use crate::wire::{Endpoint, request};
use crate::yardstick::{BARE, SIZED, Yardstick};

/// How many connections are open at once, one column of the comparison after the other.
pub const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The most connections: where issue is held against bare group commit.
const MOST_CONNECTIONS: usize = 64;
/// Cards of the small store.
const FEW_CARDS: usize = 1_000;
/// Bytes of a reveal's request body, for the yardstick of the same size.
const SIZED_REQUEST_BYTES: usize = 1_300;
/// Prepared reveals are all sent, so that no challenge stays open; their nonces are good for a minute.
const REVEALS_TIME: Duration = Duration::from_secs(50);
/// The gateway's sessions must outlast the run.
const SESSION_MINUTES: u32 = 60;

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// An empty directory on the volume to be measured.
    pub directory: PathBuf,
    /// For how long each cell is measured that can go on without end.
    pub cell: Duration,
    /// Reveals that are prepared for a cell with many connections; a tenth with one.
    pub reveals: usize,
    /// Cards of the large store; 0: no comparison.
    pub many_cards: usize,
    /// Rounds of the comparison between small and large store.
    pub rounds: usize,
}

impl Plan {
    /// Measures everything. `say` is told what is going on.
    ///
    /// # Errors
    /// The first step that fails: what was not measured is not reported.
    pub async fn run(&self, say: &dyn Fn(&str)) -> Result<Report> {
        let mut run = Run {
            plan: self,
            report: Report::default(),
            reveals: Vec::new(),
            yardsticks: Vec::new(),
        };
        say("starting the pair");
        let mut options = StandOptions::for_tests(&self.directory.join("pair"))?;
        options.session_minutes = SESSION_MINUTES;
        let program = options.program.name.to_string();
        let mut stand = Stand::start(options).await?;
        let load = VaultLoad::create(&stand, &program, FEW_CARDS).await?;
        say("the yardstick, the cryptographic steps, reveals at the vault");
        run.yardstick(&stand).await?;
        run.report.steps = Some(Steps::measure()?);
        run.vault_reveals(&stand, &load).await?;
        run.reveal_target()?;
        if self.many_cards > 0 {
            say("a second vault with many cards, beside the first");
            run.many_cards(&stand, &load).await?;
        }
        say("the gateway: creating cards, revealing them");
        run.gateway(&stand).await?;
        say("issues at the vault, then bare group commit of the same bytes");
        let issues = run.vault_issues(&stand, &load).await?;
        stand.stop().await?;
        run.bare_commit(&stand, &issues).await?;
        Ok(run.report)
    }

    fn reveals_at(&self, connections: usize) -> usize {
        if connections == 1 {
            (self.reveals / 10).max(1)
        } else {
            self.reveals
        }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    report: Report,
    /// Vault CPU of a reveal to RSA-2048 by connections, microseconds.
    reveals: Vec<(usize, f64)>,
    /// CPU of the yardstick by connections, microseconds.
    yardsticks: Vec<(usize, f64)>,
}

/// What the issue cells found, for the comparison with bare group commit.
struct Issues {
    /// Issues a second at [`MOST_CONNECTIONS`].
    rate: f64,
    /// Number of their first audit event.
    first_event: u64,
}

impl Run<'_> {
    async fn yardstick(&mut self, stand: &Stand) -> Result<()> {
        let set = stand.certificates();
        let yardstick = Yardstick::start(set).await?;
        let credentials = (&set.gateway_client).into();
        let endpoint = Endpoint::new(yardstick.port, &set.internal_ca.certificate, Some(&credentials))?;
        let processes = [yardstick.meter()?];
        let bare = request("GET", BARE, &[], b"");
        let sized = request("POST", SIZED, &[], &[b'x'; SIZED_REQUEST_BYTES]);
        for (name, bytes) in [
            ("yardstick: a bare answer", &bare),
            ("yardstick of a reveal's size", &sized),
        ] {
            for connections in CONNECTIONS {
                let cell = self.cell(&endpoint, &bare, connections, 200, &processes);
                let sample = cell.run(Box::new(|| Some(bytes.clone()))).await?;
                self.report
                    .rows
                    .push(Row::new(name, connections, &["yardstick"], &sample));
                if bytes == &bare {
                    self.yardsticks.push((connections, sample.cpu_micros(0)));
                }
            }
        }
        Ok(())
    }

    async fn vault_reveals(&mut self, stand: &Stand, load: &VaultLoad) -> Result<()> {
        for (name, receiving) in [
            ("vault reveal to RSA-2048", Receiving::Rsa),
            ("vault reveal to P-256", Receiving::P256),
        ] {
            for connections in CONNECTIONS {
                let sample = self.reveal_cell(stand, load, connections, receiving).await?;
                self.report
                    .rows
                    .push(Row::new(name, connections, &["vault"], &sample));
                if receiving == Receiving::Rsa {
                    self.reveals.push((connections, sample.cpu_micros(0)));
                }
            }
        }
        Ok(())
    }

    async fn reveal_cell(
        &self,
        stand: &Stand,
        load: &VaultLoad,
        connections: usize,
        receiving: Receiving,
    ) -> Result<Sample> {
        let requests = load.reveals(self.plan.reveals_at(connections), receiving).await?;
        let (health, processes) = (health(), [Meter::at(stand.vault()?.pid())]);
        let mut cell = self.cell(load.endpoint(), &health, connections, 200, &processes);
        cell.time = REVEALS_TIME;
        let sample = cell.run(prepared(requests)).await?;
        load.check_reveal(&sample.body, receiving)?;
        Ok(sample)
    }

    fn reveal_target(&mut self) -> Result<()> {
        let steps = self.report.steps.context("the steps come first")?.of_rsa_reveal();
        for ((connections, spent), (_, yardstick)) in self.reveals.iter().zip(&self.yardsticks) {
            self.report.targets.push(Target {
                what: format!("vault CPU of a reveal ÷ its floor, {connections} connections"),
                found: spent / (yardstick + steps),
                bound: Bound::AtMost(floor::REVEAL_FACTOR),
                from: format!("{spent:.0} µs ÷ ({yardstick:.1} + {steps:.0}) µs"),
            });
        }
        Ok(())
    }

    async fn many_cards(&mut self, few: &Stand, few_load: &VaultLoad) -> Result<()> {
        let options = StandOptions::for_tests(&self.plan.directory.join("many"))?;
        let program = options.program.name.to_string();
        let mut many = Stand::prepare(options).await?;
        many.start_vault().await?;
        many.unlock().await?;
        many.set_up().await?;
        let many_load = VaultLoad::create(&many, &program, self.plan.many_cards).await?;
        for connections in CONNECTIONS {
            let (mut small, mut large): (Option<Sample>, Option<Sample>) = (None, None);
            for _ in 0..self.plan.rounds.max(1) {
                // In turn, so that a busy minute of the machine meets both.
                add(
                    &mut small,
                    self.reveal_cell(few, few_load, connections, Receiving::Rsa)
                        .await?,
                )?;
                add(
                    &mut large,
                    self.reveal_cell(&many, &many_load, connections, Receiving::Rsa)
                        .await?,
                )?;
            }
            let (small, large) = (small.context("no round")?, large.context("no round")?);
            for (cards, sample) in [(FEW_CARDS, &small), (self.plan.many_cards, &large)] {
                let name = format!("vault reveal, {cards} cards in the store");
                self.report
                    .rows
                    .push(Row::new(&name, connections, &["vault"], sample));
            }
            let (slow_small, slow_large) = (small.percentile(99.0), large.percentile(99.0));
            self.report.targets.push(Target {
                what: format!("reveal p99 with many cards ÷ with few, {connections} connections"),
                found: slow_large / slow_small,
                bound: Bound::AtMost(floor::MANY_CARDS_FACTOR),
                from: format!("{slow_large:.0} µs ÷ {slow_small:.0} µs"),
            });
        }
        many.stop().await
    }

    async fn gateway(&mut self, stand: &Stand) -> Result<()> {
        const NAMES: [&str; 2] = ["gateway", "vault"];
        let mut load = GatewayLoad::create(stand).await?;
        let processes = [Meter::at(stand.gateway()?.pid()), Meter::at(stand.vault()?.pid())];
        let alive = request("GET", "/health/live", &[], b"");
        for connections in CONNECTIONS {
            let cell = self.cell(load.endpoint(), &alive, connections, 201, &processes);
            let sample = cell.run(load.creations()).await?;
            load.check(&sample.body, "maskedCardNo")?;
            self.report
                .rows
                .push(Row::new("gateway create virtual", connections, &NAMES, &sample));
        }
        load.find_cards().await?;
        for (connections, yardstick) in self.yardsticks.clone() {
            let count = self.plan.reveals_at(connections).min(load.most_reveals());
            let requests = load.reveals(count).await?;
            let mut cell = self.cell(load.endpoint(), &alive, connections, 200, &processes);
            cell.time = REVEALS_TIME;
            let sample = cell.run(prepared(requests)).await?;
            load.check(&sample.body, "cardNo")?;
            self.report.rows.push(Row::new(
                "gateway reveal, end to end",
                connections,
                &NAMES,
                &sample,
            ));
            let (spent, most) = (
                sample.cpu_micros(0),
                floor::GATEWAY_MICROS + floor::GATEWAY_YARDSTICKS * yardstick,
            );
            self.report.targets.push(Target {
                what: format!("gateway's own CPU of a reveal, µs, {connections} connections"),
                found: spent,
                bound: Bound::AtMost(most),
                from: format!(
                    "{} + {} × {yardstick:.1} µs",
                    floor::GATEWAY_MICROS,
                    floor::GATEWAY_YARDSTICKS
                ),
            });
        }
        Ok(())
    }

    async fn vault_issues(&mut self, stand: &Stand, load: &VaultLoad) -> Result<Issues> {
        let first_event = audit_size(stand).await?;
        let (health, endpoint) = (health(), vault_endpoint(stand)?);
        let processes = [Meter::at(stand.vault()?.pid())];
        let mut rate = 0.0;
        for connections in CONNECTIONS {
            let cell = self.cell(&endpoint, &health, connections, 201, &processes);
            let requests: Requests<'_> = load.issues();
            let sample = cell.run(requests).await?;
            self.report
                .rows
                .push(Row::new("vault issue, durable", connections, &["vault"], &sample));
            if connections == MOST_CONNECTIONS {
                rate = sample.rate();
            }
        }
        Ok(Issues { rate, first_event })
    }

    async fn bare_commit(&mut self, stopped: &Stand, issues: &Issues) -> Result<()> {
        let config = Config::load(&stopped.layout().vault_config)?;
        let shape = Shape::of_issue(&config.store_options()?, issues.first_event).await?;
        let mut rates = Vec::with_capacity(CONNECTIONS.len());
        for writers in CONNECTIONS {
            let directory = self.plan.directory.join(format!("bare-{writers}"));
            rates.push(bare_rate(directory, shape.clone(), writers, self.plan.cell).await?);
        }
        let bare = rates.last().map_or(0.0, |bare| bare.rate);
        self.report.bare = Some((shape, rates));
        self.report.targets.push(Target {
            what: format!("vault issue ÷ bare group commit, {MOST_CONNECTIONS} connections"),
            found: issues.rate / bare,
            bound: Bound::AtLeast(floor::ISSUE_PART),
            from: format!("{:.0}/s ÷ {bare:.0}/s", issues.rate),
        });
        Ok(())
    }

    fn cell<'b>(
        &self,
        endpoint: &'b Endpoint,
        warm_up: &'b [u8],
        connections: usize,
        status: u16,
        processes: &'b [Meter],
    ) -> Load<'b> {
        Load {
            endpoint,
            warm_up,
            connections,
            time: self.plan.cell,
            status,
            processes,
        }
    }
}

/// What opens the vault's connections.
fn health() -> Vec<u8> {
    request("GET", paths::HEALTH, &[], b"")
}

async fn audit_size(stand: &Stand) -> Result<u64> {
    let door = stand.vault_door(&stand.certificates().auditor)?;
    let checkpoint: AuditCheckpoint = door.get(paths::AUDIT_CHECKPOINT).await?.expect(200)?.read_as()?;
    let size = checkpoint.note.lines().nth(1).context("no size")?;
    Ok(size.parse()?)
}

/// The writers get a runtime with all cores: this one has a single thread.
async fn bare_rate(directory: PathBuf, shape: Shape, writers: usize, time: Duration) -> Result<BareRate> {
    let work = move || -> Result<BareRate> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let directory: &Path = &directory;
        std::fs::create_dir_all(directory)?;
        runtime.block_on(bare_commit::rate(directory, &shape, writers, time))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| anyhow!(error))?
}

/// Adds a round to what was measured before.
fn add(total: &mut Option<Sample>, round: Sample) -> Result<()> {
    let Some(total) = total else {
        *total = Some(round);
        return Ok(());
    };
    let sum: &mut Histogram<u64> = &mut total.latencies;
    sum.add(&round.latencies)?;
    total.operations += round.operations;
    total.elapsed += round.elapsed;
    total.client_cpu += round.client_cpu;
    for (spent, more) in total.cpu.iter_mut().zip(&round.cpu) {
        *spent += *more;
    }
    for (threads, more) in total.threads.iter_mut().zip(round.threads) {
        for (name, time) in more {
            *threads.entry(name).or_default() += time;
        }
    }
    total.resident = round.resident;
    Ok(())
}
