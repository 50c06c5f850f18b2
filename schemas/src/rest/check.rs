//! The rules for what users type, shared by HTTP bodies and socket frames. Each is given the deployment's bounds.

use crate::{
    emoji,
    limits::{self, Limits},
    name, text,
};

type Checked = garde::Result;

fn must(holds: bool, rule: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(garde::Error::new(rule())) }
}

/// What the other side may choose to name its request by.
pub fn visible_ascii(text: &str) -> bool {
    (1..=limits::CLIENT_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

pub fn client_id(text: &str, limits: &Limits) -> Checked {
    must(text.len() <= limits.client_id && visible_ascii(text), || {
        format!("must be 1 to {} visible ASCII characters", limits.client_id)
    })
}

pub fn content(content: &str, limits: &Limits) -> Checked {
    must(content.len() <= limits.content, || format!("must be at most {} bytes of UTF-8", limits.content))?;
    must(!text::is_blank(content), || "must not be blank".to_owned())
}

pub fn username(text: &str, limits: &Limits) -> Checked {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    must(limits.username.contains(&text.len()) && text.bytes().all(allowed), || {
        format!("must be {} to {} of a-z 0-9 _ . -", limits.username.start(), limits.username.end())
    })
}

/// One `@`, something on both sides, a dot in the domain, nothing blank: whether it exists only a mail
/// can show.
pub fn email<C>(text: &str, _: &C) -> Checked {
    let parts = text.rsplit_once('@');
    let shaped = parts.is_some_and(|(local, domain)| {
        !local.is_empty() && !local.contains('@') && domain.split('.').all(|label| !label.is_empty())
    });
    let clean = text.len() <= limits::EMAIL && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    must(shaped && clean, || format!("must be an email address of at most {} bytes", limits::EMAIL))
}

pub fn password(text: &str, limits: &Limits) -> Checked {
    must(limits.password.contains(&text.len()), || {
        format!("must be {} to {} bytes", limits.password.start(), limits.password.end())
    })
}

pub fn name(name: &str, limits: &Limits) -> Checked {
    normalized_name(name, limits).map(drop)
}

/// A name as it is kept, for those who keep it. What is measured is what is kept.
pub fn normalized_name(name: &str, limits: &Limits) -> Result<String, garde::Error> {
    let rule = || format!("must be {} to {} characters, not blank", limits.name.start(), limits.name.end());
    must(name.trim().chars().count() / name::MOST_FOR_ONE <= *limits.name.end(), rule)?;
    let name = name::normalized(name);
    must(limits.name.contains(&name.chars().count()) && !text::is_blank(&name), rule)?;
    match name::fault(&name) {
        None => Ok(name),
        Some(fault) => Err(garde::Error::new(fault)),
    }
}

/// One emoji of Unicode's list, in whichever spelling.
pub fn emoji<C>(text: &str, _: &C) -> Checked {
    must(emoji::canonical(text).is_some(), || "must be one emoji".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_has_two_sides() {
        for good in ["a@b", "al.ice+x@mail.example.org"] {
            assert!(email(good, &()).is_ok(), "{good}");
        }
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b..c", "a\n@b"] {
            assert!(email(bad, &()).is_err(), "{bad}");
        }
    }

    #[test]
    fn content_is_measured_in_bytes_and_is_not_blank() {
        let limits = Limits::default();
        assert!(content(&"é".repeat(4096), &limits).is_ok());
        assert!(content(&"é".repeat(4097), &limits).is_err());
        for blank in
            ["", " \n\t\u{3000}", "\u{200B}", "\u{3164}", "\u{2800}", "\u{AD}\u{2060}", "\u{FE0F}", "\0"]
        {
            assert!(content(blank, &limits).is_err(), "{blank:?}");
        }
        assert!(content("\u{202B}שלום\u{202C}", &limits).is_ok(), "messages may have a direction");
    }

    #[test]
    fn a_name_is_checked_in_the_form_that_is_kept() {
        let limits = Limits { name: 1..=4, ..Limits::default() };
        assert_eq!(normalized_name("  Zoe\u{308} \u{3000}", &limits), Ok("Zoë".to_owned()));
        let four = "e\u{301}".repeat(4);
        assert_eq!(normalized_name(&four, &limits), Ok("éééé".to_owned()));
        for bad in
            ["", " ", "\u{3164}", "\u{200B}", "\u{2800}", "\0", "fives", "a\u{202E}b", "a\u{200B}b", "a\nb"]
        {
            assert!(name(bad, &limits).is_err(), "{bad:?}");
        }
        let error = name("a\u{202E}b", &limits).expect_err("it would be shown from right to left");
        assert_eq!(error.to_string(), "must not have U+202E there, which is not seen");
    }

    #[test]
    fn a_stricter_deployment_refuses_more() {
        let strict =
            Limits { content: 4, name: 1..=3, password: 12..=128, client_id: 36, ..Limits::default() };
        let longest = [content("1234", &strict), name("Bob", &strict), client_id(&"x".repeat(36), &strict)];
        assert!(longest.iter().all(Result::is_ok));
        let longer = [content("12345", &strict), name("Dave", &strict), client_id(&"x".repeat(37), &strict)];
        assert!(longer.iter().all(Result::is_err));
        let error = password("eleven char", &strict).expect_err("too short");
        assert_eq!(error.to_string(), "must be 12 to 128 bytes");
    }
}
