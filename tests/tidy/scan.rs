//! Scanners over Rust source text: paths, words, functions; comments and literals blanked.
//!
//! They read text, not syntax, and know what the rules need. Not here: the rules.

/// Whether a path is `place` or lies in it.
pub(crate) fn under(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths that stand in `a::{b, c::d}`; moves `text` behind them.
pub(crate) fn use_tree(text: &mut &str) -> Vec<String> {
    *text = text.trim_start();
    let Some(inside) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        *text = rest;
        return match rest.strip_prefix("::") {
            Some(rest) => {
                *text = rest;
                let below = use_tree(text);
                below
                    .iter()
                    .map(|path| format!("{name}::{path}").trim_end_matches(':').into())
                    .collect()
            }
            None if name == "self" => vec![String::new()],
            None => vec![name.into()],
        };
    };
    *text = inside;
    let mut paths = Vec::new();
    loop {
        paths.extend(use_tree(text));
        let end = text.find([',', '}']).unwrap_or(text.len());
        let comma = text[end..].starts_with(',');
        *text = text.get(end + 1..).unwrap_or("");
        if !comma || text.trim_start().is_empty() {
            return paths;
        }
    }
}

/// Where `what` stands as a whole word.
pub(crate) fn mentions(code: &str, what: &str) -> impl Iterator<Item = usize> {
    let (begins, ends) = (what.starts_with(is_word), what.ends_with(is_word));
    let mut found: Vec<usize> = code.match_indices(what).map(|(at, _)| at).collect();
    found.retain(|at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + what.len()..].chars().next();
        let inside_a_path = code[..*at].ends_with("::");
        !(begins && (before.is_some_and(is_word) || inside_a_path)
            || ends && after.is_some_and(is_word))
    });
    found.into_iter()
}

/// Name, line and length of each function that has a body.
pub(crate) fn functions(code: &str) -> Vec<(&str, usize, usize)> {
    let mut all = Vec::new();
    for at in mentions(code, "fn") {
        let after = code[at + 2..].trim_start();
        let name = &after[..after.find(|c: char| !is_word(c)).unwrap_or(after.len())];
        let mut depth = 0;
        for (offset, c) in code[at..].char_indices().filter(|_| !name.is_empty()) {
            match c {
                ';' if depth == 0 => break,
                '{' | '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '}' if depth == 1 => {
                    let lines = code[at..at + offset].matches('\n').count() + 1;
                    all.push((name, line_of(code, at), lines));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    all
}

/// The text with comments, strings and characters blanked, line for line.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => string_end(rest),
            'r' if !out.ends_with(is_word) || out.ends_with('b') => raw_string_end(rest),
            '\'' => character_end(rest),
            _ => 0,
        };
        let kept = if skipped == 0 { first.len_utf8() } else { 0 };
        out.push_str(&rest[..kept]);
        out.extend(rest[kept..skipped.max(kept)].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[skipped.max(kept)..];
    }
    out
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Length of a raw string, or 0 if `r` is only a letter.
fn raw_string_end(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let inside = text[1 + hashes..].strip_prefix('"');
    let end = format!("\"{}", "#".repeat(hashes));
    inside
        .map_or(0, |inside| inside.find(&end).map_or(text.len(), |at| hashes + 2 + at + end.len()))
}

/// Length of a character literal, or 0 if the quote belongs to a lifetime.
fn character_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}
