//! Finding files by words, and what they are found by.

use common::files::search::{
    Excerpt, Found, IndexedText, Rank, Ranked, SearchFilter, SearchQuery, SearchScope, excerpt,
};
use common::files::{Action, Actor, SharesOf};
use common::jobs::types;
use common::{BlobKey, Code, FileId, JobId, PortError, PortResult, SpaceId, UserId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::access::{Authorized, Sight};
use super::marks::{stars, visible};
use super::sharing::{own_space, shares};
use crate::error::AppError;
use crate::state::FileService;

/// How many nodes are looked up at once.
const LOOK_UPS_AT_ONCE: usize = 16;

/// Fewest nodes that are asked for at first, and most at any time: each time twice as many as before, since each begins anew.
const LEAST_BATCH: u32 = 50;
const MOST_BATCH: u32 = 1_000;

/// How many nodes are looked at for one page: what most of them are closed to gets a short page, and goes on from there.
const MAX_LOOKED_AT: usize = 2_000;

/// Rights of others that a search takes in, the latest ones.
const MAX_SHARES: usize = 5_000;
const SHARES_AT_ONCE: u32 = 1_000;

/// How much text is gone through for the excerpts of one page, in bytes. It takes tens of milliseconds for each MiB.
const MAX_EXCERPT_BYTES: usize = 4 * 1024 * 1024;

/// Nodes looked at in one step of the upkeep.
const ROWS: u32 = 200;

/// A search.
pub(crate) struct Asked {
    /// The words: what has not all of them is not found.
    pub(crate) words: Vec<String>,
    /// What is left out.
    pub(crate) filter: SearchFilter,
    /// The folder below which to look (action: list).
    pub(crate) under: Option<Authorized>,
    /// Where the page before ended.
    pub(crate) after: Option<Ranked>,
    /// Most items of the page.
    pub(crate) limit: u32,
}

/// Something that was found.
pub(crate) struct Hit {
    /// The node (action: read metadata).
    pub(crate) node: Authorized,
    /// How it looks to the caller.
    pub(crate) sight: Sight,
    /// How well it was found.
    pub(crate) rank: Rank,
    /// Where in its text, if it was found by that.
    pub(crate) excerpt: Option<Excerpt>,
}

/// A page of what was found.
pub(crate) struct Hits {
    pub(crate) items: Vec<Hit>,
    /// Where it ended, if more may follow.
    pub(crate) next: Option<Ranked>,
    /// More may be there that was not looked at.
    pub(crate) incomplete: bool,
}

/// Finds what `user` may see: in their own space, and of what others gave them.
///
/// # Errors
/// Those of the store alone; `unavailable` if nobody can say which groups they are in.
pub(crate) async fn search(service: &FileService, user: UserId, asked: &Asked) -> Result<Hits, AppError> {
    let mut hits = Hits { items: Vec::new(), next: None, incomplete: false };
    if asked.words.is_empty() {
        return Ok(hits);
    }
    let (scopes, all) = match &asked.under {
        Some(folder) => (vec![scope_of(folder)], true),
        None => scopes(service, user).await?,
    };
    let mut query = SearchQuery {
        words: asked.words.clone(),
        scopes,
        filter: asked.filter.clone(),
        after: asked.after,
        limit: 0,
    };
    hits.incomplete = !all;
    let (limit, mut looked_at, mut batch) = (asked.limit as usize, 0, LEAST_BATCH);
    loop {
        let left = u32::try_from(limit - hits.items.len()).unwrap_or(u32::MAX);
        query.limit = left.max(batch) + 1;
        batch = (batch * 2).min(MOST_BATCH);
        let Found { nodes: mut found, incomplete } = service.search.search(&query).await?;
        hits.incomplete |= incomplete;
        let more = found.len() >= query.limit as usize;
        found.truncate(query.limit as usize - 1);
        looked_at += found.len();
        let seen = look_up(service, user, &found).await?;
        let count = found.len();
        for (number, (ranked, node)) in found.into_iter().zip(seen).enumerate() {
            query.after = Some(ranked);
            let Some(node) = node.filter(|node| is_below(node, asked.under.as_ref())) else { continue };
            let sight = node.sight();
            hits.items.push(Hit { node, sight, rank: ranked.rank, excerpt: None });
            if hits.items.len() == limit {
                hits.next = query.after.filter(|_| more || number + 1 < count);
                return finished(service, user, asked, hits).await;
            }
        }
        if !more || looked_at >= MAX_LOOKED_AT {
            hits.next = query.after.filter(|_| more);
            return finished(service, user, asked, hits).await;
        }
    }
}

fn scope_of(folder: &Authorized) -> SearchScope {
    let below = (!folder.node().is_root()).then(|| vec![folder.id()]);
    SearchScope { space: folder.space(), below }
}

/// Whether it is below this folder: a store may have looked in more than that.
fn is_below(node: &Authorized, folder: Option<&Authorized>) -> bool {
    folder.is_none_or(|folder| node.path().ancestors.iter().any(|crumb| crumb.id == folder.id()))
}

/// The space of `user`, and what of others they were given, but for what is closed with its owner's account; and whether that is all of it.
async fn scopes(service: &FileService, user: UserId) -> Result<(Vec<SearchScope>, bool), AppError> {
    let own = own_space(service, user).await?;
    let mut scopes = vec![SearchScope { space: own, below: None }];
    let of: SharesOf = shares::with(service, user).await?;
    let (mut after, mut taken) = (None, 0);
    while taken < MAX_SHARES {
        let page = service.shares.list_shares(&of, after, SHARES_AT_ONCE).await?;
        after = page.last().map(|share| share.id);
        taken += page.len();
        let is_last = page.len() < SHARES_AT_ONCE as usize;
        for share in page {
            if share.space != own {
                add(&mut scopes, share.space, share.node);
            }
        }
        if is_last {
            return Ok((open_ones(service, scopes).await?, true));
        }
    }
    Ok((open_ones(service, scopes).await?, false))
}

/// Those that anything may be seen of: what others own is closed with their accounts, and would be looked at for nothing, and how much it is would show.
async fn open_ones(service: &FileService, scopes: Vec<SearchScope>) -> Result<Vec<SearchScope>, AppError> {
    let looked_at: Vec<_> = scopes.into_iter().map(|scope| if_open(service, scope)).collect();
    let open: Vec<Option<SearchScope>> =
        stream::iter(looked_at).buffered(LOOK_UPS_AT_ONCE).try_collect().await?;
    Ok(open.into_iter().flatten().collect())
}

async fn if_open(service: &FileService, scope: SearchScope) -> Result<Option<SearchScope>, AppError> {
    if scope.below.is_none() {
        return Ok(Some(scope));
    }
    let Some(space) = service.store.find_space(scope.space).await? else { return Ok(None) };
    match service.gate.require_open(space.owner).await {
        Ok(()) => Ok(Some(scope)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn add(scopes: &mut Vec<SearchScope>, space: SpaceId, node: FileId) {
    match scopes.iter_mut().find(|scope| scope.space == space) {
        Some(SearchScope { below: Some(nodes), .. }) => {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        Some(_) => {}
        None => scopes.push(SearchScope { space, below: Some(vec![node]) }),
    }
}

/// Those of the nodes that `user` may see and that are not in the trash, each at the place where it was found.
async fn look_up(
    service: &FileService,
    user: UserId,
    found: &[Ranked],
) -> Result<Vec<Option<Authorized>>, AppError> {
    let look_ups: Vec<_> =
        found.iter().map(|found| visible(service, Actor::User(user), found.node)).collect();
    stream::iter(look_ups).buffered(LOOK_UPS_AT_ONCE).try_collect().await
}

/// With stars and excerpts.
async fn finished(
    service: &FileService,
    user: UserId,
    asked: &Asked,
    mut hits: Hits,
) -> Result<Hits, AppError> {
    let stars = stars(service, Actor::User(user), hits.items.iter().map(|hit| hit.node.node())).await?;
    let mut texts = Vec::new();
    let mut left = MAX_EXCERPT_BYTES;
    for (number, hit) in hits.items.iter_mut().enumerate() {
        hit.sight.starred = stars.contains(&hit.node.id());
        let node = hit.node.node();
        let content = node.content.as_ref().filter(|_| hit.rank >= Rank::Text && left > 0);
        let Some(content) = content.filter(|_| may_read(&hit.node)) else { continue };
        if let Some(text) = service.search.find_text(node.space, content.blob).await? {
            left = left.saturating_sub(text.len());
            texts.push((number, text));
        }
    }
    if texts.is_empty() {
        return Ok(hits);
    }
    let words = asked.words.clone();
    let cut = tokio::task::spawn_blocking(move || {
        texts.into_iter().map(|(number, text)| (number, excerpt(&text, &words))).collect::<Vec<_>>()
    });
    for (number, excerpt) in cut.await.map_err(|error| PortError::broken("files", error))? {
        hits.items[number].excerpt = excerpt;
    }
    Ok(hits)
}

/// Whoever sees a node by a right of their own may read its content: there is no lesser role than a viewer.
fn may_read(node: &Authorized) -> bool {
    debug_assert_eq!(node.action(), Action::ReadMetadata);
    matches!(node.actor(), Actor::User(_))
}

/// Keeps the text of a content. False if that is gone. Finding its words takes tens of milliseconds for each MiB, and is done aside.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn keep_text(service: &FileService, blob: BlobKey, text: String) -> PortResult<bool> {
    let indexed = tokio::task::spawn_blocking(move || IndexedText::new(text)).await;
    let indexed = indexed.map_err(|error| PortError::broken("files", error))?;
    service.search.keep_text(blob, &indexed).await
}

/// How far a step of the upkeep has come.
pub(crate) struct Indexed {
    pub(crate) next: Option<FileId>,
    /// Nodes that are found now and were not before, and texts that will be read.
    pub(crate) changed: u64,
}

/// Looks at some more nodes: whether they are found by their names and tags, and whether their texts were read.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn index(service: &FileService, after: Option<FileId>) -> PortResult<Indexed> {
    let step = service.search.index(after, ROWS).await?;
    let at = service.clock.now();
    let unread = step.unread.iter().filter(|file| texts::supports(&file.mime));
    let jobs: Vec<_> = unread
        .map(|file| {
            let id = JobId(service.ids.object_id());
            types::text(id, file.owner, file.file, (file.blob, file.size), &file.mime, at)
        })
        .collect();
    service.search.order_texts(&jobs).await?;
    Ok(Indexed { next: step.next, changed: u64::from(step.indexed) + jobs.len() as u64 })
}
