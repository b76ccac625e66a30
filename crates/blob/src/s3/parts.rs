//! How large the parts of a large blob are.

/// Smallest part, and largest blob that is written in one request. S3 wants at least 5 MiB.
const MIN_PART_BYTES: u64 = 8 * MIB;

/// Largest part that S3 takes.
const MAX_PART_BYTES: u64 = 5 * 1024 * MIB;

/// Most parts of one object in S3.
pub(super) const MAX_PARTS: u32 = 10_000;

/// Largest object that all of S3's kind hold.
pub(super) const MAX_BLOB_BYTES: u64 = 5 * 1024 * 1024 * MIB;

/// So many parts are of one size when nobody knows how long the blob will be; then the size doubles, and again after as many.
const PARTS_OF_ONE_SIZE: u32 = 1_000;

/// So many parts hold a blob of the announced length. The rest is for what comes beyond it.
const EXPECTED_PARTS: u32 = 9_000;

const MIB: u64 = 1024 * 1024;

/// Sizes of the parts of one blob. A blob of the announced length has parts of one size, which is kinder to some servers; any other grows
/// its parts, so that 10,000 hold the largest blob there can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartSizes {
    first: u64,
    /// How many have the size of the first.
    steady: u32,
}

impl PartSizes {
    /// For a blob of this length, if it is known.
    pub(super) fn expecting(size_hint: Option<u64>) -> Self {
        let Some(expected) = size_hint else {
            return Self { first: MIN_PART_BYTES, steady: PARTS_OF_ONE_SIZE };
        };
        let first = expected.div_ceil(u64::from(EXPECTED_PARTS)).next_multiple_of(MIB).max(MIN_PART_BYTES);
        let steady = u32::try_from(expected.div_ceil(first)).unwrap_or(MAX_PARTS);
        Self { first, steady }
    }

    /// Size of the part with this index, counted from 0.
    pub(super) fn of(self, index: u32) -> u64 {
        let doublings = match index.checked_sub(self.steady) {
            None => 0,
            Some(beyond) => 1 + beyond / PARTS_OF_ONE_SIZE,
        };
        // at most 10 doublings: far from the end of 64 bits
        (self.first << doublings.min(16)).min(MAX_PART_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;

    /// Number of parts of a blob, if they suffice, and the size of the largest.
    fn parts(sizes: PartSizes, len: u64) -> Option<(u32, u64)> {
        let (mut held, mut largest) = (0, 0);
        for index in 0..MAX_PARTS {
            if held >= len {
                return Some((index, largest));
            }
            held += sizes.of(index);
            largest = sizes.of(index);
        }
        (held >= len).then_some((MAX_PARTS, largest))
    }

    #[test]
    fn parts_of_unknown_blobs_grow_to_hold_the_largest() {
        let sizes = PartSizes::expecting(None);
        assert_eq!(parts(sizes, 7 * GIB), Some((896, 8 * MIB)));
        assert_eq!(parts(sizes, 20 * GIB), Some((1_780, 16 * MIB)));
        assert_eq!(parts(sizes, 100 * GIB), Some((3_725, 64 * MIB)));
        let (count, largest) = parts(sizes, MAX_BLOB_BYTES).unwrap();
        assert!(count <= MAX_PARTS && largest <= MAX_PART_BYTES, "{count} {largest}");
    }

    #[test]
    fn parts_of_announced_blobs_are_of_one_size() {
        for len in [0, 1, 8 * MIB, 8 * MIB + 1, 3 * GIB + 7, 70 * GIB, 71 * GIB, 300 * GIB, MAX_BLOB_BYTES] {
            let sizes = PartSizes::expecting(Some(len));
            let (count, largest) = parts(sizes, len).unwrap();
            assert!(count <= EXPECTED_PARTS, "{len} {count}");
            assert_eq!((0..count).map(|index| sizes.of(index)).filter(|size| *size != largest).count(), 0);
            assert!(largest <= MIN_PART_BYTES.max(len / 9_000 + 2 * MIB), "{len} {largest}");
        }
        assert_eq!(PartSizes::expecting(Some(70 * GIB)).of(0), 8 * MIB);
        assert_eq!(PartSizes::expecting(Some(MAX_BLOB_BYTES)).of(0), 583 * MIB);
    }

    #[test]
    fn a_blob_may_be_longer_than_announced() {
        for (announced, len) in [
            (0, MAX_BLOB_BYTES),
            (1, MAX_BLOB_BYTES),
            (MIB, 1000 * GIB),
            (60 * GIB, 70 * GIB),
            (4000 * GIB, 4400 * GIB),
        ] {
            assert!(parts(PartSizes::expecting(Some(announced)), len).is_some(), "{announced} {len}");
        }
    }
}
