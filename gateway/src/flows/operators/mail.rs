//! Writes the mails to operators down, in the transaction that caused them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::domain::operator::Login;
use crate::error::Error;
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::Tx;
use crate::store::mails::{self, Mail};

/// What a mail says.
pub(super) struct Letter<'a> {
    pub(super) subject: &'static str,
    pub(super) before: &'static str,
    pub(super) token: &'a str,
    pub(super) after: &'static str,
}

/// Invites an operator.
pub(super) const fn invitation(token: &str) -> Letter<'_> {
    Letter {
        subject: "Your invitation to Tessera",
        before: "You are invited to work with Tessera as an operator. With the token below you choose a password and set up \
                 an authenticator app.",
        token,
        after: "Nobody of ours will ask you for the token. If you did not expect this mail, let it lapse.",
    }
}

/// Lets an operator choose another password.
pub(super) const fn password_reset(token: &str) -> Letter<'_> {
    Letter {
        subject: "A new password for Tessera",
        before: "Somebody, you perhaps, asked for a new password for your login. With the token below you choose one. Your \
                 authenticator app stays as it is.",
        token,
        after: "If it was not you, let the token lapse: without it nothing changes.",
    }
}

/// Writes a letter down.
pub(super) async fn write(
    services: &Services,
    tx: &mut Tx,
    to: &Login,
    letter: &Letter<'_>,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    let now = services.now();
    let random = URL_SAFE_NO_PAD.encode(services.random::<16>()?);
    let message_id = format!("<{random}@{}>", services.mailer.domain());
    let text = Zeroizing::new(format!(
        "{}\n\n    {}\n\nIt is good once, until {expires_at} (UTC).\n{}\n",
        letter.before, letter.token, letter.after
    ));
    let body = services
        .operator_key
        .seal(Sealed::Mail, &message_id, text.as_bytes(), &services.random)?;
    let mail = Mail {
        id: 0,
        message_id,
        recipient: to.as_str().to_owned(),
        subject: letter.subject.to_owned(),
        body,
        tries: 0,
        expires_at,
    };
    mails::insert(tx, &mail, now).await?;
    Ok(())
}
