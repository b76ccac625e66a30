use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Causes, PortResult};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::groups::{Ready, Source};
use super::plan::Plan;
use super::room::Part;
use crate::app::watch::{Pass, Watch};
use crate::state::FileService;

/// So many groups of entries are read, or opened, before they are sent, which hides what each takes to be found: a quarter of a MiB each at most (or what
/// `FM_FILES__INLINE` is, if that is more), and so one MiB for an archive, however many entries it has.
const AHEAD: usize = 4;

/// What stands before the first content is read up to so many bytes when an archive is opened.
const READ_FIRST: usize = 64 * 1024;

/// While nothing is taken, looks are at least so far apart, however often it is looked else.
const PAUSE: Duration = Duration::from_millis(10);

/// The bytes of an archive, of which the first content has been read.
pub(crate) struct Body {
    first: VecDeque<Ready>,
    rest: BoxStream<'static, PortResult<Ready>>,
    /// Over what is sent, by what was asked for.
    rights: Vec<Option<Watch>>,
    /// Over what the request was let in by.
    entry: Option<Watch>,
    /// Held until it was sent.
    _room: Part,
    /// Still to be sent.
    left: u64,
    give_up_after: Duration,
}

impl Body {
    /// The bytes from `start` to before `end`.
    ///
    /// # Errors
    /// Those of reading the first content.
    pub(crate) async fn open(
        service: &FileService,
        plan: Plan,
        pass: Pass,
        start: u64,
        end: u64,
    ) -> PortResult<Self> {
        let Plan { layout, contents, roots, room, .. } = plan;
        let rights: Vec<_> = roots.iter().map(|(_, root)| Watch::over(service, root)).collect();
        let roots = roots.iter().zip(&rights).map(|((first, _), right)| (*first, right.is_some())).collect();
        let source = Source::new(service, layout, contents, roots);
        let groups = stream::iter(source.groups(start, end));
        let opened = groups.map(move |group| Arc::clone(&source).open(group));
        let mut rest = opened.buffered(AHEAD).flatten().boxed();
        let mut first = VecDeque::new();
        let mut read = 0;
        while read < READ_FIRST {
            let Some(ready) = rest.next().await.transpose()? else { break };
            read += ready.bytes.len();
            let has_content = ready.root.is_some();
            first.push_back(ready);
            if has_content {
                break;
            }
        }
        let entry = Watch::with(service, None, pass);
        let give_up_after = service.settings.archives.give_up_after;
        Ok(Self { first, rest, rights, entry, _room: room, left: end - start, give_up_after })
    }

    /// Sends them. Ends with `broken` instead of the last byte when a content cannot be read, soon after the right to what is being sent has ended, and
    /// when the client takes nothing for too long: what the archive holds is given back then, although its client may never ask for another byte.
    pub(crate) fn send<E: 'static>(
        self,
        service: &FileService,
        broken: impl Fn() -> E + 'static,
    ) -> impl Stream<Item = Result<Bytes, E>> + 'static {
        let left = self.left;
        // one waits while the one before it is sent
        let (sender, pieces) = mpsc::channel(1);
        service.background.spawn(self.run(sender));
        stream::try_unfold((pieces, left, broken), |(mut pieces, left, broken)| async move {
            match pieces.recv().await {
                Some(bytes) => {
                    let left = left.saturating_sub(bytes.len() as u64);
                    Ok(Some((bytes, (pieces, left, broken))))
                }
                None if left == 0 => Ok(None),
                None => Err(broken()),
            }
        })
    }

    async fn run(mut self, sender: mpsc::Sender<Bytes>) {
        while let Some(ready) = self.next().await {
            match ready {
                Ok(ready) => {
                    if self.hand_on(ready, &sender).await.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(cause = %Causes(&error), "an archive broke off while it was sent");
                    return;
                }
            }
        }
    }

    async fn next(&mut self) -> Option<PortResult<Ready>> {
        match self.first.pop_front() {
            Some(ready) => Some(Ok(ready)),
            None => self.rest.next().await,
        }
    }

    /// Waits until the client takes it; none if it will not, or may not any more.
    async fn hand_on(&mut self, ready: Ready, sender: &mpsc::Sender<Bytes>) -> Option<()> {
        let Ready { root, bytes } = ready;
        let right = self.rights.get_mut(root.unwrap_or(0)).and_then(Option::as_mut);
        let mut watches = [self.entry.as_mut(), right];
        let give_up_at = Instant::now() + self.give_up_after;
        loop {
            for watch in watches.iter_mut().flatten() {
                if let Some(code) = watch.end().await {
                    tracing::info!(
                        code = code.word(),
                        "an archive is cut off: the right to read what is in it has ended"
                    );
                    return None;
                }
            }
            let due = watches.iter().flatten().map(|watch| watch.due()).min();
            let next_look = due.map_or(give_up_at, |due| due.max(Instant::now() + PAUSE));
            tokio::select! {
                biased;
                place = sender.reserve() => {
                    // without one the client has gone
                    place.ok()?.send(bytes);
                    return Some(());
                }
                () = sleep_until(give_up_at) => {
                    tracing::info!("an archive is given up: its client takes nothing");
                    return None;
                }
                () = sleep_until(next_look) => {}
            }
        }
    }
}
