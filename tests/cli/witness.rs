//! `cairn witness` against the real binary: statuses and bodies of tlog-witness, many clients at
//! once, kills, and a log of ours that it cosigns for.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use tlog::witness::origin_hash;
use tlog::{
    AddCheckpoint, Checkpoint, ConsistencyPlan, LeafHash, NodeHash, Note, NoteSignature, RightEdge,
    SignedCheckpoint, TreeHead, TreeSize, Verifier, VerifierKey, hash_leaf,
};

use crate::run::{Server, cairn, text};
use crate::signed::Signed;

/// A running `cairn witness`.
struct Running {
    process: Child,
    url: String,
    key: VerifierKey,
    announced: Vec<String>,
}

impl Running {
    /// Starts on a folder; what it logs goes into `witness.log` there.
    fn start(folder: &Path, more: &[&str]) -> Self {
        fs::create_dir_all(folder).unwrap();
        let log = File::options().create(true).append(true).open(folder.join("witness.log"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["witness", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut announced = Vec::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(policy) = line.trim().strip_prefix("for logs") {
                // As it stands, it is a line of a policy.
                let policy = tlog::Policy::parse(&format!("{policy}\nquorum none\n")).unwrap();
                let [witness] = policy.witnesses.as_slice() else { panic!("{line}") };
                let (url, key) = (witness.url.clone().unwrap(), witness.key.clone());
                return Self { process, url, key, announced };
            }
            announced.push(line);
        }
        process.wait().unwrap();
        panic!("it did not start: {}", fs::read_to_string(folder.join("witness.log")).unwrap());
    }

    /// Status, content type and body of an answer.
    fn post(&self, body: &[u8]) -> (u16, String, String) {
        let agent = cairn::web_client::agent(Duration::from_secs(20));
        answer(agent.post(format!("{}/add-checkpoint", self.url)).send(body).unwrap())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        let agent = cairn::web_client::agent(Duration::from_secs(20));
        answer(agent.get(format!("{}/{path}", self.url)).call().unwrap())
    }

    /// What it shows of a log, with its own cosignature verified; `None` before the first one.
    fn shown(&self, origin: &str) -> Option<(TreeHead, String)> {
        let (status, content_type, note) = self.get(&format!("{}/checkpoint", origin_hash(origin)));
        if status == 404 {
            return None;
        }
        assert_eq!((status, content_type.as_str()), (200, "text/plain; charset=utf-8"));
        let opened = SignedCheckpoint::open_by(&note, origin, &self.key).unwrap();
        Some((opened.checkpoint().head, note))
    }

    fn terminate(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }

    /// SIGKILL: no handler, no destructor, no flush runs.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

fn answer(answer: ureq::http::Response<ureq::Body>) -> (u16, String, String) {
    let content_type = answer.headers().get("content-type").map_or("", |v| v.to_str().unwrap());
    let (status, content_type) = (answer.status().as_u16(), content_type.to_owned());
    (status, content_type, answer.into_body().read_to_string().unwrap())
}

/// A log of up to 256 leaves.
struct SmallLog {
    key: SigningKey,
    known: VerifierKey,
    leaves: Vec<LeafHash>,
}

impl SmallLog {
    fn new(name: &str, leaf: &[u8]) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let verifier = Verifier::from_ed25519(key.verifying_key().as_bytes()).unwrap();
        let known = VerifierKey::for_log(name, verifier.spki()).unwrap();
        Self { key, known, leaves: vec![hash_leaf(leaf); 256] }
    }

    fn request(&self, old: u64, new: u64) -> String {
        let mut hashes = Vec::new();
        if 0 < old && old < new {
            let plan = ConsistencyPlan::new(TreeSize(old), TreeSize(new)).unwrap();
            let tile: Vec<NodeHash> = self.leaves.iter().map(|leaf| leaf.to_node()).collect();
            let answers = plan.wanted().iter().map(|range| &tile[..range.count]); // all the same
            hashes = plan.build(&answers.collect::<Vec<_>>()).unwrap().hashes;
        }
        let tree = RightEdge::empty().extend(&self.leaves[..usize::try_from(new).unwrap()]);
        let origin = self.known.name().to_owned();
        let text = Checkpoint { origin, head: tree.head(), extensions: Vec::new() }.text();
        let signature = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        let (name, key_id) = (self.known.name().to_owned(), self.known.key_id());
        let note = Note { text, signatures: vec![NoteSignature { name, key_id, signature }] };
        AddCheckpoint { old: TreeSize(old), hashes, note: note.to_string() }.to_string()
    }
}

const SIZE: &str = "text/x.tlog.size";
const NAME: [&str; 2] = ["--name", "witness.example/w1"];

/// FiloSottile/torchwood, cmd/litewitness/testdata/litewitness.txt: a log of Sigsum, and what a
/// witness is asked about it, in this order.
const LITE_LOG: &str = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
const LITE_ORIGIN: &str =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
/// Old size, hashes, new size, root, signature, status.
const LITE_REQUESTS: [(u64, &str, u64, &str, &str, u16); 9] = [
    (0, "", 1, ROOT_1, SIGNATURE_1, 200),
    (1, PROOF_1_3, 3, ROOT_3, FORGED_3, 403),
    (1, "", 3, ROOT_3, SIGNATURE_3, 422),
    (1, WRONG_1_3, 3, ROOT_3, SIGNATURE_3, 422),
    (1, PROOF_1_3, 3, ROOT_3, SIGNATURE_3, 200),
    (1, PROOF_1_5, 5, ROOT_5, SIGNATURE_5, 409),
    (3, PROOF_3_5, 5, ROOT_5, SIGNATURE_5, 200),
    (0, "", 5, ROOT_5, SIGNATURE_5, 409),
    (5, "", 5, ROOT_5, SIGNATURE_5, 200),
];
const ROOT_1: &str = "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const ROOT_3: &str = "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=";
const ROOT_5: &str = "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=";
const PROOF_1_3: &str = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const WRONG_1_3: &str = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABA=\n";
const PROOF_1_5: &str = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    +fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=\n\
    KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const PROOF_3_5: &str = "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=\n\
    KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const SIGNATURE_1: &str =
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=";
const FORGED_3: &str =
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6gw=";
const SIGNATURE_3: &str =
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=";
const SIGNATURE_5: &str =
    "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=";

#[test]
fn the_requests_of_another_witness_get_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy");
    fs::write(&policy, format!("log {LITE_LOG}\nquorum none\n")).unwrap();
    let policy = ["--policy", policy.to_str().unwrap()];
    let data = folder.path().join("data");
    let witness = Running::start(&data, &[&NAME[..], &policy].concat());
    assert!(witness.announced[0].contains("made a new witness"), "{:?}", witness.announced);
    assert_eq!(witness.shown(LITE_ORIGIN), None);
    let mut size = 0;
    for (old, hashes, new, root, signature, status) in LITE_REQUESTS {
        let body = format!(
            "old {old}\n{hashes}\n{LITE_ORIGIN}\n{new}\n{root}\n\n— {LITE_ORIGIN} {signature}\n"
        );
        let (found, content_type, answer) = witness.post(body.as_bytes());
        assert_eq!(found, status, "{old} to {new}: {answer}");
        if status == 200 {
            size = new;
            let (_, note) = body.split_once("\n\n").unwrap();
            assert_eq!(witness.shown(LITE_ORIGIN).unwrap().1, format!("{note}{answer}"));
        }
        if status == 409 {
            assert_eq!((content_type.as_str(), answer), (SIZE, format!("{size}\n")));
        }
    }
    // It logged what it refused, and the proof of a fork with its checkpoint.
    let log = fs::read_to_string(data.join("witness.log")).unwrap();
    for said in ["status=403", "status=409", "status=422", ROOT_3, SIGNATURE_3] {
        assert!(log.contains(said), "no {said} in {log}");
    }
    let before = witness.key.clone();
    witness.terminate();
    let again = Running::start(&data, &policy);
    assert!(again.announced[0].contains("opened the witness"), "{:?}", again.announced);
    assert!(again.announced[1].contains("(5 entries)"), "{:?}", again.announced);
    assert_eq!((again.shown(LITE_ORIGIN).unwrap().0.size, &again.key), (TreeSize(5), &before));
}

#[test]
fn what_is_no_request_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let log = SmallLog::new("log.example", b"leaf");
    let known = log.known.to_string();
    let witness = Running::start(folder.path(), &[&NAME[..], &["--log", &known]].concat());
    let good = log.request(0, 3);
    let other = SmallLog::new("other.example", b"leaf").request(0, 3);
    let unsigned = good.replacen("— log.example ", "— log.example2 ", 1);
    for (body, status) in [
        (Vec::new(), 400),
        (b"old 0\n\n\xff".to_vec(), 400),
        (good.replacen("old 0", "old 4", 1).into_bytes(), 400),
        (good.replacen("old 0", "old x", 1).into_bytes(), 400),
        (unsigned.into_bytes(), 403),
        (other.into_bytes(), 404),
        (vec![b'x'; (128 << 10) + 1], 413),
    ] {
        let (found, _, text) = witness.post(&body);
        assert_eq!(found, status, "{text}");
    }
    for (path, status) in [("", 404), ("add-checkpoint", 405), ("x/checkpoint", 404)] {
        assert_eq!(witness.get(path).0, status, "{path:?}");
    }
    assert_eq!(witness.shown("log.example"), None, "nothing was cosigned");
    assert_eq!(witness.post(good.as_bytes()).0, 200);
}

#[test]
fn of_many_clients_one_moves_the_witness() {
    let folder = tempfile::tempdir().unwrap();
    let log = SmallLog::new("log.example", b"leaf");
    let known = log.known.to_string();
    let witness = Running::start(folder.path(), &[&NAME[..], &["--log", &known]].concat());
    let mut old = 0;
    for round in 1..=5 {
        // Each wants to go from the same size to one of its own.
        let wanted: Vec<u64> = (0..8).map(|n| round * 20 + n).collect();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let (witness, log) = (&witness, &log);
            let ask = |new: &u64| {
                let body = log.request(old, *new);
                scope.spawn(move || witness.post(body.as_bytes()))
            };
            let running: Vec<_> = wanted.iter().map(ask).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<_> = answers.iter().zip(&wanted).filter(|(a, _)| a.0 == 200).collect();
        let [(_, new)] = won.as_slice() else { panic!("{answers:?}") };
        for (status, content_type, body) in &answers {
            let stale = (409, SIZE, format!("{new}\n"));
            assert!(*status == 200 || (*status, content_type.as_str(), body.clone()) == stale);
        }
        assert_eq!(witness.shown("log.example").unwrap().0.size, TreeSize(**new));
        old = **new;
    }
}

#[test]
fn a_killed_witness_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = SmallLog::new("log.example", b"leaf");
    let fork = SmallLog::new("log.example", b"another leaf");
    let known = log.known.to_string();
    let start = || Running::start(folder.path(), &[&NAME[..], &["--log", &known]].concat());
    let answered = AtomicU64::new(0);
    let mut deaths = 0;
    while answered.load(Ordering::SeqCst) < 240 {
        let mut witness = start();
        let size = witness.shown("log.example").map_or(0, |(head, _)| head.size.0);
        let answered_before = answered.load(Ordering::SeqCst);
        assert!(size >= answered_before, "{answered_before} was answered, {size} is remembered");
        if size > 0 {
            let (status, content_type, body) = witness.post(fork.request(0, 200).as_bytes());
            assert_eq!((status, content_type.as_str(), body), (409, SIZE, format!("{size}\n")));
            assert_eq!(witness.post(fork.request(size, size + 1).as_bytes()).0, 422);
        }
        let url = witness.url.clone();
        std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                // Grows by one until the witness is gone.
                let agent = cairn::web_client::agent(Duration::from_secs(20));
                for new in size + 1..=255 {
                    let body = log.request(new - 1, new);
                    let post = agent.post(format!("{url}/add-checkpoint")).send(body.as_bytes());
                    let Ok(reply) = post else { return };
                    let (status, _, text) = answer(reply);
                    assert_eq!(status, 200, "{text}");
                    answered.store(new, Ordering::SeqCst);
                }
            });
            // It dies in the middle of one of the next requests.
            let wanted = (size + deaths % 9).min(255);
            while answered.load(Ordering::SeqCst) < wanted && !client.is_finished() {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(deaths % 11 * 100));
            witness.kill();
        });
        deaths += 1;
        assert!(deaths < 500, "it does not get on");
    }
    assert!(deaths >= 10, "it died {deaths} times");
    println!("{deaths} deaths");
}

#[test]
fn a_folder_is_for_one_witness_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let known = SmallLog::new("log.example", b"leaf").known.to_string();
    let data = folder.path().to_str().unwrap();
    let args = ["witness", "--listen", "127.0.0.1:0", "--data-dir", data];
    let fails = |more: &[&str], says: &str| {
        let ended = cairn(&[&args[..], more].concat());
        assert!(!ended.status.success());
        assert!(text(&ended.stderr).contains(says), "{}", text(&ended.stderr));
    };
    fails(&NAME, "--log");
    fails(&["--log", "nonsense"], "verifier key");
    fails(&["--log", &known], "--name");
    let witness = Running::start(folder.path(), &[&NAME[..], &["--log", &known]].concat());
    fails(&["--log", &known], "in use by another process");
    witness.terminate();
    fails(&["--log", &known, "--name", "another"], "witness.example/w1");
}

#[test]
fn logs_of_ours_are_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("logs");
    let server = Server::start(&data, &[]).unwrap();
    let v1_origin = server.value("origin").to_owned(); // the first one that is announced
    server.stop();
    // Both sign as the host; of the first one that is not the origin.
    let origins = [("v1", v1_origin.as_str()), ("v2", "localhost")];
    let logs = origins.map(|(log, origin)| {
        let pem = fs::read(data.join(format!("{log}.pub"))).unwrap();
        let spki = cairn::publisher::signer::public_key_der(&pem).unwrap();
        (VerifierKey::for_log("localhost", &spki).unwrap(), origin)
    });
    let [v1, v2] = logs.clone().map(|(key, origin)| format!("{key} {origin}"));
    let args = [&NAME[..], &["--log", &v1, "--log", &v2]].concat();
    let witness = Running::start(&folder.path().join("witness"), &args);

    let policy = folder.path().join("policy");
    let line = format!("witness w1 {} {}\nquorum w1\n", witness.key, witness.url);
    fs::write(&policy, line).unwrap();
    let policy = ["--witness-policy", policy.to_str().unwrap(), "--witness-mode", "wait"];
    let server = Server::start(&data, &policy).unwrap();
    for (key, origin) in &logs {
        let (head, note) = witness.shown(origin).unwrap();
        assert_eq!(head, TreeHead::empty());
        assert!(SignedCheckpoint::open_by(&note, origin, key).is_ok());
    }

    // What a verifier demands, by the same witness and by another one.
    let stranger = VerifierKey::cosigner_ed25519(
        "w2",
        SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes(),
    );
    for (witness, exit) in [(witness.key.clone(), 0), (stranger.unwrap(), 4)] {
        let signed = Signed::with_key(&folder.path().join(exit.to_string()), "what was signed");
        let policy = folder.path().join("verifiers.policy");
        let log = &logs[1].0;
        fs::write(&policy, format!("log {log}\nwitness w {witness}\nquorum w\n")).unwrap();
        let names = signed.arguments();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let add = ["entry", "add", "--log", "v2", "--url", &server.url, "--policy"];
        let args = [&add[..], &[policy.to_str().unwrap()], &names].concat();
        let said = cairn(&args);
        assert_eq!(said.status.code(), Some(exit), "{}{}", text(&said.stdout), text(&said.stderr));
        let step = if exit == 0 { "ok           witnesses" } else { "FAILED       witnesses" };
        assert!(text(&said.stdout).contains(step), "{}", text(&said.stdout));
    }
}
