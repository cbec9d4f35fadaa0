//! Rust text as far as the checks must understand it: what is code, and where functions end.

/// Name, first line and length of every function with a body, attributes and docs left out.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        let Some(length) = body_lines(&code[at..]) else {
            continue;
        };
        if !name.is_empty() {
            found.push((name, code[..at].matches('\n').count() + 1, length));
        }
    }
    found
}

/// Lines of code between the braces, as clippy counts them; nothing for a declaration without a body.
fn body_lines(code: &str) -> Option<usize> {
    let (mut braces, mut brackets, mut start) = (0_usize, 0_usize, None);
    for (at, c) in code.char_indices() {
        match c {
            '[' | '(' if braces == 0 => brackets += 1,
            ']' | ')' if braces == 0 => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => {
                braces += 1;
                start = start.or(Some(at + 1));
            }
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    let body = code[start?..at].trim_matches(['\n', ' ']);
                    return Some(body.lines().filter(|line| !line.trim().is_empty()).count());
                }
            }
            _ => {}
        }
    }
    None
}

/// A letter, a digit or `_`.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with comments, strings and characters blanked; line breaks stay, so that line numbers hold.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = literal_len(rest, code.chars().next_back());
        let skipped = &rest[..literal];
        if literal == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        code.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[literal..];
    }
    code
}

/// Bytes of the comment or literal that `rest` begins with, or 0. `before` is the character in front of it.
fn literal_len(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    let hashes = raw
        .strip_prefix('r')
        .map_or(0, |tail| tail.len() - tail.trim_start_matches('#').len());
    if raw.starts_with('r') && raw[1 + hashes..].starts_with('"') && !before.is_some_and(is_word) {
        let start = rest.len() - raw.len() + hashes + 2;
        let close = format!("\"{}", "#".repeat(hashes));
        return rest[start..]
            .find(&close)
            .map_or(rest.len(), |end| start + end + close.len());
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"').unwrap_or(rest.len());
    }
    if rest.starts_with('\'') {
        return char_len(rest).unwrap_or(0);
    }
    0
}

/// Bytes of a character literal; nothing for a lifetime.
fn char_len(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let second = chars.next()?;
    if second == '\\' || chars.next() == Some('\'') {
        quoted_len(rest, '\'')
    } else {
        None
    }
}

fn quoted_len(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(at + c.len_utf8());
        }
    }
    None
}
