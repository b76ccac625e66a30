//! Writes a folder.

mod jobs;

use std::collections::BTreeMap;
use std::convert::identity;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use common::portable::Keys;
use common::webhooks::Webhook;
use common::{BlobKey, Timestamp};

use super::contents::copy_out;
use super::folder::{LineWriter, MANIFEST, UNFINISHED, at, make_folder};
use super::records::{
    AccountRecord, AuditRecord, CopyRecord, FrontRecord, GroupRecord, IdentityRecord, InvitationRecord,
    LinkRecord, OperationRecord, PartRecord, ShareRecord, TokenRecord,
};
use super::{FORMAT, FileFacts, KEY_LABEL, KEY_TEXT, Manifest, PAGE, PortableError, Stores, refused};
use crate::held::{Held, Opened};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Records of all kinds.
    pub records: u64,
    /// Contents.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Contents that the store has lost or damaged.
    pub lost: Vec<BlobKey>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, contents, content_bytes, .. } = self;
        write!(f, "exported {records} records, and {contents} contents of {content_bytes} bytes")
    }
}

/// Pages of a list until its end, each record written to a file.
macro_rules! write_all {
    ($folder:expr, $name:literal, |$after:ident| $page:expr, |$item:ident| $key:expr, $record:expr) => {{
        let mut lines = LineWriter::create($folder, $name)?;
        let mut $after = None;
        loop {
            let items = $page.await?;
            let is_last = items.len() < PAGE as usize;
            $after = items.last().map(|$item| $key);
            for item in items {
                lines.write(&$record(item))?;
            }
            if is_last {
                break;
            }
        }
        ($name.to_owned(), lines.finish()?)
    }};
}
use write_all;

type Files = BTreeMap<String, FileFacts>;

/// Writes all that the stores hold into the new folder `target`: beside it under another name first, which it loses when all is there and durable. One that was cut
/// is begun anew.
///
/// # Errors
/// [`PortableError`]; `Refused` if there is something at `target`, or if the stores hold a part of an import.
pub async fn export(
    stores: &Stores,
    keys: &dyn Keys,
    target: &Path,
    product: &str,
    at_time: Timestamp,
) -> Result<Exported, PortableError> {
    if fs::symlink_metadata(target).is_ok() {
        return refused(format!("{} is there already: name a new folder", target.display()));
    }
    if stores.files.import_mark().await?.is_some() {
        return refused("an import into this installation was cut: repeat it before anything is exported");
    }
    no_former_key(stores, keys).await?;
    let unfinished = begin(target)?;
    let folder = &unfinished;
    let mut files = Files::new();
    accounts(stores, folder, &mut files).await?;
    let (contents, content_bytes, lost) = contents(stores, folder, &mut files).await?;
    nodes(stores, folder, &mut files).await?;
    history(stores, folder, &mut files).await?;
    jobs::write(stores, folder, at_time, &mut files).await?;
    let manifest = Manifest {
        format: FORMAT,
        product: product.to_owned(),
        taken_at: at_time,
        key_check: keys.seal(KEY_LABEL, KEY_TEXT),
        files,
        contents,
        content_bytes,
        lost,
    };
    let Opened { path, mut file } = folder.create(MANIFEST)?;
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| at(&path)(error.into()))?;
    file.write_all(&text).map_err(at(&path))?;
    folder.sync_all(&[])?;
    folder.remove(UNFINISHED)?;
    folder.sync_names()?;
    fs::rename(folder.path(), target).map_err(at(target))?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(at(parent))?;
    Ok(Exported {
        records: manifest.files.values().map(|facts| facts.lines).sum(),
        contents,
        content_bytes,
        lost: manifest.lost,
    })
}

/// The folder says of one key that it is needed. So all of it must be sealed under that one.
async fn no_former_key(stores: &Stores, keys: &dyn Keys) -> Result<(), PortableError> {
    let text = "some secrets are still sealed under FM_MASTER_KEY_PREVIOUS: let the product run until it has sealed them anew";
    let mut after = None;
    loop {
        let page = stores.auth.page_accounts(after, PAGE).await?;
        let factors = page.iter().filter_map(|kept| kept.account.totp.as_ref());
        if factors.into_iter().any(|totp| keys.is_former(&totp.sealed)) {
            return refused(text);
        }
        after = page.last().map(|kept| kept.account.user.id);
        if page.len() < PAGE as usize {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = stores.webhooks.page_webhooks(after, PAGE).await?;
        let is_former = |webhook: &Webhook| {
            let previous = webhook.previous_secret.as_ref();
            keys.is_former(&webhook.secret) || previous.is_some_and(|secret| keys.is_former(&secret.sealed))
        };
        if page.iter().any(is_former) {
            return refused(text);
        }
        after = page.last().map(|webhook| webhook.id);
        if page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

/// Makes the folder under its name until the end. What an export has left there that was cut goes away; nothing else does.
fn begin(target: &Path) -> Result<Held, PortableError> {
    let Some(name) = target.file_name() else {
        return refused(format!("{} is no name of a new folder", target.display()));
    };
    let mut name = name.to_owned();
    name.push(".unfinished");
    let folder = target.with_file_name(name);
    match fs::symlink_metadata(&folder) {
        Ok(_) if folder.join(UNFINISHED).is_file() => {
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        Ok(_) => {
            // nothing in it was made by an export, unless nothing at all was
            fs::remove_dir(&folder).or_else(|_| {
                refused(format!("{} is in the way, and no export has made it", folder.display()))
            })?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&folder)(error)),
    }
    make_folder(&folder)?;
    let held = Held::open(&folder)?;
    held.create(UNFINISHED)?;
    Ok(held)
}

async fn accounts(stores: &Stores, folder: &Held, files: &mut Files) -> Result<(), PortableError> {
    let auth = &*stores.auth;
    files.extend([
        write_all!(
            folder,
            "accounts.ndjson",
            |after| auth.page_accounts(after, PAGE),
            |kept| kept.account.user.id,
            AccountRecord::of
        ),
        write_all!(
            folder,
            "tokens.ndjson",
            |after| auth.page_tokens(after, PAGE),
            |token| token.id,
            TokenRecord::of
        ),
        write_all!(
            folder,
            "audit.ndjson",
            |after| auth.page_audit(after, PAGE),
            |entry| entry.id,
            AuditRecord::of
        ),
        write_all!(
            folder,
            "invitations.ndjson",
            |after| auth.page_invitations(after, PAGE),
            |invitation| invitation.id,
            InvitationRecord::of
        ),
        write_all!(
            folder,
            "groups.ndjson",
            |after| auth.page_groups(after, PAGE),
            |group| group.id,
            GroupRecord::of
        ),
        write_all!(
            folder,
            "identities.ndjson",
            |after| auth.page_identities(after, PAGE),
            |identity| (identity.user, identity.id),
            IdentityRecord::of
        ),
    ]);
    Ok(())
}

/// Rows of contents, and the bytes of those that are kept elsewhere.
async fn contents(
    stores: &Stores,
    folder: &Held,
    files: &mut Files,
) -> Result<(u64, u64, Vec<BlobKey>), PortableError> {
    let (mut count, mut bytes, mut lost) = (0, 0, Vec::new());
    let mut lines = LineWriter::create(folder, "contents.ndjson")?;
    folder.make("blobs")?;
    let mut after = None;
    loop {
        let page = stores.files.page_blobs(after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|blob| blob.key);
        for blob in page {
            lines.write(&blob)?;
            // what nothing names may be collected at any time
            if blob.inline.is_some() || blob.condemned_at.is_some() {
                continue;
            }
            if copy_out(&*stores.blobs, &blob, folder).await? {
                count += 1;
                bytes += blob.size;
            } else {
                lost.push(blob.key);
            }
        }
        if is_last {
            break;
        }
    }
    files.insert("contents.ndjson".to_owned(), lines.finish()?);
    Ok((count, bytes, lost))
}

async fn nodes(stores: &Stores, folder: &Held, files: &mut Files) -> Result<(), PortableError> {
    let store = &*stores.files;
    files.extend([
        write_all!(
            folder,
            "spaces.ndjson",
            |after| store.page_spaces(after, PAGE),
            |space| space.id,
            identity
        ),
        write_all!(
            folder,
            "thumbnails.ndjson",
            |after| store.page_thumbnails(after, PAGE),
            |kept| (kept.original, kept.size),
            identity
        ),
        write_all!(folder, "nodes.ndjson", |after| store.page_nodes(after, PAGE), |node| node.id, identity),
        write_all!(
            folder,
            "versions.ndjson",
            |after| store.page_versions(after, PAGE),
            |kept| (kept.node, kept.content.version),
            identity
        ),
        write_all!(
            folder,
            "shares.ndjson",
            |after| store.page_shares(after, PAGE),
            |share| share.id,
            ShareRecord::of
        ),
        write_all!(
            folder,
            "links.ndjson",
            |after| store.page_links(after, PAGE),
            |kept| kept.link.id,
            LinkRecord::of
        ),
        write_all!(
            folder,
            "stars.ndjson",
            |after| store.page_stars(after, PAGE),
            |star| (star.user, star.node),
            identity
        ),
    ]);
    Ok(())
}

async fn history(stores: &Stores, folder: &Held, files: &mut Files) -> Result<(), PortableError> {
    let store = &*stores.files;
    files.extend([
        write_all!(
            folder,
            "events.ndjson",
            |after| store.page_events(after, PAGE),
            |event| (event.space, event.seq),
            identity
        ),
        write_all!(
            folder,
            "operations.ndjson",
            |after| store.page_operations(after, PAGE),
            |operation| operation.id,
            OperationRecord::of
        ),
        write_all!(
            folder,
            "operation-parts.ndjson",
            |after| store.page_parts(after, PAGE),
            |kept| (kept.operation, kept.part.number),
            PartRecord::of
        ),
        write_all!(
            folder,
            "copies.ndjson",
            |after| store.page_copies(after, PAGE),
            |copy| copy.id,
            CopyRecord::of
        ),
        write_all!(
            folder,
            "copy-fronts.ndjson",
            |after| store.page_fronts(after, PAGE),
            |kept| (kept.copy, kept.front.target),
            FrontRecord::of
        ),
    ]);
    Ok(())
}
