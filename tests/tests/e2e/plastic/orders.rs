//! Who may order, and what is no order.

use anyhow::{Context, Result, ensure};
use deploy::actors::PartnerServer;
use reqwest::Method;
use serde_json::json;

use super::{PROGRAM, address, arrives, line_of, order, refused, said, token_of};
use crate::pair::Pair;

pub(super) async fn a_bad_order_is_no_order(pair: &Pair) -> Result<()> {
    let (user, phone) = pair.user().await?;
    let desk = phone.cards();
    let balance = desk.first_balance().await?;
    let good = desk.seal_order(balance, "Ada", &address()).await?;
    refused(
        &desk.order_physical_with("plastic-1", &good, None).await?,
        403,
        "HOLDER_PROOF_REQUIRED",
    )?;
    let plain = json!({ "balanceId": balance, "embossedName": "Ada", "deliveryAddress": address() });
    let call = desk.post("/cards/physical")?.enc(desk.receiving()).json(&plain);
    refused(&call.send().await?, 400, "ENCRYPTION_REQUIRED")?;
    let keyless = desk.call(Method::POST, "/cards/physical");
    let keyless = keyless.enc_sealed(desk.receiving(), &good).send().await?;
    refused(&keyless, 422, "VALIDATION_FAILED")?;
    for (name, to) in [
        ("A", address()),
        ("4111 1111", address()),
        ("Ada", json!({ "line1": "1" })),
        (
            "Ada",
            json!({ "line1": "1", "city": "", "postalCode": "1", "country": "LT" }),
        ),
    ] {
        ensure!(
            desk.order_physical(balance, name, &to).await.is_err(),
            "{name} {to} was ordered"
        );
    }
    let elsewhere = desk.order_physical(balance + 77_777, "Ada", &address()).await;
    ensure!(elsewhere.is_err(), "ordered on a balance of nobody");
    let prefix = PartnerServer::prefix(user);
    let listed = pair.partner.cards(&prefix).orders().await?.expect(200)?.json()?;
    ensure!(
        listed["items"] == json!([]),
        "a refused order was placed: {listed}"
    );
    // The same again is the same card.
    let ordered = order(desk, "Ada").await?;
    ensure!(ordered.word.is_some(), "no word of the vault");
    let listed = pair.partner.cards(&prefix).orders().await?.expect(200)?.json()?;
    ensure!(listed["items"].as_array().map(Vec::len) == Some(1), "{listed}");
    Ok(())
}

pub(super) async fn operators_order_and_activate(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let desk = pair.desk().await?;
    let (user, phone) = pair.user().await?;
    let mine = phone.cards();
    let balance = mine.first_balance().await?;
    let sealed = mine.seal_order(balance, "Ada Desk", &address()).await?;
    let path = format!("/admin/customers/{user}/cards/physical");
    let foreign = desk.other.post_sealed(&path, &sealed).await?;
    refused(&foreign, 404, "NOT_FOUND")?;
    let ordered = desk.employee.post_sealed(&path, &sealed).await?;
    let ordered = desk.employee.open(ordered, 201)?;
    ensure!(
        ordered["state"] == "ORDERED" && ordered.get("cardNo").is_none(),
        "{ordered}"
    );
    let masked = ordered["maskedCardNo"].as_str().context("no mask")?;
    let lines = bureau.take_all(PROGRAM).await?;
    let token = token_of(line_of(&lines, masked)?)?;
    said(&bureau, token, "confirm", json!({})).await?;
    arrives(pair, &PartnerServer::prefix(user), token, "CONFIRMED").await?;
    let orders = format!("/admin/customers/{user}/cards/orders");
    let seen = desk.employee.get(&orders).await?.expect(200)?.json()?;
    ensure!(seen["items"][0]["order"] == token, "{seen}");
    refused(&desk.other.get(&orders).await?, 404, "NOT_FOUND")?;
    let activate = format!("/admin/cards/{}/activate", ordered["id"]);
    refused(&desk.other.post(&activate, &json!({})).await?, 404, "NOT_FOUND")?;
    let active = desk
        .employee
        .post(&activate, &json!({}))
        .await?
        .expect(200)?
        .json()?;
    ensure!(active["state"] == "ACTIVE", "{active}");
    Ok(())
}
