//! C2SP tlog-policy: which logs and witnesses are known, and which sets of cosignatures are enough.
//! Tessera's witness policies and Sigsum's log lines are read as well. Who cosigned what, others
//! verify.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::hash::sha256;
use crate::verifier::Verifier;
use crate::vkey::{SignatureType, VerifierKey, VkeyError};

/// The longest policy that is parsed.
pub const POLICY_BYTES_MAX: usize = 1_000_000;

/// The name of the quorum that asks for no witness.
const NONE: &str = "none";

/// A trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The known logs, in the order of the file.
    pub logs: Vec<PolicyLog>,
    /// The known witnesses, in the order of the file.
    pub witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>, // members stand before their group
    quorum: Option<Member>,
}

/// A log that the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the key's name is the log's origin, unless the reader knows better.
    pub key: VerifierKey,
    /// Where it is, if the file says so.
    pub url: Option<String>,
}

/// A witness that the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name in the policy, which has no meaning elsewhere.
    pub name: String,
    /// Its key, with the name on its cosignatures.
    pub key: VerifierKey,
    /// Its submission prefix, if the file says so.
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A place in the policy's witnesses or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct PolicyError {
    /// The line, from 1; the last one when something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub problem: PolicyProblem,
}

/// What can be wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyProblem {
    /// Longer than [`POLICY_BYTES_MAX`].
    #[error("the policy is longer than {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// A control character other than tab and newline.
    #[error("there is a control character (0x{0:02x}) in it")]
    ControlCharacter(u8),
    /// A line that is none of the four kinds.
    #[error("it begins with {0:?}, not with `log`, `witness`, `group` or `quorum`")]
    Keyword(String),
    /// Too few or too many words.
    #[error("it does not have the form `{0}`")]
    Form(&'static str),
    /// A key that cannot be read.
    #[error("the key: {0}")]
    Key(#[from] VkeyError),
    /// A cosigner's key for a log, or the other way round.
    #[error("a key of signature type 0x{signature_type:02x} cannot be the key of a {role}")]
    Role {
        /// The key's signature type.
        signature_type: u8,
        /// `log` or `witness`.
        role: &'static str,
    },
    /// The same public key as on a line before.
    #[error("this public key is on line {0} already")]
    DuplicateKey(usize),
    /// A name that has a meaning already.
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    /// A name that no line before defines.
    #[error("{0:?} is no witness and no group of the lines before")]
    Undefined(String),
    /// A member of two groups, or twice of one.
    #[error("{0:?} is a member already: each name can be one once")]
    MemberTwice(String),
    /// Not `all`, `any` or 1 to the number of members.
    #[error("{found:?} is not `all`, `any` or a number from 1 to {members}, the number of members")]
    Threshold {
        /// As it was written.
        found: String,
        /// Members of the group.
        members: usize,
    },
    /// A second quorum.
    #[error("there is a quorum already, on line {0}")]
    SecondQuorum(usize),
    /// No quorum at all.
    #[error("the policy ends without a quorum: it needs one line `quorum <name>` or `quorum none`")]
    NoQuorum,
}

impl Policy {
    /// Parses a policy file.
    ///
    /// Beyond tlog-policy it takes a comment behind a line, a witness with the plain Ed25519 key
    /// (signature type 0x01) of its cosigner (both as Tessera does), and a log whose key is 64
    /// hexadecimal digits, as in Sigsum's policies.
    ///
    /// # Errors
    /// [`PolicyError`] with the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError { line: 1, problem: PolicyProblem::TooLong });
        }
        let mut parser = Parser::default();
        let mut last = 1;
        for (text, line) in text.split('\n').zip(1..) {
            parser.line(line, text).map_err(|problem| PolicyError { line, problem })?;
            last = if text.is_empty() { last } else { line };
        }
        let no_quorum = PolicyError { line: last, problem: PolicyProblem::NoQuorum };
        let (quorum, _) = parser.quorum.ok_or(no_quorum)?;
        let Parser { logs, witnesses, groups, .. } = parser;
        Ok(Self { logs, witnesses, groups, quorum })
    }

    /// Whether a set of witnesses is a quorum: `cosigned` tells, by its name in the policy, whether
    /// a witness is in the set.
    pub fn satisfied_by(&self, cosigned: &dyn Fn(&str) -> bool) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let witnesses: Vec<bool> = self.witnesses.iter().map(|w| cosigned(&w.name)).collect();
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let holds = |member: &Member, groups: &[bool]| match member {
            Member::Witness(place) => witnesses.get(*place).copied().unwrap_or(false),
            Member::Group(place) => groups.get(*place).copied().unwrap_or(false),
        };
        for Group { threshold, members } in &self.groups {
            let count = members.iter().filter(|member| holds(member, &groups)).count();
            groups.push(count >= *threshold);
        }
        holds(&quorum, &groups)
    }

    /// True for `quorum none`: a checkpoint needs no cosignature.
    pub const fn needs_no_witness(&self) -> bool {
        self.quorum.is_none()
    }
}

#[derive(Default)]
struct Parser {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    names: HashMap<String, Member>,
    members: HashSet<Member>,
    log_keys: HashMap<Vec<u8>, usize>, // with the line that each is on
    witness_keys: HashMap<Vec<u8>, usize>,
    quorum: Option<(Option<Member>, usize)>,
}

impl Parser {
    fn line(&mut self, line: usize, text: &str) -> Result<(), PolicyProblem> {
        let control = text.bytes().find(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f);
        if let Some(byte) = control {
            return Err(PolicyProblem::ControlCharacter(byte));
        }
        let words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
        match words.split_first() {
            None => Ok(()),
            Some((&"log", words)) => self.log(line, words),
            Some((&"witness", words)) => self.witness(line, words),
            Some((&"group", words)) => self.group(words),
            Some((&"quorum", words)) => self.quorum(line, words),
            Some((other, _)) => Err(PolicyProblem::Keyword((*other).to_owned())),
        }
    }

    fn log(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyProblem> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some((*url).to_owned())),
            _ => return Err(PolicyProblem::Form("log <key> [<URL>]")),
        };
        let key = match sigsum_log(key) {
            Some(key) => key?,
            None => key.parse::<VerifierKey>()?,
        };
        let signature_type = key.signature_type();
        if signature_type == SignatureType::CosignatureEd25519 {
            let signature_type = signature_type.byte();
            return Err(PolicyProblem::Role { signature_type, role: "log" });
        }
        once(&mut self.log_keys, &key, line)?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyProblem> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some((*url).to_owned())),
            _ => return Err(PolicyProblem::Form("witness <name> <key> [<URL>]")),
        };
        let key = cosigner(key.parse()?)?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        once(&mut self.witness_keys, &key, line)?;
        self.witnesses.push(PolicyWitness { name: (*name).to_owned(), key, url });
        Ok(())
    }

    fn group(&mut self, words: &[&str]) -> Result<(), PolicyProblem> {
        let [name, threshold, names @ ..] = words else {
            return Err(PolicyProblem::Form("group <name> <all|any|number> <member>..."));
        };
        let threshold = threshold_of(threshold, names.len())?;
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = self.defined(name)?;
            if !self.members.insert(member) {
                return Err(PolicyProblem::MemberTwice((*name).to_owned()));
            }
            members.push(member);
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn quorum(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyProblem> {
        let [name] = words else { return Err(PolicyProblem::Form("quorum <name>")) };
        if let Some((_, line)) = self.quorum {
            return Err(PolicyProblem::SecondQuorum(line));
        }
        let quorum = if *name == NONE { None } else { Some(self.defined(name)?) };
        self.quorum = Some((quorum, line));
        Ok(())
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), PolicyProblem> {
        if name == NONE || self.names.contains_key(name) {
            return Err(PolicyProblem::NameTaken(name.to_owned()));
        }
        self.names.insert(name.to_owned(), member);
        Ok(())
    }

    fn defined(&self, name: &str) -> Result<Member, PolicyProblem> {
        let member = self.names.get(name).copied();
        member.ok_or_else(|| PolicyProblem::Undefined(name.to_owned()))
    }
}

/// A log line of Sigsum: 64 hexadecimal digits, which say the log's origin too.
fn sigsum_log(text: &str) -> Option<Result<VerifierKey, VkeyError>> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).ok()?;
    let origin = format!("sigsum.org/v1/tree/{}", hex::encode(sha256(&key)));
    let verifier = Verifier::from_ed25519(&key).map_err(VkeyError::from);
    Some(verifier.and_then(|verifier| VerifierKey::for_log(&origin, verifier.spki())))
}

/// The key under which a witness cosigns. Tessera takes its plain Ed25519 key for that, too.
fn cosigner(key: VerifierKey) -> Result<VerifierKey, PolicyProblem> {
    let signature_type = key.signature_type();
    if signature_type.is_cosignature() {
        return Ok(key);
    }
    let role = PolicyProblem::Role { signature_type: signature_type.byte(), role: "witness" };
    let plain: &[u8; 32] = key.public_key().try_into().map_err(|_| role)?;
    Ok(VerifierKey::cosigner_ed25519(key.name(), plain)?)
}

/// Keys are the same when their bytes are, whatever their names and signature types.
fn once(
    seen: &mut HashMap<Vec<u8>, usize>,
    key: &VerifierKey,
    line: usize,
) -> Result<(), PolicyProblem> {
    match seen.insert(key.public_key().to_vec(), line) {
        Some(before) => Err(PolicyProblem::DuplicateKey(before)),
        None => Ok(()),
    }
}

fn threshold_of(text: &str, members: usize) -> Result<usize, PolicyProblem> {
    let threshold = match text {
        "all" => Some(members),
        "any" => Some(1),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    threshold
        .filter(|threshold| (1..=members).contains(threshold))
        .ok_or_else(|| PolicyProblem::Threshold { found: text.to_owned(), members })
}
