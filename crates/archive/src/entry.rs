/// What stands in an archive: a file, or a folder.
///
/// Takes about 50 bytes beside its name; names of folders are kept once, however much is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The position of the folder that it is in, which comes before it; none at the top.
    pub parent: Option<u32>,
    /// Its name in that folder.
    pub name: Box<str>,
    /// When it was changed, in seconds since 1970 UTC.
    pub modified_at: i64,
    /// What a file holds; none for a folder.
    pub stored: Option<Stored>,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub size: u64,
    /// The CRC-32 (IEEE) of those bytes.
    pub crc32: u32,
}

impl Entry {
    /// The length of what a file holds; 0 for a folder.
    pub(crate) fn size(&self) -> u64 {
        self.stored.map_or(0, |stored| stored.size)
    }

    /// Nothing that leads out of the folder into which an archive is unpacked.
    pub(crate) fn has_safe_name(&self) -> bool {
        !matches!(&*self.name, "" | "." | "..") && !self.name.contains(['/', '\\', '\0'])
    }
}
