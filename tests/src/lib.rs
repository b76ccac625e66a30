//! End-to-end suites. Each case takes a running product by its public address and nothing else, so that every form of the product runs the same ones.
//!
//! A case begins with a fresh installation whose set-up code it knows. [`all_cases!`] turns all of them into tests.

pub mod accounts;
pub mod bad_input;
pub mod callers;
pub mod classic;
pub mod contents;
pub mod credentials;
pub mod endings;
pub mod events;
pub mod exports;
pub mod files;
pub mod idempotency;
pub mod jobs;
pub mod journeys;
pub mod matrix;
pub mod product;
pub mod samples;
pub mod sharing;
#[cfg(feature = "stack")]
pub mod stack;
pub mod trace;
pub mod transcript;
pub mod uploads;
pub mod wait;
pub mod webhooks;
pub mod workers;

pub use product::{Account, Product};

/// Makes a test of every case there is. `$start` is an async function that starts a fresh product and returns something with a method `product()`.
#[macro_export]
macro_rules! all_cases {
    ($start:path) => {
        $crate::cases! { $start:
            accounts {
                setup_makes_the_first_administrator_once
                signing_out_ends_this_session_at_once
                a_cookie_session_serves_the_page_and_no_other_origin
                a_reused_refresh_token_ends_its_session
                guessing_is_slowed_down
                an_owner_manages_their_account
            }
            bad_input {
                unknown_routes_and_methods
                malformed_json_and_wrong_types
                forged_and_broken_tokens
                a_truncated_body_leaves_nothing
                what_is_no_request_gets_a_4xx
                slow_uploads_hold_nobody_up
            }
            classic {
                users_sign_up_connect_and_disconnect
                files_are_uploaded_listed_published_and_read
                lists_come_in_pages_of_twenty
                images_get_thumbnails
                what_broke_the_original_is_refused
            }
            contents {
                bytes_in_same_bytes_out
                ranges_are_exact
                validators_follow_the_bytes
                active_content_is_disarmed
                a_broken_upload_leaves_nothing
                conflicts_are_answered_as_asked
                a_folder_is_one_download_that_can_be_gone_on_with
            }
            callers {
                every_call_by_every_caller
            }
            credentials {
                what_is_ended_in_the_list_stands_in_the_audit_log
                a_token_with_a_folder_sees_nothing_else
                a_token_gives_no_more_than_it_has
                what_a_token_opens_ends_with_it
            }
            endings {
                an_account_ends_for_everybody_at_once
            }
            events {
                a_change_is_listed_followed_and_told
            }
            exports {
                an_account_is_taken_along
            }
            files {
                a_tree_is_built_and_rearranged
                cursors_survive_changes_and_fit_one_list
                the_trash_gives_back_and_lets_go
                strangers_see_nothing
                one_name_goes_to_one_file
                files_are_found_by_names_and_texts
            }
            idempotency {
                what_is_sent_again_is_done_once
                requests_with_one_key_make_one_thing
            }
            jobs {
                a_picture_gets_its_thumbnails
                a_damaged_picture_fails_with_a_reason
            }
            sharing {
                a_folder_is_shared_and_taken_back
                a_link_opens_its_folder_until_it_is_ended
                what_is_dropped_is_received_and_seen_by_its_owner
                downloads_by_a_link_keep_to_its_limit
                an_editor_uploads_in_several_goes_until_the_share_ends
                a_large_file_is_dropped_in_several_goes
            }
            uploads {
                an_upload_goes_on_where_it_stood
                c067_an_upload_goes_on_with_another_token
                parts_are_put_together
                a_wrong_checksum_counts_nothing
                the_draft_goes_on_with_the_same_uploads
                unfinished_uploads_are_listed_and_ended
            }
            webhooks {
                a_failed_job_is_told_to_its_owner
                webhooks_do_not_lead_inside
            }
            workers {
                a_program_works_on_somebodys_file
                a_withdrawn_token_gets_no_job_however_long_it_has_waited
                a_job_of_a_dead_program_goes_on_elsewhere
                what_always_fails_is_kept_for_people
            }
            samples {
                every_sample_ends_as_the_index_says
            }
        }
    };
}

/// Makes a test of each case. `$start` is an async function that starts a fresh product and returns something with a method `product()`.
#[macro_export]
macro_rules! cases {
    ($start:path: $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let running = $start().await;
                    if let Err(error) = $crate::$module::$case(&running.product()).await {
                        panic!("{error:?}");
                    }
                }
            )*
        }
    )*};
}
