//! Root key slots over real TLS: the life of a custodians' set that replaces another, and a PKCS#11 token (SoftHSM2) that
//! opens the vault by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use deploy::actors::Officer;
use deploy::stand::{Stand, StandOptions};
use serde_json::json;
use shared::ids::SlotName;
use shared::vault_api::governance::{LockState, Proposal, Status};
use shared::vault_api::jobs::Rotation;
use shared::vault_api::slots::{DrillProgress, KeepingInfo, NewSlot, SlotInfo, SlotState};
use tokio::time::{Duration, Instant, sleep};
use zeroize::Zeroizing;

use crate::pair::{Pair, finished, run, scratch};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const TOKEN: &str = "tessera-e2e";
const PIN: &str = "161803";
/// The vault looks for a token that was away every ten seconds.
const TOKEN_DEADLINE: Duration = Duration::from_secs(30);

/// The shares of one set, by the officers' numbers from 1.
type Shares = Vec<(usize, Zeroizing<String>)>;

/// A new set of these officers, in PEM as they would send it.
fn set_of(stand: &Stand, threshold: u8, officers: &[usize]) -> Result<NewSlot> {
    let mut custodians = Vec::new();
    for number in officers {
        let pair = stand
            .certificates()
            .officers
            .get(number - 1)
            .context("no such officer")?;
        custodians.push(fs::read_to_string(&pair.certificate)?);
    }
    Ok(NewSlot::Shamir {
        threshold,
        custodians,
    })
}

async fn status(officer: &Officer) -> Result<Status> {
    officer.status().await?.expect(200)?.read_as()
}

async fn only(officer: &Officer, state: SlotState) -> Result<SlotInfo> {
    let mut slots = officer.slots().await?;
    slots.retain(|slot| slot.state == state);
    ensure!(slots.len() == 1, "not one slot is {state:?}: {slots:?}");
    slots.pop().context("no slot")
}

/// Each custodian fetches their sealed share and opens it with the key of their certificate.
async fn fetch(stand: &Stand, slot: &SlotName, officers: &[usize]) -> Result<Shares> {
    let mut shares = Shares::new();
    for number in officers {
        let sealed = stand.officer(*number)?.sealed_share(slot).await?;
        for other in officers.iter().filter(|other| *other != number) {
            ensure!(
                stand.open_share(*other, &sealed).is_err(),
                "another officer's key opens a share"
            );
        }
        shares.push((*number, stand.open_share(*number, &sealed)?));
    }
    Ok(shares)
}

/// Each custodian shows their share; what the last one is answered.
async fn verify(stand: &Stand, slot: &SlotName, shares: &Shares) -> Result<DrillProgress> {
    let mut last = None;
    for (number, share) in shares {
        let answer = stand.officer(*number)?.show_share(slot, Some(share)).await?;
        last = Some(answer.expect(200)?.read_as::<DrillProgress>()?);
    }
    last.context("nobody showed a share")
}

async fn unlock_with(stand: &Stand, shares: &Shares, threshold: usize) -> Result<()> {
    for (number, share) in shares.iter().take(threshold) {
        stand.officer(*number)?.give_share(share).await?.expect(200)?;
    }
    ensure!(
        status(&stand.officer(1)?).await?.state == LockState::Unlocked,
        "the shares open nothing"
    );
    Ok(())
}

/// Neither log nor any file of the vault holds a share in clear, or what else must not be there.
fn nothing_in_clear(stand: &Stand, shares: &Shares, more: &[&str]) -> Result<()> {
    let mut files = vec![
        stand.layout().vault_log.clone(),
        stand.layout().vault_config.clone(),
    ];
    let mut directories = vec![stand.layout().vault_data.clone(), stand.layout().shares.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() {
                &mut directories
            } else {
                &mut files
            };
            list.push(entry.path());
        }
    }
    for file in files {
        let bytes = fs::read(&file)?;
        let needles = shares
            .iter()
            .map(|(_, share)| share.as_str())
            .chain(more.iter().copied());
        for needle in needles {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            ensure!(!found, "a secret lies in {}", file.display());
        }
    }
    Ok(())
}

#[test]
fn a_new_custodians_set_is_verified_before_it_replaces_the_old_one() {
    run(async { finished("the vault", replaced_set().await) });
}

async fn replaced_set() -> Result<()> {
    let mut stand = Stand::prepare(StandOptions::for_tests(&scratch("new-set")?)?).await?;
    stand.start_vault().await?;
    stand.unlock().await?;
    let first = stand.officer(1)?;
    let old = only(&first, SlotState::Active).await?.id;
    let slot = set_of(&stand, 2, &[1, 2, 3])?;
    let replaces = Some(old.clone());
    stand.carry_through(&Proposal::AddSlot { slot, replaces }).await?;
    let new = only(&first, SlotState::Pending).await?.id;
    let counts = status(&first).await?.slots;
    ensure!((counts.custodians, counts.pending) == (1, 1), "{counts:?}");

    let shares = fetch(&stand, &new, &[1, 2, 3]).await?;
    let (_, share) = shares.first().context("no share")?;
    let wrong = share.replacen("tessera", "tesserb", 1);
    let refused = first.show_share(&new, Some(&wrong)).await?;
    refused.expect_refusal(409, "SHARE_MALFORMED")?;
    let others = stand.officer(2)?.show_share(&new, Some(share)).await?;
    others.expect_refusal(409, "SHARE_NOT_YOURS")?;
    let last = verify(&stand, &new, &shares).await?;
    ensure!(
        last.opens && last.given == 3 && last.state == SlotState::Active,
        "{last:?}"
    );
    ensure!(only(&first, SlotState::Active).await?.id == new && first.slots().await?.len() == 1);

    stand.stop_vault().await?;
    stand.start_vault().await?;
    let old_share = first.give_share(&stand.share(1)?).await?;
    old_share.expect_refusal(409, "SHARE_UNKNOWN_SLOT")?;
    unlock_with(&stand, &shares, 2).await?;

    // A drill beside the running vault: two of three show that the slot opens.
    let drilled = verify(&stand, &new, &shares.iter().skip(1).cloned().collect()).await?;
    ensure!(drilled.opens && drilled.needed == 2, "{drilled:?}");
    nothing_in_clear(&stand, &shares, &[])?;
    stand.stop().await
}

#[test]
fn the_root_key_is_rotated_by_its_new_custodians_and_old_shares_open_nothing() {
    run(async { finished("the vault", rotated_root().await) });
}

async fn rotated_root() -> Result<()> {
    let mut pair = Pair::with(StandOptions::for_tests(&scratch("root")?)?).await?;
    let holder = pair.holder().await?;
    let epoch_files = [1, 2].map(|copy| pair.stand.layout().vault_data.join(format!("epoch-{copy}")));
    let former = fs::read(&epoch_files[0])?;
    let first = pair.stand.officer(1)?;
    let slots = vec![set_of(&pair.stand, 2, &[1, 2, 3])?];
    pair.stand
        .carry_through(&Proposal::Rotate(Rotation::Root { slots }))
        .await?;
    let pending = only(&first, SlotState::Pending).await?;
    ensure!(pending.of_next_root, "{pending:?}");
    let again = Proposal::Rotate(Rotation::Root {
        slots: vec![set_of(&pair.stand, 2, &[1, 2])?],
    });
    let call = first
        .door()
        .call(reqwest::Method::POST, shared::vault_api::paths::APPROVALS);
    let again = call
        .idempotency_key("once-more")
        .json(&json!(again))
        .send()
        .await?;
    again.expect_refusal(409, "ROOT_ROTATION_RUNNING")?;

    // Killed in the middle: the old shares open, and the new ones are still pending.
    let shares = fetch(&pair.stand, &pending.id, &[1, 2, 3]).await?;
    let (before, last) = shares.split_at(2);
    let shown = verify(&pair.stand, &pending.id, &before.to_vec()).await?;
    ensure!(!shown.opens && shown.given == 2, "{shown:?}");
    pair.stand.kill_vault().await?;
    pair.stand.start_vault().await?;
    pair.stand.unlock().await?;
    let shown = verify(&pair.stand, &pending.id, &last.to_vec()).await?;
    ensure!(shown.opens && shown.state == SlotState::Active, "{shown:?}");
    ensure!(first.slots().await?.len() == 1, "an old slot is left");

    pair.stand.kill_vault().await?;
    pair.stand.start_vault().await?;
    for file in &epoch_files {
        ensure!(fs::read(file)? != former, "the epoch secret is the former one");
    }
    let old_share = first.give_share(&pair.stand.share(1)?).await?;
    old_share.expect_refusal(409, "SHARE_UNKNOWN_SLOT")?;
    unlock_with(&pair.stand, &shares, 2).await?;
    pair.partner.cards(&holder.prefix).reveal(&holder.card).await?;
    nothing_in_clear(&pair.stand, &shares, &[])?;
    pair.stand.stop().await
}

/// A token of its own: its files, its configuration, the file of its PIN.
struct Token {
    directory: PathBuf,
}

impl Token {
    fn new(directory: &Path) -> Result<Self> {
        let token = Self {
            directory: directory.to_owned(),
        };
        fs::create_dir_all(token.files())?;
        fs::write(
            token.configuration(),
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\n",
                token.files().display()
            ),
        )?;
        token.write_pin(PIN)?;
        let made = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                TOKEN,
                "--so-pin",
                "141421",
                "--pin",
                PIN,
            ])
            .env("SOFTHSM2_CONF", token.configuration())
            .output()
            .context("softhsm2-util is needed: Debian's package softhsm2")?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(token)
    }

    fn files(&self) -> PathBuf {
        self.directory.join("tokens")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("softhsm2.conf")
    }

    fn write_pin(&self, pin: &str) -> Result<()> {
        let path = self.directory.join("pin");
        fs::write(&path, pin)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
    }

    /// Pulled, or put back.
    fn take_away(&self, away: bool) -> Result<()> {
        let elsewhere = self.directory.join("elsewhere");
        if away {
            fs::rename(self.files(), &elsewhere)?;
            Ok(fs::create_dir(self.files())?)
        } else {
            fs::remove_dir(self.files())?;
            Ok(fs::rename(elsewhere, self.files())?)
        }
    }

    fn options(&self, directory: &Path) -> Result<StandOptions> {
        let mut options = StandOptions::for_tests(directory)?;
        options.vault_extra = format!(
            "\n[hsm]\nmodule = '{MODULE}'\npin_file = '{}'\n",
            self.directory.join("pin").display()
        );
        let configuration = self.configuration().display().to_string();
        options.vault_environment = vec![("SOFTHSM2_CONF".to_owned(), configuration)];
        Ok(options)
    }
}

#[test]
fn a_token_opens_the_vault_by_itself_and_custodians_when_it_does_not() {
    run(async { finished("the vault", token_at_start().await) });
}

async fn token_at_start() -> Result<()> {
    let token = Token::new(&scratch("token")?)?;
    let mut options = token.options(&scratch("token-vault")?)?;
    let labels = ["--pkcs11-token", TOKEN, "--pkcs11-key", "vault"];
    options.vault_init = labels.map(str::to_owned).to_vec();
    let mut stand = Stand::prepare(options).await?;
    stand.start_vault().await?;
    let officer = stand.officer(1)?;
    let opened = status(&officer).await?;
    ensure!(
        opened.state == LockState::Unlocked,
        "the token did not open: {opened:?}"
    );
    ensure!(
        (opened.slots.tokens, opened.slots.custodians) == (1, 1),
        "{opened:?}"
    );

    // The vault says why it stays locked, and custodians open it.
    stand.stop_vault().await?;
    token.write_pin("999999")?;
    stand.start_vault().await?;
    let locked = status(&officer).await?;
    ensure!(locked.state == LockState::Locked, "opened with a wrong PIN");
    ensure!(
        locked.token_trouble.as_deref() == Some("HSM_PIN_REFUSED"),
        "{locked:?}"
    );
    stand.unlock().await?;
    token.write_pin(PIN)?;

    // A token that was away opens when it is back.
    stand.stop_vault().await?;
    token.take_away(true)?;
    stand.start_vault().await?;
    let locked = status(&officer).await?;
    ensure!(
        locked.token_trouble.as_deref() == Some("HSM_UNAVAILABLE"),
        "{locked:?}"
    );
    token.take_away(false)?;
    let deadline = Instant::now() + TOKEN_DEADLINE;
    while status(&officer).await?.state == LockState::Locked {
        ensure!(
            Instant::now() < deadline,
            "the token is back and the vault still locked"
        );
        sleep(Duration::from_millis(100)).await;
    }

    // What an officer locked stays locked, token or not: until custodians come.
    officer.lock().await?.expect(200)?;
    ensure!(status(&officer).await?.state == LockState::Locked);
    stand.unlock().await?;
    nothing_in_clear(&stand, &Vec::new(), &[PIN])?;
    stand.stop().await
}

#[test]
fn a_tokens_slot_is_added_drilled_and_removed_while_the_vault_runs() {
    run(async { finished("the vault", token_while_running().await) });
}

async fn token_while_running() -> Result<()> {
    let token = Token::new(&scratch("later-token")?)?;
    let mut stand = Stand::prepare(token.options(&scratch("later-token-vault")?)?).await?;
    stand.start_vault().await?;
    stand.unlock().await?;
    let officer = stand.officer(1)?;
    let custodians = only(&officer, SlotState::Active).await?.id;
    let slot = |token: &str| {
        let (token, key) = (token.to_owned(), "vault".to_owned());
        Proposal::AddSlot {
            slot: NewSlot::Pkcs11 { token, key },
            replaces: None,
        }
    };
    let approval = officer.propose(&slot("another token")).await?;
    let refused = stand.officer(2)?.approve(&approval).await?;
    refused.expect_refusal(409, "HSM_UNAVAILABLE")?;
    stand.carry_through(&slot(TOKEN)).await?;
    let slots = officer.slots().await?;
    let added = slots
        .iter()
        .find(|slot| slot.id != custodians)
        .context("no new slot")?;
    ensure!(
        added.state == SlotState::Active && added.proved_at.is_some(),
        "{added:?}"
    );
    let keeping = KeepingInfo::Pkcs11 {
        token: TOKEN.to_owned(),
        key: "vault".to_owned(),
    };
    ensure!(added.keeping == keeping, "{added:?}");

    let drilled: DrillProgress = officer
        .show_share(&added.id, None)
        .await?
        .expect(200)?
        .read_as()?;
    ensure!(drilled.opens && drilled.needed == 0, "{drilled:?}");
    let with_share = officer.show_share(&added.id, Some("a share")).await?;
    with_share.expect_refusal(409, "SLOT_TAKES_NO_SHARE")?;
    token.write_pin("000000")?;
    let refused = officer.show_share(&added.id, None).await?;
    refused.expect_refusal(409, "HSM_PIN_REFUSED")?;
    token.write_pin(PIN)?;

    // With the token the custodians' slot may go, and the last one may not.
    stand.stop_vault().await?;
    stand.start_vault().await?;
    ensure!(
        status(&officer).await?.state == LockState::Unlocked,
        "the added token does not open"
    );
    stand.carry_through(&Proposal::RemoveSlot(custodians)).await?;
    let last = officer
        .door()
        .call(reqwest::Method::POST, shared::vault_api::paths::APPROVALS);
    let last = last
        .idempotency_key("the-last-slot")
        .json(&json!(Proposal::RemoveSlot(added.id.clone())));
    last.send().await?.expect_refusal(409, "SLOT_IS_THE_LAST")?;
    stand.stop().await
}
