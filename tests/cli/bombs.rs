//! Archives that are small as they are sent and large, or many, once they are unpacked.

use std::io::Write as _;
use std::time::Duration;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};

use crate::hostile::{connect, post};
use crate::run::Server;
use crate::support::Proposals;

/// Of one core: others may need it meanwhile.
const TIME_MAX: Duration = Duration::from_secs(2);
const MEMORY_MAX_KIB: u64 = 64 << 10;
const GIB: usize = 1 << 30;

/// A gzip member of `start`, and `piece` over and over up to 1 GiB; its checksum is wrong.
fn gzip_bomb(start: &[u8], piece: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut packed = |content: &[u8], flush| {
        let mut out = Vec::with_capacity(content.len() + 1024);
        deflate.compress_vec(content, &mut out, flush).unwrap();
        out
    };
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(packed(start, FlushCompress::Full));
    // Nothing in it refers to what stands before it, so that it may be repeated.
    let piece_packed = packed(piece, FlushCompress::Full);
    out.extend(piece_packed.repeat(GIB / piece.len()));
    out.extend(packed(b"", FlushCompress::Finish));
    out.extend([0; 8]);
    out
}

/// The header of a member of a tar archive.
fn header(name: &str, flag: u8, size: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    let size = format!("{size:011o}\0");
    for (at, bytes) in
        [(0, name.as_bytes()), (124, size.as_bytes()), (156, &[flag]), (148, &[32; 8])]
    {
        header[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(512), 0);
    padded
}

/// Members for a mebibyte.
fn members(name: &str, flag: u8, content: &[u8]) -> Vec<u8> {
    let member = [header(name, flag, content.len()), padded(content)].concat();
    member.repeat((1 << 20) / member.len())
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

/// A first part with a signature.
fn signature() -> Vec<u8> {
    gzip(&[header(".SIGN.RSA.x", b'0', 512), vec![7; 512]].concat())
}

#[test]
fn a_package_is_not_unpacked_further_than_it_may_be() {
    let zeros = vec![0; 1 << 20];
    let control = |start: &[u8], piece: &[u8]| [signature(), gzip_bomb(start, piece)].concat();
    let records = b"8 uid=1\n".repeat((1 << 17) - 64); // as many as one extended header may have
    let lines: String = (0..150_000).map(|line| format!("{line:x}=\n")).collect();
    let twice =
        [header(".PKGINFO", b'0', lines.len()), padded(lines.as_bytes())].concat().repeat(2);
    let larger = "reading control.tar.gz: it has more than 67108864 bytes, unpacked";
    let signature_larger =
        "decompressed size (1048577) for signature.tar.gz exceeds max allowed size 1048576";
    let cases = [
        ("a first part of zeros", gzip_bomb(b"", &zeros), signature_larger),
        ("a large signature", gzip_bomb(&header(".SIGN", b'0', GIB), &zeros), signature_larger),
        ("a second part of zeros", control(b"", &zeros), larger),
        ("a large member", control(&header("x", b'0', GIB), &zeros), larger),
        ("a large .PKGINFO", control(&header(".PKGINFO", b'0', GIB), &zeros), larger),
        ("a large header", control(&header("x", b'x', GIB), &zeros), larger),
        ("small members", control(b"", &members("x", b'0', b"")), larger),
        ("extended headers", control(b"", &members("x", b'x', &records)), larger),
        ("many lines, twice", [signature(), gzip(&twice)].concat(), "more than one .PKGINFO"),
        ("nested members", control(b"", &control(b"", &zeros)[..1 << 20]), larger),
    ];
    for (what, package, words) in cases {
        // So much it takes to read a request of this size.
        let harmless = Proposals::new().package_json("alpine", &vec![0; package.len()]);
        let proposal = Proposals::new().package_json("alpine", &package);
        refused_at_little_cost(what, &harmless, &proposal, words);
    }
}

/// Sends what is harmless, and then the other: a process for each, for it holds on to memory.
fn refused_at_little_cost(what: &str, harmless: &str, proposal: &str, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let answer = post(&mut connect(&server), harmless);
    assert!(answer.contains("\"code\":400"), "{what}: {answer:.400}");
    let (before, busy) = (server.memory_peak(), server.busy());
    let answer = post(&mut connect(&server), proposal);
    let (took, more) = (server.busy() - busy, server.memory_peak() - before);
    assert!(answer.contains(words), "{what}: {answer:.400}");
    assert!(took < TIME_MAX, "{what}: {took:?}");
    assert!(more < MEMORY_MAX_KIB, "{what}: {more} KiB");
    eprintln!("{what}: {} KiB sent, {took:?}, {more} KiB more", proposal.len() >> 10);
}

/// A member of a ZIP archive: what is said of it, and the deflated bytes.
struct Member<'a> {
    name: &'a str,
    /// Unpacked.
    size: u32,
    packed: &'a [u8],
    /// Where its bytes are, if they are another's.
    at: Option<u32>,
}

/// An archive of them (APPNOTE.TXT 4.3), checksums left out.
fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for Member { name, size, packed, at } in members {
        let short = |number: usize| (number as u16).to_le_bytes();
        let fields = [
            &[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &(packed.len() as u32).to_le_bytes(),
            &size.to_le_bytes(),
            &short(name.len()),
            &[0, 0],
        ]
        .concat();
        let place = at.unwrap_or(out.len() as u32).to_le_bytes();
        if at.is_none() {
            out.extend([&b"PK\x03\x04"[..], &fields, name.as_bytes(), packed].concat());
        }
        let rest = [&[0; 10][..], &place, name.as_bytes()].concat();
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &fields, &rest].concat());
    }
    let count = (members.len().min(0xffff) as u16).to_le_bytes();
    let (size, start) = (directory.len() as u32, out.len() as u32);
    out.extend(directory);
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count].concat());
    out.extend([&size.to_le_bytes()[..], &start.to_le_bytes(), &[0, 0]].concat());
    out
}

#[test]
fn an_archive_is_not_unpacked_further_than_it_may_be() {
    let zeros = gzip_bomb(b"", &vec![0; 1 << 20]);
    let zeros = &zeros[10..zeros.len() - 8];
    let gib = GIB as u32;
    let own = |name, size| Member { name, size, packed: zeros, at: None };
    let small = |name| Member { name, size: 0, packed: &[3, 0], at: None };
    let manifest = "META-INF/MANIFEST.MF";
    let signed = || [small("META-INF/A.SF"), small("META-INF/A.RSA")];
    let names: Vec<String> = (0..70_000).map(|n| format!("{n:x}")).collect();
    let many: Vec<_> = names.iter().map(|name| small(name)).collect();
    // Every name has the same bytes (a "better ZIP bomb").
    let mut shared = vec![own("first", 1 << 20)];
    shared.extend(names.iter().take(60_000).map(|name| Member { at: Some(0), ..own(name, 4000) }));
    let with =
        |members: Vec<Member<'_>>| zip(&members.into_iter().chain(signed()).collect::<Vec<_>>());
    let larger = "the members of the JAR have more than 268435456 bytes";
    let metadata = "uncompressed jar metadata of size 1073741824 exceeds max allowed size 1048576";
    let cases = [
        ("a large member", with(vec![small(manifest), own("x", gib)]), larger),
        ("a large manifest", with(vec![own(manifest, gib)]), metadata),
        ("a manifest larger than it says", with(vec![own(manifest, 1000)]), "zip: "),
        (
            "many large members",
            with(vec![own("a", gib / 8), own("b", gib / 8), own("c", 1)]),
            larger,
        ),
        ("small members", zip(&many), "the JAR has more than 65536 members"),
        ("members that share their bytes", zip(&shared), "members of the JAR overlap"),
        (
            "an archive in an archive",
            with(vec![Member { packed: &zip(&many), ..own("x", 1) }]),
            "more than 65536 members",
        ),
    ];
    for (what, archive, words) in cases {
        let harmless = Proposals::jar_json(&vec![0; archive.len()]);
        refused_at_little_cost(what, &harmless, &Proposals::jar_json(&archive), words);
    }
}

#[test]
fn a_header_is_not_larger_than_its_package() {
    let lead = [&[0xed, 0xab, 0xee, 0xdb, 3][..], &[0; 91]].concat();
    let header = |tags: u32, bytes: u32| {
        [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], &tags.to_be_bytes(), &bytes.to_be_bytes()].concat()
    };
    let zeros = gzip_bomb(b"", &vec![0; 1 << 20]);
    for (what, package) in [
        ("a header of a GiB", [&lead[..], &header(1, GIB as u32), &[0; 1 << 20]].concat()),
        ("a header of many tags", [&lead[..], &header(65_535, 0), &[0; 1 << 20]].concat()),
        ("a payload of a GiB", [&lead[..], &header(0, 0), &header(0, 0), &zeros].concat()),
    ] {
        let harmless = Proposals::new().package_json("rpm", &vec![0; package.len()]);
        let proposal = Proposals::new().package_json("rpm", &package);
        refused_at_little_cost(what, &harmless, &proposal, "\"code\":400");
    }
}
