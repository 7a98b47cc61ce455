//! Policies: the grammar line by line, files of other programs, and which sets are a quorum.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::note::ed25519_spki;
use crate::policy::POLICY_BYTES_MAX;
use crate::{Policy, PolicyError, PolicyProblem, SignatureType, VerifierKey, VkeyError};

/// An Ed25519 key of its own for each number.
fn key(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes()
}

fn log_key(number: u64) -> VerifierKey {
    VerifierKey::for_log(&format!("log{number}"), &ed25519_spki(&key(number))).unwrap()
}

fn witness_key(number: u64) -> VerifierKey {
    VerifierKey::cosigner_ed25519(&format!("witness{number}"), &key(number)).unwrap()
}

/// Lines that define witnesses `w1` to `w<count>`.
fn witnesses(count: u64) -> String {
    (1..=count).map(|n| format!("witness w{n} {}\n", witness_key(n))).collect()
}

/// The example of c2sp.org/tlog-policy.
fn example() -> String {
    let mut text = format!("log {}\n\n", log_key(0));
    for (n, name) in ["X1", "X2", "X3", "Y1", "Y2", "Y3"].iter().enumerate() {
        text.push_str(&format!("witness {name} {}\n", witness_key(n as u64 + 1)));
    }
    text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
        group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

fn satisfied(policy: &Policy, cosigned: &[&str]) -> bool {
    policy.satisfied_by(&|name| cosigned.contains(&name))
}

#[track_caller]
fn refused(text: &str, line: usize, problem: PolicyProblem) {
    assert_eq!(Policy::parse(text), Err(PolicyError { line, problem }), "{text}");
}

#[test]
fn the_published_example_means_what_it_says() {
    let policy = Policy::parse(&example()).unwrap();
    assert_eq!(policy.logs[0].key, log_key(0));
    assert_eq!(policy.witnesses.len(), 6);
    assert!(!policy.needs_no_witness());
    for (cosigned, enough) in [
        (&["X1", "X2", "Y3"][..], true),
        (&["X1", "X2", "X3", "Y1", "Y2", "Y3"], true),
        (&["X3", "X2", "Y1", "stranger"], true),
        (&["X1", "X2", "X3"], false),
        (&["X1", "Y1", "Y2", "Y3"], false),
        (&["X-witnesses", "Y-witnesses", "X-and-Y"], false), // groups cosign nothing
        (&[], false),
    ] {
        assert_eq!(satisfied(&policy, cosigned), enough, "{cosigned:?}");
    }
}

#[test]
fn policies_of_tessera_and_sigsum_are_read() {
    // sigstore/rekor-tiles, tests/testdata/witness/policy.yaml: the key is a plain one.
    let vkey = "rekor-witness-test+a478f5cd+AUtKAvrTeY7srtAMfP5JCUOkZoU+A7F5VA094y5LGr89";
    let policy =
        Policy::parse(&format!("witness o1 {vkey} http://witness:8100 \nquorum o1")).unwrap();
    let [witness] = policy.witnesses.as_slice() else { panic!("one witness") };
    assert_eq!(
        (witness.name.as_str(), witness.url.as_deref()),
        ("o1", Some("http://witness:8100"))
    );
    assert_eq!(witness.key.name(), "rekor-witness-test");
    assert_eq!(witness.key.signature_type(), SignatureType::CosignatureEd25519);
    assert_eq!(witness.key.public_key(), vkey.parse::<VerifierKey>().unwrap().public_key());
    // transparency-dev/formats, witness/witness_policy_test.go: white space and comments.
    let text = "\n\n# comment\nwitness   w1      sigsum.org+e4ade967+AZuUY6B08pW3QVHu8uvsrxWPcAv9n\
        ykap2Nb4oxCee+r     https://sigsum.org/witness/    #comment\n  witness w2     \
        example.com+3753d3de+AebBhMcghIUoavZpjuDofa4sW6fYHyVn7gvwDBfvkvuM    \
        https://example.com/witness/\n\n\n\t\t\t     #comment\n\
        group      g1    all     w1  w2\n\n\t\t quorum      g1\n";
    let policy = Policy::parse(text).unwrap();
    assert!(satisfied(&policy, &["w1", "w2"]) && !satisfied(&policy, &["w1"]));
    // A log line of Sigsum; key and origin are those of FiloSottile/torchwood, litewitness.txt.
    let log =
        "log ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f https://x.example";
    let policy = Policy::parse(&format!("{log}\nquorum none\n")).unwrap();
    let origin =
        "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
    assert_eq!(policy.logs[0].key.name(), origin);
    assert_eq!(policy.logs[0].key.signature_type(), SignatureType::Ed25519);
    assert_eq!(policy.logs[0].url.as_deref(), Some("https://x.example"));
}

#[test]
fn no_quorum_and_a_single_witness() {
    let none = Policy::parse("quorum none").unwrap();
    assert!(none.needs_no_witness() && satisfied(&none, &[]));
    let one = Policy::parse(&(witnesses(2) + "quorum w2\n")).unwrap();
    assert!(satisfied(&one, &["w2"]) && !satisfied(&one, &["w1"]));
}

#[test]
fn each_rule_is_named_with_its_line() {
    use PolicyProblem as P;
    let w = witnesses(3);
    let then = |more: &str| format!("{w}{more}\nquorum none\n");
    let undefined = |name: &str| P::Undefined(name.into());
    refused("", 1, P::NoQuorum);
    refused(&w, 3, P::NoQuorum);
    refused(&then("quorum w1"), 5, P::SecondQuorum(4));
    refused("quorum a\n", 1, undefined("a"));
    refused("quorum\n", 1, P::Form("quorum <name>"));
    refused("quorum none none\n", 1, P::Form("quorum <name>"));
    refused("Quorum none\n", 1, P::Keyword("Quorum".into()));
    refused(&then("group g all w1 w4"), 4, undefined("w4"));
    refused(&then("group g all none"), 4, undefined("none"));
    refused(&then("group g all g"), 4, undefined("g"));
    refused(&then("group g all w1 w1"), 4, P::MemberTwice("w1".into()));
    refused(&then("group g all w1\ngroup h all w1"), 5, P::MemberTwice("w1".into()));
    refused(&then("group w1 all w2"), 4, P::NameTaken("w1".into()));
    refused(&then("group none all w2"), 4, P::NameTaken("none".into()));
    refused(&then("group g"), 4, P::Form("group <name> <all|any|number> <member>..."));
    for (found, members) in [("0", 2), ("3", 2), ("-1", 2), ("+1", 2), ("1.0", 2), ("ALL", 2)] {
        let problem = P::Threshold { found: found.into(), members };
        refused(&then(&format!("group g {found} w1 w2")), 4, problem);
    }
    refused(&then("group g any"), 4, P::Threshold { found: "any".into(), members: 0 });
    refused(&then("group g all"), 4, P::Threshold { found: "all".into(), members: 0 });
    let again = format!("witness w1 {}", witness_key(9));
    refused(&then(&again), 4, P::NameTaken("w1".into()));
    let none = format!("witness none {}", witness_key(9));
    refused(&then(&none), 4, P::NameTaken("none".into()));
    refused(&then("witness w4"), 4, P::Form("witness <name> <key> [<URL>]"));
    refused(&then("witness w4 a b c"), 4, P::Form("witness <name> <key> [<URL>]"));
    refused(&then("witness w4 a"), 4, P::Key(VkeyError::Form));
    refused(&then("log"), 4, P::Form("log <key> [<URL>]"));
    refused(&then("log a b c"), 4, P::Form("log <key> [<URL>]"));
    refused("quorum none\r\n", 1, P::ControlCharacter(b'\r'));
    refused("\n# a\u{0}\nquorum none\n", 2, P::ControlCharacter(0));
    refused("# a\u{7f}\nquorum none\n", 1, P::ControlCharacter(0x7f));
    refused(&"#".repeat(POLICY_BYTES_MAX + 1), 1, P::TooLong);
    let error = Policy::parse(&then("group g 4 w1 w2")).unwrap_err().to_string();
    assert!(error.starts_with("line 4: \"4\" is not"), "{error}");
}

#[test]
fn keys_have_their_place_once() {
    use PolicyProblem as P;
    // The same public key under another name and id.
    let renamed = VerifierKey::cosigner_ed25519("another", &key(2)).unwrap();
    let text = format!("{}witness w4 {renamed}\nquorum none\n", witnesses(3));
    refused(&text, 4, P::DuplicateKey(2));
    let text = format!("log {}\n\nlog {}\nquorum none\n", log_key(1), log_key(1));
    refused(&text, 3, P::DuplicateKey(1));
    // A log and a witness may share one: they sign different things.
    assert!(Policy::parse(&format!("log {}\n{}quorum w1\n", log_key(1), witnesses(1))).is_ok());
    let log = format!("log {}\nquorum none\n", witness_key(1));
    refused(&log, 1, P::Role { signature_type: 4, role: "log" });
    let ecdsa = include_str!("cosigned.vkeys"); // the post-quantum key is good for both
    let pq = ecdsa.lines().nth(2).unwrap();
    assert!(Policy::parse(&format!("log {pq}\nwitness w {pq}\nquorum w\n")).is_ok());
    let pixel = "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvL\
        FI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=";
    assert!(Policy::parse(&format!("log {pixel}\nquorum none\n")).is_ok());
    let witness = format!("witness w {pixel}\nquorum none\n");
    refused(&witness, 1, P::Role { signature_type: 2, role: "witness" });
}

#[test]
fn names_are_any_words() {
    let text = format!("witness K {}\nwitness \u{212a} {}\n", witness_key(1), witness_key(2));
    let policy = Policy::parse(&(text + "group \u{a0} all K \u{212a}\nquorum \u{a0}")).unwrap();
    assert!(satisfied(&policy, &["K", "\u{212a}"]));
    assert!(!satisfied(&policy, &["K"]), "a Kelvin sign is another name");
}

#[test]
fn many_lines_and_deep_groups() {
    let count = 200;
    let mut text: String = (0..count).map(|n| format!("log {}\n", log_key(n))).collect();
    text += &witnesses(count);
    text += "group g0 any w1\n";
    let chain = 20_000;
    for n in 1..=chain {
        text.push_str(&format!("group g{n} 1 g{}\n", n - 1));
    }
    let policy = Policy::parse(&format!("{text}quorum g{chain}\n")).unwrap();
    assert_eq!((policy.logs.len(), policy.witnesses.len()), (200, 200));
    assert!(satisfied(&policy, &["w1"]) && !satisfied(&policy, &["w2"]));
}

/// The definition, by recursion: a tree of thresholds over numbered witnesses.
#[derive(Clone, Debug)]
enum Rule {
    Witness,
    Group(usize, Vec<Rule>),
}

fn any_rule() -> impl Strategy<Value = Rule> {
    Just(Rule::Witness).prop_recursive(4, 24, 4, |rule| {
        (prop::collection::vec(rule, 1..5), any::<prop::sample::Index>())
            .prop_map(|(rules, threshold)| Rule::Group(1 + threshold.index(rules.len()), rules))
    })
}

impl Rule {
    /// Writes the lines that define the rule; gives its name.
    fn write(&self, text: &mut String, next: &mut u64) -> String {
        *next += 1;
        let number = *next;
        match self {
            Self::Witness => {
                text.push_str(&format!("witness n{number} {}\n", witness_key(number)));
            }
            Self::Group(threshold, rules) => {
                let names: Vec<_> = rules.iter().map(|rule| rule.write(text, next)).collect();
                text.push_str(&format!("group n{number} {threshold} {}\n", names.join(" ")));
            }
        }
        format!("n{number}")
    }

    /// Whether it holds; numbers as in `write`.
    fn holds(&self, cosigned: &BTreeSet<u64>, next: &mut u64) -> bool {
        *next += 1;
        let number = *next;
        match self {
            Self::Witness => cosigned.contains(&number),
            Self::Group(threshold, rules) => {
                let held = rules.iter().map(|rule| rule.holds(cosigned, next));
                held.filter(|holds| *holds).count() >= *threshold
            }
        }
    }
}

proptest! {
    #[test]
    fn quorums_are_counted_as_defined(
        rule in any_rule(), cosigned in prop::collection::btree_set(1..40_u64, 0..40),
    ) {
        let mut text = String::new();
        let name = rule.write(&mut text, &mut 0);
        let policy = Policy::parse(&format!("{text}quorum {name}\n")).unwrap();
        let found = policy.satisfied_by(&|name| cosigned.contains(&name[1..].parse().unwrap()));
        prop_assert_eq!(found, rule.holds(&cosigned, &mut 0));
    }

    #[test]
    fn any_text_is_a_policy_or_names_its_line(place: prop::sample::Index, byte: u8) {
        let mut bytes = example().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Policy::parse(&text) {
            prop_assert!((1..=text.lines().count()).contains(&error.line), "{}", error);
        }
    }
}
