//! W3C Trace Context: which trace a piece of work belongs to, and which span of it caused the work.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
    /// Whether the caller records its part.
    pub sampled: bool,
}

/// Version, trace id, parent id, flags, and what is between them.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

impl TraceContext {
    /// `None` for what is no `traceparent` (W3C Trace Context §3.2): it is ignored, and a new trace begins. A version
    /// above 00 is read as far as 00 goes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let separated = |at: usize| bytes.get(at).is_none_or(|byte| *byte == b'-');
        if bytes.len() < LENGTH || ![2, 35, 52, LENGTH].into_iter().all(separated) {
            return None;
        }
        let version = hex(&bytes[..2])?;
        if version == 0xff || (version == 0 && bytes.len() > LENGTH) {
            return None;
        }
        let (trace, span) = (hex(&bytes[3..35])?, u64::try_from(hex(&bytes[36..52])?).ok()?);
        let flags = hex(&bytes[53..55])?;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The trace's id, as it is written everywhere.
    pub const fn trace_id(&self) -> TraceId {
        TraceId(self.trace)
    }
}

/// Lower case only: another reader would not find it under the other spelling.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Some(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Some(number << 4 | u128::from(digit - b'a' + 10)),
        _ => None,
    })
}

/// As a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Text that is no `traceparent` is none, and refuses nothing.
pub fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TraceContext>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.as_deref().and_then(TraceContext::parse))
}

/// 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &str = "00f067aa0ba902b7";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_is_read_and_written() {
        for (flags, sampled) in [("00", false), ("01", true)] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let context = TraceContext::parse(&text).expect("valid");
            assert_eq!((context.sampled, context.to_string()), (sampled, text));
            assert_eq!(context.trace_id().to_string(), TRACE);
        }
        // Flags that are not known yet are not passed on (§4.3).
        let context = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-ff")).expect("valid");
        assert_eq!(context.to_string(), format!("00-{TRACE}-{SPAN}-01"));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [format!("01-{TRACE}-{SPAN}-01"), format!("cc-{TRACE}-{SPAN}-01-what-else")] {
            let context = TraceContext::parse(&text).expect(&text);
            assert_eq!(context.to_string(), format!("00-{TRACE}-{SPAN}-01"));
        }
    }

    #[test]
    fn what_is_no_traceparent_is_ignored() {
        for text in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("01-{TRACE}-{SPAN}-01more"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "é".repeat(16)),
            format!(" 00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(TraceContext::parse(&text), None, "{text}");
        }
    }
}
