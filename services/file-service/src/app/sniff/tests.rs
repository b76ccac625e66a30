use super::*;
use proptest::prelude::*;

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn of(head: impl AsRef<[u8]>, file_name: &str) -> &'static str {
    detect(head.as_ref(), true, &name(file_name))
}

#[test]
fn every_sample_has_its_type() {
    let Ok(folder) = std::env::var("FM_TEST_SAMPLES") else {
        eprintln!("the sample files are not here: FM_TEST_SAMPLES is not set");
        return;
    };
    let folder = std::path::Path::new(&folder);
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let (file, mime) = (column(&header, "file"), column(&header, "mime"));
    let mut wrong = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let content = std::fs::read(folder.join(fields[file])).unwrap();
        let head = &content[..content.len().min(HEAD_BYTES)];
        let found = detect(head, head.len() == content.len(), &name(fields[file]));
        if !fields[mime].split('|').any(|expected| expected == found) {
            wrong.push(format!("{}: {found}, not {}", fields[file], fields[mime]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn column(header: &[&str], name: &str) -> usize {
    header.iter().position(|title| *title == name).unwrap()
}

#[test]
fn c026_whatever_starts_like_markup_is_markup() {
    for (text, kind) in [
        ("<!DOCTYPE html><title>x</title>", "text/html"),
        ("<!doctype HTML>", "text/html"),
        ("\u{feff} \n\t<HTML>", "text/html"),
        ("<script>alert(1)</script>", "text/html"),
        ("<img src=x onerror=alert(1)>", "text/html"),
        ("</p><script>", "text/html"),
        ("<!-- a comment --><html>", "text/html"),
        ("<!-- never closed", "text/html"),
        ("<?php echo 1;", "text/html"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'>", "text/html"),
        ("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "text/html"),
        ("<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "image/svg+xml"),
        ("<?xml version=\"1.0\"?>\n<!-- by x -->\n<svg>", "image/svg+xml"),
        ("<?xml version=\"1.0\"?><!DOCTYPE svg [ <!ENTITY a \"<b>\"> ]><svg:svg>", "image/svg+xml"),
        ("<?xml version=\"1.0\"?><rss/>", "text/xml"),
        ("<?XML version=\"1.0\"?><?xml-stylesheet href='x'?><a/>", "text/xml"),
        ("<rss version='2.0'/>", "text/html"),
    ] {
        for file_name in ["a.txt", "a.jpg", "a", "a.html", "a.json", "a.csv", "a.docx", "a.pdf"] {
            assert_eq!(of(text, file_name), kind, "{text} as {file_name}");
            let utf16: Vec<u8> =
                [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
            assert_eq!(of(&utf16, file_name), kind, "{text} in UTF-16 as {file_name}");
        }
    }
    assert_eq!(of("<h1>Title</h1>\n\n# x", "README.md"), "text/markdown");
    for text in ["< not a tag", "<3", "a < b", "<", "x <script>"] {
        assert_eq!(of(text, "a.txt"), "text/plain", "{text}");
    }
}

#[test]
fn c022_c023_media_are_told_by_their_content() {
    let mut stream = vec![0; 188 * 4];
    for packet in stream.chunks_mut(188) {
        packet[0] = 0x47;
    }
    assert_eq!(of(&stream, "clip.ts"), "video/mp2t");
    assert_eq!(of("const a: number = 1;\n", "clip.ts"), "text/x-typescript");
    assert_eq!(of("GGG", "G.ts"), "text/x-typescript");
    let page =
        |packet: &[u8]| [b"OggS\0\x02".as_slice(), &[0; 20], &[1, packet.len() as u8], packet].concat();
    assert_eq!(of(page(b"OpusHead\x01\x02"), "a.opus"), "audio/ogg");
    assert_eq!(of(page(b"\x01vorbis"), "a.oga"), "audio/ogg");
    assert_eq!(of(page(b"\x80theora"), "a.ogv"), "video/ogg");
    let boxed = |brands: &[u8]| {
        [&(8 + brands.len() as u32).to_be_bytes(), b"ftyp".as_slice(), brands, b"\0\0\0\x08free"].concat()
    };
    for (brands, file_name, kind) in [
        (b"M4A \0\0\0\0M4A mp42isom".as_slice(), "a.m4a", "audio/mp4"),
        (b"isom\0\0\x02\0isomiso2avc1mp41", "a.mp4", "video/mp4"),
        (b"isom\0\0\x02\0isomiso2mp41", "a.m4a", "audio/mp4"),
        (b"avif\0\0\0\0avifmif1miaf", "a.avif", "image/avif"),
        (b"mif1\0\0\0\0mif1avif", "a", "image/avif"),
        (b"mif1\0\0\0\0mif1heic", "a.heic", "image/heic"),
        (b"heic\0\0\0\0mif1heic", "a", "image/heic"),
        (b"qt  \0\0\0\0qt  ", "a.mov", "video/quicktime"),
        (b"3gp5\0\0\0\0", "a", "video/3gpp"),
        (b"", "a", "video/mp4"),
    ] {
        assert_eq!(of(boxed(brands), file_name), kind, "{file_name}");
    }
    assert_eq!(of(b"fLaC\0\0\0\x22", "a.flac"), "audio/flac");
    assert_eq!(of(b"ID3\x04\0", "a.mp3"), "audio/mpeg");
    assert_eq!(of(b"\xFF\xFB\x90\x64", "a.mp3"), "audio/mpeg");
    assert_eq!(of(b"\xFF\xF1\x50\x80", "a.aac"), "audio/aac");
    assert_eq!(of(b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm", "a.webm"), "video/webm");
    assert_eq!(of(b"\x1A\x45\xDF\xA3\x9F\x42\x82\x88matroska", "a.mkv"), "video/x-matroska");
}

#[test]
fn a_name_refines_what_the_content_allows() {
    let zip = b"PK\x03\x04\x14\0\0\0\x08\0aaaabbbbccccddddeeee";
    for (content, file_name, kind) in [
        (b"a,b\n".as_slice(), "a.csv", "text/csv"),
        (b"{}", "a.JSON", "application/json"),
        (b"{}", "a.jpg", "text/plain"),
        (b"body {}", "a.css", "text/css"),
        (b"let a;", "a.js", "text/javascript"),
        (b"plain words", "a.html", "text/html"),
        (b"words", "a.pdf", "text/plain"),
        (b"\xCF\xF2\xE8", "a.txt", "text/plain"),
        (b"\0\x01\x02", "a.txt", "application/octet-stream"),
        (b"\0\x01\x02", "a.html", "application/octet-stream"),
        (zip, "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (zip, "a.html", "application/zip"),
        (b"words", "a.docx", "text/plain"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0", "a.xls", "application/vnd.ms-excel"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0", "a", "application/x-ole-storage"),
        (b"", "a.png", "image/png"),
        (b"", "a", "application/octet-stream"),
        (b"%PDF-1.7", "a.txt", "application/pdf"),
        (b"{\\rtf1", "a.doc", "application/rtf"),
    ] {
        assert_eq!(of(content, file_name), kind, "{file_name}");
    }
    let mut epub = b"PK\x03\x04\x0A\0\0\0\0\0aaaabbbbccccdddd\x08\0\0\0mimetypeapplication/epub+zip".to_vec();
    assert_eq!(of(&epub, "book"), "application/epub+zip");
    epub[8] = 8;
    assert_eq!(of(&epub, "book"), "application/zip");
}

#[test]
fn the_charset_shows_or_is_not_given() {
    for (content, whole, expected) in [
        (b"abc".as_slice(), true, Some("utf-8")),
        ("日本".as_bytes(), true, Some("utf-8")),
        (&"日本".as_bytes()[..5], false, Some("utf-8")),
        (&"日本".as_bytes()[..5], true, None),
        (b"\xFF\xFEa\0", true, Some("utf-16le")),
        (b"\xFE\xFF\0a", true, Some("utf-16be")),
        (b"\xCF\xF2\xE8 ", true, None),
        (b"", true, Some("utf-8")),
    ] {
        assert_eq!(charset(content, whole), expected, "{content:?}");
    }
}

proptest! {
    #[test]
    fn nothing_upsets_it(content: Vec<u8>, whole: bool, file_name in "\\PC{1,20}") {
        if let Ok(file_name) = NodeName::parse(&file_name) {
            detect(&content, whole, &file_name);
            charset(&content, whole);
        }
    }

    #[test]
    fn nor_does_a_good_start(start in 0usize..12, rest: Vec<u8>, extension in "[a-zA-Z0-9]{0,20}") {
        let starts: [&[u8]; 12] = [
            b"\0\0\0\x20ftyp", b"OggS", b"PK\x03\x04", b"\x1A\x45\xDF\xA3", b"RIFF", b"\xFF\xFB", b"\xFF\xFE", b"<?xml", b"<!", b"GIF89a",
            b"\x89PNG\r\n\x1a\n", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        ];
        let content = [starts[start], &rest].concat();
        detect(&content, true, &name(&format!("a.{extension}")));
    }

    #[test]
    fn no_tag_at_the_start_goes_unseen(space in "[ \t\r\n]{0,20}", tag in "[a-zA-Z!?/][ -~]{0,40}", extension in "(txt|jpg|json|csv|js|)") {
        let kind = of(format!("{space}<{tag}"), &format!("a.{extension}"));
        prop_assert!(["text/html", "image/svg+xml", "text/xml"].contains(&kind), "{}", kind);
    }
}
