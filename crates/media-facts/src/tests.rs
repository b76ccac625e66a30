use std::path::Path;

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

/// A file in memory.
struct Memory<'b> {
    bytes: &'b [u8],
    reads: Vec<usize>,
}

#[async_trait]
impl Source for Memory<'_> {
    type Error = &'static str;

    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, &'static str> {
        self.reads.push(len);
        let start = usize::try_from(start).map_err(|_| "beyond the end")?;
        self.bytes.get(start..start + len).map(Bytes::copy_from_slice).ok_or("beyond the end")
    }
}

fn facts(bytes: &[u8]) -> Result<Facts, Error<&'static str>> {
    let mut source = Memory { bytes, reads: Vec::new() };
    let facts = read_facts(&mut source, bytes.len() as u64).now_or_never().expect("memory does not wait");
    assert!(source.reads.len() <= 100 && source.reads.iter().sum::<usize>() <= 2 << 20, "{:?}", source.reads);
    assert!(!matches!(facts, Err(Error::Source(_))), "only what is there is asked for");
    facts
}

fn lasting(duration_ms: u64) -> Facts {
    Facts { duration_ms: Some(duration_ms), ..Facts::default() }
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_slice(), content].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const TURNED: [u32; 9] = [0, 0x1_0000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000];

/// Made on 2024-02-29 at 12:00:00 UTC.
fn movie_header() -> Vec<u8> {
    boxed(b"mvhd", &words(&[0, 3_792_052_800, 0, 600, 7_500, 0x1_0000]))
}

fn track(matrix: [u32; 9], width: u32, height: u32) -> Vec<u8> {
    let head = [words(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), words(&matrix), words(&[width << 16, height << 16])];
    boxed(b"trak", &[boxed(b"edts", b""), boxed(b"tkhd", &head.concat())].concat())
}

#[test]
fn mp4_tells_length_size_and_time_wherever_its_index_is() {
    let index = |matrix| {
        let tracks = [movie_header(), track(UPRIGHT, 0, 0), track(matrix, 320, 240)].concat();
        boxed(b"moov", &tracks)
    };
    let (start, samples) = (boxed(b"ftyp", b"isom\0\0\x02\0isom"), boxed(b"mdat", &[7; 100_000]));
    let expected = Facts {
        width: Some(320),
        height: Some(240),
        duration_ms: Some(12_500),
        made_at: Some(1_709_208_000),
    };
    assert_eq!(facts(&[&start[..], &index(UPRIGHT), &samples].concat()), Ok(expected.clone()));
    assert_eq!(facts(&[&start[..], &samples, &index(UPRIGHT)].concat()), Ok(expected.clone()));
    let turned = Facts { width: Some(240), height: Some(320), ..expected.clone() };
    assert_eq!(facts(&[&start[..], &index(TURNED)].concat()), Ok(turned));
    // old QuickTime, a box with a long size, and one to the end
    let long = [words(&[1]), b"mdat".to_vec(), 5_016_u64.to_be_bytes().to_vec(), vec![0; 5_000]].concat();
    let mut last = index(UPRIGHT);
    last[..4].fill(0);
    assert_eq!(facts(&[long, last].concat()), Ok(expected));
}

#[test]
fn mp4_in_fragments_tells_its_length_beside() {
    let header = boxed(b"mvhd", &words(&[0, 0, 0, 1_000, 0, 0x1_0000]));
    let fragments = boxed(b"mvex", &boxed(b"mehd", &words(&[0, 4_200])));
    let file = [boxed(b"ftyp", b"iso5"), boxed(b"moov", &[header, fragments].concat())].concat();
    assert_eq!(facts(&file), Ok(lasting(4_200)));
    let header =
        boxed(b"mvhd", &[words(&[0x0100_0000, 0, 0, 0, 0, 90_000, 0, 90_000 * 7]), vec![0; 8]].concat());
    let file = [boxed(b"ftyp", b"iso5"), boxed(b"moov", &header)].concat();
    assert_eq!(facts(&file), Ok(lasting(7_000)));
}

#[test]
fn mp4_that_contradicts_itself_is_damaged() {
    let start = boxed(b"ftyp", b"isom");
    for (wrong, why) in [
        (words(&[3, 0x6d6f_6f76]), "a box is smaller than its header"),
        (boxed(b"moov", &boxed(b"mvhd", b"\0\0\0\0\0")), "its header is damaged"),
        (boxed(b"moov", &boxed(b"mvhd", b"")), "a box is empty"),
        (boxed(b"mdat", &[0; 100]), "its index is missing"),
        (words(&[1, 0x6d64_6174]), "it ends in its headers"),
    ] {
        assert_eq!(facts(&[&start[..], &wrong].concat()), Err(Error::Damaged(why)));
    }
    // boxes that are far from one another
    let spread = [start, boxed(b"free", &[0; 20_000]).repeat(300)].concat();
    assert_eq!(facts(&spread), Err(Error::TooMuch));
}

fn wav(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
    for (kind, len, content) in chunks {
        file.extend_from_slice(*kind);
        file.extend_from_slice(&len.to_le_bytes());
        file.extend_from_slice(content);
    }
    file
}

/// Two channels of 16 bits, 44,100 times a second.
const WAV_FORMAT: &[u8] = b"\x01\0\x02\0\x44\xAC\0\0\x10\xB1\x02\0\x04\0\x10\0";

#[test]
fn wav_tells_its_length() {
    let second = vec![0; 176_400];
    let file = wav(&[(b"LIST", 3, b"abc\0"), (b"fmt ", 16, WAV_FORMAT), (b"data", 176_400, &second)]);
    assert_eq!(facts(&file), Ok(lasting(1_000)));
    for unknown in [0, u32::MAX, 0x7FFF_FFFF] {
        let file = wav(&[(b"fmt ", 16, WAV_FORMAT), (b"data", unknown, &second)]);
        assert_eq!(facts(&file), Ok(lasting(1_000)), "what is there counts");
    }
    let mut long = wav(&[
        (b"ds64", 28, &[[0; 8], 88_200_u64.to_le_bytes(), [0; 8], [0; 8]].concat()[..28]),
        (b"fmt ", 16, WAV_FORMAT),
        (b"data", u32::MAX, &second),
    ]);
    long[..4].copy_from_slice(b"RF64");
    assert_eq!(facts(&long), Ok(lasting(500)));
    for (wrong, why) in [
        (wav(&[(b"data", 176_400, &second)]), "its format is missing"),
        (wav(&[(b"fmt ", 16, WAV_FORMAT)]), "its samples are missing"),
        (wav(&[(b"fmt ", 16, &[0; 16]), (b"data", 4, &[0; 4])]), "its format is damaged"),
        (wav(&[(b"fmt ", 16, b"\x01\0")]), "it ends in its headers"),
    ] {
        assert_eq!(facts(&wrong), Err(Error::Damaged(why)));
    }
}

fn flac(rate: u32, samples: u64) -> Vec<u8> {
    let mut file = b"fLaC\0\0\0\x22".to_vec();
    file.extend_from_slice(&[0; 10]);
    file.extend_from_slice(&(u64::from(rate) << 44 | samples).to_be_bytes());
    file.extend_from_slice(&[0; 16]);
    file
}

#[test]
fn flac_tells_its_length_behind_tags_too() {
    assert_eq!(facts(&flac(48_000, 120_000)), Ok(lasting(2_500)));
    let tag = [b"ID3\x04\0\0\0\0\x02\x01".as_slice(), &[0; 257]].concat();
    assert_eq!(facts(&[tag, flac(96_000, 96)].concat()), Ok(lasting(1)));
    assert_eq!(facts(&flac(48_000, 0)), Ok(Facts::default()), "unknown");
    assert_eq!(facts(&flac(0, 5)), Err(Error::Damaged("its sample rate is missing")));
    assert_eq!(facts(&flac(1, 5)[..20]), Err(Error::Damaged("it ends in its headers")));
}

fn page(flags: u8, granule: i64, serial: u32, body: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend_from_slice(&granule.to_le_bytes());
    page.extend_from_slice(&serial.to_le_bytes());
    page.extend_from_slice(&[0; 8]);
    let lacing: Vec<u8> = body.chunks(255).map(|segment| segment.len() as u8).collect();
    page.push(lacing.len() as u8);
    page.extend_from_slice(&lacing);
    page.extend_from_slice(body);
    page
}

#[test]
fn ogg_tells_its_length_by_its_last_page() {
    let opus = page(2, 0, 7, b"OpusHead\x01\x02\x38\x01\x44\xAC\0\0\0\0\0");
    let end =
        [page(0, 48_000 + 312, 7, &[1; 3_000]), page(4, -1, 7, &[2; 300]), page(4, 99, 8, b"")].concat();
    assert_eq!(facts(&[&opus[..], &end].concat()), Ok(lasting(1_000)));
    let vorbis = page(2, 0, 8, b"\x01vorbis\0\0\0\0\x02\x40\x1F\0\0\0\0");
    let end = page(4, 12_000, 8, &[0; 100]);
    assert_eq!(facts(&[&vorbis[..], &[0; 500_000], &end].concat()), Ok(lasting(1_500)));

    let mut head = b"\x80theora\x03\x02\x01\0\x14\0\x0f".to_vec();
    // 320 x 240 in a frame of 320 x 240, at 25 a second, 6 bits for frames after a key
    head.extend_from_slice(&[0, 1, 64, 0, 0, 240, 0, 0]);
    head.extend_from_slice(&words(&[25, 1]));
    head.extend_from_slice(&[0; 10]);
    head.extend_from_slice(&[0, 0b1100_0000]);
    let film = page(2, 0, 9, &head);
    let end = page(4, (100 << 6) + 25, 9, &[0; 10]);
    let size = Facts { width: Some(320), height: Some(240), ..Facts::default() };
    assert_eq!(facts(&[&film[..], &end].concat()), Ok(Facts { duration_ms: Some(5_000), ..size.clone() }));
    // sound beside it is more exact
    let both = [&film[..], &vorbis, &page(4, 8_000, 8, b"x"), &end].concat();
    assert_eq!(facts(&both), Ok(Facts { duration_ms: Some(1_000), ..size }));

    let unknown = page(2, 0, 7, b"something else");
    assert!(matches!(facts(&unknown), Err(Error::Damaged(_))));
    assert_eq!(facts(&opus), Ok(lasting(0)));
}

/// Frames of MPEG 1, layer III, 128 kbit/s, 44,100 Hz, stereo: 417 bytes, 1152 samples.
fn frames(count: usize) -> Vec<u8> {
    [b"\xFF\xFB\x90\x00".as_slice(), &[0; 413]].concat().repeat(count)
}

#[test]
fn mp3_tells_its_length_by_its_frames() {
    let plain = frames(100);
    assert_eq!(facts(&plain), Ok(lasting(41_700 * 8 / 128)));
    let tagged = [b"ID3\x03\0\0\0\0\0\x05abcde".as_slice(), &plain, b"TAG", &[0; 125]].concat();
    assert_eq!(facts(&tagged), Ok(lasting(41_700 * 8 / 128)));
    let mut counted = frames(3);
    counted[36..48].copy_from_slice(b"Xing\0\0\0\x01\0\0\x03\xE8");
    assert_eq!(facts(&counted), Ok(lasting(1_152_000_000 / 44_100)));
    let mut counted = frames(3);
    counted[36..54].copy_from_slice(b"VBRI\0\x01\0\0\0\0\0\0\0\0\0\0\0\x0A");
    assert_eq!(facts(&counted), Ok(lasting(11_520_000 / 44_100)));
    // what looks like a frame and is none
    assert_eq!(facts(&[b"\xFF\xFB\x90\x00".as_slice(), &[0; 1_000]].concat()), Err(Error::Unknown));
    for unknown in [&b""[..], b"x", b"plain text", &[0; 100_000], &[0xFF; 100_000]] {
        assert_eq!(facts(unknown), Err(Error::Unknown));
    }
}

/// The collection of samples, if `FM_TEST_SAMPLES` names it.
#[test]
fn samples_tell_what_is_known_of_them() {
    let Some(folder) = std::env::var_os("FM_TEST_SAMPLES") else {
        eprintln!(
            "FM_TEST_SAMPLES is not set: the collection of samples was not there, only made files are tested"
        );
        return;
    };
    let of = |name: &str| facts(&std::fs::read(Path::new(&folder).join(name)).unwrap()).unwrap();
    for name in ["video-h264.mp4", "video-moov-at-end.mp4"] {
        let facts = of(name);
        assert_eq!((facts.width, facts.height), (Some(320), Some(240)), "{name}");
        assert!(facts.duration_ms.is_some_and(|duration| (100..600_000).contains(&duration)), "{name}");
    }
    for name in ["audio-tagged.m4a", "audio.flac", "audio.mp3", "audio.ogg", "audio.opus"] {
        let facts = of(name);
        assert!(
            facts.duration_ms.is_some_and(|duration| (100..600_000).contains(&duration)),
            "{name}: {facts:?}"
        );
        assert_eq!(facts.width, None, "{name}");
    }
}

fn begun(start: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600).prop_map(move |rest| [start, &rest].concat())
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop_oneof![
        begun(b""),
        begun(b"\0\0\0\x08ftyp\0\0\0\x60moov\0\0\0\x1Cmvhd"),
        begun(b"\0\0\0\x08ftyp\0\0\x01\0moov\0\0\0\xF0trak\0\0\0\xD0tkhd"),
        begun(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"),
        begun(b"fLaC\0"),
        begun(b"ID3\x04\0\0"),
        begun(b"\xFF\xFB\x90"),
        begun(b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x30\x80theora"),
        begun(b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead"),
    ]) {
        drop(facts(&bytes));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_survived(cut in 0_usize..2_000) {
        let index = boxed(b"moov", &[movie_header(), track(UPRIGHT, 320, 240)].concat());
        let mp4 = [boxed(b"ftyp", b"isom"), index].concat();
        for file in [mp4, flac(1, 2), frames(4), wav(&[(b"fmt ", 16, WAV_FORMAT), (b"data", 900, &[0; 900])])] {
            drop(facts(&file[..cut.min(file.len())]));
        }
    }
}
