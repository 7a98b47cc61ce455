//! Witnesses that are there, away, slow, wrong, or know too much.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cairn::log::{CreateEntryError, Log};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use cairn::publisher::witness::{WithoutQuorum, Witness, WitnessError, Witnessing};
use cairn::recovery::RecoveryError;
use storage::{Store as _, TreeId};
use tlog::cosignature::Timestamp;
use tlog::{
    AddCheckpoint, Checkpoint, Note, NoteSignature, Policy, TreeHead, TreeSize, VerifierKey,
};
use tokio::time::{sleep, timeout};

use crate::house::{House, create, verify};
use crate::support::Proposals;

/// A witness by the book, with some switches.
struct Honest {
    signer: FileSigner,
    key: VerifierKey,
    seen: Mutex<TreeHead>,
    away: AtomicBool,
    asked: AtomicUsize,
}

impl Honest {
    fn new(name: &str) -> Arc<Self> {
        let (signer, _) = FileSigner::generate(KeyKind::Ed25519).unwrap();
        let raw = signer.public_key().last_chunk::<32>().unwrap();
        let key = VerifierKey::cosigner_ed25519(name, raw).unwrap();
        let (away, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        Arc::new(Self { signer, key, seen: Mutex::new(TreeHead::empty()), away, asked })
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn cosign(&self, checkpoint: &Checkpoint) -> NoteSignature {
        let asked = self.asked.load(Ordering::SeqCst) as i64;
        let time = Timestamp::from_unix(1_700_000_000 + asked).unwrap();
        let message = self.key.cosigned_message(time, checkpoint).unwrap();
        self.key.cosignature(time, &self.signer.sign(&message).unwrap()).unwrap()
    }
}

#[async_trait]
impl Witness for Honest {
    async fn add_checkpoint(&self, body: String) -> Result<Vec<NoteSignature>, WitnessError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(WitnessError::Unreachable("away".into()));
        }
        let request = AddCheckpoint::parse(&body).unwrap();
        let note = Note::parse(&request.note).unwrap();
        let checkpoint = Checkpoint::parse_text(&note.text).unwrap();
        assert_eq!(note.signatures.len(), 1, "the log's signature alone: {body}");
        let mut seen = self.seen.lock().unwrap();
        if request.old != seen.size {
            return Err(WitnessError::Stale(seen.size));
        }
        let proof = request.proof(checkpoint.head.size);
        proof.verify(&seen.root, &checkpoint.head.root).unwrap();
        *seen = checkpoint.head;
        Ok(vec![self.cosign(&checkpoint)])
    }
}

/// Never answers.
struct Silent;

#[async_trait]
impl Witness for Silent {
    async fn add_checkpoint(&self, _: String) -> Result<Vec<NoteSignature>, WitnessError> {
        std::future::pending().await
    }
}

/// The witnesses `w0`, `w1`, …, and how many of them are asked for.
fn witnessing(
    keys: &[VerifierKey],
    witnesses: &[Arc<dyn Witness>],
    quorum: &str,
    without: WithoutQuorum,
) -> Witnessing {
    let mut text = String::new();
    let mut names = String::new();
    for (n, key) in keys.iter().enumerate() {
        text.push_str(&format!("witness w{n} {key} http://w{n}\n"));
        names.push_str(&format!(" w{n}"));
    }
    text.push_str(&match quorum {
        "none" => "quorum none\n".into(),
        some => format!("group all-of-them {some}{names}\nquorum all-of-them\n"),
    });
    let policy = Policy::parse(&text).unwrap();
    let connect = |name: &str, _: &str| witnesses[name[1..].parse::<usize>().unwrap()].clone();
    Witnessing::new(policy, without, Duration::from_millis(300), connect).unwrap()
}

struct Pair {
    house: House,
    witnesses: [Arc<Honest>; 2],
}

impl Pair {
    async fn new() -> Self {
        let house = House::new().await;
        Self { house, witnesses: [Honest::new("one.example"), Honest::new("two.example")] }
    }

    async fn start(&self, quorum: &str, without: WithoutQuorum) -> Result<Log, RecoveryError> {
        self.start_over(&self.house, quorum, without).await
    }

    async fn start_over(
        &self,
        house: &House,
        quorum: &str,
        without: WithoutQuorum,
    ) -> Result<Log, RecoveryError> {
        let keys = self.witnesses.each_ref().map(|witness| witness.key.clone());
        let witnesses = self.witnesses.each_ref().map(|w| w.clone() as Arc<dyn Witness>);
        let made = witnessing(&keys, &witnesses, quorum, without);
        house.start_with(|setup| setup.witnessing = Some(made)).await
    }

    /// Which of the two cosigned a note, both lines verified.
    fn cosigners(&self, note: &str) -> Vec<usize> {
        let note = Note::parse(note).unwrap();
        let checkpoint = Checkpoint::parse_text(&note.text).unwrap();
        let cosigned = |key: &VerifierKey| {
            note.signatures.iter().any(|line| key.verify_cosignature(&checkpoint, line).is_ok())
        };
        (0..2).filter(|n| cosigned(&self.witnesses[*n].key)).collect()
    }
}

#[tokio::test]
async fn every_checkpoint_carries_its_quorum() {
    let pair = Pair::new().await;
    let log = pair.start("all", WithoutQuorum::Wait).await.unwrap();
    assert_eq!(pair.cosigners(&log.active().checkpoint().cosigned), [0, 1], "the empty tree's too");
    let mut proposals = Proposals::new();
    for _ in 0..5 {
        let entry = create(&log, &proposals.next_json()).await.unwrap();
        verify(&pair.house, &entry);
        let checkpoint = entry.entry.checkpoint;
        assert_eq!(pair.cosigners(&checkpoint.cosigned), [0, 1]);
        assert!(checkpoint.cosigned.starts_with(&*checkpoint.note), "the log's line comes first");
        assert_eq!(Note::parse(&checkpoint.note).unwrap().signatures.len(), 1);
    }
    assert_eq!(pair.witnesses[0].seen.lock().unwrap().size, TreeSize(5));
    let kept = pair.house.store.clone();
    let kept = storage::Store::log(&kept, pair.house.tree_id).await.unwrap();
    sleep(Duration::from_millis(50)).await; // it is kept after it is shown
    let kept = kept.checkpoint().await.unwrap().unwrap();
    assert_eq!(pair.cosigners(&kept.note), [0, 1], "what is kept is what was shown");
}

#[tokio::test]
async fn without_quorum_writers_wait_and_nothing_is_lost() {
    let pair = Pair::new().await;
    let log = Arc::new(pair.start("all", WithoutQuorum::Wait).await.unwrap());
    let mut proposals = Proposals::new();
    create(&log, &proposals.next_json()).await.unwrap();
    pair.witnesses[1].set_away(true);
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (log, json) = (log.clone(), proposals.next_json());
            tokio::spawn(async move { create(&log, &json).await })
        })
        .collect();
    sleep(Duration::from_millis(700)).await;
    assert!(writers.iter().all(|writer| !writer.is_finished()), "answered without a quorum");
    assert_eq!(log.active().head().size, TreeSize(1), "shown without a quorum");
    pair.witnesses[1].set_away(false);
    for writer in writers {
        let entry = timeout(Duration::from_secs(5), writer).await.unwrap().unwrap().unwrap();
        verify(&pair.house, &entry);
        assert_eq!(pair.cosigners(&entry.entry.checkpoint.cosigned), [0, 1]);
    }
    assert_eq!(log.active().head().size, TreeSize(5));
}

#[tokio::test]
async fn one_of_two_is_enough_when_the_policy_says_so() {
    let pair = Pair::new().await;
    pair.witnesses[0].set_away(true);
    let log = pair.start("any", WithoutQuorum::Wait).await.unwrap();
    let entry = create(&log, &Proposals::new().next_json()).await.unwrap();
    assert_eq!(pair.cosigners(&entry.entry.checkpoint.cosigned), [1]);
}

#[tokio::test]
async fn publish_goes_on_with_what_there_is() {
    let pair = Pair::new().await;
    pair.witnesses[0].set_away(true);
    let log = pair.start("all", WithoutQuorum::Publish).await.unwrap();
    let entry = create(&log, &Proposals::new().next_json()).await.unwrap();
    verify(&pair.house, &entry);
    assert_eq!(pair.cosigners(&entry.entry.checkpoint.cosigned), [1]);
}

#[tokio::test]
async fn stop_stops() {
    let pair = Pair::new().await;
    let log = pair.start("all", WithoutQuorum::Stop).await.unwrap();
    pair.witnesses[0].set_away(true);
    let mut proposals = Proposals::new();
    let refused = create(&log, &proposals.next_json()).await;
    assert!(matches!(refused, Err(CreateEntryError::Stopped(_))), "{refused:?}");
    assert!(log.health().not_publishing.unwrap().contains("quorum"));
    assert_eq!(log.active().head().size, TreeSize(0), "nothing was shown");
    drop(log);

    let log = pair.start_over(&pair.house.reopened(), "all", WithoutQuorum::Stop).await.unwrap();
    assert_eq!(log.active().head().size, TreeSize(0), "what was published before can be read");
    assert!(log.health().not_publishing.unwrap().contains("quorum"));
    let refused = create(&log, &proposals.next_json()).await;
    assert!(matches!(refused, Err(CreateEntryError::Stopped(_))), "{refused:?}");
    pair.witnesses[0].set_away(false);
    let log = pair.start_over(&pair.house.reopened(), "all", WithoutQuorum::Stop).await.unwrap();
    create(&log, &proposals.next_json()).await.unwrap();
    assert_eq!(log.active().head().size, TreeSize(2), "nothing durable was dropped");
}

#[tokio::test]
async fn a_witness_that_knows_more_of_this_log_stops_it() {
    let pair = Pair::new().await;
    let unseen = pair.house.over(pair.house.store.copy());
    let log = pair.start("any", WithoutQuorum::Publish).await.unwrap();
    let old = pair.house.over(pair.house.store.copy());
    let mut proposals = Proposals::new();
    for _ in 0..3 {
        create(&log, &proposals.next_json()).await.unwrap();
    }
    drop(log);
    // The older copy of the store does not know the three entries: it is read, and signs nothing.
    let log = pair.start_over(&old, "any", WithoutQuorum::Publish).await.unwrap();
    let stopped = log.health().not_publishing.expect("the alarm");
    assert!(stopped.contains("3 entries") && stopped.contains("older copy"), "{stopped}");
    let refused = create(&log, &proposals.next_json()).await;
    assert!(matches!(refused, Err(CreateEntryError::Stopped(_))), "{refused:?}");
    assert_eq!(log.active().head().size, TreeSize(0));
    let stored = old.store.log(TreeId::new(7).unwrap()).await.unwrap();
    assert_eq!(stored.head().await.unwrap().size, TreeSize(0), "and takes nothing");

    // One that has published nothing has nothing to show.
    let started = pair.start_over(&unseen, "any", WithoutQuorum::Publish).await;
    let error = started.err().expect("an older copy must not start").to_string();
    assert!(error.contains("3 entries") && error.contains("older copy"), "{error}");
}

#[tokio::test]
async fn a_cosignature_by_another_key_is_not_attached() {
    let pair = Pair::new().await;
    let keys = pair.witnesses.each_ref().map(|witness| witness.key.clone());
    // The policy expects the other one's key behind each name.
    let swapped: Vec<Arc<dyn Witness>> = vec![pair.witnesses[1].clone(), pair.witnesses[0].clone()];
    let made = witnessing(&keys, &swapped, "all", WithoutQuorum::Publish);
    let log = pair.house.start_with(|setup| setup.witnessing = Some(made)).await.unwrap();
    let entry = create(&log, &Proposals::new().next_json()).await.unwrap();
    assert_eq!(entry.entry.checkpoint.cosigned, entry.entry.checkpoint.note);
}

#[tokio::test]
async fn a_silent_witness_costs_one_round_and_is_then_left_alone() {
    let pair = Pair::new().await;
    let keys = pair.witnesses.each_ref().map(|witness| witness.key.clone());
    let witnesses: Vec<Arc<dyn Witness>> = vec![Arc::new(Silent), pair.witnesses[1].clone()];
    let made = witnessing(&keys, &witnesses, "any", WithoutQuorum::Wait);
    let log = pair.house.start_with(|setup| setup.witnessing = Some(made)).await.unwrap();
    let mut proposals = Proposals::new();
    for _ in 0..3 {
        let json = proposals.next_json();
        let entry = create(&log, &json);
        let entry = timeout(Duration::from_millis(200), entry).await.expect("it is in the way");
        assert_eq!(pair.cosigners(&entry.unwrap().entry.checkpoint.cosigned), [1]);
    }
}

#[tokio::test]
async fn a_start_without_witnesses_shows_what_was_published_before() {
    let pair = Pair::new().await;
    let log = pair.start("all", WithoutQuorum::Wait).await.unwrap();
    let mut proposals = Proposals::new();
    create(&log, &proposals.next_json()).await.unwrap();
    sleep(Duration::from_millis(50)).await; // it is kept after it is shown
    pair.witnesses[0].set_away(true);
    let json = proposals.next_json();
    let unanswered = create(&log, &json);
    assert!(timeout(Duration::from_millis(400), unanswered).await.is_err());
    drop(log);

    let reopened = pair.house.reopened();
    let log = pair.start_over(&reopened, "all", WithoutQuorum::Wait).await.unwrap();
    let shown = log.active().checkpoint();
    assert_eq!(shown.head.size, TreeSize(1), "the second entry has no quorum yet");
    assert_eq!(pair.cosigners(&shown.cosigned), [0, 1]);
    assert_eq!(Note::parse(&shown.note).unwrap().signatures.len(), 1);
    pair.witnesses[0].set_away(false);
    let entry = create(&log, &proposals.next_json()).await.unwrap();
    assert_eq!(entry.entry.checkpoint.head.size, TreeSize(3), "nothing durable was dropped");

    let empty = Pair::new().await;
    empty.witnesses[0].set_away(true);
    let nothing = empty.start("all", WithoutQuorum::Wait).await.err().unwrap().to_string();
    assert!(nothing.contains("quorum"), "{nothing}");
}

#[tokio::test]
async fn a_log_that_does_not_grow_is_cosigned_anew_by_all_who_answer() {
    let pair = Pair::new().await;
    pair.witnesses[0].set_away(true);
    let keys = pair.witnesses.each_ref().map(|witness| witness.key.clone());
    let witnesses = pair.witnesses.each_ref().map(|w| w.clone() as Arc<dyn Witness>);
    let made = witnessing(&keys, &witnesses, "any", WithoutQuorum::Wait);
    let started = pair.house.start_with(|setup| {
        setup.witnessing = Some(made);
        setup.republish_after = Duration::from_millis(100);
    });
    let log = started.await.unwrap();
    let mut proposals = Proposals::new();
    let first = create(&log, &proposals.next_json()).await.unwrap().entry.checkpoint;
    assert_eq!(pair.cosigners(&first.cosigned), [1]);

    pair.witnesses[0].set_away(false);
    let both = async {
        while pair.cosigners(&log.active().checkpoint().cosigned) != [0, 1] {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), both).await.expect("the second cosignature is attached");
    let fresh = log.active().checkpoint();
    assert_eq!(fresh.head, first.head);
    assert_eq!(Note::parse(&fresh.note).unwrap().text, Note::parse(&first.note).unwrap().text);

    pair.witnesses[0].set_away(true);
    pair.witnesses[1].set_away(true);
    let asked = pair.witnesses[1].asked.load(Ordering::SeqCst);
    while pair.witnesses[1].asked.load(Ordering::SeqCst) < asked + 2 {
        sleep(Duration::from_millis(20)).await;
    }
    assert!(!pair.cosigners(&log.active().checkpoint().cosigned).is_empty(), "no quorum, no news");
    pair.witnesses[1].set_away(false);
    let entry = create(&log, &proposals.next_json()).await.unwrap();
    verify(&pair.house, &entry);
    assert_eq!(entry.entry.checkpoint.head.size, TreeSize(2));
}
