//! Archives written by hand, in the forms that there are.

use proptest::prelude::*;

use super::*;
use crate::admission::tests::alpine_maker::{changed, member, typed};

type Members = Vec<(Vec<u8>, Vec<u8>)>;

fn read(archive: &[u8]) -> Result<Members, String> {
    let mut tar = Tar::new(archive);
    let mut members = Vec::new();
    while let Some(header) = tar.next()? {
        members.push((header.name.clone(), tar.content(&header)?));
    }
    Ok(members)
}

fn one(name: &[u8], content: &[u8]) -> Members {
    vec![(name.to_vec(), content.to_vec())]
}

/// Records of an extended header, written so that the lengths fit.
fn records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in records {
        let rest = [b" ", name.as_bytes(), b"=", value, b"\n"].concat();
        let fits = |length: &usize| *length == length.to_string().len() + rest.len();
        let length = (rest.len()..).find(fits).unwrap();
        out.extend([length.to_string().as_bytes(), &rest].concat());
    }
    out
}

#[test]
fn extended_headers_change_the_member_that_follows() {
    let with = |list: &[(&str, &[u8])]| {
        read(&[typed(b'x', "x", &records(list)), member("q", b"abc")].concat())
    };
    assert_eq!(with(&[("path", b"name"), ("mtime", b"-1.5")]), Ok(one(b"name", b"abc")));
    assert_eq!(with(&[("path", b""), ("x", b"a\0b")]), Ok(one(b"q", b"abc")));
    assert_eq!(with(&[("path", b"a"), ("path", b"b")]), Ok(one(b"b", b"abc")));
    assert_eq!(with(&[("size", b"2")]), Ok(one(b"q", b"ab")));
    assert_eq!(with(&[("GNU.sparse.major", b"2")]), Ok(one(b"q", b"abc")));
    for bad in [
        ("size", &b"-1"[..]),
        ("size", b"x"),
        ("uid", b"x"),
        ("mtime", b"1.x"),
        ("path", b"a\0"),
        ("a\0", b"b"),
        ("", b"b"),
        ("GNU.sparse.map", b"0,1"),
    ] {
        assert_eq!(with(&[bad]), Err(INVALID.into()), "{bad:?}");
    }
    assert_eq!(with(&[("size", b"9999")]), Err(CUT_SHORT.into()));
    for bad in [&b"x"[..], b"9 a=b\n", b"5 a=b\n", b"6 abc\n", b"7 a=bcd"] {
        let archive = [typed(b'x', "x", bad), member("q", b"")].concat();
        assert_eq!(read(&archive), Err(INVALID.into()), "{bad:?}");
    }
}

#[test]
fn long_names_and_global_headers() {
    let q = member("q", b"abc");
    let long = typed(b'L', "././@LongLink", b"a/long/name\0");
    let link = typed(b'K', "././@LongLink", b"x\0");
    let path = typed(b'x', "x", &records(&[("path", b"other")]));
    let archive = [long, path, link, q.clone()].concat();
    assert_eq!(read(&archive), Ok(one(b"a/long/name", b"abc")));
    let global = typed(b'g', "g", &records(&[("path", b"name")]));
    let expected = [one(b"name", b""), one(b"q", b"abc")].concat();
    assert_eq!(read(&[global, q.clone()].concat()), Ok(expected));
    let large = typed(b'L', "L", &vec![b'x'; (1 << 20) + 1]);
    let words = "archive/tar: header field too long";
    assert_eq!(read(&[large, q].concat()), Err(words.into()));
    assert_eq!(read(&typed(b'S', "sparse", b"")), Err(INVALID.into()));
}

#[test]
fn names_have_prefixes_by_the_form_of_the_header() {
    let with = |changes: &[(usize, &[u8])]| read(&changed("name", b"", changes));
    let prefix = (345, &b"pre"[..]);
    let gnu = (257, &b"ustar  \0"[..]);
    assert_eq!(with(&[prefix]), Ok(one(b"pre/name", b"")));
    assert_eq!(with(&[prefix, gnu]), Ok(one(b"pre/name", b"")));
    assert_eq!(with(&[(345, b"0123"), gnu]), Ok(one(b"name", b"")));
    assert_eq!(with(&[(345, b"pr\xe9"), gnu]), Ok(one(b"name", b"")));
    assert_eq!(with(&[prefix, (257, &[0; 8])]), Ok(one(b"name", b"")));
    let star = (508, &b"tar\0"[..]);
    assert_eq!(with(&[prefix, star]), Ok(one(b"pre/name", b"")));
    for bad in [(100, &b"x"[..]), (116, b"9"), (136, b"-"), (329, b"8")] {
        assert_eq!(with(&[bad]), Err(INVALID.into()), "{bad:?}");
    }
    assert_eq!(with(&[star, (476, b"x")]), Err(INVALID.into()));
    let mut wrong = member("name", b"");
    wrong[0] = b'N';
    assert_eq!(read(&wrong), Err(INVALID.into()));
}

#[test]
fn links_and_folders_have_no_content() {
    let size = (124, &b"00000000003\0"[..]);
    for flag in b'1'..=b'6' {
        let link = changed("name", b"", &[(156, &[flag][..]), size]);
        assert_eq!(read(&link), Ok(one(b"name", &[0; 3])));
    }
    let folder = changed("name/", b"", &[(156, &[0][..]), size]);
    assert_eq!(read(&folder), Ok(one(b"name/", &[0; 3])));
    assert_eq!(read(&changed("name", b"", &[size])), Err(CUT_SHORT.into()));
}

#[test]
fn numbers_are_octal_or_binary() {
    for (field, value) in [
        (&b"00000000017\0"[..], Some(15)),
        (b"  17 \0", Some(15)),
        (b"", None),
        (b"\0\0", Some(0)),
        (b"17\x008", Some(15)),
        (b"18", None),
        (b"-1", None),
        (b"\x80\0\0\x02\0", Some(512)),
        (b"\xff\xff\xff", Some(-1)),
        (b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff", None),
    ] {
        assert_eq!(number(field), value, "{field:?}");
    }
}

proptest! {
    #[test]
    fn members_are_what_was_written(
        members in proptest::collection::vec(
            ("[a-z.]{1,9}(/[a-z]{1,60}){0,5}", proptest::collection::vec(any::<u8>(), 0..1500)),
            0..5,
        ),
        end in 0_usize..3,
    ) {
        let mut archive = Vec::new();
        for (name, content) in &members {
            if name.len() > 100 {
                archive.extend(typed(b'x', "x", &records(&[("path", name.as_bytes())])));
            }
            archive.extend(member(&name[..name.len().min(100)], content));
        }
        archive.extend(vec![0; end * BLOCK]);
        let named = |(name, content): (String, Vec<u8>)| (name.into_bytes(), content);
        let expected: Members = members.into_iter().map(named).collect();
        prop_assert_eq!(read(&archive), Ok(expected));
    }

    #[test]
    fn any_header_is_read_or_refused(
        at in 0_usize..511,
        bytes in any::<[u8; 1]>(),
        flag in prop::sample::select(&b"\x000123567LKSxgV"[..]),
        length in 0_usize..2048,
    ) {
        let changes: [(usize, &[u8]); 2] = [(at, &bytes), (156, &[flag])];
        let header = changed("12 a=b", b"12 path=abc\n", &changes);
        let mut archive = [header, member("q", b"abc")].concat();
        archive.truncate(length);
        let _either = read(&archive);
    }
}
