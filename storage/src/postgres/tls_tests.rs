//! Who a server is, and who we are, on a real server with TLS: certificates and passwords.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tlog::TreeHead;

use super::tests::server::Postgres;
use super::*;
use crate::suite::{add, entry, record, tree};

/// Signs certificates; its own one is in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let file = folder.join(name);
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Of nobody before this test.
fn password() -> String {
    let random = KeyPair::generate().unwrap();
    random.public_key_raw().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server that shows a certificate for `localhost`, and lets in `asked` with a password and
/// `certified` with a certificate, both over TLS alone.
fn encrypted(authority: &Authority, password: &str) -> Option<Postgres> {
    let mut server = Postgres::start(&[])?;
    let roles = format!(
        "CREATE ROLE asked SUPERUSER LOGIN PASSWORD '{password}'; \
         CREATE ROLE certified SUPERUSER LOGIN"
    );
    server.sql("postgres", &roles);
    let (certificate, key) = authority.certify("localhost");
    server.place("server.crt", &certificate);
    server.place("server.key", &key);
    server.place("ca.crt", &std::fs::read_to_string(&authority.file).unwrap());
    server.place(
        "pg_hba.conf",
        "host all cairn 127.0.0.1/32 trust\n\
         hostssl all asked 127.0.0.1/32 scram-sha-256\n\
         hostssl all certified 127.0.0.1/32 cert\n",
    );
    server.place("postgresql.auto.conf", "ssl = on\nssl_ca_file = 'ca.crt'\n");
    server.kill();
    server.begin();
    Some(server)
}

fn url(user: &str, host: &str, port: u16, root: &Path) -> String {
    let root = root.display();
    format!("postgres://{user}@{host}:{port}/log?sslmode=verify-full&sslrootcert={root}")
}

/// Why it is not opened.
async fn refusal(url: &str, password: Option<&str>) -> String {
    let options = Options { password: password.map(str::to_owned), ..Options::new(url) };
    let error = PostgresStore::open(&options).await.err().expect("it was opened").to_string();
    assert!(password.is_none_or(|secret| !error.contains(secret)), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_to_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let known = Authority::new(folder.path(), "known");
    let other = Authority::new(folder.path(), "other");
    let secret = password();
    let Some(server) = encrypted(&known, &secret) else { return };
    let port = server.port;

    let right = url("asked", "localhost", port, &known.file);
    let options = Options { password: Some(secret.clone()), ..Options::new(right) };
    let store = PostgresStore::open(&options).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    add(&*log, TreeHead::empty(), vec![entry("a")]).await;
    let plain = "SELECT count(*), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl \
                 JOIN pg_stat_activity USING (pid) WHERE usename = 'asked'";
    let counts = server.sql("log", plain);
    assert!(counts.ends_with("|0") && counts != "0|0", "connections, and plain ones: {counts}");

    let secret = Some(secret.as_str());
    let unknown = refusal(&url("asked", "localhost", port, &other.file), secret).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let machine = format!("postgres://asked@localhost:{port}/log?sslmode=verify-full");
    let machine = refusal(&machine, secret).await;
    assert!(machine.contains("certificate"), "{machine}");
    let wrong = refusal(&url("asked", "127.0.0.1", port, &known.file), secret).await;
    assert!(wrong.contains("not valid for name"), "{wrong}");
    // Without TLS this server lets nobody in.
    let bare = format!("postgres://asked@localhost:{port}/log?sslmode=disable");
    let bare = refusal(&bare, secret).await;
    assert!(bare.contains("no encryption"), "{bare}");
}

#[tokio::test(flavor = "multi_thread")]
async fn we_have_to_prove_ours() {
    let folder = tempfile::tempdir().unwrap();
    let known = Authority::new(folder.path(), "known");
    let other = Authority::new(folder.path(), "other");
    let Some(server) = encrypted(&known, &password()) else { return };

    let asked = url("asked", "localhost", server.port, &known.file);
    let wrong = refusal(&asked, Some(&password())).await;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let missing = refusal(&asked, None).await;
    assert!(missing.contains("password missing"), "{missing}");

    let certified = url("certified", "localhost", server.port, &known.file);
    let bare = refusal(&certified, None).await;
    assert!(bare.contains("requires a valid client certificate"), "{bare}");
    for (authority, name, why) in [
        (&known, "somebody", Some("certificate authentication failed")),
        (&other, "certified", Some("unknownca")),
        (&known, "certified", None),
    ] {
        let files = ["cert", "key"].map(|end| folder.path().join(end));
        let (certificate, key) = authority.certify(name);
        std::fs::write(&files[0], certificate).unwrap();
        std::fs::write(&files[1], key).unwrap();
        let [cert, key] = files.each_ref().map(|file| file.display());
        let url = format!("{certified}&sslcert={cert}&sslkey={key}");
        match why {
            Some(why) => {
                let error = refusal(&url, None).await;
                assert!(error.to_lowercase().contains(why), "{name}: {error}");
            }
            None => drop(PostgresStore::open(&Options::new(url)).await.unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let known = Authority::new(folder.path(), "known");
    let Some(server) = Postgres::start(&[]) else { return };
    let error = refusal(&url("cairn", "localhost", server.port, &known.file), None).await;
    assert!(error.contains("does not support TLS"), "{error}");
}
