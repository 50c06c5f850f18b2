//! `MAIL_…`, `SMTP_URL`: how users get mail.

use natter_schemas::rest::check;
use secrecy::{ExposeSecret, SecretString};

use super::{BadSetting, Source, bad, log_in::missing, secret, text};

/// How users get mail.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The address that it comes from.
    pub from: String,
    pub transport: MailTransport,
}

/// Who delivers it.
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// A program and its arguments; it gets the message on standard input.
    Command(Vec<String>),
    /// A server; the address may have a password.
    Smtp(SecretString),
}

const ADDRESS: &str = "an email address";
const SERVERS: &str = "smtps://user:password@host:port, or smtp://host:port";

pub fn read(source: &Source<'_>) -> Result<Option<Mail>, BadSetting> {
    let transport = match (text(source, "MAIL_COMMAND"), secret(source, "SMTP_URL", "SMTP_URL_FILE")?) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let wrong = "is set beside SMTP_URL".to_owned();
            return Err(BadSetting { name: "MAIL_COMMAND", wrong, allowed: "one of the two".to_owned() });
        }
        (Some(command), None) => {
            MailTransport::Command(command.split_whitespace().map(str::to_owned).collect())
        }
        (None, Some(url)) => {
            let address = url.expose_secret();
            if !["smtp://", "smtps://"].iter().any(|scheme| address.starts_with(scheme))
                || address.contains(['?', '#', ' '])
            {
                // It may have a password in it.
                return Err(bad("SMTP_URL", "of another form", SERVERS));
            }
            MailTransport::Smtp(url)
        }
    };
    let from = text(source, "MAIL_FROM").ok_or_else(|| missing("MAIL_FROM", ADDRESS))?;
    check::email(&from, &()).map_err(|_| bad("MAIL_FROM", &from, ADDRESS))?;
    Ok(Some(Mail { from, transport }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Mail>, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const FROM: (&str, &str) = ("MAIL_FROM", "chat@example.org");

    #[test]
    fn mail_goes_by_a_program_or_by_a_server() {
        assert!(of(&[FROM]).expect("nothing is needed").is_none());
        let command = of(&[FROM, ("MAIL_COMMAND", "/usr/sbin/sendmail -t  -i")]).expect("a program");
        match command.expect("mail").transport {
            MailTransport::Command(words) => assert_eq!(words, ["/usr/sbin/sendmail", "-t", "-i"]),
            MailTransport::Smtp(_) => panic!("a program was named"),
        }
        let server = of(&[FROM, ("SMTP_URL", "smtps://chat:hunter2@mail.example")]).expect("a server");
        assert!(!format!("{server:?}").contains("hunter2"));
    }

    #[test]
    fn what_could_deliver_nothing_is_refused() {
        let command = ("MAIL_COMMAND", "sendmail");
        for (name, wrong) in [
            ("MAIL_FROM", vec![command]),
            ("MAIL_FROM", vec![command, ("MAIL_FROM", "Chat <chat@example.org>")]),
            ("MAIL_FROM", vec![command, ("MAIL_FROM", "chat@example.org\nBcc: a@b.example")]),
            ("MAIL_COMMAND", vec![command, FROM, ("SMTP_URL", "smtp://localhost")]),
            ("SMTP_URL", vec![FROM, ("SMTP_URL", "mail.example:hunter2")]),
            ("SMTP_URL", vec![FROM, ("SMTP_URL", "smtp://a:hunter2@mail.example?tls=none")]),
        ] {
            let error = of(&wrong).expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
