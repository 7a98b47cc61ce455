//! `POST /api/v1/index/retrieve`: which entries carry a key.

use std::collections::HashSet;
use std::time::Instant;

use hyper::StatusCode;

use super::super::body::Body;
use super::super::reply::json;
use super::super::server::Reply;
use super::super::status::Problem;
use super::Call;
use super::entry_json::{list, put};
use super::request_json::Members;
use crate::admission::{decode_base64, fold_index_key, public_key_index_keys};
use crate::shards::EntryId;

const HASH_PATTERN: &str = "^(sha512:)?[0-9a-fA-F]{128}$|^(sha384:)?[0-9a-fA-F]{96}$|\
                            ^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";
const KEY_FORMATS: [&str; 5] = ["pgp", "x509", "minisign", "ssh", "tuf"];
const SUBJECT_CHARS_MAX: usize = 512;

/// What is searched for: each criterion is met by any of its keys.
struct Wanted {
    criteria: Vec<Vec<String>>,
    all: bool, // every criterion, or just any
}

/// The whole operation.
pub(super) async fn search(call: &Call<'_>, body: &mut Body) -> Result<Reply, Problem> {
    let wanted = Wanted::parse(&Members::parse(&body.read_json().await?, "query")?)?;
    let mut found: Option<Vec<EntryId>> = None;
    for keys in &wanted.criteria {
        let mut hits = Vec::new();
        for key in keys {
            hits.extend(look_up(call, key).await?);
        }
        found = Some(match found {
            None => hits,
            Some(before) if wanted.all => {
                let hits: HashSet<EntryId> = hits.into_iter().collect();
                before.into_iter().filter(|id| hits.contains(id)).collect()
            }
            Some(mut before) => {
                before.extend(hits);
                before
            }
        });
    }
    let mut seen = HashSet::new();
    let mut found = found.unwrap_or_default();
    found.retain(|id| seen.insert(*id));
    Ok(json(StatusCode::OK, list(&found, |out, id| put(out, format_args!("\"{id}\"")))))
}

async fn look_up(call: &Call<'_>, key: &str) -> Result<Vec<EntryId>, Problem> {
    let started = Instant::now();
    let hits = call.log.search(key).await;
    call.app.metrics.index_lookup(hits.is_ok(), started.elapsed());
    hits.map_err(|error| {
        Problem::Failed("unexpected result from searching index".into(), error.to_string())
    })
}

impl Wanted {
    /// Rekor checks the members in alphabetical order.
    fn parse(members: &Members) -> Result<Self, Problem> {
        let [email, hash, operator, subject] = ["email", "hash", "operator", "subject"];
        let [email, hash, operator, subject] = [
            members.text(email)?,
            members.text(hash)?,
            members.text(operator)?,
            members.text(subject)?,
        ];
        let public_key =
            members.object("publicKey")?.map(|key| PublicKey::read(&key)).transpose()?;

        if let Some(email) = email.filter(|email| !is_email(email)) {
            let text = format!("email in body must be of type email: {email:?}");
            return Err(Problem::Invalid(601, text));
        }
        let hash_key = hash.map(|hash| {
            hash_key(hash).ok_or_else(|| Problem::pattern("hash", "body", HASH_PATTERN))
        });
        let hash_key = hash_key.transpose()?;
        let all = match operator {
            None | Some("or") => false,
            Some("and") => true,
            Some(_) => {
                let text = "operator in body should be one of [and or]".into();
                return Err(Problem::Invalid(606, text));
            }
        };
        public_key.as_ref().map_or(Ok(()), PublicKey::check)?;
        if subject.is_some_and(|subject| subject.chars().count() > SUBJECT_CHARS_MAX) {
            let text = format!("subject in body should be at most {SUBJECT_CHARS_MAX} chars long");
            return Err(Problem::Invalid(603, text));
        }

        let mut criteria = Vec::new();
        criteria.extend(hash_key.map(|key| vec![key]));
        if let Some(public_key) = public_key {
            criteria.push(public_key.index_keys()?);
        }
        criteria.extend(email.map(|email| vec![fold_index_key(email)]));
        criteria.extend(subject.map(|subject| vec![fold_index_key(subject)]));
        Ok(Self { criteria, all })
    }
}

/// A key that entries may be signed with.
struct PublicKey {
    format: String,
    content: Vec<u8>,
}

impl PublicKey {
    fn read(members: &Members) -> Result<Self, Problem> {
        let format = members.text("format")?.unwrap_or_default().into();
        let content = decode_base64(members.text("content")?.unwrap_or_default())
            .map_err(|error| members.malformed(&error.to_string()))?;
        Ok(Self { format, content })
    }

    fn check(&self) -> Result<(), Problem> {
        if self.format.is_empty() {
            return Err(Problem::required("publicKey.format", "body"));
        }
        if !KEY_FORMATS.contains(&self.format.as_str()) {
            let formats = KEY_FORMATS.join(" ");
            let text = format!("publicKey.format in body should be one of [{formats}]");
            return Err(Problem::Invalid(606, text));
        }
        Ok(())
    }

    /// Both spellings: some kinds index a key's hash bare, others with its algorithm.
    fn index_keys(&self) -> Result<Vec<String>, Problem> {
        public_key_index_keys(&self.format, &self.content)
            .map_err(|error| Problem::Bad(error.to_string()))
    }
}

/// The index key of a hash, its algorithm told by its length; `None` when it is no hash.
fn hash_key(hash: &str) -> Option<String> {
    let (named, digits) = match hash.split_once(':') {
        Some((named, digits)) => (Some(named), digits),
        None => (None, hash),
    };
    let algorithm = match digits.len() {
        128 => "sha512",
        96 => "sha384",
        64 => "sha256",
        40 => "sha1",
        _ => return None,
    };
    let fits = named.is_none_or(|named| named == algorithm);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (fits && is_hex).then(|| format!("{algorithm}:{}", digits.to_ascii_lowercase()))
}

/// An address as in a mail header: `a@b` or `Name <a@b>`. What follows is only a look-up, so this
/// need not be strict.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>').map(|text| text.rsplit_once('<')) {
        Some(Some((_name, address))) => address,
        Some(None) => return false,
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_alphanumeric() || !c.is_ascii() || SYMBOLS.contains(c))
    };
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let is_literal = domain.len() > 2 && domain.starts_with('[') && domain.ends_with(']');
    (is_quoted || local.split('.').all(is_word)) && (is_literal || domain.split('.').all(is_word))
}

/// RFC 5322 §3.2.3: what an atom may hold besides letters and digits.
const SYMBOLS: &str = "!#$%&'*+-/=?^_`{|}~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        let digits = "AB".repeat(32);
        let key = Some(format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(hash_key(&digits), key);
        assert_eq!(hash_key(&format!("sha256:{digits}")), key);
        assert_eq!(hash_key(&format!("sha1:{digits}")), None);
        assert_eq!(hash_key(&digits[1..]), None);
        assert_eq!(hash_key(&"x".repeat(64)), None);
        assert_eq!(hash_key(&"0".repeat(96)), Some(format!("sha384:{}", "0".repeat(96))));
        assert_eq!(hash_key(&"0".repeat(40)), Some(format!("sha1:{}", "0".repeat(40))));
        assert_eq!(hash_key(&"0".repeat(128)), Some(format!("sha512:{}", "0".repeat(128))));
    }

    #[test]
    fn emails() {
        for yes in ["a@b", "a.b+c@d.example", "N N <a@b.c>", "\"a b\"@c", "ä@ö.example"] {
            assert!(is_email(yes), "{yes}");
        }
        for no in ["", "a", "@", "a@", "@b", "a b@c", "a..b@c", "a@b..c", "<a@b", "a@b>", "N <a>"] {
            assert!(!is_email(no), "{no}");
        }
    }

    #[test]
    fn operators_and_bounds() {
        let code = |json: &str| {
            let members = Members::parse(json.as_bytes(), "query").unwrap();
            match Wanted::parse(&members) {
                Ok(wanted) => wanted.criteria.len(),
                Err(Problem::Invalid(code, _)) => code.into(),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(code("{}"), 0);
        assert_eq!(code("null"), 0);
        let nulls = r#"{"email":null,"hash":null,"operator":null,"publicKey":null,"subject":null}"#;
        assert_eq!(code(nulls), 0);
        assert_eq!(code(r#"{"operator":"xor"}"#), 606);
        assert_eq!(code(r#"{"publicKey":{}}"#), 602);
        assert_eq!(code(r#"{"publicKey":{"format":"gpg"}}"#), 606);
        assert_eq!(code(r#"{"email":"x"}"#), 601);
        assert_eq!(code(r#"{"Email":"a@b","SUBJECT":"x","hash":""}"#), 2);
        assert_eq!(code(&format!(r#"{{"subject":"{}"}}"#, "ä".repeat(512))), 1);
        assert_eq!(code(&format!(r#"{{"subject":"{}"}}"#, "ä".repeat(513))), 603);
    }
}
