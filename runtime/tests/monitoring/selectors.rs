//! Reads an expression of Prometheus for what it names.

pub struct Selector {
    /// Without a suffix of a histogram.
    pub name: String,
    /// Labels that must be equal, with their values.
    pub equal: Vec<(String, String)>,
}

/// `natter_name{label="value",…}` wherever it stands.
pub fn all(expression: &str) -> Vec<Selector> {
    expression.match_indices("natter_").map(|(at, _)| selector(&expression[at..])).collect()
}

fn selector(rest: &str) -> Selector {
    let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_');
    let (full, after) = rest.split_at(end.unwrap_or(rest.len()));
    let name =
        ["_bucket", "_count", "_sum"].iter().find_map(|suffix| full.strip_suffix(suffix)).unwrap_or(full);
    let inside =
        after.strip_prefix('{').and_then(|inside| inside.split_once('}')).map_or("", |(inside, _)| inside);
    let equal =
        inside.split(',').filter_map(|one| one.split_once("=\"")).filter(|(label, _)| !label.ends_with('!'));
    let equal = equal.map(|(label, value)| (label.trim().to_owned(), value.trim_end_matches('"').to_owned()));
    Selector { name: name.to_owned(), equal: equal.collect() }
}
