//! What every implementation of `Store` must do, as tests that are written once. A crate's test file names a
//! function that makes a store, and gets one test for each:
//!
//! ```text
//! natter_store::conformance!(fresh); // async fn fresh() -> (Arc<dyn Store>, impl Sized)
//! ```
//!
//! The second value is kept until the test ends: a temporary folder, a connection. Stores may be shared: every
//! test makes its own users, conversations and partitions.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests, and each one's name states what must hold"
)]

pub mod fixtures; // users and conversations for tests

pub mod accounts;
pub mod blocks;
pub mod erasures;
pub mod identities;
pub mod keys;
pub mod one_time_tokens;
pub mod sessions;

pub mod convergence; // any order gives the pure fold
pub mod conversations;
pub mod history;
pub mod log;
pub mod reads;
pub mod reseal;
pub mod reservations;

pub use std::sync::Arc;

/// One `#[tokio::test]` for each function of the suite.
#[macro_export]
macro_rules! conformance {
    ($fresh:path) => {
        $crate::conformance! { $fresh,
            accounts: [
                a_user_is_found_by_id_username_and_email_whatever_the_case
                usernames_and_emails_are_unique_whatever_the_case
                of_many_registrations_of_one_name_at_once_one_succeeds
                adding_the_same_user_again_is_no_conflict
                any_number_of_users_have_no_email_address
                search_finds_beginnings_of_words_by_username
                search_finds_any_word_without_accents_case_and_form
                a_name_of_many_words_is_found_by_the_first_of_them
                no_user_is_found_by_a_word_of_before
                search_takes_wildcards_literally
                a_display_name_and_a_password_can_be_changed
                of_names_changed_at_once_the_one_shown_is_found
                hostile_names_come_back_as_they_were
                sealed_profiles_are_found_by_their_words_beside_those_in_clear
                a_profile_is_stored_otherwise_only_as_it_was_read
                every_user_comes_once_in_pages
            ]
            sessions: [
                a_session_is_renewed_from_token_to_token
                a_token_used_again_ends_its_session
                without_grace_one_of_many_renewals_at_once_succeeds
                with_grace_all_renewals_at_once_have_one_successor
                a_token_within_its_grace_leads_to_the_newest
                a_token_used_again_after_its_grace_ends_its_session
                exchanges_beyond_those_kept_are_theft
                a_session_ends_when_it_is_ended_or_expires
                sessions_of_a_user_are_those_not_ended_and_not_expired
                a_log_in_with_a_password_changed_since_opens_no_session
                no_log_in_that_races_a_password_change_survives_it
                a_new_password_alone_leaves_only_the_session_that_set_it
                sessions_left_by_a_new_password_are_still_listed
                the_session_renewed_least_recently_is_ended_for_another
                many_log_ins_at_once_leave_as_many_sessions_as_allowed
                sessions_far_beyond_the_bound_are_ended_bit_by_bit
            ]
            identities: [
                an_identity_is_the_users_who_claimed_it_first
                of_many_claims_of_one_identity_at_once_one_counts
                an_identity_moves_from_its_user_and_ends_with_them
            ]
            one_time_tokens: [
                a_token_is_taken_once_for_its_purpose_by_its_user
                a_new_token_takes_the_place_of_the_one_before
            ]
            blocks: [
                a_block_is_seen_from_both_sides_until_it_is_removed
                who_of_some_users_has_blocked_another_is_found
                those_who_block_one_user_are_read_part_by_part
                blocks_set_and_lifted_at_once_look_the_same_from_both_sides
                a_user_at_the_bound_of_blocks_makes_room_by_ending_one
                of_many_blocks_at_once_as_many_are_made_as_fit
            ]
            reservations: [
                present_and_reserved_memberships_count_together_and_each_once
                nothing_is_reserved_when_one_of_the_users_has_no_room
                reservations_are_listed_oldest_first_until_released
                of_many_reservations_at_once_as_many_are_made_as_fit
            ]
            keys: [
                keys_come_back_as_they_were_by_user_and_epoch
                every_users_key_comes_once_in_pages
                a_key_is_wrapped_otherwise_by_one_of_many
                of_keys_made_at_once_one_is_kept
                a_removed_data_key_leaves_the_others
            ]
            erasures: [
                a_closed_account_opens_nothing_and_changes_nothing
                an_erased_user_is_an_id_without_names
                names_of_an_erased_user_can_be_taken
                nothing_of_an_erased_user_is_counted
                a_destroyed_key_is_never_made_again
                an_erasure_is_open_until_it_is_done
                of_many_records_at_once_one_is_kept
                a_text_that_was_emptied_stays_empty
            ]
            conversations: [
                a_conversation_is_what_its_events_say
                a_member_who_left_is_a_former_one
                members_are_in_the_order_of_the_log_whatever_their_times
                a_role_change_keeps_the_time_of_joining_and_cannot_bring_a_former_member_back
                a_role_change_that_arrives_before_the_joining_counts
                events_that_arrive_before_created_are_not_lost
                memberships_are_the_present_ones
                users_share_a_conversation_while_both_are_members
                sharing_can_be_asked_of_groups_alone
                sharing_goes_over_no_more_memberships_than_it_may
                a_list_is_by_newest_activity_and_pages_without_loss_or_repeat
                edits_deletions_and_reactions_are_no_activity
                every_conversation_comes_once_in_pages
            ]
            log: [
                persisting_twice_is_persisting_once
                heads_are_answered_in_the_order_asked
                highest_is_by_partition_and_never_falls
                events_are_replayed_as_they_were_logged
                an_event_is_found_by_its_id_in_its_conversation_only
                another_event_at_a_known_seq_is_refused
                hostile_content_comes_back_as_it_was
                seqs_beyond_every_log_are_harmless
                an_empty_batch_is_fine
            ]
            reseal: [
                texts_sealed_again_stay_so_when_the_log_is_replayed
                a_text_sealed_with_a_later_key_stays
                a_newer_edit_is_shown_after_an_older_one_was_sealed_again
                sealing_again_brings_no_deleted_message_back
            ]
            history: [
                the_newest_page_ends_at_the_head
                pages_before_and_after_a_seq_touch_it_but_do_not_contain_it
                no_page_goes_beyond_its_ceiling
                a_message_shows_its_newest_edit
                a_deletion_is_final_and_keeps_the_position
                reactions_keep_the_order_in_which_they_came
                reactions_persisted_ahead_of_others_wait_for_them
            ]
            reads: [
                a_read_mark_only_moves_forward
                the_newest_mark_as_unread_counts_until_it_is_ended
                of_marks_as_unread_of_one_version_the_furthest_counts
                posting_reads_up_to_the_own_message
                a_new_member_has_no_unread_messages_from_before
                countable_are_others_messages_that_are_not_deleted
                unread_conversations_are_those_with_something_countable
            ]
        }
        $crate::conformance_of_order!($fresh);
    };
    ($fresh:path, $($part:ident: [$($test:ident)*])*) => {
        mod conformance {
            $(mod $part {
                use super::super::*;
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let (store, _guard) = $fresh().await;
                    $crate::conformance::$part::$test(store).await;
                })*
            })*
        }
    };
}

/// The property that needs many cases: they share one store.
#[macro_export]
macro_rules! conformance_of_order {
    ($fresh:path) => {
        #[test]
        fn rows_persisted_in_any_order_are_the_fold_of_the_log() {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
            let (store, _guard) = runtime.block_on($fresh());
            $crate::conformance::convergence::run(|case| {
                runtime.block_on($crate::conformance::convergence::check(store.as_ref(), case));
            });
        }
    };
}
