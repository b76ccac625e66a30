//! Ogg (RFC 3533): the first packet of each stream says what is in it (RFC 5334 has the types).

/// The type of a content that starts with an Ogg page.
pub(super) fn detect(head: &[u8]) -> &'static str {
    // the first pages begin the streams one after another: a picture among them makes it a video
    let start = &head[..head.len().min(1024)];
    let holds = |signature: &[u8]| start.windows(signature.len()).any(|window| window == signature);
    if holds(b"\x80theora") || holds(b"\x01video\0\0\0") || holds(b"BBCD\0") {
        "video/ogg"
    } else if holds(b"OpusHead") || holds(b"\x01vorbis") || holds(b"\x7FFLAC") || holds(b"Speex   ") {
        "audio/ogg"
    } else {
        "application/ogg"
    }
}
