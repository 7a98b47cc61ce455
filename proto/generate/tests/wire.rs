//! Every name, number and type on the wire is the one in `wire.txt`: those of sigstore and Google
//! as the Go descriptors of rekor-tiles 2.3.0, protobuf-specs 0.5.1 and genproto have them; ours as
//! they were released, so that no client breaks.
#![allow(clippy::unwrap_used, reason = "a test says so by panicking")]

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

const WIRE: &str = include_str!("wire.txt");

fn pool() -> DescriptorPool {
    DescriptorPool::decode(include_bytes!("../../src/gen/descriptors.bin").as_slice()).unwrap()
}

/// `message number name jsonName type`.
fn field_line(message: &MessageDescriptor, field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(found) => found.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let list = if field.is_list() { "repeated " } else { "" };
    let oneof = field.containing_oneof().map(|oneof| format!(" oneof {}", oneof.name()));
    format!(
        "{} {} {} {} {list}{kind}{}",
        message.full_name(),
        field.number(),
        field.name(),
        field.json_name(),
        oneof.unwrap_or_default(),
    )
}

/// `service/method input -> output`.
fn method_line(method: &MethodDescriptor) -> String {
    let side = |streams: bool, message: MessageDescriptor| {
        format!("{}{}", if streams { "stream " } else { "" }, message.full_name())
    };
    format!(
        "{}/{} {} -> {}",
        method.parent_service().full_name(),
        method.name(),
        side(method.is_client_streaming(), method.input()),
        side(method.is_server_streaming(), method.output()),
    )
}

#[test]
fn names_numbers_and_types() {
    let pool = pool();
    let mut found = BTreeSet::new();
    for message in pool.all_messages() {
        found.extend(message.fields().map(|field| field_line(&message, &field)));
    }
    for list in pool.all_enums() {
        let line = |name: &str, number: i32| format!("{} {number} {name}", list.full_name());
        found.extend(list.values().map(|value| line(value.name(), value.number())));
    }
    for service in pool.services() {
        found.extend(service.methods().map(|method| method_line(&method)));
    }
    found.retain(|line| !line.starts_with("google.protobuf."));
    let wire: BTreeSet<String> =
        WIRE.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let (only_ours, only_wire): (Vec<_>, Vec<_>) =
        (found.difference(&wire).collect(), wire.difference(&found).collect());
    assert!(only_ours.is_empty() && only_wire.is_empty(), "{only_ours:#?} are not {only_wire:#?}");
}

#[test]
fn key_details_leave_the_numbers_that_sigstore_reserves() {
    let details = pool().get_enum_by_name("dev.sigstore.common.v1.PublicKeyDetails").unwrap();
    let reserved: Vec<_> = details.reserved_ranges().collect();
    assert_eq!(reserved, [24..=50]);
}

/// Importing files name them by these paths, and reflection shows them.
#[test]
fn files_have_the_paths_of_the_originals() {
    let pool = pool();
    let mut paths: Vec<_> = pool.files().map(|file| file.name().to_owned()).collect();
    paths.retain(|path| !path.starts_with("google/protobuf/"));
    paths.sort();
    let expected = [
        "cairn/log/v1/log.proto",
        "envelope.proto",
        "google/api/httpbody.proto",
        "rekor/v2/dsse.proto",
        "rekor/v2/entry.proto",
        "rekor/v2/hashedrekord.proto",
        "rekor/v2/rekor_service.proto",
        "rekor/v2/verifier.proto",
        "sigstore_common.proto",
        "sigstore_rekor.proto",
    ];
    assert_eq!(paths, expected);
}
