//! tuf 0.0.1: metadata of The Update Framework, and the root that it is verified with.
//!
//! Both are logged in canonical form, so that the stored form is a proposal again. What has expired
//! does not enter, but is still found: Rekor forgets how to look for it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::super::pki::tuf::{Document, Root};
use super::super::schema::{self, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "tuf", version: "0.0.1", decode };

struct Tuf<'a> {
    metadata: &'a Value,
    root: &'a Value,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let content = |name: &str| {
        let parent = schema::object(spec, name);
        let content = parent.and_then(|parent| parent.get("content"));
        let content = content.filter(|content| !content.is_null());
        let required = check_required(name, parent)
            .and_then(|()| within(name, check_required(&format!("{name}.content"), content)));
        (required, content.unwrap_or(&Value::Null))
    };
    let ((metadata_checked, metadata), (root_checked, root)) =
        (content("metadata"), content("root"));
    finish([metadata_checked, root_checked])?;
    Ok(Box::new(Tuf { metadata, root }))
}

/// Either a JSON object, or the base64 of its text.
fn document<'a>(content: &'a Value, what: &str) -> Result<Document<'a>, Rejection> {
    let read = match content {
        Value::String(text) => {
            let text = base64::decode(text).map_err(|error| {
                Rejection::Input(format!("base64 decoding TUF {what} content: {error}"))
            })?;
            Document::parse(&text)
        }
        value => Document::from_value(value),
    };
    read.map_err(Rejection::Input)
}

impl Entry for Tuf<'_> {
    /// Nothing is missing once it is decoded.
    fn check_insertable(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let metadata = document(self.metadata, "metadata")?;
        let root =
            Root::read(document(self.root, "root")?, context.now).map_err(Rejection::Input)?;
        root.verify(&metadata, context.now).map_err(Rejection::Input)?;
        let logged = metadata.canonical().map_err(Rejection::Input)?;
        let logged_root = root.document.canonical().map_err(Rejection::Input)?;
        let index_keys = vec![
            index_keys::sha256_hex(&logged),
            metadata.role,
            metadata.version.to_string(),
            index_keys::sha256_hex(&logged_root),
        ];
        let spec = Spec {
            metadata: Content { content: base64::encode(&logged) },
            root: Content { content: base64::encode(&logged_root) },
            spec_version: root.spec_version.into(),
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    metadata: Content,
    root: Content,
    #[serde(skip_serializing_if = "str::is_empty")]
    spec_version: Cow<'a, str>,
}

#[derive(Serialize)]
struct Content {
    content: String,
}
