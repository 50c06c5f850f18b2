//! Rate limits. A class of requests has one rule: so many per second, minute, hour or day, with a burst. Text form
//! (`RATE_LIMITS`): `login=5/min,send=20/s*200`, where `*200` is the burst (the number itself when left out).

use std::{collections::BTreeMap, fmt, num::NonZeroU32, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Register, log in: by address; change the password: by user.
    Login,
    /// Messages, edits, deletions, reactions: by user.
    Send,
    /// Other changes: by user.
    Write,
    /// New groups, besides [`Class::Write`]: by user.
    Groups,
    /// Reads, and what sockets ask for beside sending: by user.
    Read,
    /// Prefix search of users: by user.
    Search,
    /// Frames of any kind: by socket; above it the socket is closed (4029).
    Frames,
    /// Mails that anyone can have sent: by the address they go to.
    Mail,
    /// Renewing a session: by session.
    Renew,
    /// Renewing, opening sockets, files of the web client: by address, for each node. It bounds those who have no account.
    Address,
}

impl Class {
    pub const ALL: [Self; 10] = [
        Self::Login,
        Self::Send,
        Self::Write,
        Self::Groups,
        Self::Read,
        Self::Search,
        Self::Frames,
        Self::Mail,
        Self::Renew,
        Self::Address,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Send => "send",
            Self::Write => "write",
            Self::Groups => "groups",
            Self::Read => "read",
            Self::Search => "search",
            Self::Frames => "frames",
            Self::Mail => "mail",
            Self::Renew => "renew",
            Self::Address => "address",
        }
    }
}

/// What a request takes: tokens of one class, the more the dearer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub class: Class,
    pub weight: NonZeroU32,
}

impl Cost {
    pub const fn new(class: Class, weight: u32) -> Self {
        let Some(weight) = NonZeroU32::new(weight) else { panic!("a request takes something") };
        Self { class, weight }
    }

    /// Tokens to take under this rule: what is dearer than a full bucket takes all of it.
    pub fn tokens(self, rule: Rule) -> NonZeroU32 {
        self.weight.min(rule.burst)
    }
}

/// Of one token.
impl From<Class> for Cost {
    fn from(class: Class) -> Self {
        Self { class, weight: NonZeroU32::MIN }
    }
}

/// `count` requests per `window`, `burst` of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub count: NonZeroU32,
    pub window: Duration,
    pub burst: NonZeroU32,
}

impl Rule {
    const fn new(count: u32, window: Duration, burst: u32) -> Self {
        let (Some(count), Some(burst)) = (NonZeroU32::new(count), NonZeroU32::new(burst)) else {
            panic!("a rule allows something");
        };
        Self { count, window, burst }
    }
}

/// The rules in force; a class without one is not limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates(BTreeMap<Class, Rule>);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Rates {
    pub fn off() -> Self {
        Self(BTreeMap::new())
    }

    /// For clients on the internet. A device that comes back online sends its queue at once: hence the bursts.
    pub fn production() -> Self {
        Self(BTreeMap::from([
            (Class::Login, Rule::new(10, MINUTE, 20)),
            (Class::Send, Rule::new(20, SECOND, 200)),
            (Class::Write, Rule::new(5, SECOND, 50)),
            (Class::Groups, Rule::new(200, DAY, 200)),
            (Class::Read, Rule::new(50, SECOND, 200)),
            (Class::Search, Rule::new(5, SECOND, 20)),
            (Class::Frames, Rule::new(100, SECOND, 1_000)),
            (Class::Mail, Rule::new(5, HOUR, 3)),
            (Class::Renew, Rule::new(10, MINUTE, 20)),
            (Class::Address, Rule::new(100, SECOND, 2_000)),
        ]))
    }

    /// For a laptop, where all clients have the same address and a script is a normal user.
    pub fn dev() -> Self {
        Self(BTreeMap::from([
            (Class::Login, Rule::new(600, MINUTE, 600)),
            (Class::Send, Rule::new(100, SECOND, 2_000)),
            (Class::Write, Rule::new(50, SECOND, 500)),
            (Class::Groups, Rule::new(20_000, DAY, 20_000)),
            (Class::Read, Rule::new(500, SECOND, 2_000)),
            (Class::Search, Rule::new(50, SECOND, 200)),
            (Class::Frames, Rule::new(1_000, SECOND, 10_000)),
            (Class::Mail, Rule::new(600, MINUTE, 600)),
            (Class::Renew, Rule::new(600, MINUTE, 600)),
            (Class::Address, Rule::new(1_000, SECOND, 10_000)),
        ]))
    }

    pub fn rule(&self, class: Class) -> Option<Rule> {
        self.0.get(&class).copied()
    }

    /// Replaces the rules that `text` names; the error says what is wrong with it.
    pub fn with(mut self, text: &str) -> Result<Self, String> {
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, rule) = item
                .split_once('=')
                .ok_or_else(|| format!("'{item}' is not of the form class=count/unit"))?;
            let class = Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
                format!("'{name}' is not a class; allowed: {}", Class::ALL.map(Class::name).join(", "))
            })?;
            self.0.insert(class, parse_rule(rule)?);
        }
        Ok(self)
    }
}

/// The most a rule may allow: a million a second are as good as no limit, and Redis counts in microseconds.
const SHORTEST: Duration = Duration::from_micros(1);
/// Until a full bucket that was emptied is full again: what counts it has 64 bits of nanoseconds.
const LONGEST_FILL: Duration = Duration::from_hours(366 * 24);

fn parse_rule(text: &str) -> Result<Rule, String> {
    let wrong = || format!("'{text}' is not count/unit or count/unit*burst with unit s, min, h or day");
    let (rate, burst) = text.split_once('*').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
    let (count, unit) = rate.split_once('/').ok_or_else(wrong)?;
    let count: NonZeroU32 = count.parse().map_err(|_| wrong())?;
    let window = match unit {
        "s" => SECOND,
        "min" => MINUTE,
        "h" => HOUR,
        "day" => DAY,
        _ => return Err(wrong()),
    };
    let burst: NonZeroU32 = burst.map_or(Ok(count), |burst| burst.parse().map_err(|_| wrong()))?;
    let every = window / count.get();
    if every < SHORTEST {
        return Err(format!("'{text}' is more than 1000000 a second"));
    }
    if every.checked_mul(burst.get()).is_none_or(|fill| fill > LONGEST_FILL) {
        return Err(format!("'{text}' has a burst that takes more than a year to fill"));
    }
    Ok(Rule { count, window, burst })
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("off");
        }
        for (i, (class, rule)) in self.0.iter().enumerate() {
            let unit = match rule.window {
                SECOND => "s",
                MINUTE => "min",
                HOUR => "h",
                _ => "day",
            };
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={}/{unit}*{}", class.name(), rule.count, rule.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_read_back() {
        let rates = Rates::production().with("login=5/min, send=7/s*9, groups=3/day").expect("reads");
        assert_eq!(rates.rule(Class::Groups), Some(Rule::new(3, DAY, 3)));
        assert_eq!(rates.rule(Class::Login), Some(Rule::new(5, MINUTE, 5)));
        assert_eq!(rates.rule(Class::Send), Some(Rule::new(7, SECOND, 9)));
        assert_eq!(Rates::off().with(&rates.to_string()), Ok(rates));
    }

    #[test]
    fn a_wrong_rule_is_named() {
        for (text, part) in [
            ("login", "class=count/unit"),
            ("logins=5/min", "allowed: login, send"),
            ("login=0/min", "'0/min'"),
            ("login=5/week", "'5/week'"),
            ("login=5/min*x", "'5/min*x'"),
            ("login=1000001/s", "more than 1000000 a second"),
            ("groups=1/day*367", "more than a year"),
        ] {
            let error = Rates::off().with(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
