//! Whether all is there.

use super::super::{Manifest, PAGE, PortableError, Stores};

/// How many records a list has.
macro_rules! count_all {
    (|$after:ident| $page:expr, |$item:ident| $key:expr) => {{
        let mut $after = None;
        let mut count = 0_u64;
        loop {
            let items = $page.await?;
            count += items.len() as u64;
            $after = items.last().map(|$item| $key);
            if items.len() < PAGE as usize {
                break count;
            }
        }
    }};
}

/// Holds how much is there against the folder. Jobs are left out: the store leaves out those whose key another one has.
pub(super) async fn check(stores: &Stores, manifest: &Manifest) -> Result<(), PortableError> {
    let (auth, files, jobs) = (&*stores.auth, &*stores.files, &*stores.notifications);
    let counted = [
        ("accounts.ndjson", count_all!(|after| auth.page_accounts(after, PAGE), |kept| kept.account.user.id)),
        ("tokens.ndjson", count_all!(|after| auth.page_tokens(after, PAGE), |token| token.id)),
        ("audit.ndjson", count_all!(|after| auth.page_audit(after, PAGE), |entry| entry.id)),
        ("invitations.ndjson", count_all!(|after| auth.page_invitations(after, PAGE), |kept| kept.id)),
        ("groups.ndjson", count_all!(|after| auth.page_groups(after, PAGE), |group| group.id)),
        (
            "identities.ndjson",
            count_all!(|after| auth.page_identities(after, PAGE), |kept| (kept.user, kept.id)),
        ),
        ("contents.ndjson", count_all!(|after| files.page_blobs(after, PAGE), |blob| blob.key)),
        ("spaces.ndjson", count_all!(|after| files.page_spaces(after, PAGE), |space| space.id)),
        (
            "thumbnails.ndjson",
            count_all!(|after| files.page_thumbnails(after, PAGE), |kept| (kept.original, kept.size)),
        ),
        ("nodes.ndjson", count_all!(|after| files.page_nodes(after, PAGE), |node| node.id)),
        (
            "versions.ndjson",
            count_all!(|after| files.page_versions(after, PAGE), |kept| (kept.node, kept.content.version)),
        ),
        ("shares.ndjson", count_all!(|after| files.page_shares(after, PAGE), |share| share.id)),
        ("links.ndjson", count_all!(|after| files.page_links(after, PAGE), |kept| kept.link.id)),
        ("stars.ndjson", count_all!(|after| files.page_stars(after, PAGE), |star| (star.user, star.node))),
        (
            "events.ndjson",
            count_all!(|after| files.page_events(after, PAGE), |event| (event.space, event.seq)),
        ),
        ("operations.ndjson", count_all!(|after| files.page_operations(after, PAGE), |kept| kept.id)),
        (
            "operation-parts.ndjson",
            count_all!(|after| files.page_parts(after, PAGE), |kept| (kept.operation, kept.part.number)),
        ),
        ("copies.ndjson", count_all!(|after| files.page_copies(after, PAGE), |copy| copy.id)),
        (
            "copy-fronts.ndjson",
            count_all!(|after| files.page_fronts(after, PAGE), |kept| (kept.copy, kept.front.target)),
        ),
        (
            "webhooks.ndjson",
            count_all!(|after| stores.webhooks.page_webhooks(after, PAGE), |webhook| webhook.id),
        ),
        (
            "notifications.ndjson",
            count_all!(|after| jobs.page_notifications(after, PAGE), |kept| kept.news.id),
        ),
    ];
    for (name, there) in counted {
        let lines = manifest.files.get(name).map_or(0, |facts| facts.lines);
        if there != lines {
            return Err(PortableError::Damaged(format!(
                "{name} has {lines} records, and {there} are there now"
            )));
        }
    }
    Ok(())
}
