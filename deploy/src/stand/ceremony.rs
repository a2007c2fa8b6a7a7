//! The steps that people take: initialise with three custodians, unlock with two of them, register parties and a program under
//! two officers.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use certs::PairPaths;
use shared::jwe::RecipientKey;
use shared::vault_api::governance::{LockState, Party, Proposal, Status};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{Stand, binaries};
use crate::actors::Credentials;

/// Shares that open the vault.
const THRESHOLD: usize = 2;

impl Stand {
    /// `vault init`: makes the root key and gives each custodian a share.
    pub(super) async fn initialise_vault(&self) -> Result<()> {
        let mut command = Command::new(binaries::path_of("vault")?);
        command
            .env_clear()
            .envs(self.options.vault_environment.iter().cloned())
            .arg("init")
            .arg("--config")
            .arg(&self.layout.vault_config);
        command.arg("--threshold").arg(THRESHOLD.to_string());
        for officer in &self.certificates.officers {
            command.arg("--custodian").arg(&officer.certificate);
        }
        command.arg("--shares").arg(&self.layout.shares);
        command.args(&self.options.vault_init);
        let output = command
            .stdin(Stdio::null())
            .output()
            .await
            .context("cannot run `vault init`")?;
        ensure!(
            output.status.success(),
            "`vault init` failed ({}): {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Two of the three custodians hand in their shares, each under their own certificate.
    ///
    /// # Errors
    /// When a share is refused.
    pub async fn unlock(&self) -> Result<()> {
        self.unlock_at(&self.ports.vault_url()).await
    }

    /// The same at another process of the vault.
    ///
    /// # Errors
    /// When a share is refused.
    pub async fn unlock_at(&self, url: &str) -> Result<()> {
        for number in 1..=THRESHOLD {
            let share = self.share(number)?;
            self.officer_at(url, number)?
                .give_share(&share)
                .await?
                .expect(200)?;
        }
        let status: Status = self.officer_at(url, 1)?.status().await?.expect(200)?.read_as()?;
        ensure!(
            status.state == LockState::Unlocked,
            "the vault is still locked after {THRESHOLD} shares"
        );
        Ok(())
    }

    /// The share that the ceremony gave to an officer, opened as the custodian does: with the private key of the
    /// certificate. `number` counts from 1.
    ///
    /// # Errors
    /// When the file or the key cannot be read, or does not open.
    pub fn share(&self, number: usize) -> Result<Zeroizing<String>> {
        let path = self.layout.shares.join(format!("share-officer-{number}.jwe"));
        let sealed = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.open_share(number, sealed.trim())
    }

    /// Opens what was sealed to an officer; `number` counts from 1.
    ///
    /// # Errors
    /// When the officer's key cannot be read, or does not open it.
    pub fn open_share(&self, number: usize, sealed: &str) -> Result<Zeroizing<String>> {
        let index = number.checked_sub(1).context("officers count from 1")?;
        let pair = self.certificates.officers.get(index).context("no such officer")?;
        let key = RecipientKey::from_pkcs8_pem(&Zeroizing::new(fs::read(&pair.key)?))?;
        let share = key.open(sealed).context("the share does not open")?;
        Ok(Zeroizing::new(std::str::from_utf8(&share)?.to_owned()))
    }

    /// One officer proposes and another approves: every party, then the program.
    ///
    /// # Errors
    /// When a proposal is refused.
    pub async fn set_up(&self) -> Result<()> {
        let set = &self.certificates;
        for (uri, pair) in [
            ("gateway", &set.gateway_client),
            ("processor/processor", &set.processor),
            ("bureau/bureau", &set.bureau),
            ("auditor/auditor", &set.auditor),
            ("partner/partner", &set.partner),
        ] {
            self.register(uri, pair).await?;
        }
        for partner in &self.options.further_partners {
            self.register(&format!("partner/{partner}"), &set.partner_named(partner))
                .await?;
        }
        self.carry_through(&Proposal::SetProgram(self.options.program.clone()))
            .await?;
        self.let_partners_in().await
    }

    /// Pins the certificates of the partners that the gateway has a program for.
    async fn let_partners_in(&self) -> Result<()> {
        let set = &self.certificates;
        self.pin_certificate(&set.partner).await?;
        for partner in &self.options.further_partners {
            let has_program = format!("partner = \"{partner}\"");
            if self.options.gateway_extra.contains(&has_program) {
                self.pin_certificate(&set.partner_named(partner)).await?;
            }
        }
        Ok(())
    }

    /// Registers the key of a certificate under an identity: `role/name` without the scheme.
    ///
    /// # Errors
    /// When the proposal is refused.
    pub async fn register(&self, identity: &str, pair: &PairPaths) -> Result<()> {
        let party = Party {
            identity: format!("spiffe://tessera/{identity}").parse()?,
            key_thumbprint: Credentials::from(pair).key_thumbprint()?.parse()?,
        };
        self.carry_through(&Proposal::RegisterParty(party))
            .await
            .with_context(|| format!("registering {identity}"))
    }

    /// Proposed by the first officer, approved by the second.
    ///
    /// # Errors
    /// When either step is refused.
    pub async fn carry_through(&self, proposal: &Proposal) -> Result<()> {
        self.officer(1)?.carry_through(&self.officer(2)?, proposal).await
    }
}
