//! The list of scenarios, as one test each.

/// One `#[tokio::test]` for each scenario. The expression makes a
/// [`StoreFactory`](crate::conformance::StoreFactory) with an empty place and runs once for each test.
/// What follows a semicolon is given to `tokio::test`, such as `flavor = "multi_thread"`.
#[macro_export]
macro_rules! store_conformance_suite {
    ($factory:expr $(; $($option:ident = $value:literal),+)? $(,)?) => {
        $crate::store_conformance_suite! {
            @tests { $factory } ($($($option = $value),+)?)
            a_change_expects_what_was_seen,
            a_function_is_read_back,
            live_versions_of_all_tenants_are_read,
            a_key_belongs_to_one_tenant,
            a_key_makes_one_function,
            a_key_repeats_or_conflicts,
            a_key_survives_the_end_and_goes_with_the_row,
            a_late_end_of_an_earlier_life_is_refused,
            a_name_belongs_to_one_function,
            a_refused_insertion_takes_nothing_with_it,
            a_row_begins_queued_or_held,
            aliases_point_to_versions,
            an_end_is_written_once,
            an_inserted_execution_is_read_back,
            closing_writes_everything_down,
            counts_follow_every_step,
            filters_hold_together,
            functions_are_listed_newest_first,
            held_executions_end_as_lost,
            hostile_text_is_only_text,
            inserting_twice_is_refused,
            journal_marks_without_records_end_as_lost,
            journaled_ends_are_history,
            journaled_entries_are_seen_at_once,
            many_may_write_and_read_at_once,
            no_function_is_another_tenants,
            no_list_shows_another_tenant,
            one_of_fifty_claimers_wins,
            only_a_queued_execution_is_claimed,
            only_what_has_ended_is_pruned,
            pages_follow_each_other,
            pruning_goes_by_bytes,
            pruning_goes_by_rows,
            queued_executions_end_before_they_begin,
            queued_executions_stay_queued,
            queued_executions_are_paged_in_order,
            queued_pages_are_bounded_by_bytes,
            versions_never_change,
        }
    };
    (@tests $factory:block $options:tt $($scenario:ident,)+) => {
        $($crate::store_conformance_suite! { @test $factory $options $scenario })+
    };
    (@test $factory:block ($($options:tt)*) $scenario:ident) => {
        #[tokio::test($($options)*)]
        async fn $scenario() {
            let factory = $factory;
            $crate::conformance::$scenario(&factory).await;
        }
    };
}
