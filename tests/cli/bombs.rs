//! Archives that are small as they are sent and large, or many, once they are unpacked.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};

use crate::hostile::{connect, post};
use crate::run::Server;
use crate::support::Proposals;

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
        // A process for each, for it holds on to memory.
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]).unwrap();
        let proposals = Proposals::new();
        let proposal = proposals.alpine_json(&package);
        // So much it takes to read a request of this size.
        let harmless = proposals.alpine_json(&vec![0; package.len()]);
        let answer = post(&mut connect(&server), &harmless);
        assert!(answer.contains("gzip: invalid header"), "{what}: {answer:.400}");
        let (before, started) = (server.memory_peak(), Instant::now());
        let answer = post(&mut connect(&server), &proposal);
        let (took, more) = (started.elapsed(), server.memory_peak() - before);
        assert!(answer.contains(words), "{what}: {answer:.400}");
        assert!(took < TIME_MAX, "{what}: {took:?}");
        assert!(more < MEMORY_MAX_KIB, "{what}: {more} KiB");
        eprintln!("{what}: {} KiB sent, {took:?}, {more} KiB more", proposal.len() >> 10);
    }
}
