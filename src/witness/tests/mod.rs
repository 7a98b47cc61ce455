//! The rules of a witness, one by one, against a log that is made here. What it remembers is in
//! `folder`.

use std::path::Path;

use tlog::{ConsistencyPlan, LeafHash, NodeHash, RightEdge, RootHash, hash_leaf, v1_origin};

use super::*;
use crate::publisher::signer::{FileSigner, KeyKind, Signer as _};

macro_rules! assert_refused {
    ($witness:expr, $request:expr, $kind:pat) => {
        let refusal = refused(&$witness, &$request);
        assert!(matches!(refusal, $kind), "{refusal:?}");
    };
}

mod folder; // it uses the macro

const NOW: i64 = 1_700_000_000;
const ORIGIN: &str = "log.example";

/// A log of up to 256 leaves.
struct TestLog {
    signer: Arc<FileSigner>,
    origin: String,
    known: VerifierKey,
    leaves: Vec<LeafHash>,
}

impl TestLog {
    fn new(origin: &str, name: &str) -> Self {
        Self::with(KeyKind::Ed25519, origin, name)
    }

    fn with(kind: KeyKind, origin: &str, name: &str) -> Self {
        let (signer, _) = FileSigner::generate(kind).unwrap();
        let known = VerifierKey::for_log(name, signer.public_key()).unwrap();
        let leaves = (0..256_u16).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        Self { signer: Arc::new(signer), origin: origin.into(), known, leaves }
    }

    /// The same log with other leaves from an index on.
    fn forked_at(&self, index: usize) -> Self {
        let fork =
            |(n, leaf): (usize, &LeafHash)| if n < index { *leaf } else { hash_leaf(b"fork") };
        let leaves = self.leaves.iter().enumerate().map(fork).collect();
        Self {
            signer: self.signer.clone(),
            origin: self.origin.clone(),
            known: self.known.clone(),
            leaves,
        }
    }

    fn known(&self) -> KnownLog {
        KnownLog { origin: self.origin.clone(), key: self.known.clone() }
    }

    fn head(&self, size: u64) -> TreeHead {
        RightEdge::empty().extend(&self.leaves[..usize::try_from(size).unwrap()]).head()
    }

    fn proof(&self, old: u64, new: u64) -> Vec<NodeHash> {
        let plan = ConsistencyPlan::new(TreeSize(old), TreeSize(new)).unwrap();
        let tile: Vec<NodeHash> = self.leaves.iter().map(|leaf| leaf.to_node()).collect();
        let answers = plan.wanted().iter().map(|range| {
            let first = usize::try_from(range.first).unwrap();
            &tile[first..first + range.count]
        });
        plan.build(&answers.collect::<Vec<_>>()).unwrap().hashes
    }

    /// A signed note over a head, with these extension lines.
    fn note(&self, head: TreeHead, extensions: &[&str]) -> Note {
        let extensions = extensions.iter().map(|&line| line.to_owned()).collect();
        let text = Checkpoint { origin: self.origin.clone(), head, extensions }.text();
        let signature = self.signer.sign(text.as_bytes()).unwrap();
        let (name, key_id) = (self.known.name().to_owned(), self.known.key_id());
        Note { text, signatures: vec![NoteSignature { name, key_id, signature }] }
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let note = self.note(self.head(new), &[]).to_string();
        let hashes = if old == 0 || old >= new { Vec::new() } else { self.proof(old, new) };
        AddCheckpoint { old: TreeSize(old), hashes, note }
    }
}

fn open(folder: &Path, known: &[KnownLog]) -> Witness {
    let state = WitnessState::open(folder).unwrap();
    let (cosigner, _) = Cosigner::open_or_create(&state, Some("witness.example/w1")).unwrap();
    Witness::open(state, cosigner, known.to_vec(), || NOW).unwrap()
}

fn house() -> (tempfile::TempDir, TestLog, Witness) {
    let (folder, log) = (tempfile::tempdir().unwrap(), TestLog::new(ORIGIN, ORIGIN));
    let witness = open(folder.path(), &[log.known()]);
    (folder, log, witness)
}

/// Asks, and verifies the one cosignature; gives it.
#[track_caller]
fn cosigned(witness: &Witness, request: &AddCheckpoint) -> NoteSignature {
    let lines = witness.add_checkpoint(request.to_string().as_bytes()).unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let note = Note::parse(&request.note).unwrap();
    let checkpoint = Checkpoint::parse_text(&note.text).unwrap();
    let time = witness.key().verify_cosignature(&checkpoint, line).unwrap();
    assert_eq!(time.unix_seconds(), NOW);
    line.clone()
}

fn refused(witness: &Witness, request: &AddCheckpoint) -> Refusal {
    witness.add_checkpoint(request.to_string().as_bytes()).unwrap_err()
}

#[test]
fn a_growing_log_is_cosigned_and_shown() {
    let (_folder, log, witness) = house();
    let hash = origin_hash(ORIGIN);
    assert_eq!(witness.checkpoint(&hash), None);
    let mut old = 0;
    for new in [0, 0, 1, 2, 3, 7, 7, 8, 200, 256] {
        let request = log.request(old, new);
        let line = cosigned(&witness, &request);
        let shown = witness.checkpoint(&hash).unwrap();
        assert_eq!(*shown, *format!("{}{line}", request.note));
        assert_eq!(witness.logs(), [(ORIGIN, TreeSize(new))]);
        old = new;
    }
    assert_eq!(witness.checkpoint("00"), None);
}

#[test]
fn another_size_than_the_last_one_is_stale() {
    let (_folder, log, witness) = house();
    assert_refused!(witness, log.request(3, 5), Refusal::Stale { seen: TreeSize(0), .. });
    cosigned(&witness, &log.request(0, 5));
    for old in [0, 1, 4, 6] {
        assert_refused!(witness, log.request(old, 9), Refusal::Stale { seen: TreeSize(5), .. });
    }
    cosigned(&witness, &log.request(5, 9));
}

#[test]
fn a_fork_is_not_cosigned() {
    let (_folder, log, witness) = house();
    cosigned(&witness, &log.request(0, 5));
    let before = witness.checkpoint(&origin_hash(ORIGIN));
    let fork = log.forked_at(4);
    for new in [5, 6, 8] {
        assert_refused!(witness, fork.request(5, new), Refusal::Inconsistent(_));
    }
    assert_eq!(witness.checkpoint(&origin_hash(ORIGIN)), before);
    cosigned(&witness, &log.forked_at(5).request(5, 8)); // consistent with all that was seen
    assert_refused!(witness, log.request(8, 9), Refusal::Inconsistent(_));
}

#[test]
fn proofs_are_what_the_sizes_want() {
    let (_folder, log, witness) = house();
    let hash = NodeHash::from_bytes([1; 32]);
    let with = |request: AddCheckpoint, hashes| AddCheckpoint { hashes, ..request };
    // From nothing, and between equal sizes, there is nothing to prove.
    assert_refused!(witness, with(log.request(0, 5), vec![hash]), Refusal::Inconsistent(_));
    cosigned(&witness, &log.request(0, 5));
    assert_refused!(witness, with(log.request(5, 5), vec![hash]), Refusal::Inconsistent(_));
    let proof = log.proof(5, 8);
    for end in 0..proof.len() {
        let short = with(log.request(5, 8), proof[..end].to_vec());
        assert_refused!(witness, short, Refusal::Inconsistent(_));
    }
    let long = [&proof[..], &[hash]].concat();
    assert_refused!(witness, with(log.request(5, 8), long), Refusal::Inconsistent(_));
    cosigned(&witness, &log.request(5, 8));
}

#[test]
fn the_empty_tree_has_one_root() {
    let (_folder, log, witness) = house();
    let wrong = TreeHead { size: TreeSize(0), root: RootHash::from_bytes([1; 32]) };
    let note = log.note(wrong, &[]).to_string();
    let request = AddCheckpoint { note, ..log.request(0, 0) };
    assert_refused!(witness, request, Refusal::Inconsistent(_));
    cosigned(&witness, &log.request(0, 0));
}

#[test]
fn only_the_logs_own_signature_counts() {
    let (_folder, log, witness) = house();
    let other = TestLog::new(ORIGIN, ORIGIN);
    assert_refused!(
        witness,
        other.request(0, 1),
        Refusal::Unsigned(CheckpointError::NoSignature(_))
    );
    let stranger = TestLog::new("other.example", "other.example");
    assert_refused!(witness, stranger.request(0, 1), Refusal::UnknownLog(_));

    let note = log.note(log.head(1), &[]);
    let with = |signatures| AddCheckpoint {
        note: Note { signatures, ..note.clone() }.to_string(),
        ..log.request(0, 1)
    };
    let own = note.signatures[0].clone();
    let forged = NoteSignature { signature: vec![0; 64], ..own.clone() };
    let bad = Refusal::Unsigned(CheckpointError::Signature).to_string();
    assert_eq!(refused(&witness, &with(vec![forged.clone()])).to_string(), bad);
    assert_eq!(refused(&witness, &with(vec![own.clone(), forged])).to_string(), bad);

    // Lines of others are ignored, and not shown.
    let theirs = other.note(log.head(1), &[]).signatures[0].clone();
    let line = cosigned(&witness, &with(vec![theirs.clone(), own, theirs]));
    assert_eq!(*witness.checkpoint(&origin_hash(ORIGIN)).unwrap(), *format!("{note}{line}"));
}

#[test]
fn a_log_may_have_several_keys_and_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let origin = v1_origin("rekor.example", 4711);
    let (old, new) =
        (TestLog::new(&origin, "rekor.example"), TestLog::new(&origin, "rekor.example"));
    let witness = open(folder.path(), &[old.known(), new.known()]);
    cosigned(&witness, &old.request(0, 1));
    cosigned(&witness, &new.request(1, 2));
    // A line that names one of the keys is that key's, also beside a good one.
    let mut note = new.note(new.head(3), &[]);
    let forged = NoteSignature { key_id: old.known.key_id(), ..note.signatures[0].clone() };
    note.signatures.push(forged);
    let request = AddCheckpoint { note: note.to_string(), ..new.request(2, 3) };
    assert_refused!(witness, request, Refusal::Unsigned(CheckpointError::Signature));
    let text = format!("{} {origin}", old.known);
    assert_eq!(text.parse(), Ok(old.known()));
    assert_eq!(new.known.to_string().parse(), Ok(KnownLog::named_by(new.known.clone())));
    assert!(format!("{} ", old.known).parse::<KnownLog>().is_err());
    assert!("rekor.example - 4711".parse::<KnownLog>().is_err());
}

#[test]
fn an_ecdsa_log_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let log = TestLog::with(KeyKind::EcdsaP256, &v1_origin("rekor.example", 7), "rekor.example");
    let witness = open(folder.path(), &[log.known()]);
    cosigned(&witness, &log.request(0, 3));
    cosigned(&witness, &log.request(3, 8));
}

#[test]
fn extension_lines_are_cosigned_too() {
    let (_folder, log, witness) = house();
    let note = log.note(log.head(2), &["Timestamp: 1689177396617352539", "more"]).to_string();
    let request = AddCheckpoint { note: note.clone(), ..log.request(0, 2) };
    let line = cosigned(&witness, &request);
    assert_eq!(*witness.checkpoint(&origin_hash(ORIGIN)).unwrap(), *format!("{note}{line}"));
}

#[test]
fn malformed_requests_are_told_apart() {
    let (_folder, log, witness) = house();
    let good = log.request(0, 2).to_string();
    for body in [
        String::new(),
        good.replace("old 0", "old 00"),
        good.replace("log.example\n2\n", "log.example\n02\n"),
        good.replace("— ", "- "),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
    ] {
        let refusal = witness.add_checkpoint(body.as_bytes()).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(_)), "{body:?}: {refusal:?}");
    }
    assert!(matches!(witness.add_checkpoint(b"old 0\n\n\xff\n"), Err(Refusal::Malformed(_))));
    // Beyond the checkpoint, before the question what was cosigned last.
    assert_refused!(witness, log.request(3, 2), Refusal::Malformed(_));
}

#[test]
fn without_a_clock_nothing_is_cosigned() {
    let (folder, log) = (tempfile::tempdir().unwrap(), TestLog::new(ORIGIN, ORIGIN));
    let state = WitnessState::open(folder.path()).unwrap();
    let (cosigner, _) = Cosigner::open_or_create(&state, Some("w")).unwrap();
    let witness = Witness::open(state, cosigner, [log.known()], || 0).unwrap();
    assert_refused!(witness, log.request(0, 1), Refusal::Failed(_));
    assert_eq!(witness.logs(), [(ORIGIN, TreeSize(0))]);
}

#[test]
fn one_of_many_at_once_is_cosigned() {
    let (_folder, log, witness) = house();
    cosigned(&witness, &log.request(0, 1));
    // All from size 1, all signed by the log, each to a tree of its own.
    let requests: Vec<_> =
        (0..16).map(|n| log.forked_at(1 + n).request(1, 100).to_string()).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = |body: &String| witness.add_checkpoint(body.as_bytes());
        let running: Vec<_> = requests.iter().map(|body| scope.spawn(move || ask(body))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let stale = |answer: &Result<_, Refusal>| {
        matches!(answer, Err(Refusal::Stale { seen: TreeSize(100), .. }))
    };
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| stale(answer)).count(), 15, "{answers:?}");
}
