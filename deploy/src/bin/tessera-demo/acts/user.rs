//! A partner registers a user and vouches for their identity; the user's phone pairs.

use anyhow::Result;
use deploy::actors::NewUser;

use super::Cast;

pub(super) async fn register(cast: &Cast<'_>) -> Result<u64> {
    let answer = cast.partner.create_user(&NewUser::sample()?).await?.expect(201)?;
    let user = answer.number_at("/id")?;
    let kyc = answer.text_at("/kycStatus")?;
    cast.teller.act(
        "partner",
        "registers a user",
        "201",
        &format!("user {user}, KYC {kyc}"),
    );
    let kyc = cast
        .partner
        .set_kyc(user, "ACCEPTED")
        .await?
        .expect(200)?
        .text_at("/kycStatus")?;
    cast.teller.act(
        "partner",
        "vouches for the user's identity",
        "200",
        &format!("KYC {kyc}"),
    );
    Ok(user)
}

pub(super) async fn pair(cast: &mut Cast<'_>, user: u64) -> Result<()> {
    let answer = cast.partner.activation_code(user).await?.expect(201)?;
    let code = answer.text_at("/activationCode")?;
    cast.teller.act(
        "partner",
        "asks for an activation code",
        "201",
        "a code for this user, to be used once",
    );
    let installation = cast.phone.pair(&code).await?.number_at("/installationId")?;
    cast.teller.act(
        "phone",
        "pairs",
        "201",
        &format!("installation {installation}, session of 10 minutes"),
    );
    cast.teller.why(
        "The phone made a key of its own; the vault has enrolled it. Only this key opens the user's cards.",
    );
    let balances = cast.phone.cards().balances().await?.expect(200)?;
    let (balance, currency) = (
        balances.number_at("/items/0/id")?,
        balances.text_at("/items/0/currency")?,
    );
    let found = format!("balance {balance} in {currency}, made by itself with the KYC decision");
    cast.teller.act("phone", "looks at its balances", "200", &found);
    Ok(())
}
