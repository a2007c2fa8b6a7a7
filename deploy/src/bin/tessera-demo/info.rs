//! `info.json`: tells any other client where everything is. It appears by rename, once both processes are ready.

use std::fs;

use anyhow::Result;
use deploy::actors::Operator;
use deploy::stand::Stand;
use serde_json::json;

/// Writes the file whole or not at all. `operator` is an Admin of the platform.
pub(crate) fn write(stand: &Stand, operator: &Operator) -> Result<()> {
    let (layout, set, ports) = (stand.layout(), stand.certificates(), stand.ports());
    let [officer, ..] = &set.officers;
    let info = json!({
        "gateway": ports.gateway_url(),
        "partner": ports.partner_url(),
        "vault": ports.vault_url(),
        "ca": set.internal_ca.certificate,
        "partnerCert": set.partner.certificate,
        "partnerKey": set.partner.key,
        "gatewayCert": set.gateway_client.certificate,
        "gatewayKey": set.gateway_client.key,
        "officerCert": officer.certificate,
        "officerKey": officer.key,
        "auditorCert": set.auditor.certificate,
        "auditorKey": set.auditor.key,
        "processorCert": set.processor.certificate,
        "processorKey": set.processor.key,
        "operatorLogin": operator.login(),
        "operatorPassword": operator.password(),
        "operatorSecond": operator.second_factor_hex(),
        "vaultPid": stand.vault()?.pid(),
        "gatewayPid": stand.gateway()?.pid(),
        "vaultData": layout.vault_data,
        "gatewayData": layout.gateway_data,
        "vaultLog": layout.vault_log,
        "gatewayLog": layout.gateway_log,
    });
    let draft = layout.info.with_extension("json.new");
    fs::write(&draft, format!("{}\n", serde_json::to_string_pretty(&info)?))?;
    fs::rename(&draft, &layout.info)?;
    Ok(())
}
