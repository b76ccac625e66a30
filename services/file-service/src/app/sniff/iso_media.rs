//! Files of boxes (ISO 14496-12): MP4 and its kin, AVIF, HEIC. Their brands say which.

/// The type of a content whose second word is `ftyp`.
pub(super) fn detect(head: &[u8], extension: &str) -> &'static str {
    let length =
        head.get(..4).map_or(0, |word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]) as usize);
    let brands = head.get(8..length.clamp(8, head.len()).max(8)).unwrap_or_default();
    let major = brands.get(..4).unwrap_or_default();
    // the version stands between the major brand and the compatible ones
    let compatible = || brands.get(8..).unwrap_or_default().chunks_exact(4);
    let has = |brand: &[u8]| major == brand || compatible().any(|other| other == brand);
    if has(b"avif") || has(b"avis") {
        return "image/avif";
    }
    match major {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => return "image/heic",
        b"mif1" | b"msf1" => return if has(b"heic") || has(b"heix") { "image/heic" } else { "image/heif" },
        b"qt  " => return "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => return "audio/mp4",
        b"M4V " | b"M4VH" | b"M4VP" => return "video/x-m4v",
        b"crx " => return "image/x-canon-cr3",
        b"jp2 " => return "image/jp2",
        _ => {}
    }
    if major.starts_with(b"3gp") {
        return "video/3gpp";
    }
    if major.starts_with(b"3g2") {
        return "video/3gpp2";
    }
    match extension {
        "m4a" | "m4b" => "audio/mp4",
        _ => "video/mp4",
    }
}
