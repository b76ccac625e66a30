//! Reads a folder.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use common::files::FileEvent;
use common::portable::{
    Keys, PortableBlob, PortableNode, PortableSpace, PortableStar, PortableThumbnail, PortableVersion,
};
use common::{BlobKey, Timestamp};

use super::contents::{copy_in, look};
use super::folder::{LineReader, facts};
use super::records::{
    AccountRecord, AuditRecord, CopyRecord, DeliveryRecord, FrontRecord, GroupRecord, IdentityRecord,
    InvitationRecord, JobRecord, LinkRecord, NotificationRecord, OperationRecord, PartRecord, ScheduleRecord,
    ShareRecord, TokenRecord, ToldRecord, TypeRecord, WebhookRecord,
};
use super::{FILES, JOBS_PAGE, KEY_LABEL, KEY_TEXT, Manifest, PAGE, PortableError, Stores, refused};

mod count;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Version of the product that wrote the folder.
    pub product: String,
    /// When.
    pub taken_at: Timestamp,
    /// Records of all kinds.
    pub records: u64,
    /// Contents.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Contents that were lost before.
    pub lost: u64,
}

/// In lines.
impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, taken_at, records, contents, content_bytes, lost } = self;
        writeln!(
            f,
            "imported the folder of {taken_at} (version {product}): {records} records, and {contents} contents of {content_bytes} bytes"
        )?;
        if *lost > 0 {
            writeln!(f, "{lost} contents were damaged or missing when it was written")?;
        }
        Ok(())
    }
}

/// Records of a file, some at a time, each brought in.
macro_rules! read_all {
    ($folder:expr, $name:literal, $record:ty, |$items:ident| $keep:expr) => {
        read_all!($folder, $name, $record, PAGE, |$items| $keep)
    };
    ($folder:expr, $name:literal, $record:ty, $most:expr, |$items:ident| $keep:expr) => {{
        let mut lines = LineReader::open($folder, $name)?;
        loop {
            let records = lines.next::<$record>($most)?;
            if records.is_empty() {
                break;
            }
            let mut $items = Vec::with_capacity(records.len());
            for record in records {
                $items.push(record.read().map_err(|error| lines.strange(&error))?);
            }
            $keep.await?;
        }
    }};
    ($folder:expr, $name:literal, as $record:ty, |$items:ident| $keep:expr) => {{
        let mut lines = LineReader::open($folder, $name)?;
        loop {
            let $items = lines.next::<$record>(PAGE)?;
            if $items.is_empty() {
                break;
            }
            $keep.await?;
        }
    }};
}

/// Records of a file, each brought in by itself.
macro_rules! read_each {
    ($folder:expr, $name:literal, $record:ty, |$item:ident| $keep:expr) => {{
        let mut lines = LineReader::open($folder, $name)?;
        loop {
            let records = lines.next::<$record>(PAGE)?;
            if records.is_empty() {
                break;
            }
            for record in records {
                let $item = record.read();
                $keep;
            }
        }
    }};
}

/// Looks at a folder, without changing anything: its hashes, that nothing is missing, and that its secrets can be opened here.
fn check(folder: &Path, keys: &dyn Keys) -> Result<(Manifest, String), PortableError> {
    let (manifest, name) = Manifest::read(folder)?;
    if keys.open(KEY_LABEL, &manifest.key_check).as_deref() != Some(KEY_TEXT) {
        return refused(
            "the folder's secrets are sealed under another master key: give that one as FM_MASTER_KEY, or as FM_MASTER_KEY_PREVIOUS beside this installation's own",
        );
    }
    if let Some(name) = manifest.files.keys().find(|name| !FILES.contains(&name.as_str())) {
        return refused(format!("the folder has {name}, which this program does not know"));
    }
    for name in FILES {
        let known = manifest.files.get(name).copied();
        let known = known.ok_or_else(|| PortableError::Damaged(format!("it has no {name}")))?;
        let path = folder.join(name);
        if facts(&path)? != known {
            return Err(PortableError::Damaged(format!("{} is not what it was", path.display())));
        }
    }
    let lost: HashSet<BlobKey> = manifest.lost.iter().copied().collect();
    let mut lines = LineReader::open(folder, "contents.ndjson")?;
    loop {
        let page = lines.next::<PortableBlob>(PAGE)?;
        if page.is_empty() {
            break;
        }
        for blob in page.iter().filter(|blob| is_beside(blob, &lost)) {
            look(blob, folder)?;
        }
    }
    Ok((manifest, name.to_string()))
}

/// Whether the bytes of a content are a file of the folder.
fn is_beside(blob: &PortableBlob, lost: &HashSet<BlobKey>) -> bool {
    blob.inline.is_none() && blob.condemned_at.is_none() && !lost.contains(&blob.key)
}

/// Why this is no place for an import, if something is there.
async fn what_is_there(stores: &Stores) -> Result<Option<&'static str>, PortableError> {
    Ok(if !stores.auth.page_accounts(None, 1).await?.is_empty() {
        Some("accounts")
    } else if !stores.auth.page_invitations(None, 1).await?.is_empty() {
        Some("invitations")
    } else if !stores.files.page_spaces(None, 1).await?.is_empty() {
        Some("files")
    } else if !stores.files.page_blobs(None, 1).await?.is_empty() {
        Some("contents")
    } else if !stores.webhooks.page_webhooks(None, 1).await?.is_empty() {
        Some("webhooks")
    } else {
        None
    })
}

/// The bringing of a folder into empty stores. From its beginning to its end the stores have a mark, by which programs know that they hold a part of something.
pub struct Import<'a> {
    stores: &'a Stores,
    folder: &'a Path,
    manifest: Manifest,
}

impl<'a> Import<'a> {
    /// Looks at folder and stores, and marks these. One that was cut, or failed, is begun again by the same folder, and by no other.
    ///
    /// # Errors
    /// `Refused` if the stores hold anything, or a part of another folder; `Damaged`. Then nothing was changed.
    pub async fn begin(stores: &'a Stores, keys: &dyn Keys, folder: &'a Path) -> Result<Self, PortableError> {
        let (manifest, name) = check(folder, keys)?;
        match stores.files.import_mark().await? {
            Some(mark) if mark == name => {}
            Some(_) => {
                return refused(
                    "the import of another folder was cut here: repeat that one, or begin with empty stores",
                );
            }
            None => {
                if let Some(what) = what_is_there(stores).await? {
                    return refused(format!(
                        "an import needs an installation without accounts and files: this one has {what}"
                    ));
                }
                stores.files.set_import_mark(Some(&name)).await?;
            }
        }
        Ok(Self { stores, folder, manifest })
    }

    /// Brings all of it in, accounts last, and counts it. Safe to repeat.
    ///
    /// # Errors
    /// [`PortableError`].
    pub async fn run(&self) -> Result<Imported, PortableError> {
        let (stores, folder, manifest) = (self.stores, self.folder, &self.manifest);
        contents(stores, manifest, folder).await?;
        nodes(stores, folder).await?;
        history(stores, folder).await?;
        jobs(stores, folder).await?;
        accounts(stores, folder).await?;
        count::check(stores, manifest).await?;
        Ok(Imported {
            product: manifest.product.clone(),
            taken_at: manifest.taken_at,
            records: manifest.files.values().map(|facts| facts.lines).sum(),
            contents: manifest.contents,
            content_bytes: manifest.content_bytes,
            lost: manifest.lost.len() as u64,
        })
    }

    /// Takes the mark away: all is there.
    ///
    /// # Errors
    /// `Store`.
    pub async fn end(self) -> Result<(), PortableError> {
        Ok(self.stores.files.set_import_mark(None).await?)
    }
}

/// Bytes before the rows that name them.
async fn contents(stores: &Stores, manifest: &Manifest, folder: &Path) -> Result<(), PortableError> {
    let lost: HashSet<BlobKey> = manifest.lost.iter().copied().collect();
    let mut lines = LineReader::open(folder, "contents.ndjson")?;
    loop {
        let page = lines.next::<PortableBlob>(PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        for blob in page.iter().filter(|blob| is_beside(blob, &lost)) {
            copy_in(&*stores.blobs, blob, folder).await?;
        }
        stores.files.keep_blobs(&page).await?;
    }
}

async fn nodes(stores: &Stores, folder: &Path) -> Result<(), PortableError> {
    let store = &*stores.files;
    read_all!(folder, "thumbnails.ndjson", as PortableThumbnail, |items| store.keep_thumbnails(&items));
    read_all!(folder, "spaces.ndjson", as PortableSpace, |items| store.keep_spaces(&items));
    read_all!(folder, "nodes.ndjson", as PortableNode, |items| store.keep_nodes(&items));
    read_all!(folder, "versions.ndjson", as PortableVersion, |items| store.keep_versions(&items));
    read_all!(folder, "shares.ndjson", ShareRecord, |items| store.keep_shares(&items));
    read_all!(folder, "links.ndjson", LinkRecord, |items| store.keep_links(&items));
    read_all!(folder, "stars.ndjson", as PortableStar, |items| store.keep_stars(&items));
    Ok(())
}

async fn history(stores: &Stores, folder: &Path) -> Result<(), PortableError> {
    let store = &*stores.files;
    read_all!(folder, "events.ndjson", as FileEvent, |items| store.keep_events(&items));
    read_all!(folder, "operations.ndjson", OperationRecord, |items| store.keep_operations(&items));
    read_all!(folder, "operation-parts.ndjson", PartRecord, |items| store.keep_parts(&items));
    read_all!(folder, "copies.ndjson", CopyRecord, |items| store.keep_copies(&items));
    read_all!(folder, "copy-fronts.ndjson", FrontRecord, |items| store.keep_fronts(&items));
    Ok(())
}

async fn jobs(stores: &Stores, folder: &Path) -> Result<(), PortableError> {
    let (webhooks, types) = (&*stores.webhooks, &*stores.job_lists);
    // pauses before what they hold back
    read_each!(folder, "job-types.ndjson", TypeRecord, |told| {
        let (name, paused, limit) = told;
        types.set_paused(name.as_deref(), paused).await?;
        if let Some((name, limit)) = name.zip(limit) {
            types.set_type_limit(&name, Some(limit)).await?;
        }
    });
    read_each!(folder, "webhooks.ndjson", WebhookRecord, |webhook| webhooks.create_webhook(&webhook).await?);
    read_each!(folder, "webhooks-told.ndjson", ToldRecord, |told| {
        webhooks.set_files_told(told.0, None, told.1).await?;
    });
    read_all!(folder, "deliveries.ndjson", DeliveryRecord, JOBS_PAGE, |items| webhooks
        .create_deliveries(&items));
    read_each!(folder, "schedules.ndjson", ScheduleRecord, |schedule| {
        stores.schedules.create_schedule(&schedule).await?;
    });
    let store = &*stores.notifications;
    read_all!(folder, "notifications.ndjson", NotificationRecord, |items| store.keep_notifications(&items));
    read_all!(folder, "jobs.ndjson", JobRecord, JOBS_PAGE, |items| store.keep_jobs(&items));
    Ok(())
}

async fn accounts(stores: &Stores, folder: &Path) -> Result<(), PortableError> {
    let auth = &*stores.auth;
    read_all!(folder, "tokens.ndjson", TokenRecord, |items| auth.keep_tokens(&items));
    read_all!(folder, "audit.ndjson", AuditRecord, |items| auth.keep_audit(&items));
    read_all!(folder, "invitations.ndjson", InvitationRecord, |items| auth.keep_invitations(&items));
    read_all!(folder, "groups.ndjson", GroupRecord, |items| auth.keep_groups(&items));
    read_all!(folder, "identities.ndjson", IdentityRecord, |items| auth.keep_identities(&items));
    read_all!(folder, "accounts.ndjson", AccountRecord, |items| auth.keep_accounts(&items));
    Ok(())
}
