//! Tiny JPEG files that no encoder at hand writes.

/// How the four components of a JPEG are marked and meant.
#[derive(Clone, Copy)]
pub(crate) enum Inks {
    /// Stored as light, marked by Adobe, transform 0.
    Adobe,
    /// Luminance, chrominance and black, marked by Adobe, transform 2.
    AdobeYcck,
    /// Stored as ink, without a mark.
    Plain,
}

/// One block of 8 by 8 pixels with these values in its components.
pub(crate) fn one_block(components: &[u8], inks: Inks) -> Vec<u8> {
    let count = components.len() as u8;
    let mut file = vec![0xff, 0xd8];
    let transform = match inks {
        Inks::Adobe => Some(0),
        Inks::AdobeYcck => Some(2),
        Inks::Plain => None,
    };
    if let Some(transform) = transform {
        segment(&mut file, 0xee, &[b"Adobe".as_slice(), &[0, 100, 0, 0, 0, 0, transform]].concat());
    }
    // All steps of 1: the first coefficient is 8 times the value.
    segment(&mut file, 0xdb, &[[0].as_slice(), &[1; 64]].concat());
    let mut frame = vec![8, 0, 8, 0, 8, count];
    (1..=count).for_each(|id| frame.extend([id, 0x11, 0]));
    segment(&mut file, 0xc0, &frame);
    // First coefficients: twelve lengths, each with a code of four bits. The others: one bit that ends the block.
    let lengths = |at: usize, codes: u8| (1..=16).map(move |length| if length == at { codes } else { 0 });
    let mut tables = vec![0x00];
    tables.extend(lengths(4, 12).chain(0..12));
    tables.push(0x10);
    tables.extend(lengths(1, 1).chain([0]));
    segment(&mut file, 0xc4, &tables);
    let mut scan = vec![count];
    (1..=count).for_each(|id| scan.extend([id, 0]));
    scan.extend([0, 63, 0]);
    segment(&mut file, 0xda, &scan);

    let mut bits = String::new();
    for &component in components {
        let value = 8 * (i32::from(component) - 128);
        let length = 32 - value.unsigned_abs().leading_zeros();
        bits += &format!("{length:04b}");
        let magnitude = if value < 0 { value + (1 << length) - 1 } else { value };
        if length > 0 {
            bits += &format!("{magnitude:0width$b}", width = length as usize);
        }
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, bit| (byte << 1) | (bit - b'0'));
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, data: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((data.len() as u16 + 2).to_be_bytes());
    file.extend(data);
}
