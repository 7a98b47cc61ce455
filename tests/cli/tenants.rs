//! Several logs in one process: each behind its own door, with its own rules.

use std::path::Path;

use crate::run::Server;
use crate::support::Proposals;
use crate::tiles::{get, listed, post};

const V1: &str = "/api/v1/log/entries";
const V2: &str = "/api/v2/log/entries";

fn serve(folder: &Path, toml: &str) -> Server {
    let file = folder.join("cairn.toml");
    std::fs::write(&file, toml).unwrap();
    Server::start(&folder.join("data"), &["--config", file.to_str().unwrap()]).unwrap()
}

#[test]
fn no_tenant_sees_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(
        folder.path(),
        "[logs.team-a]\nhostname = 'a.example'\npath_prefix = '/team-a'\n\
         [logs.team-b]\nhost = 'b.example'\n\
         [logs.old-a]\napi = 'v1'\nhostname = 'a.example'\npath_prefix = '/team-a'",
    );
    let (root, a) = (server.url.clone(), format!("{}/team-a", server.url));
    let at_b = [("host", "b.example")];
    let mut proposals = Proposals::new();
    let json = proposals.next_v2_json();
    // The same entry is new to each.
    assert_eq!(post(&format!("{a}{V2}"), &[], &json).json()["logIndex"], "0");
    assert_eq!(post(&format!("{root}{V2}"), &at_b, &json).json()["logIndex"], "0");
    assert_eq!(listed(&root, "v2")["tree_size"], 0);
    let v1 = post(&format!("{a}{V1}"), &[], &proposals.next_json());
    assert_eq!(v1.status, 201, "{}", v1.text());
    let uuid = v1.headers["etag"].clone();
    assert_eq!(v1.headers["location"], format!("{V1}/{uuid}"));

    for (base, headers, names) in [
        (&root, &[][..], vec!["v1", "v2"]),
        (&a, &[][..], vec!["old-a", "team-a"]),
        (&root, &at_b[..], vec!["team-b"]),
    ] {
        let list = get(&format!("{base}/logs"), headers).json();
        let found: Vec<_> =
            list["logs"].as_array().unwrap().iter().map(|log| &log["name"]).collect();
        assert_eq!(found, names, "{base}");
    }
    let id = listed(&a, "team-a")["log_id"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("{a}/logs/{id}/tile/entries/000.p/1"), &[]).status, 200);
    for (base, headers) in [(&root, &[][..]), (&root, &at_b[..])] {
        for path in [
            format!("/logs/{id}/checkpoint"),
            "/logs/team-a/checkpoint".into(),
            format!("{V1}/{uuid}"),
            format!("{V1}?logIndex=0"),
        ] {
            let found = get(&format!("{base}{path}"), headers);
            assert_eq!(found.status, 404, "{path} {}", found.text());
        }
    }
    assert_eq!(get(&format!("{root}/team-a/checkpoint"), &at_b).status, 404, "the path of another");
    let of_b = "[+]team-b writing ok\n[+]team-b publishing ok\nok\n";
    assert_eq!(get(&format!("{root}/readyz?verbose"), &at_b).text(), of_b, "probes neither");
    assert!(!get(&format!("{a}/readyz?verbose"), &[]).text().contains("team-b"));
    assert!(get(&format!("{root}/readyz?verbose"), &[]).text().contains(&of_b[..of_b.len() - 3]));
    let list = get(&format!("{root}/logs"), &at_b).json();
    assert_eq!(list["logs"][0]["origin"], "b.example", "its host is its name");
    let trusted = get(&format!("{a}/trusted_root.json"), &[]).json();
    assert_eq!(trusted["tlogs"].as_array().unwrap().len(), 2);
}

#[test]
fn quota_duplicates_and_freezing() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(
        folder.path(),
        "duplicates = 'return-existing'\n\
         [logs.slow]\nhostname = 's.example'\npath_prefix = '/slow'\n\
         quota_entries_per_second = 0.01\nquota_burst = 1.0\nduplicates = 'conflict'\n\
         [logs.full]\nhostname = 'f.example'\npath_prefix = '/full'\nquota_entries_max = 1\n\
         [logs.frozen]\nhostname = 'i.example'\npath_prefix = '/frozen'\nread_only = true",
    );
    let mut proposals = Proposals::new();
    let post = |path: &str, json: &str| post(&format!("{}{path}", server.url), &[], json);
    let (v1, v2) = (proposals.next_json(), proposals.next_v2_json());
    let (first, again) = (post(V2, &v2), post(V2, &v2));
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json()["logIndex"], again.json()["logIndex"]);
    let (first, again) = (post(V1, &v1), post(V1, &v1));
    assert_eq!((first.status, again.status), (201, 201), "{}", again.text());
    assert_eq!(first.headers["etag"], again.headers["etag"]);

    assert_eq!(post("/slow/api/v2/log/entries", &proposals.next_v2_json()).status, 201);
    let over = post("/slow/api/v2/log/entries", &proposals.next_v2_json());
    assert_eq!((over.status, &over.json()["code"]), (429, &serde_json::json!(8)));
    assert!(over.headers["retry-after"].parse::<u64>().unwrap() > 1);
    assert_eq!(post("/full/api/v2/log/entries", &proposals.next_v2_json()).status, 201);
    assert_eq!(post("/full/api/v2/log/entries", &proposals.next_v2_json()).status, 429);
    let frozen = post("/frozen/api/v2/log/entries", &proposals.next_v2_json());
    let text = "This log has been frozen, please switch to the latest log.\n";
    assert_eq!((frozen.status, frozen.text().as_str()), (405, text));
    assert_eq!(get(&format!("{}/frozen/checkpoint", server.url), &[]).status, 200);
}

#[test]
fn a_log_is_added_and_taken_out_and_never_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let more = "[logs.more]\nhostname = 'more.example'\npath_prefix = '/more'";
    drop(serve(folder.path(), ""));
    let server = serve(folder.path(), more);
    let more_url = format!("{}/more", server.url);
    assert_eq!(post(&format!("{more_url}{V2}"), &[], &Proposals::new().next_v2_json()).status, 201);
    let id = listed(&more_url, "more")["log_id"].clone();
    drop(server);
    let server = serve(folder.path(), "");
    assert_eq!(get(&format!("{}/more/checkpoint", server.url), &[]).status, 404);
    drop(server);
    let server = serve(folder.path(), more);
    let again = listed(&format!("{}/more", server.url), "more");
    assert_eq!((&again["log_id"], &again["tree_size"]), (&id, &serde_json::json!(1)));
    drop(server);
    let data = folder.path().join("data");
    let toml = folder.path().join("cairn.toml");
    std::fs::write(&toml, "[logs.twin]\nhostname = 'more.example'\npath_prefix = '/t'").unwrap();
    let refused = Server::start(&data, &["--config", toml.to_str().unwrap()]).err().unwrap();
    assert!(refused.contains("more.example") && refused.contains("hostname"), "{refused}");
    assert!(!data.join("twin.key").exists(), "a refused log leaves no key");
    // A store that is older than a key of its folder is an older copy.
    std::fs::write(data.join("lost.pub"), "a key that was used").unwrap();
    std::fs::write(&toml, "[logs.lost]\nhostname = 'lost.example'\npath_prefix = '/l'").unwrap();
    let refused = Server::start(&data, &["--config", toml.to_str().unwrap()]).err().unwrap();
    assert!(refused.contains("older copy"), "{refused}");
}
