//! Mail by SMTP (`SMTP_URL`): `smtps://` is TLS from the beginning, `smtp://` asks for it (STARTTLS) and sends nothing without
//! it, except to this host.

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, transport::smtp::Error};
use natter_runtime::config::is_this_host;
use natter_schemas::limits;
use secrecy::{ExposeSecret, SecretString};

use super::SendError;

pub type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// # Errors
/// When it is no address of a server; without the address, which may have a password.
pub fn connect(url: &SecretString) -> Result<Smtp, String> {
    let url = url.expose_secret();
    let wrong =
        || "SMTP_URL cannot be used; allowed: smtps://user:password@host:port, smtp://host:port".to_owned();
    let plain = url.strip_prefix("smtp://").map(|rest| rest.rsplit('@').next().unwrap_or(rest));
    let full = match plain.map(|authority| authority.trim_end_matches('/')) {
        Some(authority) if is_this_host(authority) => url.to_owned(),
        Some(_) => format!("{}?tls=required", url.trim_end_matches('/')),
        None => url.to_owned(),
    };
    let transport = Smtp::from_url(&full).map_err(|_| wrong())?;
    Ok(transport.timeout(Some(limits::MAIL_ATTEMPT)).build())
}

pub async fn send(smtp: &Smtp, message: Message) -> Result<(), SendError> {
    smtp.send(message).await.map(drop).map_err(|error| judged(&error))
}

/// A server that refuses for good refuses the next time as well.
fn judged(error: &Error) -> SendError {
    let reason = format!("SMTP_URL: {}", error.to_string().escape_debug());
    if error.is_permanent() { SendError::refused(reason) } else { SendError::later(reason) }
}
