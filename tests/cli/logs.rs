//! Many logs in one process: each behind its own door, with its own quota, answers and key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::run::{Server, text};
use crate::support::Proposals;

const V1: &str = "/api/v1/log/entries";
const V2: &str = "/api/v2/log/entries";

/// Starts with a configuration file.
fn serve(folder: &Path, toml: &str) -> Result<Server, String> {
    let file = folder.join("cairn.toml");
    fs::write(&file, toml).unwrap();
    Server::start(&folder.join("data"), &["--config", file.to_str().unwrap()])
}

/// Status, `Retry-After`, and body.
type Answer = (u16, Option<String>, String);

fn send(server: &Server, host: &str, path: &str, body: Option<&str>) -> Answer {
    let agent = cairn::web_client::agent(Duration::from_secs(20));
    let url = format!("{}{path}", server.url);
    let answer = match body {
        Some(body) => {
            let post = agent.post(url).header("Host", host);
            post.header("Content-Type", "application/json").send(body).unwrap()
        }
        None => agent.get(url).header("Host", host).call().unwrap(),
    };
    let retry = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
    (answer.status().as_u16(), retry, text(&answer.into_body().read_to_vec().unwrap()))
}

fn get(server: &Server, host: &str, path: &str) -> (u16, String) {
    let (status, _, body) = send(server, host, path, None);
    (status, body)
}

fn post(server: &Server, host: &str, path: &str, body: &str) -> Answer {
    send(server, host, path, Some(body))
}

/// Names and log IDs at a site.
fn listed(server: &Server, host: &str, prefix: &str) -> Vec<(String, String)> {
    let (_, list) = get(server, host, &format!("{prefix}/logs"));
    let list: Value = serde_json::from_str(&list).unwrap();
    let member = |log: &Value, name: &str| log[name].as_str().unwrap().to_owned();
    let logs = list["logs"].as_array().unwrap().iter();
    logs.map(|log| (member(log, "name"), member(log, "log_id"))).collect()
}

const TENANTS: &str = "
[logs.host-a]
api = 'v1'
host = 'a.example'
hostname = 'a.example'
[logs.path-b]
api = 'v1'
path_prefix = '/b'
hostname = 'b.example'
[logs.path-b2]
api = 'v2'
path_prefix = '/b'
hostname = 'b2.example'
";

#[test]
fn what_enters_at_one_tenant_is_seen_at_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), TENANTS).unwrap();
    let mut proposals = Proposals::new();
    // The tenants, and where each is found.
    let doors = [("log", ""), ("a.example", ""), ("log", "/b")];
    let names: [&[&str]; 3] = [&["v1", "v2"], &["host-a"], &["path-b", "path-b2"]];
    let sites: Vec<_> = doors.iter().map(|(host, prefix)| listed(&server, host, prefix)).collect();
    for (site, names) in sites.iter().zip(names) {
        assert_eq!(site.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    }
    for (own, (host, prefix)) in doors.iter().enumerate() {
        let proposal = proposals.next_json();
        let (status, _, answer) = post(&server, host, &format!("{prefix}{V1}"), &proposal);
        assert_eq!(status, 201, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let (uuid, entry) = answer.as_object().unwrap().iter().next().unwrap();
        assert_eq!(entry["logIndex"], 0, "each counts from 0");
        let proposed: Value = serde_json::from_str(&proposal).unwrap();
        let hash = proposed["spec"]["data"]["hash"]["value"].as_str().unwrap();
        let query = format!(r#"{{"hash":"sha256:{hash}"}}"#);
        for (other, (host, prefix)) in doors.iter().enumerate() {
            let found = if own == other { 200 } else { 404 };
            // By its whole name, and by its leaf hash alone.
            for id in [uuid.as_str(), &uuid[16..]] {
                let (status, _) = get(&server, host, &format!("{prefix}{V1}/{id}"));
                assert_eq!(status == 200, own == other, "{id} of {own} at {other}: {status}");
            }
            let search = format!("{prefix}/api/v1/index/retrieve");
            let (status, _, hits) = post(&server, host, &search, &query);
            assert_eq!((status, hits.contains(&uuid[16..])), (200, own == other), "{hits}");
            for (name, id) in &sites[own] {
                for log in [name, id] {
                    let path = format!("{prefix}/logs/{log}/checkpoint");
                    assert_eq!(get(&server, host, &path).0, found, "{log} at {other}");
                }
            }
            let tile = format!("{prefix}/logs/{}/tile/entries/000.p/1", sites[own][0].1);
            assert_eq!(get(&server, host, &tile).0, found, "{tile}");
        }
        // The next tenant has nothing at its index 0 yet.
        if let Some((host, prefix)) = doors.get(own + 1) {
            assert_eq!(get(&server, host, &format!("{prefix}{V1}?logIndex=0")).0, 404);
        }
    }
    let (status, ..) = post(&server, "a.example", V2, &proposals.next_v2_json());
    assert_eq!(status, 404, "there is no v2 log at this host");
}

#[test]
fn quotas_and_duplicates_are_each_logs_own() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "
[logs.v1]
duplicates = 'return-existing'
[logs.v2]
duplicates = 'return-existing'
[logs.slow]
api = 'v1'
path_prefix = '/slow'
hostname = 'slow.example'
quota_entries_per_second = 0.001
quota_burst = 1.0
[logs.slow2]
api = 'v2'
path_prefix = '/slow'
hostname = 'slow2.example'
quota_entries_per_second = 0.001
quota_burst = 1.0
[logs.strict]
api = 'v1'
path_prefix = '/strict'
hostname = 'strict.example'
duplicates = 'conflict'
[logs.strict2]
path_prefix = '/strict'
hostname = 'strict2.example'
duplicates = 'conflict'
";
    let server = serve(folder.path(), toml).unwrap();
    let mut proposals = Proposals::new();
    for api in [V1, V2] {
        let mut next = || if api == V1 { proposals.next_json() } else { proposals.next_v2_json() };
        let slow = format!("/slow{api}");
        assert_eq!(post(&server, "log", &slow, &next()).0, 201);
        let (status, retry, answer) = post(&server, "log", &slow, &next());
        assert_eq!(status, 429, "{answer}");
        let seconds: u64 = retry.unwrap().parse().unwrap();
        assert!((990..=1000).contains(&seconds), "{seconds}");

        let known = next();
        for (prefix, second) in [("", 201), ("/strict", 409)] {
            let path = format!("{prefix}{api}");
            assert_eq!(post(&server, "log", &path, &next()).0, 201, "no quota of another");
            let (status, _, first) = post(&server, "log", &path, &known);
            assert_eq!(status, 201, "{first}");
            let (status, _, again) = post(&server, "log", &path, &known);
            assert_eq!(status, second, "{again}");
            if second == 201 {
                let index = |answer: &str| -> Value {
                    let answer: Value = serde_json::from_str(answer).unwrap();
                    let inside = answer.as_object().unwrap().values().next().unwrap();
                    inside.get("logIndex").unwrap_or(&answer["logIndex"]).clone()
                };
                assert_eq!(index(&again), index(&first));
            }
        }
    }
}

#[test]
fn a_log_that_is_read_only_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut proposals = Proposals::new();
    serve(folder.path(), "").unwrap().stop();
    let server = serve(folder.path(), "read_only = true").unwrap();
    assert_eq!(post(&server, "log", V1, &proposals.next_json()).0, 405);
    let (status, _, text) = post(&server, "log", V2, &proposals.next_v2_json());
    assert_eq!(status, 405);
    assert!(text.starts_with("This log has been frozen"), "{text}");
    assert_eq!(get(&server, "log", "/logs/v2/checkpoint").0, 200, "it is read");
}

#[test]
fn logs_come_and_go_with_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let team = "[logs.team]\npath_prefix = '/team'\nhostname = 'team.example'\n";
    // A folder of the time when there was one log.
    serve(folder.path(), "[logs.v2]\nenabled = false").unwrap().stop();
    let data = folder.path().join("data");
    assert!(data.join("v1.key").exists() && !data.join("v2.key").exists());
    let first = serve(folder.path(), team).unwrap();
    let logs = (listed(&first, "log", ""), listed(&first, "log", "/team"));
    assert_eq!((logs.0.len(), logs.1.len()), (2, 1));
    let request = Proposals::new().next_v2_json();
    assert_eq!(post(&first, "log", &format!("/team{V2}"), &request).0, 201);
    first.stop();
    for log in ["v2", "team"] {
        let mode = fs::metadata(data.join(format!("{log}.key"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let pem = fs::read(data.join(format!("{log}.pub"))).unwrap();
        let der = cairn::publisher::signer::public_key_der(&pem).unwrap();
        // RFC 8410: id-Ed25519, and 32 bytes.
        assert!(der.starts_with(&hex::decode("302a300506032b6570032100").unwrap()));
    }
    let without = serve(folder.path(), "").unwrap();
    assert_eq!(get(&without, "log", "/team/logs").0, 404);
    assert_eq!(listed(&without, "log", ""), logs.0);
    without.stop();
    let again = serve(folder.path(), team).unwrap();
    assert_eq!(listed(&again, "log", "/team"), logs.1);
    let tile = "/team/tile/entries/000.p/1";
    assert_eq!(get(&again, "log", tile).0, 200, "the entry is there");
    again.stop();
    let same = "[logs.other]\npath_prefix = '/other'\nhostname = 'team.example'\n";
    let error = serve(folder.path(), &format!("{team}{same}")).err().unwrap();
    assert!(error.contains("team.example"), "{error}");
}

#[test]
fn an_older_store_is_noticed_by_what_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    serve(folder.path(), "[logs.v2]\nenabled = false").unwrap().stop();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let mut copying = Command::new("cp");
    assert!(copying.arg("-r").arg(data.join("db")).arg(&copy).status().unwrap().success());
    serve(folder.path(), "").unwrap().stop();
    let key = fs::read(data.join("v2.key")).unwrap();
    fs::remove_dir_all(data.join("db")).unwrap();
    fs::rename(&copy, data.join("db")).unwrap();
    let error = serve(folder.path(), "").err().unwrap();
    assert!(error.contains("v2.pub") && error.contains("older copy"), "{error}");
    assert_eq!(fs::read(data.join("v2.key")).unwrap(), key);
}

#[test]
fn only_enabled_kinds_enter_and_all_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut proposals = Proposals::new();
    let refused = |answer: Answer, kind: &str| {
        let words = format!("entry kind '{kind}' is not enabled for submission on this server");
        assert_eq!(answer.0, 400);
        assert!(answer.2.contains(&words), "{}", answer.2);
    };
    let (before, other) = (proposals.next_json(), proposals.next_json());
    let server = Server::start(&data, &["--enabled-kinds", "hashedrekord,dsse"]).unwrap();
    assert_eq!(post(&server, "log", V1, &before).0, 201);
    refused(post(&server, "log", V1, &proposals.rekord_json(b"x")), "rekord");
    server.stop();

    let server = serve(folder.path(), "enabled_kinds = [\"rekord\", \"jar\"]").unwrap();
    refused(post(&server, "log", V1, &other), "hashedrekord");
    refused(post(&server, "log", V1, &before), "hashedrekord");
    assert_eq!(post(&server, "log", V1, &proposals.rekord_json(b"x")).0, 201);
    let hash = serde_json::from_str::<Value>(&before).unwrap();
    let hash = hash["spec"]["data"]["hash"]["value"].as_str().unwrap().to_owned();
    let query = format!("{{\"hash\": \"sha256:{hash}\"}}");
    let (status, _, found) = post(&server, "log", "/api/v1/index/retrieve", &query);
    assert_eq!((status, found.matches('"').count()), (200, 2), "{found}");
    let query = format!("{{\"entries\": [{before}]}}");
    let (status, _, found) = post(&server, "log", "/api/v1/log/entries/retrieve", &query);
    assert_eq!((status, found.contains("\"body\"")), (200, true), "{found}");
    server.stop();

    let refusal = Server::start(&data, &["--enabled-kinds", "rekord,sbom"]).err().unwrap();
    assert!(refusal.contains("\"sbom\" is not an entry kind; they are alpine, cose"), "{refusal}");
}
