//! Which form of a file a client takes (RFC 9110 §12.5.3), and whether it has it already (§13.1.2).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    /// As in `Content-Encoding`, which a file as it is does not have.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }
}

/// Of those that are there, smallest first, the one that the client prefers; of several that it likes as well the
/// smallest. A client that takes none of them is sent the file as it is: every client can read that.
pub fn coding(request: &HeaderMap, there: &[Coding]) -> Coding {
    let wishes: Vec<(&str, u16)> = items(request, &header::ACCEPT_ENCODING).map(wish).collect();
    let mut best = (Coding::Identity, 0);
    for coding in there.iter().copied() {
        let weight = weight(&wishes, coding);
        if weight > best.1 {
            best = (coding, weight);
        }
    }
    best.0
}

/// Thousandths, as the client gave them. `*` is what it did not name; the file as it is needs no name.
fn weight(wishes: &[(&str, u16)], coding: Coding) -> u16 {
    let of = |name: &str| {
        wishes.iter().find(|(wish, _)| wish.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
    };
    match coding.name() {
        Some(name) => of(name).or_else(|| of("*")).unwrap_or(0),
        // Acceptable unless it is refused, and the last choice among what is not ranked.
        None => of("identity").unwrap_or(1),
    }
}

/// `gzip;q=0.5` is `("gzip", 500)`.
fn wish(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    (name.trim(), weight.map_or(1_000, thousandths))
}

/// `0`, `1`, `0.5`, `0.125`; what is no weight counts as a refusal.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1_000,
        "0" if digits => format!("{part:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// Whether the client names this form among those that it has. Compared weakly: proxies that compress make tags weak.
pub fn is_known(request: &HeaderMap, tag: &HeaderValue) -> bool {
    items(request, &header::IF_NONE_MATCH)
        .any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item).as_bytes() == tag.as_bytes())
}

/// Whether the client names HTML among what it takes, as browsers do when a person opens an address. `*/*` is also what
/// programs send that want no page.
pub fn accepts_page(request: &HeaderMap) -> bool {
    items(request, &header::ACCEPT)
        .map(wish)
        .any(|(kind, weight)| kind.eq_ignore_ascii_case("text/html") && weight > 0)
}

/// The list items of all fields of this name. Neither codings nor the tags of these files contain a comma.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let fields = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &HeaderName, fields: &[&'static str]) -> HeaderMap {
        fields.iter().map(|field| (name.clone(), HeaderValue::from_static(field))).collect()
    }

    #[test]
    fn the_smallest_form_of_those_a_client_likes_best_is_chosen() {
        let all = [Coding::Brotli, Coding::Gzip, Coding::Identity];
        for (accepted, chosen) in [
            (&["gzip, deflate, br, zstd"][..], Coding::Brotli),
            (&["gzip", "br"], Coding::Brotli),
            (&["br;q=0.5, gzip"], Coding::Gzip),
            (&["br;q=0, GZIP ; Q=0.3"], Coding::Gzip),
            (&["br;q=0.9, gzip;q=0.8, identity"], Coding::Identity),
            (&["*"], Coding::Brotli),
            (&["br;q=0, *;q=0.1"], Coding::Gzip),
            (&["gzip;q=0, identity;q=0"], Coding::Identity),
            (&["br;q=2, gzip;q=x"], Coding::Identity),
            (&["deflate"], Coding::Identity),
            (&[""], Coding::Identity),
            (&[], Coding::Identity),
        ] {
            assert_eq!(coding(&request(&header::ACCEPT_ENCODING, accepted), &all), chosen, "{accepted:?}");
        }
        assert_eq!(
            coding(&request(&header::ACCEPT_ENCODING, &["br"]), &[Coding::Identity]),
            Coding::Identity
        );
    }

    #[test]
    fn a_form_is_known_by_its_own_tag_alone() {
        let tag = HeaderValue::from_static("\"abc-br\"");
        for (fields, known) in [
            (&["\"abc-br\""][..], true),
            (&["\"x\", W/\"abc-br\""], true),
            (&["\"x\"", "\"abc-br\""], true),
            (&["*"], true),
            (&["\"abc-gzip\""], false),
            (&["abc-br"], false),
            (&[], false),
        ] {
            assert_eq!(is_known(&request(&header::IF_NONE_MATCH, fields), &tag), known, "{fields:?}");
        }
    }
}
