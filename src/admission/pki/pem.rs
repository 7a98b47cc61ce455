//! PEM (RFC 7468) as Rekor reads it: text around the blocks is ignored, and so is a block that does
//! not parse. Written in the strict form: lines of 64 characters, no headers.

use super::super::base64;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// For example `PUBLIC KEY`.
    pub(crate) label: String,
    pub(crate) contents: Vec<u8>,
}

const LINE_CHARS: usize = 64;

/// The first block of `text`, and the text behind it.
pub(crate) fn first_block(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    let mut open: Option<(&[u8], Vec<&[u8]>)> = None;
    while !rest.is_empty() {
        let (line, after) = cut_line(rest);
        rest = after;
        if let Some(label) = boundary(line, b"-----BEGIN ") {
            open = Some((label, Vec::new()));
        } else if line.starts_with(b"-----END ") {
            let (label, lines) = match open.take() {
                Some(open) if boundary(line, b"-----END ") == Some(open.0) => open,
                _ => continue,
            };
            if let (Ok(label), Some(contents)) = (str::from_utf8(label), decode(&lines)) {
                return Some((Block { label: label.to_owned(), contents }, rest));
            }
        } else if let Some((_, lines)) = &mut open {
            lines.push(line);
        }
    }
    None
}

/// Takes white space, as Unicode has it, from both ends.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.utf8_chunks().next().map_or(0, |chunk| {
        let valid = chunk.valid();
        valid.len() - valid.trim_start().len()
    });
    let text = text.get(start..).unwrap_or_default();
    let end = text.utf8_chunks().last().filter(|chunk| chunk.invalid().is_empty());
    let spaces = end.map_or(0, |chunk| chunk.valid().len() - chunk.valid().trim_end().len());
    text.get(..text.len() - spaces).unwrap_or_default()
}

/// Writes a block.
pub(crate) fn write(out: &mut String, label: &str, contents: &[u8]) {
    let encoded = base64::encode(contents);
    out.reserve(encoded.len() + encoded.len() / LINE_CHARS + 2 * label.len() + 34);
    for part in ["-----BEGIN ", label, "-----\n"] {
        out.push_str(part);
    }
    let mut left = encoded.as_str();
    while !left.is_empty() {
        let (line, after) = left.split_at(left.len().min(LINE_CHARS));
        out.push_str(line);
        out.push('\n');
        left = after;
    }
    for part in ["-----END ", label, "-----\n"] {
        out.push_str(part);
    }
}

/// Headers (`Name: value`) may stand before the base64.
fn decode(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let body = lines.iter().skip_while(|line| line.contains(&b':')).copied();
    let joined = body.flatten().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).copied();
    base64::decode(str::from_utf8(&joined.collect::<Vec<_>>()).ok()?).ok()
}

/// The first line without its end and trailing blanks, and what follows it.
fn cut_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end.and_then(|at| text.split_at_checked(at + 1)) {
        Some((line, rest)) => (line, rest),
        None => (text, &[][..]),
    };
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (line.get(..line.len() - blanks).unwrap_or_default(), rest)
}

fn boundary<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(label: &str, contents: &[u8]) -> String {
        let mut text = String::new();
        write(&mut text, label, contents);
        text
    }

    #[test]
    fn all_white_space_is_taken_from_the_ends() {
        let text = "\u{b}\u{a0} a\u{b} b \n\r\u{85}\u{2003}\u{b}";
        assert_eq!(trimmed(text.as_bytes()), "a\u{b} b".as_bytes());
        assert_eq!(trimmed(b" \xff\x0b \xfe "), b"\xff\x0b \xfe");
        assert_eq!(trimmed(b"\x0b \xc2"), b"\xc2");
        assert_eq!(trimmed(b" \n"), b"");
    }

    #[test]
    fn text_around_a_block_and_its_layout_do_not_matter() {
        let strict = block("X", &[7; 100]);
        assert_eq!(strict.lines().nth(1).unwrap().len(), LINE_CHARS);
        let body: String = strict.lines().filter(|line| !line.starts_with('-')).collect();
        let (first, last) = body.split_at(10);
        for text in [
            strict.clone(),
            strict.replace('\n', "\r\n"),
            strict.replace('\n', " \t\n"),
            format!("some text\n{strict}"),
            strict.trim_end().to_owned(),
            format!("-----BEGIN X-----\nName: value\n\n{body}\n-----END X-----"),
            format!("-----BEGIN X-----\n{first}\t{last}\n-----END X-----"),
            format!("-----BEGIN X-----\n-----BEGIN X-----\n{body}\n-----END X-----"),
            format!("-----BEGIN X-----\n***\n-----END X-----\n{strict}"),
            format!("-----BEGIN X-----\n{body}\n-----END Y-----\n{strict}"),
        ] {
            let (found, rest) = first_block(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.contents, rest), (vec![7; 100], &[][..]), "{text}");
        }
        let (_, rest) =
            first_block(format!("{strict}more").as_bytes()).map(|(b, r)| (b, r.to_vec())).unwrap();
        assert_eq!(rest, b"more");
        for text in ["", "-----BEGIN X-----", &body, "x-----BEGIN X-----\nAAAA\n-----END X-----"] {
            assert_eq!(first_block(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(contents in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = block("PUBLIC KEY", &contents);
            let (found, rest) = first_block(text.as_bytes()).unwrap();
            prop_assert_eq!(found, Block { label: "PUBLIC KEY".into(), contents });
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(-----BEGIN |-----END |X-----|[A=: \n\r-]){0,20}") {
            first_block(text.as_bytes());
        }
    }
}
