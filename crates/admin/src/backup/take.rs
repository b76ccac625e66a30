//! Takes a backup.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use common::{BlobKey, Timestamp};

use super::disk::{copy, digest, entries, make_folder};
use super::prune::{prune, remove_other_sets};
use super::{
    BLOBS, BackupError, Content, Contents, Databases, FORMAT, LOCK, MANIFEST, Manifest, ON_ONE_DISK, PARTIAL,
    SECRETS, SETS, STORE_ID, TEMPORARY, UnderWay, at, content_path, each, refused,
};
use crate::held::{Held, HeldError, absent_as_none};

/// How often the databases are copied anew, since contents that they name had been collected by the time these were copied.
const ROUNDS: usize = 3;

/// What is to be done.
#[derive(Debug)]
pub struct Options<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// Where the backup is kept.
    pub target: &'a Path,
    /// Contents become hard links: at once and without room, but on the same disk.
    pub links: bool,
    /// Contents that are in the backup already are held against their digests, too, and copied anew if they are not what they were.
    pub verify: bool,
    /// Whether the master key and the internal secret go along.
    pub secrets: bool,
    /// Version of the product.
    pub product: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Contents of the backup.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// How many of them this run copied.
    pub copied: u64,
    /// Contents that were damaged on the disk, and are in the backup as they are.
    pub damaged: Vec<BlobKey>,
    /// Contents, and uploads under way, that were not on the disk, that it cannot read any more, or that were refused.
    pub missing: Vec<BlobKey>,
    /// Why the first was refused of those that must not be read for whoever the data folder belongs to.
    pub refused: Option<String>,
}

/// Takes a backup into a folder, or brings the one that is there up to date. One that is cut leaves the one before as it was. Blocks; safe to repeat.
///
/// # Errors
/// [`BackupError`].
pub fn take(databases: &dyn Databases, options: &Options<'_>) -> Result<Taken, BackupError> {
    let Some(data) = absent_as_none(options.data.canonicalize()).map_err(at(options.data))? else {
        return no_data_folder(options.data);
    };
    let data = Held::open(&data)?;
    let store_id = store_of(&data)?;
    let (target, _lock) = open_target(options.target, data.path(), &store_id)?;
    let before = Manifest::read(target.path())?;
    if before.as_ref().is_some_and(|manifest| manifest.store_id != store_id) {
        return refused(format!("{} holds the backup of another installation", target.path().display()));
    }
    target.remove_all(TEMPORARY)?;
    remove_other_sets(&target, before.as_ref().map(|manifest| manifest.set.as_str()))?;
    for folder in [BLOBS, PARTIAL, TEMPORARY, SETS] {
        target.make(folder)?;
    }
    let run = Run { databases, options, data: &data, target: &target, store_id };
    let (set, contents, copied) = run.copy_all(before.as_ref())?;
    let files = run.digests(&Path::new(SETS).join(&set))?;
    target.sync_all(&[BLOBS, PARTIAL, SETS])?;
    let manifest = Manifest {
        format: FORMAT,
        product: options.product.to_owned(),
        store_id: run.store_id.clone(),
        taken_at: options.at,
        set,
        files,
        contents: copied.contents,
        content_bytes: copied.content_bytes,
        damaged: copied.damaged.into_iter().collect(),
        missing: copied.missing.union(&copied.refused).copied().collect(),
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| at(target.path())(error.into()))?;
    target.replace(MANIFEST, &text)?;
    prune(&target, &manifest, &*contents)?;
    Ok(Taken {
        contents: manifest.contents,
        content_bytes: manifest.content_bytes,
        copied: copied.copied,
        damaged: manifest.damaged,
        missing: manifest.missing,
        refused: copied.why_refused,
    })
}

/// The mark of the data folder.
fn store_of(data: &Held) -> Result<String, BackupError> {
    let opened = match data.read_own(STORE_ID) {
        Err(HeldError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return no_data_folder(data.path());
        }
        opened => opened?,
    };
    let id = io::read_to_string(opened.file).map_err(at(&opened.path))?;
    Ok(id.trim_end().to_owned())
}

fn no_data_folder<T>(path: &Path) -> Result<T, BackupError> {
    refused(format!("{} is no data folder of the product: FM_DATA_DIR names it", path.display()))
}

/// Makes and locks the folder of the backup, unless it is used for something else.
fn open_target(wanted: &Path, data: &Path, store_id: &str) -> Result<(Held, fs::File), BackupError> {
    let apart = "the backup and the data folder must not lie in one another";
    // before anything is made there, whatever links lead to the place
    let typed = std::path::absolute(wanted).map_err(at(wanted))?;
    let nearest = typed.ancestors().find_map(|above| above.canonicalize().ok());
    if typed.starts_with(data) || nearest.is_some_and(|above| above.starts_with(data)) {
        return refused(apart);
    }
    let is_new = !wanted.exists();
    make_folder(wanted)?;
    let target = wanted.canonicalize().map_err(at(wanted))?;
    if target.starts_with(data) || data.starts_with(&target) {
        return refused(apart);
    }
    let target = Held::open(&target)?;
    let is_ours = is_new || target.is_file(LOCK)? || target.entries("")?.is_empty();
    if !is_ours {
        return refused(format!("{} is neither empty nor a backup (of {store_id})", target.path().display()));
    }
    target.refuse_links(&[BLOBS, PARTIAL, SETS], ON_ONE_DISK)?;
    let lock = target.lock(LOCK)?;
    Ok((target, lock))
}

/// What copying contents came to.
#[derive(Default)]
struct Copied {
    contents: u64,
    content_bytes: u64,
    copied: u64,
    damaged: BTreeSet<BlobKey>,
    missing: BTreeSet<BlobKey>,
    refused: BTreeSet<BlobKey>,
    why_refused: Option<String>,
}

impl Copied {
    /// One file that somebody put there does not keep all others from being kept.
    fn refuse(&mut self, key: BlobKey, why: String) {
        self.refused.insert(key);
        self.why_refused.get_or_insert(why);
    }
}

/// How a content was found.
enum Found {
    Whole,
    Damaged,
    /// It is not read for whoever the data folder belongs to, and why.
    Refused(String),
}

struct Run<'a> {
    databases: &'a dyn Databases,
    options: &'a Options<'a>,
    data: &'a Held,
    target: &'a Held,
    store_id: String,
}

impl Run<'_> {
    /// Copies the databases, then what they name; once more if some of that was gone by then.
    fn copy_all(
        &self,
        before: Option<&Manifest>,
    ) -> Result<(String, Box<dyn Contents>, Copied), BackupError> {
        let mut gone = BTreeSet::new();
        // copied again whatever is there: it may be as it was stored by now
        let mut suspects: HashSet<BlobKey> = before
            .map(|manifest| manifest.damaged.iter().chain(&manifest.missing).copied().collect())
            .unwrap_or_default();
        let mut all_copied = 0;
        for round in 1.. {
            let set = self.free_name(before, round);
            let folder = Path::new(SETS).join(&set);
            self.copy_set(&folder)?;
            let contents = self.databases.contents(&self.target.full(&folder))?;
            if contents.store_id()? != self.store_id {
                return refused(
                    "the databases and the contents in the data folder belong to different stores",
                );
            }
            let mut copied = self.copy_contents(&*contents, &suspects)?;
            all_copied += copied.copied;
            // what two states miss was not collected between: it is lost
            if round == ROUNDS || copied.missing.is_subset(&gone) {
                copied.copied = all_copied;
                return Ok((set, contents, copied));
            }
            gone = copied.missing;
            suspects.extend(copied.damaged);
        }
        unreachable!("the last round returns")
    }

    /// A name for a set that is not that of the backup before.
    fn free_name(&self, before: Option<&Manifest>, round: usize) -> String {
        let name = format!("{}-{round}", self.options.at.millis());
        match before {
            Some(manifest) if manifest.set == name => format!("{name}-again"),
            _ => name,
        }
    }

    fn copy_set(&self, folder: &Path) -> Result<(), BackupError> {
        let (data, target) = (self.data, self.target);
        target.remove_all(folder)?;
        target.make(folder)?;
        for name in self.databases.names() {
            self.databases.copy(&data.database(name)?, &target.full(folder.join(name)))?;
        }
        copy(data.read_own("format.json")?, target.create(folder.join("format.json"))?, u64::MAX)?;
        if self.options.secrets {
            target.make(folder.join(SECRETS))?;
            for secret in entries(&data.full(SECRETS))? {
                // one that is being written is not one yet
                if secret.is_file()
                    && secret.extension().is_none()
                    && let Some(name) = secret.file_name()
                {
                    let secret = Path::new(SECRETS).join(name);
                    copy(data.read_own(&secret)?, target.create(folder.join(&secret))?, u64::MAX)?;
                }
            }
        }
        Ok(())
    }

    /// The digests of all files of a set.
    fn digests(&self, set: &Path) -> Result<BTreeMap<String, common::Sha256>, BackupError> {
        let mut found = BTreeMap::new();
        for (prefix, folder) in [("", set.to_owned()), ("secrets/", set.join(SECRETS))] {
            for name in self.target.entries(&folder)? {
                let path = folder.join(&name);
                if self.target.is_file(&path)? {
                    found.insert(
                        format!("{prefix}{}", name.to_string_lossy()),
                        digest(self.target.read(path)?)?,
                    );
                }
            }
        }
        Ok(found)
    }

    fn copy_contents(
        &self,
        contents: &dyn Contents,
        suspects: &HashSet<BlobKey>,
    ) -> Result<Copied, BackupError> {
        let mut copied = Copied::default();
        each(
            |after, limit| contents.list(after, limit),
            |content| content.key,
            |content| self.copy_content(content, suspects, &mut copied),
        )?;
        each(
            |after, limit| contents.list_uploads(after, limit),
            |upload| upload.key,
            |upload| self.copy_upload(upload, &mut copied),
        )?;
        Ok(copied)
    }

    fn copy_content(
        &self,
        content: Content,
        suspects: &HashSet<BlobKey>,
        copied: &mut Copied,
    ) -> Result<(), BackupError> {
        let path = content_path(Path::new(BLOBS), content.key);
        let is_there = self.target.size(&path)? == Some(content.size)
            && !suspects.contains(&content.key)
            && (!self.options.verify || digest(self.target.read(&path)?)? == content.sha256);
        if !is_there {
            let reads = self.options.verify || suspects.contains(&content.key);
            match self.copy_file(content, &path, reads) {
                Ok(Found::Whole) => {}
                Ok(Found::Damaged) => {
                    copied.damaged.insert(content.key);
                }
                Ok(Found::Refused(why)) => {
                    copied.refuse(content.key, why);
                    return Ok(());
                }
                Err(BackupError::Io { path: failed, source: error })
                    if failed == self.data.full(&path) && is_lost(&error) =>
                {
                    copied.missing.insert(content.key);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            // one that was looked at again was counted the first time
            if !suspects.contains(&content.key) {
                copied.copied += 1;
            }
        }
        copied.contents += 1;
        copied.content_bytes += content.size;
        Ok(())
    }

    /// Copies a content. With `reads` a content that is only given a second name is read, too. One that is not the owner's by its account, as on a disk that
    /// shows another one, or after a run with hard links as root, is the owner's if it has the digest that the database knows.
    ///
    /// # Errors
    /// `Io` with the path of the source if it is not there.
    fn copy_file(&self, content: Content, path: &Path, reads: bool) -> Result<Found, BackupError> {
        let (data, target) = (self.data, self.target);
        let temporary = Path::new(TEMPORARY).join(content.key.to_string());
        target.remove(&temporary)?;
        // the source first: if that is not there, no empty target is left
        let (source, is_owners) = match data.read_known(path, content.size) {
            Err(HeldError::Refused(why)) => return Ok(Found::Refused(why)),
            found => found?,
        };
        let from = source.path.clone();
        let is_whole = if self.options.links {
            target.link(&from, &temporary).map_err(|error| match error.kind() {
                io::ErrorKind::CrossesDevices => BackupError::Refused(
                    "hard links need the backup on the disk of the data folder; leave out --hard-links"
                        .into(),
                ),
                _ => at(&from)(error),
            })?;
            // before it is opened
            if !target.is(&temporary, &source)? {
                target.remove(&temporary)?;
                return Ok(Found::Refused(format!("{} became another file meanwhile", from.display())));
            }
            let reads = reads || !is_owners;
            target.size(&temporary)? == Some(content.size)
                && (!reads || digest(target.read(&temporary)?)? == content.sha256)
        } else {
            copy(source, target.create(&temporary)?, u64::MAX)? == (content.size, content.sha256)
        };
        if !is_whole && !is_owners {
            target.remove(&temporary)?;
            let owner = "of another account, or has another name elsewhere";
            return Ok(Found::Refused(format!("{} is {owner}, and not what was stored", from.display())));
        }
        target.rename(&temporary, path)?;
        Ok(if is_whole { Found::Whole } else { Found::Damaged })
    }

    /// Copies what an upload's client was told of. One that has ended meanwhile is left out: its client begins anew.
    fn copy_upload(&self, upload: UnderWay, copied: &mut Copied) -> Result<(), BackupError> {
        let (data, target) = (self.data, self.target);
        let partial = Path::new(PARTIAL).join(upload.key.to_string());
        // what is there belongs to the backup before until the whole is in its place
        let temporary = Path::new(TEMPORARY).join(upload.key.to_string());
        target.remove(&temporary)?;
        // it may have become whole since
        for source in [&partial, &content_path(Path::new(BLOBS), upload.key)] {
            let opened = match data.read_own(source) {
                Err(HeldError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                Err(HeldError::Refused(why)) => {
                    // a content that was taken by its digest is no less there for being an upload's
                    if target.size(content_path(Path::new(BLOBS), upload.key))? != Some(upload.size) {
                        copied.refuse(upload.key, why);
                    }
                    return Ok(());
                }
                opened => opened?,
            };
            if copy(opened, target.create(&temporary)?, upload.size)?.0 == upload.size {
                return Ok(target.rename(&temporary, &partial)?);
            }
            target.remove(&temporary)?;
        }
        Ok(())
    }
}

/// The file is not there, or the disk cannot read it any more.
fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}
