//! Root key slots: the ways in which the vault can be opened.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shared::ids::SlotName;
use shared::vault_api::governance::Proposal;
use shared::vault_api::paths;
use shared::vault_api::slots::{
    DrillProgress, KeepingInfo, NewSlot, SealedShare, ShowShare, SlotInfo, SlotState,
};

use crate::cli::Context;
use crate::console::{at, at_or_dash, print, table};
use crate::failure::Failure;
use crate::proposing::propose;
use crate::secrets::ShareSource;
use crate::{files, secrets};

/// A certificate in PEM, with its chain.
const MOST_CERTIFICATE_BYTES: u64 = 64 * 1024;

/// See, make, verify, drill and remove the ways to the root key
#[derive(Debug, Subcommand)]
pub enum Slots {
    /// List slots: how each keeps the root key, and when it was last shown to open
    ///
    /// Who: any registered officer or auditor.
    ///
    /// Needs: an unlocked vault.
    ///
    /// Next: drill a slot that has not been shown to open for a year.
    List,
    /// Propose a further way to the root key
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: the new custodians' certificates (registered officers), or a PKCS#11 token that the vault's configuration
    /// names. With --replaces the old slot goes once the new one is verified: that is how a custodian is replaced.
    ///
    /// Next: after `approvals approve`, each custodian runs `slots share SLOT` and `slots verify SLOT`; a slot of
    /// custodians opens nothing before every one of them has shown that their share is right.
    Add {
        #[command(flatten)]
        slot: OneSlot,
        /// The slot that goes once this one is verified
        #[arg(long, value_name = "SLOT")]
        replaces: Option<SlotName>,
    },
    /// Propose to remove a slot
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: another slot that opens must remain.
    ///
    /// Next: after `approvals approve` the slot's shares or token open this vault no more. An earlier copy of the store
    /// still holds the slot: rotate the root key when shares may be in wrong hands.
    Remove {
        /// The slot
        slot: SlotName,
    },
    /// Fetch your own share of a slot, sealed to your certificate's key
    ///
    /// Who: the custodian, with the certificate that the slot was made for.
    ///
    /// Needs: a slot that was approved, from `slots list`.
    ///
    /// Next: `share open FILE`, keep it, then `slots verify SLOT --share-file FILE`.
    Share {
        /// The slot
        slot: SlotName,
        /// Write the sealed share to a new file instead of stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Open it at once and show it (or write it, mode 600) in clear
        #[arg(long)]
        open: bool,
    },
    /// Show the vault your share of a new slot, to prove that it is right
    ///
    /// Who: each custodian of the pending slot, with their own certificate.
    ///
    /// Needs: the share, as you keep it: typed in at the prompt it proves the paper, not the file.
    ///
    /// Next: when the last custodian has done it, the slot opens the vault, and the one it replaces is removed.
    Verify {
        /// The slot
        slot: SlotName,
        #[command(flatten)]
        source: ShareSource,
    },
    /// Show the vault your share of an active slot, to prove that the slot still opens
    ///
    /// Who: as many custodians as the slot's threshold says, each with their own certificate, within ten minutes.
    ///
    /// Needs: the share, as you keep it; a token or a key file is drilled by one officer, without a share. Nothing is
    /// stopped or changed.
    ///
    /// Next: `slots list` shows the date of the proof. Do it once a year, and after somebody moved house.
    Drill {
        /// The slot
        slot: SlotName,
        #[command(flatten)]
        source: ShareSource,
    },
}

/// How a new slot keeps the root key: one of the three.
#[derive(Debug, Clone, Args)]
pub struct OneSlot {
    #[command(flatten)]
    ways: Ways,
    /// How many custodians open it together, at least 2
    #[arg(long, value_name = "T", requires = "custodians")]
    threshold: Option<u8>,
    /// The label of the token's AES-256 key; made on the token when there is none
    #[arg(
        long,
        value_name = "LABEL",
        requires = "pkcs11_token",
        default_value = "tessera-root"
    )]
    pkcs11_key: String,
}

#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
struct Ways {
    /// A custodian's certificate, PEM; once for each, with --threshold
    #[arg(long = "custodian", value_name = "CERT", requires = "threshold")]
    custodians: Vec<PathBuf>,
    /// The label of a PKCS#11 token
    #[arg(long, value_name = "LABEL")]
    pkcs11_token: Option<String>,
    /// A file of the vault's host, which must not exist (development only)
    #[arg(long, value_name = "PATH")]
    key_file: Option<String>,
}

impl OneSlot {
    /// The slot on the wire.
    ///
    /// # Errors
    /// A certificate cannot be read.
    pub fn read(&self) -> Result<NewSlot, Failure> {
        if let Some(token) = &self.ways.pkcs11_token {
            return Ok(NewSlot::Pkcs11 {
                token: token.clone(),
                key: self.pkcs11_key.clone(),
            });
        }
        if let Some(path) = &self.ways.key_file {
            return Ok(NewSlot::KeyFile { path: path.clone() });
        }
        let custodians = self
            .ways
            .custodians
            .iter()
            .map(|path| files::read_text(path, MOST_CERTIFICATE_BYTES));
        Ok(NewSlot::Shamir {
            threshold: self.threshold.unwrap_or_default(),
            custodians: custodians.collect::<Result<_, _>>()?,
        })
    }
}

impl Slots {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::List => {
                let mut slots: Vec<SlotInfo> = vault.get(paths::SLOTS).await?;
                // The newest last, next to the prompt; one that still waits for its custodians after all others.
                slots.sort_by_key(|slot| (slot.state == SlotState::Pending, slot.created_at));
                context.console.show(&slots, || list(&slots))
            }
            Self::Add { slot, replaces } => {
                let slot = slot.read()?;
                propose(context, &vault, &Proposal::AddSlot { slot, replaces })
                    .await
                    .map(drop)
            }
            Self::Remove { slot } => propose(context, &vault, &Proposal::RemoveSlot(slot))
                .await
                .map(drop),
            Self::Share { slot, out, open } => {
                let sealed: SealedShare = vault.get(&paths::slot_share(&slot)).await?;
                hand_out(context, &sealed, out, open.then_some(vault.key_file()))
            }
            Self::Verify { slot, source } | Self::Drill { slot, source } => {
                let slots: Vec<SlotInfo> = vault.get(paths::SLOTS).await?;
                let known = slots.iter().find(|known| known.id == slot);
                let known = known.ok_or_else(|| Failure::usage(format!("there is no slot {slot}")))?;
                let has_custodians = matches!(known.keeping, KeepingInfo::Shamir { .. });
                let share = has_custodians
                    .then(|| source.read(vault.key_file()))
                    .transpose()?;
                let shown = ShowShare {
                    share: share.map(|given| given.share),
                };
                let progress: DrillProgress = vault.post_once(&paths::drill_slot(&slot), &shown).await?;
                context.console.show(&progress, || told(&slot, &progress))
            }
        }
    }
}

fn hand_out(
    context: &Context,
    sealed: &SealedShare,
    out: Option<PathBuf>,
    key: Option<&PathBuf>,
) -> Result<(), Failure> {
    let opened = key.map(|key| secrets::open(&sealed.share, key)).transpose()?;
    match (opened, out) {
        (Some(share), Some(out)) => files::write_new(&out, format!("{}\n", share.as_str()).as_bytes()),
        (Some(share), None) => print(&share),
        (None, Some(out)) => {
            files::write_new(&out, format!("{}\n", sealed.share).as_bytes())?;
            context
                .console
                .remark(&format!("Next: `officer share open {}`.", out.display()));
            Ok(())
        }
        (None, None) => context.console.show(sealed, || sealed.share.clone()),
    }
}

fn told(slot: &SlotName, progress: &DrillProgress) -> String {
    if progress.needed == 0 {
        let opens = if progress.opens { "opens" } else { "DOES NOT OPEN" };
        return format!("{slot} {opens} the vault without custodians.");
    }
    let count = format!(
        "{} of {} shares of {slot} were shown to be right",
        progress.given, progress.needed
    );
    match (progress.opens, progress.state) {
        (true, SlotState::Active) => format!("{count}: the slot opens the vault."),
        (_, SlotState::Pending) => format!("{count}. It opens nothing before the last of them."),
        (false, SlotState::Active) => {
            format!("{count}. The next custodian runs `officer slots drill {slot}`.")
        }
    }
}

fn list(slots: &[SlotInfo]) -> String {
    let row = |slot: &SlotInfo| {
        let state = match (slot.state, &slot.replaces) {
            (SlotState::Active, _) => "active".to_owned(),
            (SlotState::Pending, Some(old)) => format!("pending, replaces {old}"),
            (SlotState::Pending, None) if slot.of_next_root => "pending, next root key".to_owned(),
            (SlotState::Pending, None) => "pending".to_owned(),
        };
        [
            slot.id.to_string(),
            state,
            keeping(&slot.keeping),
            at(slot.created_at),
            at_or_dash(slot.proved_at),
        ]
    };
    let mut lines = Vec::new();
    for slot in slots {
        lines.push(row(slot));
        if let KeepingInfo::Shamir { custodians, .. } = &slot.keeping {
            lines.extend(custodians.iter().map(|custodian| {
                let verified = match slot.state {
                    SlotState::Pending if custodian.verified => " (shown)",
                    SlotState::Pending => " (not shown yet)",
                    SlotState::Active => "",
                };
                let who = format!("  share {} {}{verified}", custodian.share, custodian.identity);
                [String::new(), String::new(), who, String::new(), String::new()]
            }));
        }
    }
    table(
        ["SLOT", "STATE", "KEEPING", "MADE", "LAST SHOWN TO OPEN"],
        &lines,
        "No slot.",
    )
}

fn keeping(keeping: &KeepingInfo) -> String {
    match keeping {
        KeepingInfo::Shamir {
            threshold,
            custodians,
        } => format!("{threshold} of {} custodians", custodians.len()),
        KeepingInfo::Pkcs11 { token, key } => format!("PKCS#11 token {token}, key {key}"),
        KeepingInfo::KeyFile { path } => format!("key file {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_slot_shows_who_is_missing() {
        let slots: Vec<SlotInfo> = serde_json::from_str(
            r#"[{"id":"abcdefgh","state":"PENDING","keeping":{"kind":"shamir","threshold":2,"custodians":[
                {"identity":"spiffe://tessera/officer/a","share":1,"verified":true},
                {"identity":"spiffe://tessera/officer/b","share":2,"verified":false}]},
                "replaces":"hgfedcba","createdAt":"2026-01-02T03:04:05Z"}]"#,
        )
        .unwrap();
        let text = list(&slots);
        for part in [
            "pending, replaces hgfedcba",
            "2 of 2 custodians",
            "officer/a (shown)",
            "officer/b (not shown yet)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_drill_tells_who_is_next() {
        let slot: SlotName = "abcdefgh".parse().unwrap();
        let told = |opens, state| {
            told(
                &slot,
                &DrillProgress {
                    given: 1,
                    needed: 2,
                    opens,
                    state,
                },
            )
        };
        assert!(told(false, SlotState::Active).contains("The next custodian"));
        assert!(told(true, SlotState::Active).contains("opens the vault"));
        assert!(told(false, SlotState::Pending).contains("opens nothing"));
    }
}
