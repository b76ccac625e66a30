//! Every end-to-end case on the distributed form, through its gateway.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use e2e::stack::{Options, Servers, Stack};
use tokio::sync::OnceCell;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// A fresh installation on the servers of this run.
async fn fresh() -> Stack {
    let servers = SERVERS.get_or_init(|| async { Servers::start().await.unwrap() }).await;
    let options = Options::of_tests().unwrap();
    tokio::task::block_in_place(|| Stack::start(servers, &options)).unwrap()
}

e2e::cases! { crate::fresh:
    accounts {
        setup_makes_the_first_administrator_once
        signing_out_ends_this_session_at_once
        a_cookie_session_serves_the_page_and_no_other_origin
        a_reused_refresh_token_ends_its_session
        guessing_is_slowed_down
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
    }
    files {
        a_tree_is_built_and_rearranged
        cursors_survive_changes_and_fit_one_list
        the_trash_gives_back_and_lets_go
        strangers_see_nothing
        one_name_goes_to_one_file
    }
    jobs {
        a_picture_gets_its_thumbnails
        a_damaged_picture_fails_with_a_reason
    }
    samples {
        every_sample_ends_as_the_index_says
    }
}
