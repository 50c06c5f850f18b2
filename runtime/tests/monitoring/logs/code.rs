//! Reads the sources of the program for the macros that log.

use crate::code::sources;

/// `$level` is one of the others, in a macro that writes one line at several levels.
const MACROS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "$level"];

/// The name of each field, as often as it is used.
pub fn fields() -> Vec<String> {
    let mut found = Vec::new();
    for text in sources() {
        // Tests are the last part of a file.
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for name in MACROS {
            let name = format!("{name}!(");
            for (at, _) in text.match_indices(&name) {
                let before = text[..at].chars().next_back();
                if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                    found.extend(of_line(&text[at + name.len()..]));
                }
            }
        }
    }
    assert!(found.len() > 200, "the sources were not found");
    found
}

/// `%a, b = value(), ?c, "message"…)`. Lines in the name of a library are not ours to name the fields of.
fn of_line(rest: &str) -> Vec<String> {
    let arguments = arguments(rest);
    if arguments.first().is_some_and(|first| first.starts_with("target:")) {
        return Vec::new();
    }
    let is_message = |argument: &&String| argument.starts_with('"') || argument.starts_with("$message");
    assert!(arguments.iter().any(|argument| is_message(&argument)), "a line without a message: {rest:.80}");
    let fields = arguments.iter().take_while(|argument| !is_message(argument));
    fields
        .map(|argument| {
            let name = argument.split('=').next().unwrap_or_default();
            name.trim().trim_start_matches(['%', '?']).to_owned()
        })
        .collect()
}

/// What is between commas, up to the parenthesis that closes the call.
fn arguments(rest: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut quoted, mut escaped) = (vec![String::new()], 1, false, false);
    for c in rest.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if depth == 0 {
            break;
        }
        if c == ',' && depth == 1 && !quoted {
            arguments.push(String::new());
        } else if let Some(last) = arguments.last_mut() {
            last.push(c);
        }
    }
    let trimmed = arguments.iter().map(|argument| argument.trim().to_owned());
    trimmed.filter(|argument| !argument.is_empty()).collect()
}
