//! What mails say. Their texts are files, `Subject: ` and an empty line first.

use std::collections::HashMap;

/// A language that there are texts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    German,
}

impl Language {
    /// Of a BCP 47 tag; English for any other.
    pub fn of(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("de") { Self::German } else { Self::English }
    }
}

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A new password can be set.
    PasswordReset,
    /// The address can be the account's.
    EmailChange,
    /// The account has another address than this.
    EmailChanged,
}

impl Topic {
    pub const ALL: [Self; 3] = [Self::PasswordReset, Self::EmailChange, Self::EmailChanged];
}

/// A mail as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub body: String,
}

impl Text {
    pub fn of(topic: Topic, language: Language, username: &str, link: &str) -> Self {
        let template = template(topic, language);
        let (subject, body) = template.split_once("\n\n").unwrap_or_default();
        let values = HashMap::from([("username", username), ("link", link)]);
        Self {
            subject: subject.strip_prefix("Subject: ").unwrap_or(subject).to_owned(),
            body: filled(body, &values),
        }
    }
}

const fn template(topic: Topic, language: Language) -> &'static str {
    match (topic, language) {
        (Topic::PasswordReset, Language::English) => include_str!("texts/en/password_reset.txt"),
        (Topic::PasswordReset, Language::German) => include_str!("texts/de/password_reset.txt"),
        (Topic::EmailChange, Language::English) => include_str!("texts/en/email_change.txt"),
        (Topic::EmailChange, Language::German) => include_str!("texts/de/email_change.txt"),
        (Topic::EmailChanged, Language::English) => include_str!("texts/en/email_changed.txt"),
        (Topic::EmailChanged, Language::German) => include_str!("texts/de/email_changed.txt"),
    }
}

/// Each `{name}` of the template; what is filled in is not looked at again.
fn filled(template: &str, values: &HashMap<&str, &str>) -> String {
    let mut text = String::with_capacity(template.len() + 200);
    let mut parts = template.split('{');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        text.push_str(values.get(name).copied().unwrap_or_default());
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_subject_a_name_and_a_link_in_each_language() {
        for topic in Topic::ALL {
            let [english, german] = [Language::English, Language::German].map(|language| {
                assert!(template(topic, language).starts_with("Subject: "));
                let text = Text::of(topic, language, "a{link}", "https://chat.example/x#t");
                assert!(!text.subject.is_empty() && !text.subject.contains('\n'));
                assert!(text.body.contains("a{link}") && text.body.contains("\nhttps://chat.example/x#t\n"));
                assert_eq!(text.body.matches(['{', '}']).count(), 2, "of the name alone: {}", text.body);
                text
            });
            assert!(english.subject != german.subject && english.body != german.body);
        }
    }

    #[test]
    fn a_language_without_texts_gets_english_ones() {
        for (tag, language) in [
            ("de", Language::German),
            ("DE-at", Language::German),
            ("del", Language::English),
            ("fr", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of(tag), language, "{tag}");
        }
    }
}
