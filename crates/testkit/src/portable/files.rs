use common::files::{
    ActivityStore, CopyStore, FileStore, Grantee, JournalStore, Kind, Link, LinkRole, LinkToken, Share,
    ShareRole,
};
use common::portable::{
    PortableBlob, PortableContent, PortableFiles, PortableLink, PortableNode, PortableNotice, PortableReturn,
    PortableSpace, PortableStamp, PortableStar, PortableThumbnail, PortableVersion,
};
use common::{BlobKey, Crc32, Sha256};

use super::history::history;
use super::{at, id};

fn key(number: u8) -> BlobKey {
    BlobKey::from_bytes([number; 16])
}

fn blob(number: u8) -> PortableBlob {
    let is_rich = number.is_multiple_of(2);
    let bytes = vec![number; 10];
    PortableBlob {
        key: key(number),
        size: 10,
        sha256: Sha256::of(&bytes),
        crc32: Crc32(u32::MAX - u32::from(number)),
        inline: is_rich.then_some(bytes),
        refs: if number == 5 { 0 } else { 1 },
        condemned_at: (number == 5).then_some(at(5)),
        damaged_at: (number == 3).then_some(at(3)),
        thumbnails: if is_rich { "ready" } else { "none" }.to_owned(),
        thumbnails_reason: (number == 3).then(|| "unsupported".to_owned()),
        width: is_rich.then_some(640),
        height: is_rich.then_some(480),
        taken_at: is_rich.then(|| "2020-01-01T00:00:00".to_owned()),
        camera: is_rich.then(|| "Box".to_owned()),
        duration_ms: is_rich.then_some(1234),
    }
}

fn content(number: u8, version: u32) -> PortableContent {
    PortableContent {
        version,
        blob: key(number),
        size: 10,
        mime: "text/plain".to_owned(),
        modified_at: at(1),
        came: PortableStamp { at: at(2), by: id(1) },
    }
}

fn node(number: u8, parent: Option<u8>, content: Option<PortableContent>) -> PortableNode {
    let stamp = PortableStamp { at: at(6), by: id(1) };
    PortableNode {
        id: id(number),
        space: id(100),
        owner: id(1),
        parent: parent.map(id),
        name: if parent.is_some() { format!("Näme {number}") } else { String::new() },
        kind: if content.is_some() { Kind::File } else { Kind::Folder },
        created_at: at(1),
        modified_at: at(2),
        revision: 3,
        trashed: matches!(number, 13 | 14).then_some(stamp),
        deleted_at: (number == 14).then_some(at(7)),
        public: (number == 12).then_some(stamp),
        classic_name: (number == 12).then(|| "classic".to_owned()),
        classic_type: (number == 12).then(|| "image".to_owned()),
        tags: if number == 12 { vec!["Red".to_owned(), "blue".to_owned()] } else { Vec::new() },
        folder_count: u64::from(number == 10),
        file_count: u64::from(number == 11),
        shares: u64::from(number == 11) * 3,
        links: u64::from(number == 12) * 3,
        stars: u64::from(number == 12) * 3,
        content,
        returns: matches!(number, 12 | 13).then(|| PortableReturn {
            to: id(14),
            name: (number == 12).then(|| "ö".to_owned()),
            after: id(14),
        }),
    }
}

/// The contract of [`PortableFiles`], over an empty store.
pub async fn files<S>(db: &S)
where
    S: PortableFiles + FileStore + ActivityStore + JournalStore + CopyStore,
{
    let store: &dyn PortableFiles = db;
    assert_eq!(store.import_mark().await.unwrap(), None);
    store.set_import_mark(Some("one")).await.unwrap();
    store.set_import_mark(Some("two")).await.unwrap();
    assert_eq!(store.import_mark().await.unwrap().as_deref(), Some("two"));
    store.set_import_mark(None).await.unwrap();
    assert_eq!(store.import_mark().await.unwrap(), None);

    let space = |number: u8| PortableSpace {
        id: id(number),
        owner: id(number - 99),
        root: id(if number == 100 { 10 } else { number }),
        tree_version: 3,
        used_bytes: 20,
        quota_bytes: (number == 100).then_some(1000),
        node_count: 2,
        trash_count: 1,
        depth_bound: 2,
        events: if number == 100 { 2 } else { 0 },
    };
    there_and_back!(
        store,
        (100..=102).map(space).collect::<Vec<_>>(),
        keep_spaces,
        |after| store.page_spaces(after, 2),
        |kept| kept.id
    );
    assert_eq!(db.count_nodes().await.unwrap(), 6);
    there_and_back!(
        store,
        (1..=5).map(blob).collect::<Vec<_>>(),
        keep_blobs,
        |after| store.page_blobs(after, 2),
        |kept| kept.key
    );
    assert_eq!(db.read_inline(key(2)).await.unwrap().as_deref(), Some(&[2; 10][..]));
    let thumbnail = |number: u8| PortableThumbnail {
        original: key(2),
        size: 100 * u32::from(number),
        key: key(number),
        mime: "image/webp".to_owned(),
    };
    there_and_back!(
        store,
        [1, 3, 4].map(thumbnail).to_vec(),
        keep_thumbnails,
        |after| store.page_thumbnails(after, 2),
        |kept| (kept.original, kept.size)
    );
    there_and_back!(
        store,
        vec![
            node(10, None, None),
            node(11, Some(10), None),
            node(12, Some(11), Some(content(2, 2))),
            node(13, Some(11), Some(content(4, 1))),
            node(14, Some(11), None)
        ]
        .into_iter()
        // what stands in records of their own counts once those are there
        .collect::<Vec<_>>(),
        keep_nodes,
        |after| async {
            let mut page = store.page_nodes(after, 2).await?;
            for node in &mut page {
                let expected = match node.id {
                    of if of == id(11) => (3, 0, 0),
                    of if of == id(12) => (0, 3, 3),
                    _ => (0, 0, 0),
                };
                (node.shares, node.links, node.stars) = expected;
            }
            common::PortResult::Ok(page)
        },
        |kept| kept.id
    );
    let version = |number: u8| PortableVersion {
        node: id(12 + number % 2),
        content: content(number, number.into()),
        replaced_at: (number == 1).then_some(at(4)),
    };
    there_and_back!(
        store,
        (1..=5).map(version).collect::<Vec<_>>(),
        keep_versions,
        |after| store.page_versions(after, 2),
        |kept| (kept.node, kept.content.version)
    );
    let share = |number: u8| Share {
        id: id(number),
        node: id(11),
        space: id(100),
        grantee: if number == 1 { Grantee::User(id(7)) } else { Grantee::Group(id(number)) },
        role: ShareRole::Editor,
        by: id(1),
        at: at(1),
    };
    there_and_back!(
        store,
        (1..=3).map(share).collect::<Vec<_>>(),
        keep_shares,
        |after| store.page_shares(after, 2),
        |kept| kept.id
    );
    let link = |number: u8| PortableLink {
        link: Link {
            id: id(number),
            token: LinkToken::from_bytes([200 - number; 16]),
            node: id(12),
            space: id(100),
            owner: id(1),
            role: LinkRole::parse("viewer").unwrap(),
            label: "for Bob".to_owned(),
            password_hash: (number == 1).then(|| "hash".to_owned()),
            expires_at: (number == 1).then_some(at(9)),
            max_downloads: (number == 1).then_some(5),
            notify: number == 1,
            downloads: 2,
            opens: 3,
            last_used_at: (number == 1).then_some(at(4)),
            by: id(1),
            at: at(1),
        },
        notice: if number == 1 {
            PortableNotice {
                new_downloads: 1,
                new_drops: 2,
                new_file: Some(id(12)),
                told_downloads: 3,
                told_drops: 4,
                job: Some(id(50)),
                due: Some(at(6)),
                noticed_at: Some(at(5)),
            }
        } else {
            PortableNotice::default()
        },
    };
    there_and_back!(
        store,
        (1..=3).map(link).collect::<Vec<_>>(),
        keep_links,
        |after| store.page_links(after, 2),
        |kept| kept.link.id
    );
    let star = |number: u8| PortableStar { user: id(number), node: id(12), at: at(number.into()) };
    there_and_back!(
        store,
        (1..=3).map(star).collect::<Vec<_>>(),
        keep_stars,
        |after| store.page_stars(after, 2),
        |kept| (kept.user, kept.node)
    );
    let found = all!(|after| store.page_nodes(after, 2), |node| node.id);
    let counts = |number: u8| {
        let node = found.iter().find(|node| node.id == id(number)).unwrap();
        (node.shares, node.links, node.stars)
    };
    assert_eq!((counts(11), counts(12)), ((3, 0, 0), (0, 3, 3)));
    let path = db.find_path(id(12)).await.unwrap().unwrap();
    assert_eq!((path.ancestors.len(), path.node.tags.len(), path.node.starred), (2, 2, true));
    history(db).await;
    assert!(store.page_outbox(None, 2).await.unwrap().is_empty());
}
