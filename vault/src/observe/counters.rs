//! Counters, from the start of the process on.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::audit::event::{Event, Operation, Outcome};
use crate::store::Tree;

/// Bounds of the latency histogram, seconds: a look-up takes one millisecond, an RSA-4096 unwrap on a busy machine fifty.
const LATENCY_SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How a request was refused: what a door leaves with its answer for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refusal {
    /// The problem code.
    pub code: &'static str,
    /// Which budget was used up, if that is why.
    pub budget: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: Operation,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoorLabels {
    method: &'static str,
    door: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LatencyLabels {
    method: &'static str,
    door: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TreeLabels {
    tree: &'static str,
}

type Latencies = Family<LatencyLabels, Histogram, fn() -> Histogram>;

/// All counters.
#[derive(Clone, Debug)]
pub struct Counters {
    operations: Family<OperationLabels, Counter>,
    refusals: Family<Refusal, Counter>,
    requests: Family<DoorLabels, Counter>,
    latencies: Latencies,
    corrupt: Family<TreeLabels, Counter>,
}

impl Default for Counters {
    fn default() -> Self {
        let counters = Self {
            operations: Family::default(),
            refusals: Family::default(),
            requests: Family::default(),
            latencies: Family::new_with_constructor(|| Histogram::new(LATENCY_SECONDS)),
            corrupt: Family::default(),
        };
        // Alarms stand on this one: it is there before the first corrupt record is.
        for tree in Tree::ALL {
            drop(counters.corrupt.get_or_create(&TreeLabels { tree: tree.name() }));
        }
        counters
    }
}

impl Counters {
    /// An event went into the audit log.
    pub fn event(&self, event: &Event) {
        let outcome = match event.outcome {
            Outcome::Done => "done",
            Outcome::Replayed => "replayed",
            Outcome::NoMatch => "no-match",
            Outcome::Refused { .. } => "refused",
        };
        let operation = event.operation;
        self.operations
            .get_or_create(&OperationLabels { operation, outcome })
            .inc();
    }

    /// A request was answered at a door of the table (`-` stands for none of them).
    pub fn request(
        &self,
        method: &'static str,
        door: String,
        status: u16,
        refusal: Option<Refusal>,
        took: Duration,
    ) {
        if let Some(refusal) = refusal {
            self.refusals.get_or_create(&refusal).inc();
        }
        let latency = LatencyLabels {
            method,
            door: door.clone(),
        };
        self.latencies.get_or_create(&latency).observe(took.as_secs_f64());
        self.requests
            .get_or_create(&DoorLabels { method, door, status })
            .inc();
    }

    /// A record did not open or did not read.
    pub fn corrupt(&self, tree: Tree) {
        self.corrupt
            .get_or_create(&TreeLabels { tree: tree.name() })
            .inc();
    }

    /// Shows the counters on a page.
    pub(super) fn register(&self, page: &mut Registry) {
        page.register(
            "tessera_vault_operations",
            "Events in the audit log, by operation and outcome",
            self.operations.clone(),
        );
        page.register(
            "tessera_vault_refusals",
            "Answers that were a problem, by its code",
            self.refusals.clone(),
        );
        page.register(
            "tessera_vault_requests",
            "Requests, by door and status",
            self.requests.clone(),
        );
        page.register(
            "tessera_vault_request_seconds",
            "Seconds from the head of a request to its answer",
            self.latencies.clone(),
        );
        page.register(
            "tessera_vault_corrupt_records",
            "Records that did not open or did not read, each time it was tried",
            self.corrupt.clone(),
        );
    }
}

impl EncodeLabelValue for Operation {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        name.as_str().ok_or(fmt::Error)?.encode(encoder)
    }
}
