//! The list of scenarios, and the two ways to run them: one test each, or by name.

use super::Guest;
use crate::Executor;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A running scenario; panics with its name when the executor breaks the contract.
pub type ScenarioFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One scenario, for callers without a test harness (such as the suite inside a small VM).
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name, which its failures start with.
    pub name: &'static str,
    /// Runs it.
    pub run: for<'a> fn(Arc<dyn Executor>, &'a dyn Guest) -> ScenarioFuture<'a>,
}

/// Hands the names of all scenarios to one of the callbacks of [`conformance_suite!`](crate::conformance_suite).
#[doc(hidden)]
#[macro_export]
macro_rules! with_conformance_scenarios {
    ($callback:ident $arguments:tt) => {
        $crate::conformance_suite! {
            @$callback $arguments
            absent_runtimes_are_refused,
            bare_names_are_searched,
            cancel_ends_a_call_nobody_reads,
            cgi_answers_requests,
            cgi_output_that_is_no_answer_is_refused,
            cgi_runs_executable_scripts,
            cgi_streams,
            cgi_that_fails_is_a_result,
            deadline_ends_scripts,
            deadline_ends_the_whole_tree,
            death_by_signal_is_reported,
            destroy_ends_everything,
            disk_bytes_are_limited,
            disk_inodes_are_limited,
            dropped_events_do_not_stop_the_call,
            dropped_sink_is_the_end_of_stdin,
            environment_is_exactly_what_was_given,
            exec_is_as_declared,
            exit_codes_are_exact,
            files_are_placed_before_the_program_runs,
            files_belong_to_one_sandbox,
            first_interrupt_decides,
            handlers_answer_requests,
            handlers_say_that_they_are_loaded,
            handlers_that_fail_are_results,
            handlers_wait_for_slow_readers,
            interrupt_without_a_call_is_harmless,
            invoke_is_as_declared,
            large_stdin_passes_whole,
            malformed_code_is_refused,
            malformed_commands_are_refused,
            malformed_paths_are_refused,
            malformed_resources_are_refused,
            memory_limit_is_enforced,
            missing_program_is_named,
            open_stdout_of_a_grandchild_does_not_delay_done,
            output_at_the_limit_is_whole,
            output_is_separate_and_binary_safe,
            output_keeps_its_order,
            output_past_the_limit_is_discarded,
            output_past_the_limit_kills_when_asked,
            passed_deadline_ends_the_call,
            pause_is_as_declared,
            pids_limit_is_enforced,
            programs_are_loaded_ahead,
            programs_that_stay_answer_at_length,
            programs_that_stay_are_as_declared,
            programs_that_stay_are_rid_of_processes,
            programs_that_stay_end_like_any_other,
            programs_that_stay_find_no_files_of_calls,
            programs_that_stay_keep_their_state,
            programs_that_stay_may_end_between_calls,
            programs_that_stay_never_mix_output,
            programs_that_stay_take_no_other,
            recover_is_idempotent,
            recycle_is_as_declared,
            recycling_spares_what_runs,
            recycling_starts_the_count_anew,
            reports_account_for_everything,
            resources_above_the_host_are_refused,
            saved_state_is_as_declared,
            scripts_get_arguments_and_exit,
            scripts_read_stdin,
            second_call_while_one_runs_is_refused,
            shared_programs_answer_at_once,
            shared_programs_are_as_declared,
            shared_programs_are_spared_by_recycling,
            shared_programs_end_every_call,
            shared_programs_end_with_their_sandbox,
            shared_programs_go_on_without_a_call,
            shared_programs_say_what_was_used,
            shared_programs_take_no_other,
            shared_programs_take_so_many_calls,
            shared_programs_wait_for_no_other_reader,
            signals_reach_the_program,
            slow_reader_loses_nothing,
            stdin_is_echoed_as_it_comes,
            strict_is_refused_when_something_is_missing,
            unenforced_limits_are_not_claimed,
            unread_output_holds_the_program_back,
            unread_stdin_holds_the_sender_back,
            usage_is_measured,
        }
    };
}

/// One `#[tokio::test]` for each scenario. The first expression makes an `Arc<dyn Executor>` and may
/// await; the second makes a [`Guest`](crate::conformance::Guest). Both run once for each test. What
/// follows a semicolon is given to `tokio::test`, such as `flavor = "multi_thread"`.
#[macro_export]
macro_rules! conformance_suite {
    ($executor:expr, $guest:expr $(; $($option:ident = $value:literal),+)? $(,)?) => {
        $crate::with_conformance_scenarios! { tests { { $executor } { $guest } ($($($option = $value),+)?) } }
    };
    (@tests { $executor:block $guest:block $options:tt } $($scenario:ident,)+) => {
        $($crate::conformance_suite! { @test $executor $guest $options $scenario })+
    };
    (@test $executor:block $guest:block ($($options:tt)*) $scenario:ident) => {
        #[tokio::test($($options)*)]
        async fn $scenario() {
            let executor: ::std::sync::Arc<dyn $crate::Executor> = $executor;
            $crate::conformance::$scenario(executor, &$guest).await;
        }
    };
    (@list {} $($scenario:ident,)+) => {
        &[$(Scenario {
            name: stringify!($scenario),
            run: |executor, guest| Box::pin(super::$scenario(executor, guest)),
        },)+]
    };
}

/// Every scenario.
pub const SCENARIOS: &[Scenario] = crate::with_conformance_scenarios! { list {} };
