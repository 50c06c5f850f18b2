//! A file of CQL becomes statements.

/// Statements without comments, with single spaces wherever nothing is quoted: reformatting a file or
/// correcting a comment changes none of them.
pub fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(length) = comment(rest) {
            space(&mut statement);
            length
        } else if let Some(length) = quoted(rest) {
            statement.push_str(&rest[..length]);
            length
        } else if first == ';' {
            finish(&mut statement, &mut statements);
            1
        } else {
            if first.is_whitespace() {
                space(&mut statement);
            } else {
                statement.push(first);
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    finish(&mut statement, &mut statements);
    statements
}

/// The length of the comment at the beginning, the end of its line not included.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("--") || text.starts_with("//") {
        Some(text.find('\n').unwrap_or(text.len()))
    } else if text.starts_with("/*") {
        Some(text.find("*/").map_or(text.len(), |at| at + 2))
    } else {
        None
    }
}

/// The length of the quotation at the beginning. A doubled quote inside ends one and begins the next: the same.
fn quoted(text: &str) -> Option<usize> {
    let mark = ["'", "\"", "$$"].into_iter().find(|mark| text.starts_with(mark))?;
    let inside = &text[mark.len()..];
    Some(inside.find(mark).map_or(text.len(), |at| at + 2 * mark.len()))
}

fn space(statement: &mut String) {
    if !statement.is_empty() && !statement.ends_with(' ') {
        statement.push(' ');
    }
}

fn finish(statement: &mut String, statements: &mut Vec<String>) {
    let text = statement.trim_end();
    if !text.is_empty() {
        statements.push(text.to_owned());
    }
    statement.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_that_are_not_quoted_or_commented() {
        let text = "-- one; two\n/* a ; b */ CREATE TABLE t ( // here;\n  a int )\n WITH comment = 'x;''y;'  ;\n\
                    INSERT INTO \"a;b\" (a) VALUES ($$ it's; -- text $$);;\n  ;\nUSE k -- the end;";
        let expected = [
            "CREATE TABLE t ( a int ) WITH comment = 'x;''y;'",
            "INSERT INTO \"a;b\" (a) VALUES ($$ it's; -- text $$)",
            "USE k",
        ];
        assert_eq!(split(text), expected);
    }

    #[test]
    fn comments_and_layout_do_not_change_a_statement() {
        let plain = split("ALTER TABLE t ADD c int;");
        assert_eq!(split("ALTER  TABLE t\n\tADD c -- the count\n int /**/ ; -- done"), plain);
        assert_ne!(split("ALTER TABLE t ADD c text;"), plain);
        assert_eq!(split("-- nothing\n;\n"), Vec::<String>::new());
    }

    #[test]
    fn what_is_never_closed_goes_to_the_end() {
        assert_eq!(split("a 'b; c"), ["a 'b; c"]);
        assert_eq!(split("a /* b; c"), ["a"]);
        assert_eq!(split("'"), ["'"]);
        assert_eq!(split("é; ü"), ["é", "ü"]);
    }
}
