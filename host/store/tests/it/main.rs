//! Promises of the stores: one suite for both databases, and what each does when its disk or its server is in trouble.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_wrap,
    clippy::assigning_clones,
    reason = "a test that fails should say so at once, and one that measures or is skipped should say so too"
)]

mod audit_end;
mod crash;
mod facts;
mod figures;
mod full_day;
mod gaps;
mod migrations;
mod object_owners;
mod open_work;
mod place;
mod postgres;
mod request_files;
mod server;
mod suite;
mod trouble;
mod usage;
mod writer;

/// Makes a test of each function of the suite, for each database.
macro_rules! suite {
    ($($module:ident::$name:ident)*) => {
        mod on_sqlite {
            $(#[test] fn $name() { crate::$module::$name(&crate::place::Files::new()); })*
        }
        mod on_postgres {
            $(#[test] fn $name() {
                if let Some(place) = crate::server::Schema::new() {
                    crate::$module::$name(&place);
                }
            })*
        }
    };
}

suite! {
    suite::a_fact_comes_back_as_it_was
    suite::pages_show_each_fact_once_newest_first
    suite::every_condition_finds_what_a_plain_filter_finds
    suite::tags_that_differ_in_case_are_not_mixed_up
    suite::a_batch_that_is_repeated_counts_once
    suite::a_key_sum_is_the_sum_of_its_facts
    suite::no_fact_is_lost_between_days
    suite::days_end_as_a_whole
    suite::days_that_end_while_a_reader_pages_cost_it_nothing_else
    suite::everything_is_there_after_a_restart
    suite::bodies_come_back_and_messages_are_stored_once
    suite::texts_of_any_kind_can_be_stored_and_found
    suite::the_text_of_an_error_is_found_in_letters_of_either_case
    suite::lost_facts_are_counted
    gaps::the_first_and_the_last_facts_of_a_process_are_missed
    gaps::what_a_writer_took_and_the_log_lacks_shows
    suite::requests_over_midnight_are_not_missing
    suite::a_user_is_erased_with_what_only_they_said
    suite::a_long_name_is_found_and_erased_by_the_whole_of_it
    suite::the_log_is_exported_as_json_lines
    suite::documents_change_only_as_expected
    suite::the_version_log_shows_every_change_once
    suite::no_reader_of_the_version_log_misses_a_change
    suite::documents_are_paged_by_id
    suite::the_audit_log_is_a_chain
    audit_end::entries_that_are_cut_off_the_end_are_missed
    audit_end::what_is_written_later_hides_nothing_that_was_done_to_the_end
    audit_end::a_damaged_entry_is_found_by_a_check_and_hides_no_other
    audit_end::a_log_of_an_earlier_version_gets_its_end_with_the_next_entry
    suite::sums_add_up_and_a_repeated_flush_counts_once
    usage::sums_of_days_are_those_of_their_hours_to_the_nano_dollar
    usage::hours_end_and_the_sums_of_their_days_stay
    open_work::work_is_taken_over_oldest_first_and_goes_when_it_is_booked
    object_owners::an_object_stays_with_the_client_that_made_it
    object_owners::owners_go_when_they_are_old_or_their_tenant_has_too_many
    request_files::what_was_read_of_a_file_is_found_by_its_id_and_stays_as_it_was
    request_files::files_go_when_they_are_old_or_their_tenant_has_too_many
    suite::nodes_count_at_budgets_together_and_each_exchange_once
    full_day::today_is_bounded_and_the_newest_facts_stay
    full_day::a_part_that_was_full_is_read_and_ends_with_its_day
}
