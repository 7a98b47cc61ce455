//! A walk over text that is known to be JSON: objects and lists with the strictness of `protojson`,
//! and the values that messages hold.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{MalformedRequest, Result};

/// The names of a field: that of JSON, and that of the `.proto` file where it is another.
pub(super) type Names = &'static [&'static str];

/// A walk over the text of one JSON value.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// A bracket, a string with its quotes, or a bare word.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    at: usize,
    raw: &'a [u8],
}

/// What messages are made of.
impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Reads an object; each member but nulls is read by `read`, which is told which field it is
    /// and where its name stands.
    pub(super) fn object(
        &mut self,
        fields: &[Names],
        mut read: impl FnMut(&mut Self, usize, Token<'a>) -> Result<()>,
    ) -> Result<()> {
        self.open(b'{')?;
        let mut seen = 0_u32;
        while self.peek() != Some(b'}') {
            let token = self.next();
            let name = self.text_of(token)?;
            let field = fields.iter().position(|names| names.contains(&&*name));
            let field = field
                .ok_or_else(|| self.error(token, &format!("unknown field {}", shown(token.raw))))?;
            if seen & (1 << field) != 0 {
                return Err(self.error(token, &format!("duplicate field {}", shown(token.raw))));
            }
            seen |= 1 << field;
            match self.peek() {
                Some(b'n') => drop(self.next()), // null leaves it unset
                _ => read(self, field, token)?,
            }
        }
        self.next();
        Ok(())
    }

    /// Reads a list; each element is read by `read`.
    pub(super) fn list(&mut self, mut read: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.open(b'[')?;
        while self.peek() != Some(b']') {
            read(self)?;
        }
        self.next();
        Ok(())
    }

    pub(super) fn string(&mut self, field: &str) -> Result<String> {
        let token = self.next();
        if token.raw.first() != Some(&b'"') {
            return Err(self.invalid(token, "string", field));
        }
        self.text_of(token).map(Cow::into_owned)
    }

    pub(super) fn bytes(&mut self, field: &str) -> Result<Vec<u8>> {
        let token = self.next();
        if token.raw.first() != Some(&b'"') {
            return Err(self.invalid(token, "bytes", field));
        }
        decode_base64(&self.text_of(token)?).ok_or_else(|| self.invalid(token, "bytes", field))
    }

    /// Reads an enum value by its name or as any number.
    pub(super) fn enum_number(
        &mut self,
        field: &str,
        number_of: impl FnOnce(&str) -> Option<i32>,
    ) -> Result<i32> {
        let token = self.next();
        let number = match token.raw.first() {
            Some(b'"') => number_of(&self.text_of(token)?),
            _ => str::from_utf8(token.raw).ok().and_then(integer),
        };
        number.ok_or_else(|| self.invalid(token, "enum", field))
    }

    fn open(&mut self, bracket: u8) -> Result<()> {
        let token = self.next();
        if token.raw == [bracket] {
            return Ok(());
        }
        Err(self.syntax_error(token, &format!("unexpected token {}", shown(token.raw))))
    }

    /// The first byte of the next token. Separators are skipped: they stand where they belong.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let is_token = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':');
        self.at += rest.iter().position(is_token)?;
        self.text.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let first = self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = match first {
            Some(b'"') => string_len(rest),
            Some(b'{' | b'}' | b'[' | b']') => 1,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || *byte <= b' ';
                rest.iter().position(ends).unwrap_or(rest.len())
            }
        };
        let token = Token { at: self.at, raw: rest.get(..len).unwrap_or(rest) };
        self.at += token.raw.len();
        token
    }

    /// What a string says.
    pub(super) fn text_of(&self, token: Token<'a>) -> Result<Cow<'a, str>> {
        let inside = token.raw.get(1..token.raw.len().saturating_sub(1)).unwrap_or_default();
        let text = if inside.contains(&b'\\') {
            serde_json::from_slice(token.raw).ok().map(Cow::Owned)
        } else {
            str::from_utf8(inside).ok().map(Cow::Borrowed)
        };
        text.ok_or_else(|| match str::from_utf8(inside) {
            Ok(_) => self.syntax_error(token, "invalid escape code in string"),
            Err(_) => self.syntax_error(token, "invalid UTF-8 in string"),
        })
    }

    pub(super) fn already_set(&self, name: Token<'_>, oneof: &str) -> MalformedRequest {
        let text = format!(
            "error parsing {}, oneof dev.sigstore.rekor.v2.{oneof} is already set",
            shown(name.raw)
        );
        self.error(name, &text)
    }

    pub(super) fn invalid(&self, token: Token<'_>, kind: &str, field: &str) -> MalformedRequest {
        let value = shown(token.raw);
        self.error(token, &format!("invalid value for {kind} field {field}: {value}"))
    }

    fn error(&self, token: Token<'_>, text: &str) -> MalformedRequest {
        let (line, column) = self.position(token.at);
        MalformedRequest(format!("proto: (line {line}:{column}): {text}"))
    }

    fn syntax_error(&self, token: Token<'_>, text: &str) -> MalformedRequest {
        let (line, column) = self.position(token.at);
        MalformedRequest(format!("proto: syntax error (line {line}:{column}): {text}"))
    }

    /// Line, and column in characters, both from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
        let columns = line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        (before.iter().filter(|byte| **byte == b'\n').count() + 1, columns + 1)
    }
}

/// Bytes of a token that an error text shows.
pub(super) const SHOWN_BYTES_MAX: usize = 200;

fn shown(raw: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(raw.get(..SHOWN_BYTES_MAX).unwrap_or(raw))
}

/// Length of the string at the front, with its quotes.
fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match text.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// Either alphabet, but not both, with padding or without; line ends do not count.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const fn engine(alphabet: &Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
        let config = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(padding);
        GeneralPurpose::new(alphabet, config)
    }
    const PADDED: DecodePaddingMode = DecodePaddingMode::RequireCanonical;
    const BARE: DecodePaddingMode = DecodePaddingMode::RequireNone;
    static ENGINES: [[GeneralPurpose; 2]; 2] = [
        [engine(&STANDARD, PADDED), engine(&STANDARD, BARE)],
        [engine(&URL_SAFE, PADDED), engine(&URL_SAFE, BARE)],
    ];
    let is_url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = &ENGINES[usize::from(is_url_safe)][usize::from(!text.len().is_multiple_of(4))];
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    if text.as_bytes().iter().any(is_line_end) {
        let joined: Vec<u8> = text.bytes().filter(|byte| !is_line_end(byte)).collect();
        return engine.decode(joined).ok();
    }
    engine.decode(text).ok()
}

/// A JSON number that is a whole one, however it is written: `5`, `5.0`, `50e-1`.
pub(super) fn integer(number: &str) -> Option<i32> {
    const DIGITS_MAX: usize = 20;
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if !number.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    if whole.is_empty() && fraction.is_empty() {
        return Some(0);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
    let digits = if exponent > 0 {
        let zeros = shift.checked_sub(fraction.len())?;
        if whole.len() + shift > DIGITS_MAX {
            return None;
        }
        format!("{sign}{whole}{fraction}{}", "0".repeat(zeros))
    } else {
        let (kept, dropped) = whole.split_at_checked(whole.len().checked_sub(shift)?)?;
        if !fraction.is_empty() || dropped.bytes().any(|digit| digit != b'0') {
            return None;
        }
        format!("{sign}{kept}")
    };
    digits.parse().ok()
}
