//! The `.PKGINFO` of an Alpine package, read by the rules of INI files, as Rekor reads it: values
//! end at `#` and `;`, and the last of a key counts. Alpine's own tools read it otherwise, but what
//! is read here becomes the leaf.

use std::collections::BTreeMap;

/// Keys and values.
pub(super) type Pkginfo = BTreeMap<Vec<u8>, Vec<u8>>;

const DEFAULT_SECTION: &[u8] = b"DEFAULT";
const LONG_QUOTE: &[u8] = br#"""""#;

/// Reads what stands before the first section, and in those named `DEFAULT`.
///
/// # Errors
/// The text for the client.
pub(super) fn read(text: &[u8]) -> Result<Pkginfo, String> {
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe"];
    let rest = marks.into_iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    let mut lines = Lines { rest };
    let mut pkginfo = Pkginfo::new();
    let mut section = DEFAULT_SECTION;
    let mut unnamed = 0;
    while !lines.rest.is_empty() {
        let line = trimmed_start(lines.next());
        match line.first() {
            None | Some(b'#' | b';') => continue,
            Some(b'[') => {
                section = section_name(line)?;
                unnamed = 0;
                continue;
            }
            Some(_) => {}
        }
        let (key, value) = key(line)?;
        let mut key = key.to_vec();
        if key == b"-" {
            unnamed += 1;
            key = format!("#{unnamed}").into_bytes();
        }
        let value = lines.value(value)?;
        if key.is_empty() {
            return Err("error creating new key: empty key name".into());
        }
        if section == DEFAULT_SECTION {
            pkginfo.insert(key, value);
        }
    }
    Ok(pkginfo)
}

/// Bytes as JSON has them: each that is not UTF-8 is replaced.
pub(super) fn shown(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

fn section_name(line: &[u8]) -> Result<&[u8], String> {
    let end = line.iter().rposition(|byte| *byte == b']');
    let end = end.ok_or_else(|| format!("unclosed section: {}", shown(line)))?;
    let name = line.get(1..end).unwrap_or_default();
    if name.is_empty() { Err("empty section name".into()) } else { Ok(name) }
}

/// The key of a line, and what follows the delimiter.
fn key(line: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let no_delimiter = || format!("key-value delimiter not found: {}", shown(line));
    let quote = match line {
        [b'"', ..] if line.len() > 6 && line.starts_with(LONG_QUOTE) => LONG_QUOTE,
        [quote @ (b'"' | b'`'), ..] => std::slice::from_ref(quote),
        _ => &[],
    };
    let (name, rest) = if quote.is_empty() {
        (line, line)
    } else {
        let open = line.get(quote.len()..).unwrap_or_default();
        let end = open.windows(quote.len()).position(|window| window == quote);
        let end = end.ok_or_else(|| format!("missing closing key quote: {}", shown(line)))?;
        open.split_at(end)
    };
    let rest = rest.get(quote.len()..).unwrap_or_default();
    let delimiter = rest.iter().position(|byte| matches!(byte, b'=' | b':'));
    let delimiter = delimiter.ok_or_else(no_delimiter)?;
    let value = rest.get(delimiter + 1..).unwrap_or_default();
    if !quote.is_empty() {
        return Ok((trimmed(name), value));
    }
    match name.get(..delimiter).unwrap_or_default() {
        [] => Err(format!("empty key name: {}", shown(line))),
        name => Ok((trimmed(name), value)),
    }
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// With its end, unless it is the last.
    fn next(&mut self) -> &'a [u8] {
        let line = self.rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        self.rest = self.rest.get(line.len()..).unwrap_or_default();
        line
    }

    /// The value that begins on the line at hand; it may go on over the next lines.
    fn value(&mut self, text: &[u8]) -> Result<Vec<u8>, String> {
        let line = trimmed_start(text);
        let quote = match line {
            [] => return Ok(Vec::new()),
            _ if line.len() > 3 && line.starts_with(LONG_QUOTE) => LONG_QUOTE,
            [b'`', ..] => b"`",
            _ => &[],
        };
        if !quote.is_empty() {
            let open = line.get(quote.len()..).unwrap_or_default();
            return match last(open, quote) {
                Some(end) => Ok(open.get(..end).unwrap_or_default().to_vec()),
                None => self.up_to(quote, line, open),
            };
        }
        let line = trimmed(line);
        if let Some(line) = line.strip_suffix(b"\\") {
            return Ok(self.continued(line));
        }
        let end = line.iter().position(|byte| matches!(byte, b'#' | b';'));
        let line = end.map_or(line, |end| trimmed(line.get(..end).unwrap_or_default()));
        Ok(unquoted(line).to_vec())
    }

    /// Lines up to one with the quote, unless that one ends in a backslash.
    fn up_to(&mut self, quote: &[u8], line: &[u8], open: &[u8]) -> Result<Vec<u8>, String> {
        let mut value = open.to_vec();
        loop {
            let next = self.next();
            if let Some(end) = last(next, quote) {
                let (content, after) = next.split_at(end);
                let after = after.get(quote.len()..).unwrap_or_default();
                if !trimmed(after).ends_with(b"\\") {
                    value.extend_from_slice(content);
                    return Ok(value);
                }
            } else if !next.ends_with(b"\n") {
                let (line, next) = (shown(line), shown(next));
                return Err(format!("missing closing key quote from {line:?} to {next:?}"));
            }
            value.extend_from_slice(next);
        }
    }

    /// Lines, trimmed, as long as they end in a backslash.
    fn continued(&mut self, line: &[u8]) -> Vec<u8> {
        let mut value = line.to_vec();
        loop {
            let next = trimmed(self.next());
            value.extend_from_slice(next.strip_suffix(b"\\").unwrap_or(next));
            if !next.ends_with(b"\\") {
                return value;
            }
        }
    }
}

/// Where the last quote begins.
fn last(text: &[u8], quote: &[u8]) -> Option<usize> {
    text.windows(quote.len()).rposition(|window| window == quote)
}

/// Without the quotes around it, if there are no others of their kind in it.
fn unquoted(line: &[u8]) -> &[u8] {
    match line {
        [first @ (b'"' | b'\''), inner @ .., end] if first == end && !inner.contains(first) => {
            inner
        }
        _ => line,
    }
}

/// Without white space as Unicode has it.
fn trimmed(text: &[u8]) -> &[u8] {
    let text = trimmed_start(text);
    match text.utf8_chunks().last() {
        Some(end) if end.invalid().is_empty() => {
            let blanks = end.valid().len() - end.valid().trim_end().len();
            text.get(..text.len() - blanks).unwrap_or_default()
        }
        _ => text,
    }
}

fn trimmed_start(text: &[u8]) -> &[u8] {
    let start = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    text.get(start.len() - start.trim_start().len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<(String, String)>, String> {
        let members = read(text.as_bytes())?;
        Ok(members.iter().map(|(key, value)| (shown(key), shown(value))).collect())
    }

    /// What Rekor 1.5.4 logs for the same lines.
    #[test]
    fn values_are_read_by_the_rules_of_ini_files() {
        for (text, value) in [
            ("k=1", "1"),
            (" k \t: a = b ", "a = b"),
            ("k = a\nk = b", "b"),
            ("#k=2\n;k=3\nk=1", "1"),
            ("\u{feff}k=1\r\n", "1"),
            ("k = has # x", "has"),
            ("k=http://x/?a=b#frag", "http://x/?a=b"),
            ("k = a;b", "a"),
            ("k=", ""),
            ("k=#x", ""),
            ("k=\"a b\"", "a b"),
            ("k='a' # c", "a"),
            ("k='x'y'", "'x'y'"),
            ("k=\"a", "\"a"),
            ("k='", "'"),
            ("k=`a;b` c", "a;b"),
            ("k=`a`b`c", "a`b"),
            ("k=`a\nb\nc`d", "a\nb\nc"),
            ("k=\"\"\"a\nb=c\"\"\" # d", "a\nb=c"),
            ("k=`a\nb` \\\nc`", "a\nb` \\\nc"),
            ("k=a \\\n  b \\\n c # d\nl=1", "a b c # d"),
            ("k=a\\", "a"),
            ("k=a\\\n\nl=1", "a"),
            ("k=a\\b\\n", "a\\b\\n"),
            ("k=%(l)s\nl=1", "%(l)s"),
            ("\"k\" x = a", "a"),
            ("\"\"\"k\"\"\"= a", "a"),
            ("`k`:a", "a"),
            ("k=1\n[s]\nk=2\n[DEFAULT] # c\nm=1", "1"),
            ("k=\u{3000}a\u{85}\n", "a"),
        ] {
            let found = read(text.as_bytes()).unwrap();
            assert_eq!(shown(&found[&b"k"[..]]), value, "{text:?}");
        }
        assert_eq!(read(b"\xff\xfek=1").unwrap(), read(b"k=1").unwrap());
        let unnamed = [("#1", "a"), ("#2", "b"), ("x y", "c")];
        let unnamed = unnamed.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(read_text("-=a\n-=b\nx y=c").unwrap(), unnamed);
        assert_eq!(read_text("-=a\n[s]\n[DEFAULT]\n-=b").unwrap(), [("#1".into(), "b".into())]);
    }

    #[test]
    fn faults_are_told_with_their_lines() {
        for (text, words) in [
            ("a=1\n k\nb=1", "key-value delimiter not found: k\n"),
            ("\"k\"x", "key-value delimiter not found: \"k\"x"),
            ("=x", "empty key name: =x"),
            ("``=x", "error creating new key: empty key name"),
            ("\"k=x", "missing closing key quote: \"k=x"),
            ("[s", "unclosed section: [s"),
            ("[]", "empty section name"),
            ("[s]\nx", "key-value delimiter not found: x"),
            ("k=`a\nb", "missing closing key quote from \"`a\\n\" to \"b\""),
            ("k=\"\"\"a\nb\n", "missing closing key quote from \"\\\"\\\"\\\"a\\n\" to \"\""),
        ] {
            assert_eq!(read_text(text), Err(words.to_owned()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "([kl=:#;\\\\\"'`\n\r \u{85}\u{3000}\\[\\]-]|\"\"\"|\\[DEFAULT\\]\n){0,40}",
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(found) = read(text.as_bytes()) {
                prop_assert!(found.keys().all(|key| !key.is_empty()));
            }
            let _either = read(&bytes);
        }

        #[test]
        fn plain_lines_are_what_they_seem(
            lines in proptest::collection::btree_map("[a-z]{1,9}", "([!-~&&[^#;\"'`\\\\]]{1,9})?", 0..9),
            before in "[ \t\u{a0}\u{2003}]{0,3}",
            after in "[ \t\r\u{85}\u{3000}]{0,3}",
        ) {
            let text: String = lines
                .iter()
                .map(|(key, value)| format!("{before}{key}{after}={before}{value}{after}\n"))
                .collect();
            let expected: Vec<_> = lines.into_iter().collect();
            prop_assert_eq!(read_text(&text).unwrap(), expected);
        }
    }
}
