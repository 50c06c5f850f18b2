//! `LIMIT_…` and `ADD_BY`: what clients may send. Each is the built-in bound or stricter.

use std::ops::RangeInclusive;

use natter_schemas::limits::{
    AddBy, CLIENT_ID_LEAST, FRAME_LEAST, HTTP_BODY_LEAST, Limits, PASSWORD_MAX_LEAST,
};

use super::{BadSetting, Source, bad, number, text};

pub fn read(source: &Source<'_>) -> Result<Limits, BadSetting> {
    let built_in = Limits::default();
    let most = |name, least, most| within(source, name, least..=most, most);
    let mut limits = Limits {
        content: most("LIMIT_CONTENT_BYTES", 1, built_in.content)?,
        username: range(&built_in.username, most("LIMIT_USERNAME_CHARS", 3, *built_in.username.end())?),
        password: passwords(source, &built_in.password)?,
        name: range(&built_in.name, most("LIMIT_NAME_CHARS", 1, *built_in.name.end())?),
        client_id: most("LIMIT_CLIENT_ID_CHARS", CLIENT_ID_LEAST, built_in.client_id)?,
        participants_per_call: most("LIMIT_PARTICIPANTS_PER_CALL", 1, built_in.participants_per_call)?,
        participants: most("LIMIT_PARTICIPANTS", 2, built_in.participants)?,
        memberships: most("LIMIT_MEMBERSHIPS", 1, built_in.memberships)?,
        blocks: most("LIMIT_BLOCKS", 1, built_in.blocks)?,
        sessions: most("LIMIT_SESSIONS", 1, built_in.sessions)?,
        add_by: add_by(source)?,
        ..built_in
    };
    let body = HTTP_BODY_LEAST.max(limits.message_json()).max(limits.participants_json());
    limits.http_body = most("LIMIT_BODY_BYTES", body, limits.http_body)?;
    limits.frame = most("LIMIT_FRAME_BYTES", FRAME_LEAST.max(limits.message_json()), limits.frame)?;
    Ok(limits)
}

fn add_by(source: &Source<'_>) -> Result<AddBy, BadSetting> {
    match text(source, "ADD_BY").as_deref() {
        None | Some("anyone") => Ok(AddBy::Anyone),
        Some("shared") => Ok(AddBy::Shared),
        Some(other) => Err(bad("ADD_BY", other, "anyone, shared")),
    }
}

fn passwords(
    source: &Source<'_>,
    built_in: &RangeInclusive<usize>,
) -> Result<RangeInclusive<usize>, BadSetting> {
    let (shortest, longest) = (*built_in.start(), *built_in.end());
    let least = within(source, "LIMIT_PASSWORD_MIN_BYTES", shortest..=PASSWORD_MAX_LEAST, shortest)?;
    let most = within(source, "LIMIT_PASSWORD_BYTES", PASSWORD_MAX_LEAST..=longest, longest)?;
    Ok(least..=most)
}

fn range(built_in: &RangeInclusive<usize>, most: usize) -> RangeInclusive<usize> {
    *built_in.start()..=most
}

fn within(
    source: &Source<'_>,
    name: &'static str,
    allowed: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, BadSetting> {
    let sentence = format!("{} to {}", allowed.start(), allowed.end());
    let value = number(source, name, &sentence)?.unwrap_or(default);
    if allowed.contains(&value) { Ok(value) } else { Err(bad(name, &value.to_string(), sentence)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Limits, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_settings_the_built_in_limits_hold() {
        assert_eq!(of(&[]).unwrap(), Limits::default());
    }

    #[test]
    fn each_limit_can_be_lowered() {
        let limits = of(&[
            ("LIMIT_CONTENT_BYTES", "1000"),
            ("LIMIT_BODY_BYTES", "20000"),
            ("LIMIT_FRAME_BYTES", "8192"),
            ("LIMIT_USERNAME_CHARS", "16"),
            ("LIMIT_PASSWORD_MIN_BYTES", "12"),
            ("LIMIT_PASSWORD_BYTES", "64"),
            ("LIMIT_NAME_CHARS", "40"),
            ("LIMIT_CLIENT_ID_CHARS", "36"),
            ("LIMIT_PARTICIPANTS_PER_CALL", "50"),
            ("LIMIT_PARTICIPANTS", "200"),
            ("LIMIT_MEMBERSHIPS", "300"),
            ("LIMIT_BLOCKS", "30"),
            ("LIMIT_SESSIONS", "3"),
            ("ADD_BY", "shared"),
        ]);
        let expected = Limits {
            content: 1000,
            http_body: 20_000,
            frame: 8192,
            username: 3..=16,
            password: 12..=64,
            name: 1..=40,
            client_id: 36,
            participants_per_call: 50,
            participants: 200,
            memberships: 300,
            blocks: 30,
            sessions: 3,
            add_by: AddBy::Shared,
        };
        assert_eq!(limits.unwrap(), expected);
        // Of a smaller frame, fewer positions fit.
        assert_eq!((expected.resume_positions(), Limits::default().resume_positions()), (119, 1_000));
    }

    #[test]
    fn a_limit_above_the_built_in_one_or_below_what_works_is_refused_by_name() {
        for (name, value, allowed) in [
            ("LIMIT_CONTENT_BYTES", "8193", "1 to 8192"),
            ("LIMIT_CONTENT_BYTES", "8k", "1 to 8192"),
            ("LIMIT_BODY_BYTES", "65537", "50176 to 65536"),
            // Six times the content and the fields around it.
            ("LIMIT_FRAME_BYTES", "50175", "50176 to 65536"),
            ("LIMIT_USERNAME_CHARS", "2", "3 to 32"),
            ("LIMIT_PASSWORD_MIN_BYTES", "7", "8 to 64"),
            ("LIMIT_PASSWORD_BYTES", "129", "64 to 128"),
            ("LIMIT_NAME_CHARS", "0", "1 to 100"),
            ("LIMIT_CLIENT_ID_CHARS", "35", "36 to 64"),
            ("LIMIT_PARTICIPANTS_PER_CALL", "501", "1 to 500"),
            ("LIMIT_PARTICIPANTS", "10001", "2 to 10000"),
            ("LIMIT_MEMBERSHIPS", "20001", "1 to 20000"),
            ("LIMIT_BLOCKS", "1001", "1 to 1000"),
            ("LIMIT_SESSIONS", "101", "1 to 100"),
            ("ADD_BY", "friends", "anyone, shared"),
        ] {
            let error = of(&[(name, value)]).expect_err(name).to_string();
            assert_eq!(error, format!("{name} is '{value}'; allowed: {allowed}"));
        }
    }
}
