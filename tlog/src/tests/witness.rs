//! The texts of the witness protocol: published examples, hostile text, limits.

use proptest::prelude::*;

use crate::witness::{
    PROOF_HASHES_MAX, format_cosignatures, format_tree_size, origin_hash, parse_cosignatures,
    parse_tree_size,
};
use crate::{
    AddCheckpoint, AddCheckpointError, KeyId, NodeHash, NoteError, NoteSignature, SignedCheckpoint,
    TreeSize, VerifierKey,
};

/// The example request of c2sp.org/tlog-witness.
const EXAMPLE: &str = "old 20852014\n\
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
    5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
    /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n\
    example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1\
    gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

/// The key and two requests of FiloSottile/torchwood, cmd/litewitness/testdata/litewitness.txt.
const LITE_KEY: &str = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
const LITE_REQUESTS: [&str; 2] = [
    "old 0\n\n\
    sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562\n1\n\
    KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\
    — sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562 UgIom7fPZ\
    TqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=\n",
    "old 1\n\
    KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\
    sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562\n3\n\
    RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=\n\n\
    — sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562 UgIom2Vbt\
    IcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=\n",
];

#[test]
fn the_published_example_is_read_and_written() {
    let request = AddCheckpoint::parse(EXAMPLE).unwrap();
    assert_eq!((request.old, request.hashes.len()), (TreeSize(20_852_014), 4));
    let last = "ffa59584fb360b04ac6f9ad8047e5c8c757fc12980efd69b5c0c215f0dca8ffd";
    assert_eq!(request.hashes[3].to_string(), last);
    assert!(request.note.starts_with("example.com/behind-the-sofa\n20852163\n"));
    assert_eq!(request.to_string(), EXAMPLE);
    let proof = request.proof(TreeSize(20_852_163));
    assert_eq!((proof.old, proof.new), (request.old, TreeSize(20_852_163)));
    assert_eq!(proof.hashes, request.hashes);
}

#[test]
fn requests_of_another_implementation_are_signed_and_consistent() {
    let log = crate::Policy::parse(&format!("log {LITE_KEY}\nquorum none\n")).unwrap();
    let key: &VerifierKey = &log.logs[0].key;
    let [one, three] = LITE_REQUESTS.map(|body| {
        let request = AddCheckpoint::parse(body).unwrap();
        assert_eq!(request.to_string(), body);
        let opened = SignedCheckpoint::open_by(&request.note, key.name(), key).unwrap();
        (request, opened.checkpoint().head)
    });
    assert_eq!(three.0.proof(three.1.size).verify(&one.1.root, &three.1.root), Ok(()));
    // By `sha256sum`.
    let hash = "ace8788d62aafa0f8ea8c0e74fcc68e5962f181ac963f1197b1ec8134f0a1b50";
    assert_eq!(origin_hash(key.name()), hash);
}

#[test]
fn hostile_requests_are_refused() {
    use AddCheckpointError::{Hash, NoCheckpoint, OldSize};
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
    for (body, expected) in [
        (String::new(), NoCheckpoint),
        ("old 1\n".into(), NoCheckpoint),
        ("old 1\n\n".into(), NoCheckpoint),
        (format!("old 1\n{hash}\n"), NoCheckpoint),
        ("\n\nnote".into(), OldSize),
        (format!("{hash}\n\nnote"), OldSize),
        ("old\n\nnote".into(), OldSize),
        ("old \n\nnote".into(), OldSize),
        ("old  1\n\nnote".into(), OldSize),
        ("old 1 \n\nnote".into(), OldSize),
        ("old 01\n\nnote".into(), OldSize),
        ("old +1\n\nnote".into(), OldSize),
        ("old -1\n\nnote".into(), OldSize),
        ("Old 1\n\nnote".into(), OldSize),
        ("old 1\r\n\nnote".into(), OldSize),
        ("old 18446744073709551616\n\nnote".into(), OldSize),
        (format!("old 1\n{hash}\n{}\n\nnote", &hash[..40]), Hash { line: 3 }),
        (format!("old 1\n {hash}\n\nnote"), Hash { line: 2 }),
        (format!("old 1\n{hash}\r\n\nnote"), Hash { line: 2 }),
        (format!("old 1\n{}\n\nnote", hash.replace('=', "")), Hash { line: 2 }),
        ("old 1\nAAAA\n\nnote".into(), Hash { line: 2 }),
    ] {
        assert_eq!(AddCheckpoint::parse(&body), Err(expected), "{body:?}");
    }
    let most = format!("old 1\n{}\nnote", format!("{hash}\n").repeat(PROOF_HASHES_MAX));
    assert_eq!(AddCheckpoint::parse(&most).unwrap().hashes.len(), 63);
    let more = most.replacen(hash, &format!("{hash}\n{hash}"), 1);
    assert_eq!(AddCheckpoint::parse(&more), Err(AddCheckpointError::TooManyHashes));
    let largest = AddCheckpoint::parse("old 18446744073709551615\n\nnote").unwrap();
    assert_eq!(largest.old, TreeSize(u64::MAX));
}

#[test]
fn answers_are_read_and_written() {
    let line =
        |n: u8| NoteSignature { name: format!("w{n}"), key_id: KeyId([n; 4]), signature: vec![n] };
    let lines = [line(1), line(2)];
    let body = format_cosignatures(&lines);
    assert_eq!(body, "— w1 AQEBAQE=\n— w2 AgICAgI=\n");
    assert_eq!(parse_cosignatures(&body).unwrap(), lines);
    assert_eq!(parse_cosignatures(""), Err(NoteError::NoSignatures));
    assert_eq!(
        parse_cosignatures(&body[..body.len() - 1]),
        Err(NoteError::SignatureLine { line: 2 })
    );

    assert_eq!(format_tree_size(TreeSize(20_852_014)), "20852014\n");
    assert_eq!(parse_tree_size("20852014\n"), Some(TreeSize(20_852_014)));
    assert_eq!(parse_tree_size("0\n"), Some(TreeSize(0)));
    for body in ["", "\n", "1", "01\n", "1\n\n", " 1\n", "1\r\n", "-1\n", "18446744073709551616\n"]
    {
        assert_eq!(parse_tree_size(body), None, "{body:?}");
    }
}

fn any_request() -> impl Strategy<Value = AddCheckpoint> {
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 0..=PROOF_HASHES_MAX);
    (any::<u64>(), hashes, "[a-z\n]{1,40}").prop_map(|(old, hashes, note)| AddCheckpoint {
        old: TreeSize(old),
        hashes: hashes.into_iter().map(NodeHash::from_bytes).collect(),
        note,
    })
}

proptest! {
    #[test]
    fn requests_round_trip(request in any_request()) {
        prop_assert_eq!(AddCheckpoint::parse(&request.to_string()), Ok(request));
    }

    #[test]
    fn any_text_is_a_request_or_an_error(place in 0..EXAMPLE.len(), byte: u8) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[place] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(request) = AddCheckpoint::parse(&text) {
            prop_assert_eq!(request.to_string(), text);
        }
    }
}
