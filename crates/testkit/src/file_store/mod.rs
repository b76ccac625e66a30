//! What every [`FileStore`] promises.

mod activity;
mod blobs;
mod copying;
mod journal;
mod links;
mod lists;
mod marks;
mod model;
mod places;
mod purge;
mod quota;
mod replicas;
mod returns;
mod search;
mod shares;
mod spaces;
mod storm;
mod trash;
mod upkeep;
mod uploads;
mod versions;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use common::files::{
    Commit, CommitTarget, Committed, FileStore, ListQuery, NewBlob, NewContent, NewFile, NewFolder, Node,
    NodeError, NodeName, Order, Place, Sort, Space, ThumbnailState, Usage,
};
use common::jobs::{NewJob, Outbox};
use common::{Clock as _, Crc32, FileId, IdGen as _, Sha256, Timestamp, UserId};

use crate::{TestClock, TestIds};

pub use activity::*;
pub use blobs::*;
pub use copying::*;
pub use journal::*;
pub use links::*;
pub use lists::*;
pub use marks::*;
pub use model::*;
pub use places::*;
pub use purge::*;
pub use quota::*;
pub use replicas::Replicas;
pub use returns::*;
pub use search::*;
pub use shares::*;
pub use spaces::*;
pub use storm::*;
pub use trash::*;
pub use upkeep::*;
pub use uploads::*;
pub use versions::*;

/// A fresh store with one user's space.
pub struct FilesSubject {
    /// The store.
    pub store: Arc<dyn FileStore>,
    /// Its outbox.
    pub outbox: Arc<dyn Outbox>,
    /// Ids.
    pub ids: Arc<TestIds>,
    /// Time.
    pub clock: TestClock,
    /// Whose space it is.
    pub user: UserId,
    /// The space, as it was at the start.
    pub space: Space,
    _keep: Box<dyn Any + Send + Sync>,
}

impl FilesSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub async fn new<S: FileStore + Outbox + 'static>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self {
        let (ids, clock) = (Arc::new(TestIds::new()), TestClock::default());
        let user = ids.next();
        let space = store
            .ensure_space(user, (ids.next(), ids.next()), None, clock.now())
            .await
            .expect("a space is made");
        Self { store: Arc::<S>::clone(&store), outbox: store, ids, clock, user, space, _keep: Box::new(keep) }
    }

    /// The root of the space.
    pub fn root(&self) -> FileId {
        self.space.root
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A folder to be made.
    pub fn new_folder(&self, parent: FileId, name: &str) -> NewFolder {
        NewFolder {
            id: self.ids.next(),
            parent,
            name: named(name),
            rename_if_taken: false,
            classic_type: None,
            public: false,
            by: self.user,
            via: None,
            at: self.now(),
        }
    }

    /// Makes a folder.
    pub async fn folder(&self, parent: FileId, name: &str) -> Node {
        self.store.create_folder(&self.new_folder(parent, name)).await.expect("the folder can be made")
    }

    /// An upload of a new file of `size` bytes, kept inline.
    pub fn upload(&self, parent: FileId, name: &str, size: usize) -> Commit {
        Commit {
            target: CommitTarget::New(NewFile {
                id: self.ids.next(),
                parent,
                name: named(name),
                rename_if_taken: false,
                classic_type: None,
                public: false,
                tags: Vec::new(),
            }),
            content: self.content(size),
            by: self.user,
            via: None,
            at: self.now(),
            reservation: None,
            jobs: Vec::new(),
        }
    }

    /// An upload of new content for a file, keeping so many versions.
    pub fn update(&self, id: FileId, size: usize, keep_versions: u32) -> Commit {
        Commit {
            target: CommitTarget::Existing { id, revision: None, keep_versions },
            ..self.upload(id, "unused", size)
        }
    }

    /// Content of `size` bytes under a fresh key.
    pub fn content(&self, size: usize) -> NewContent {
        NewContent {
            blob: self.blob(size),
            mime: "text/plain".to_owned(),
            modified_at: self.now(),
            thumbnails: ThumbnailState::None,
        }
    }

    fn blob(&self, size: usize) -> NewBlob {
        let key = self.ids.blob_key();
        let bytes = Bytes::from(key.bytes().iter().copied().cycle().take(size).collect::<Vec<_>>());
        NewBlob {
            key,
            size: size as u64,
            sha256: Sha256::of(&bytes),
            crc32: Crc32(u32::MAX - 7),
            place: Place::Inline(bytes),
        }
    }

    /// Commits an upload.
    pub async fn commit(&self, commit: &Commit) -> Result<Committed, NodeError> {
        self.store.commit_upload(commit).await
    }

    /// Uploads a new file.
    pub async fn file(&self, parent: FileId, name: &str, size: usize) -> Node {
        let committed = self.commit(&self.upload(parent, name, size)).await.expect("the file can be made");
        assert!(committed.created);
        committed.node
    }

    async fn move_to(&self, node: &Node, parent: FileId) -> Result<Node, NodeError> {
        self.store.relocate(node.id, None, &node.name, parent, self.now()).await
    }

    async fn trash(&self, id: FileId) -> Node {
        self.store.trash(id, None, self.user, self.now()).await.expect("it can be trashed")
    }

    async fn delete(&self, id: FileId) {
        self.store.delete(id, None, Some(self.user), self.now(), &[]).await.expect("it can be deleted");
    }

    async fn node(&self, id: FileId) -> Option<Node> {
        self.store.find_path(id).await.unwrap().map(|path| path.node)
    }

    async fn usage(&self) -> Usage {
        self.store.usage(self.space.id).await.unwrap()
    }

    /// Names of all live children in natural order, folders first.
    async fn names(&self, parent: FileId) -> Vec<String> {
        let page = self.store.list_children(parent, &query(Sort::Name, Order::Asc, 1000)).await.unwrap();
        assert!(!page.more);
        assert_eq!(page.total, page.items.len() as u64, "the counter is exact");
        page.items.into_iter().map(|node| node.name.as_str().to_owned()).collect()
    }

    async fn purged(&self, tombstone: FileId) -> u64 {
        let (mut freed, mut steps) = (0, 0);
        loop {
            let step = self.store.purge(tombstone, 100, self.now(), Timestamp::MIN).await.unwrap();
            freed += step.freed_bytes;
            steps += 1;
            assert!(steps < 1000, "a purge ends");
            if step.done {
                return freed;
            }
        }
    }

    async fn outbox_jobs(&self) -> Vec<NewJob> {
        let rows =
            self.outbox.lease_unsent(1000, std::time::Duration::from_secs(1), self.now()).await.unwrap();
        rows.into_iter().map(|row| row.job).collect()
    }
}

/// A name that the test knows to be good.
pub fn named(name: &str) -> NodeName {
    NodeName::parse(name).expect("the test gives a good name")
}

/// A list from the start, folders first.
pub fn query(sort: Sort, order: Order, limit: u32) -> ListQuery {
    ListQuery { sort, order, folders_first: true, kind: None, after: None, offset: 0, limit }
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns a [`FilesSubject`].
#[macro_export]
macro_rules! file_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            file_store,
            [
                a_user_has_one_space_with_a_root,
                of_simultaneous_first_uses_all_get_one_space,
                the_store_keeps_its_id_and_answers_a_ping,
                a_space_ends_with_all_that_is_in_it,
                a_folder_is_found_as_it_was_made,
                a_path_leads_from_the_root_to_the_node,
                a_live_name_is_unique_in_its_folder,
                of_two_who_make_one_name_one_succeeds,
                only_a_live_folder_takes_children,
                a_taken_name_gets_the_next_number,
                many_takers_of_one_name_get_numbers_in_turn,
                a_rename_and_a_move_change_what_they_say,
                a_relocation_to_the_same_place_changes_nothing,
                a_relocation_is_refused_with_its_reason,
                a_folder_cannot_move_into_itself,
                of_two_moves_that_make_a_cycle_one_succeeds,
                of_two_moves_far_apart_that_make_a_cycle_one_succeeds,
                nothing_lies_deeper_than_the_limit,
                a_move_counts_the_height_of_what_it_moves,
                a_move_counts_what_was_moved_before,
                public_is_set_and_lifted_once,
                an_upload_makes_a_file_with_its_content,
                an_upload_brings_its_jobs_or_none,
                a_failed_upload_leaves_nothing,
                new_content_keeps_the_old_as_a_version,
                new_content_checks_the_revision,
                old_versions_are_given_up_beyond_the_limit,
                of_simultaneous_updates_of_one_revision_one_succeeds,
                a_quota_holds_for_uploads_without_reservation,
                a_reservation_is_changed_settled_and_released,
                a_prolonged_reservation_lasts,
                expired_reservations_are_swept,
                of_fifty_uploads_ten_fit,
                of_fifty_reservations_ten_fit,
                a_lowered_quota_touches_nothing_stored,
                each_byte_of_a_space_is_of_one_type_or_a_version_or_trash,
                a_usage_by_type_looks_at_so_much_and_no_more,
                trash_takes_a_node_out_of_its_folder,
                what_lies_in_the_trash_cannot_be_changed,
                restore_brings_back_to_the_old_place,
                restore_finds_a_free_name,
                restore_goes_to_the_nearest_folder_that_is_not_in_the_trash,
                a_tree_that_was_trashed_piece_by_piece_comes_back_in_any_order,
                trees_that_were_trashed_at_random_come_back_in_any_order,
                what_returns_takes_a_free_name,
                what_returns_leaves_names_to_what_comes_back,
                what_was_moved_or_trashed_meanwhile_does_not_return,
                what_was_renamed_meanwhile_returns_under_its_new_name,
                what_lies_in_the_trash_itself_returns_when_it_is_back,
                a_folder_does_not_return_into_itself,
                nothing_returns_deeper_than_the_limit,
                nothing_returns_to_what_is_gone,
                more_than_one_commit_takes_return,
                the_trash_is_listed_newest_first_in_pages,
                expired_trash_is_found_by_age,
                a_deleted_node_and_all_below_is_gone_at_once,
                nothing_gets_below_a_tombstone,
                a_purge_gives_everything_back_in_steps,
                a_purge_keeps_the_tombstone_until_its_time,
                two_purges_at_once_count_once,
                a_purge_leaves_living_nodes_alone,
                deleting_twice_is_not_found,
                small_contents_are_read_back,
                many_small_contents_are_read_back_in_the_order_that_was_asked_for,
                a_blob_is_condemned_when_its_last_reference_goes,
                a_condemned_blob_is_collected_when_its_time_has_come,
                thumbnails_are_kept_once_and_go_with_their_original,
                thumbnails_fail_only_while_they_are_pending,
                facts_of_a_content_are_kept_while_it_is_live,
                a_job_gets_the_content_that_it_was_made_for,
                live_blobs_are_listed_by_key_and_marked,
                the_files_of_a_blob_are_found,
                a_recount_of_what_is_right_finds_nothing,
                a_recount_while_the_tree_changes_finds_nothing,
                an_empty_folder_lists_nothing,
                every_sort_pages_as_it_sorts_in_memory,
                a_position_outlives_its_node,
                an_offset_leaves_out_as_many,
                the_classic_list_is_newest_first,
                random_changes_agree_with_a_model,
                counters_are_exact_after_a_storm,
                an_upload_that_races_with_a_deletion_leaks_nothing,
            ]
        );
    };
}

/// Makes a test of each check of shares, links, marks, versions, copies, the journal, the activity and search, for the adapter that `$make` opens: an async function that returns an [`AccessSubject`].
#[macro_export]
macro_rules! access_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            file_store,
            [
                a_share_is_found_as_it_was_given,
                a_grantee_has_one_share_of_a_node,
                only_a_live_node_is_shared,
                grants_are_those_of_the_person_and_the_nodes,
                a_role_is_changed_and_a_share_ended,
                shares_are_listed_by_who_asks,
                shares_stay_with_a_node_that_moves_and_go_with_it,
                a_link_is_found_as_it_was_made,
                only_a_live_node_is_linked,
                a_link_changes_as_asked_and_ends,
                uses_of_a_link_are_counted,
                of_fifty_downloads_ten_pass,
                a_notice_tells_at_once_and_then_of_all_since_once_an_hour,
                of_simultaneous_uses_one_makes_the_notice,
                links_are_listed_by_who_asks,
                links_go_with_their_node,
                what_is_public_is_listed,
                tags_are_kept_as_given_and_found_folded,
                only_a_live_node_is_tagged_and_as_it_was_seen,
                a_star_belongs_to_whoever_set_it,
                marks_go_with_their_node,
                recent_is_what_somebody_gave_content_to,
                versions_are_listed_newest_first_with_their_contents,
                an_old_version_comes_back_as_a_new_one_that_shares_its_bytes,
                old_versions_are_deleted_and_the_content_is_not,
                old_versions_are_given_up_by_number_and_age,
                one_file_with_many_versions_keeps_none_of_the_others,
                a_folder_is_copied_in_steps_and_shares_its_contents,
                a_folder_is_measured_before_it_is_copied,
                a_copy_is_begun_only_where_it_can_be,
                a_copy_ends_although_it_is_moved_into_what_is_copied,
                a_copy_leaves_nothing_out_though_clocks_differ,
                a_copy_does_not_copy_folders_that_it_made,
                a_copy_stops_at_the_quota_and_at_the_depth,
                several_who_work_at_one_copy_do_each_part_once,
                copies_that_ended_are_forgotten_in_time,
                each_change_is_noted_with_what_brings_it_back,
                what_changes_nothing_or_fails_is_not_noted,
                a_part_is_undone_once_and_undoing_is_an_operation,
                undoing_a_star_leaves_a_later_one,
                of_two_undos_at_once_one_succeeds,
                operations_are_listed_by_who_did_them_and_forgotten,
                each_change_of_a_node_is_told_in_its_order,
                what_returns_is_told_as_moved_by_who_restored,
                an_undone_trashing_returns_with_the_folder,
                what_changes_nothing_or_fails_is_not_told,
                events_made_at_once_have_places_in_turn,
                events_are_forgotten_in_time_and_numbers_go_on,
                names_go_before_tags_and_texts_and_words_before_beginnings,
                each_word_may_stand_elsewhere,
                a_search_speaks_no_language_of_the_store,
                what_is_found_follows_each_change,
                filters_leave_out,
                a_scope_is_a_space_or_what_lies_below,
                a_scope_may_have_hundreds_of_nodes,
                what_lies_below_the_trash_takes_no_place_in_a_page,
                a_text_belongs_to_a_content_in_its_space,
                a_text_goes_with_its_content,
                a_walk_finds_what_nobody_has_read,
            ]
        );
    };
}
