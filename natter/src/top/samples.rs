//! One line of `/metrics`. It is what this program's own exporter writes, of which parsers of everything that Prometheus
//! allows know much more than is needed.

/// A name, its labels, a number.
pub struct Sample<'a> {
    pub name: &'a str,
    labels: Vec<(&'a str, String)>,
    pub value: f64,
}

impl Sample<'_> {
    /// Empty, if it has no such label.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
}

/// `None` for comments, and for what is no sample or no number to count with.
pub fn parse(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => labels_of(labels)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse::<f64>().ok().filter(|value| value.is_finite())?;
    (!name.starts_with('#')).then_some(Sample { name, labels, value })
}

/// Up to the closing brace, and what is behind it.
fn labels_of(mut text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.push((name, value));
        text = rest;
    }
}

/// Up to the closing quote, without escapes, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_labels_and_a_number() {
        let sample = parse(r#"a_total{path="C:\\a \"b\"}\n",code="x"} 12.5 1700000000"#).unwrap();
        assert_eq!((sample.name, sample.value), ("a_total", 12.5));
        assert_eq!((sample.label("path"), sample.label("code")), ("C:\\a \"b\"}\n", "x"));
        assert_eq!(sample.label("none"), "");
        assert_eq!(parse("b 1e3").map(|sample| sample.value), Some(1_000.0));
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        for line in
            ["", "# TYPE a counter", "a", "a x", "a{b=\"c} 1", "a{b} 1", "a{b=\"c\\", "a NaN", "a +Inf"]
        {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
