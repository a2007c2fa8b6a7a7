//! Certificates and revocation lists are exchanged under the running vault: who is connected stays connected.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certs::{Authority, Ca, PairPaths, Profile};
use deploy::stand::{Stand, StandOptions};
use shared::clock::Clock;
use shared::vault_api::paths;
use shared::vault_api::reports::CertificateEntry;
use tokio::task::block_in_place;
use tokio::time::{Duration, Instant, sleep};

use crate::content::FullCard;
use crate::pair::{Pair, finished, run, scratch};
use crate::raw::RawConnection;

/// How long the lists may take on a busy machine.
const LISTS_DEADLINE: Duration = Duration::from_secs(60);
/// Replaced files are in force within this time; the vault looks once a second.
const RELOAD_DEADLINE: Duration = Duration::from_secs(15);

#[test]
fn a_renewed_certificate_is_shown_to_the_next_connection_and_no_connection_ends() {
    run(async {
        let outcome = async {
            let mut pair = Pair::with(StandOptions::for_tests(&scratch("renewal")?)?).await?;
            let holder = pair.holder().await?;
            let mut kept = connect(&pair.stand)?;
            let before = kept.server_certificate()?;

            let list_ends = ends(&pair.stand, "internal-crl").await?;
            renew(&pair.stand, &scratch("renewed")?)?;
            let deadline = Instant::now() + RELOAD_DEADLINE;
            while connect(&pair.stand)?.server_certificate()? == before {
                ensure!(Instant::now() < deadline, "the former certificate is still shown");
                served(&mut kept)?;
                sleep(Duration::from_millis(100)).await;
            }
            while ends(&pair.stand, "internal-crl").await? == list_ends {
                ensure!(
                    Instant::now() < deadline,
                    "the former revocation list is still in force"
                );
                served(&mut kept)?;
                sleep(Duration::from_millis(100)).await;
            }
            served(&mut kept)?;
            ensure!(
                kept.server_certificate()? == before,
                "not the connection that was kept"
            );

            // Attestation and Vault-Proof are by the new certificate, and the client takes them.
            let revealed = holder.phone.cards().reveal(&holder.card).await?;
            FullCard::of(&revealed.content)?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

fn connect(stand: &Stand) -> Result<RawConnection> {
    let auditor = &stand.certificates().auditor;
    block_in_place(|| RawConnection::open(stand, stand.ports().vault, Some(auditor)))
}

fn served(connection: &mut RawConnection) -> Result<()> {
    let answer = block_in_place(|| connection.get(paths::STATUS))?;
    let (status, _) = answer.context("the kept connection was closed")?;
    ensure!(status == 200, "{status} on the kept connection");
    Ok(())
}

/// When something of the inventory ends.
async fn ends(stand: &Stand, name: &str) -> Result<time::OffsetDateTime> {
    let listed = stand
        .officer(1)?
        .door()
        .get(paths::CERTIFICATES)
        .await?
        .expect(200)?;
    let listed: Vec<CertificateEntry> = listed.read_as()?;
    let entry = listed.into_iter().find(|entry| entry.name == name);
    let entry = entry.with_context(|| format!("{name} is not in the inventory"))?;
    Ok(entry.ends_at)
}

/// A new key and certificate for the vault, and a new list, put in the place of the old files.
fn renew(stand: &Stand, directory: &Path) -> Result<()> {
    let set = stand.certificates();
    let mut authority = Authority::open(&set.dir, Ca::Internal, &Clock::System)?;
    let new = PairPaths::new(directory, "vault");
    authority.issue(&Profile::Vault(Vec::new()))?.write(&new)?;
    fs::rename(&new.key, &set.vault.key)?;
    fs::rename(&new.certificate, &set.vault.certificate)?;
    Ok(authority.publish_crl()?)
}

/// Waits until both binaries have read the lists that hold from `then` on: the vault says so, and the gateway reaches the vault
/// and lets its partner in, which it does by no list that has run out.
pub(crate) async fn lists_are_read(pair: &Pair, then: time::OffsetDateTime) -> Result<()> {
    let deadline = Instant::now() + LISTS_DEADLINE;
    let (public, ready) = (
        pair.stand.door(&pair.stand.ports().gateway_url(), None)?,
        "/health/ready",
    );
    loop {
        let vault = ends(&pair.stand, "internal-crl")
            .await
            .is_ok_and(|end| end > then)
            && ends(&pair.stand, "partner-crl").await.is_ok_and(|end| end > then);
        let gateway = public.get(ready).await.is_ok_and(|answer| answer.status == 200)
            && pair
                .partner
                .door()
                .get("/lifecycle/v1/public-key")
                .await
                .is_ok_and(|answer| answer.status == 200);
        if vault && gateway {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the new lists are not read");
        sleep(Duration::from_millis(100)).await;
    }
}
