//! What a provider claims about a person, as far as it can be used here (OpenID Connect Core §5.1).

use natter_schemas::{limits::Limits, rest::check};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    username: Option<String>,
    name: Option<String>,
    /// The provider has verified it: anything else could be someone else's.
    email: Option<String>,
}

/// Characters of what makes a username that is taken another one.
const SUFFIX: usize = 5;

impl Person {
    pub fn of(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| {
            let text = claims.get(name)?.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        // Some write it as a text.
        let verified = claims.get("email_verified").is_some_and(|claim| *claim == true || *claim == "true");
        let email = text("email").filter(|email| verified && check::email(email, &()).is_ok());
        Self { username: text("preferred_username").or_else(|| text("nickname")), name: text("name"), email }
    }

    /// Nothing more is to be asked.
    pub const fn is_whole(&self) -> bool {
        self.username.is_some() && self.name.is_some() && self.email.is_some()
    }

    pub fn or(self, other: Self) -> Self {
        Self {
            username: self.username.or(other.username),
            name: self.name.or(other.name),
            email: self.email.or(other.email),
        }
    }

    /// Empty: none is known.
    pub fn email(&self) -> String {
        self.email.clone().unwrap_or_default()
    }

    /// Within the limits, whatever the provider claims.
    pub fn display_name(&self, username: &str, limits: &Limits) -> String {
        let cut = |name: &String| name.chars().take(*limits.name.end()).collect::<String>();
        let names = self.name.iter().flat_map(|name| [name.clone(), cut(name)]);
        let mut good = names.filter_map(|name| check::normalized_name(&name, limits).ok());
        let fallback = || username.chars().take(*limits.name.end()).collect();
        good.next().unwrap_or_else(fallback)
    }

    /// Names for the account, the best one first: what comes after is for when it is taken.
    pub fn usernames(&self, limits: &Limits) -> impl Iterator<Item = String> {
        let claimed = [&self.username, &self.email, &self.name].into_iter().flatten();
        let (least, most) = (*limits.username.start(), *limits.username.end());
        let base = claimed.map(|text| plain(text)).find(|text| text.len() >= least);
        let base: String = base.unwrap_or_else(|| "user".to_owned()).chars().take(most).collect();
        // With random digits from the second on; the last ones have nothing else, of which so many are never taken.
        let another = move |attempt: usize| {
            let digits = format!("{:032x}", rand::random::<u128>());
            let kept = if attempt < 4 { most.saturating_sub(SUFFIX).min(base.len()) } else { 0 };
            let name = match (attempt, kept) {
                (0, _) => base.clone(),
                (_, 0) => digits,
                (..) => format!("{}-{}", &base[..kept], &digits[..SUFFIX - 1]),
            };
            name.chars().take(most).collect::<String>()
        };
        (0..6).map(another).filter(move |name| name.len() >= least)
    }
}

/// What a username may have of a text: of an address what is before the `@`, letters of the alphabet without accents.
fn plain(text: &str) -> String {
    let text = text.split('@').next().unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(*c);
    let spaced = text.trim().chars().map(|c| if c.is_whitespace() { '.' } else { c });
    spaced.flat_map(char::to_lowercase).filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(claims: Value) -> Person {
        let Value::Object(claims) = claims else { panic!("an object") };
        Person::of(&claims)
    }

    fn first(claims: Value) -> String {
        person(claims).usernames(&Limits::default()).next().expect("a name")
    }

    #[test]
    fn an_address_counts_only_if_the_provider_has_verified_it() {
        let email =
            |verified: Value| person(json!({"email": "a@b.example", "email_verified": verified})).email();
        assert_eq!([email(json!(true)), email(json!("true"))], ["a@b.example", "a@b.example"]);
        for not in [json!(false), json!("false"), json!(1), json!(null), json!("yes")] {
            assert_eq!(email(not.clone()), "", "{not}");
        }
        assert_eq!(person(json!({"email": "no address", "email_verified": true})).email(), "");
    }

    #[test]
    fn a_username_is_made_of_what_is_there() {
        assert_eq!(first(json!({"preferred_username": "Zoë.Müller"})), "zo.mller");
        assert_eq!(first(json!({"preferred_username": "alice@corp.example"})), "alice");
        assert_eq!(
            first(json!({"preferred_username": "é", "email": "bob@b.example", "email_verified": true})),
            "bob"
        );
        assert_eq!(first(json!({"name": "Carol Danvers"})), "carol.danvers");
        assert_eq!(first(json!({"preferred_username": 7, "name": "李"})), "user");
        assert_eq!(first(json!({"preferred_username": "a".repeat(5000)})).len(), 32);
    }

    #[test]
    fn names_after_the_first_differ_and_fit_every_limit() {
        for most in [3, 4, 5, 6, 32] {
            let limits = Limits { username: 3..=most, ..Limits::default() };
            let all: Vec<String> =
                person(json!({"preferred_username": "alice"})).usernames(&limits).collect();
            assert!(all.len() >= 5, "{all:?}");
            for (at, name) in all.iter().enumerate() {
                assert!(check::username(name, &limits).is_ok(), "{name}");
                assert!(most < 6 || !all[..at].contains(name), "{all:?}");
            }
        }
    }

    #[test]
    fn a_display_name_is_within_the_limits_or_the_username() {
        let limits = Limits { name: 1..=10, ..Limits::default() };
        let shown = |name: &str| person(json!({"name": name})).display_name("zoe", &limits);
        assert_eq!(shown("  Zoe\u{308} "), "Zoë");
        assert_eq!(shown(&"x".repeat(5000)), "x".repeat(10));
        assert_eq!(shown("a\u{202E}b"), "zoe");
        assert_eq!(Person::default().display_name("zoe.mueller", &limits), "zoe.muelle");
    }
}
