//! The suite can fail: each backend that breaks one promise fails the scenario of that promise, and
//! the same wrapper without a lie passes them all.

mod liar;
mod program;

use faas_executor_api::conformance::{SCENARIOS, Scenario};
use faas_executor_api::fake::FakeGuest;
use liar::{Liar, Lie};
use std::sync::Arc;

/// Each lie and a scenario that must find it.
const LIES: &[(Lie, &str)] = &[
    (Lie::DeclaresPause, "pause_is_as_declared"),
    (Lie::DeclaresCheckpoint, "saved_state_is_as_declared"),
    (Lie::HidesPause, "pause_is_as_declared"),
    (Lie::HidesInvoke, "invoke_is_as_declared"),
    (Lie::ClaimsMemory, "memory_limit_is_enforced"),
    (Lie::ClaimsPids, "pids_limit_is_enforced"),
    (Lie::ClaimsDisk, "disk_bytes_are_limited"),
    (Lie::ClaimsDisk, "disk_inodes_are_limited"),
    (Lie::PassesStrict, "strict_is_refused_when_something_is_missing"),
    (Lie::PassesStrict, "unenforced_limits_are_not_claimed"),
    (Lie::HidesWhatIsMissing, "reports_account_for_everything"),
    (Lie::SendsNoDone, "output_keeps_its_order"),
    (Lie::NeverEndsTheStream, "exec_is_as_declared"),
    (Lie::LosesStderr, "output_is_separate_and_binary_safe"),
    (Lie::LosesTheLastPiece, "slow_reader_loses_nothing"),
    (Lie::BuffersOutput, "unread_output_holds_the_program_back"),
    (Lie::BuffersInput, "unread_stdin_holds_the_sender_back"),
    (Lie::SwallowsTheEndOfInput, "dropped_sink_is_the_end_of_stdin"),
    (Lie::IgnoresOutputLimit, "output_past_the_limit_is_discarded"),
    (Lie::IgnoresOutputLimit, "output_past_the_limit_kills_when_asked"),
    (Lie::IgnoresDeadline, "deadline_ends_the_whole_tree"),
    (Lie::IgnoresInterrupts, "first_interrupt_decides"),
    (Lie::StaysReady, "deadline_ends_the_whole_tree"),
    (Lie::ExitsWithZero, "exit_codes_are_exact"),
    (Lie::AddsToTheEnvironment, "environment_is_exactly_what_was_given"),
    (Lie::AcceptsAnyPath, "malformed_paths_are_refused"),
    (Lie::ForgetsFiles, "files_belong_to_one_sandbox"),
    (Lie::MeasuresNothing, "usage_is_measured"),
    (Lie::RecyclesNothing, "recycle_is_as_declared"),
    (Lie::RecyclesNothing, "recycling_spares_what_runs"),
    (Lie::HidesRecycle, "recycle_is_as_declared"),
    (Lie::HidesStay, "programs_that_stay_are_as_declared"),
    (Lie::LoadsAnew, "programs_that_stay_keep_their_state"),
    (Lie::NeverLoads, "handlers_say_that_they_are_loaded"),
    (Lie::LoadsAnew, "programs_are_loaded_ahead"),
    (Lie::AnswersAhead, "programs_are_loaded_ahead"),
    (Lie::AddsOutput, "programs_that_stay_keep_their_state"),
    (Lie::TakesAnyProgram, "programs_that_stay_take_no_other"),
    (Lie::RecyclesNothing, "programs_that_stay_find_no_files_of_calls"),
    (Lie::RecyclesNothing, "programs_that_stay_are_rid_of_processes"),
    (Lie::GoesOnAsIfDone, "programs_that_stay_never_mix_output"),
    (Lie::RunsTheDead, "programs_that_stay_may_end_between_calls"),
    (Lie::IgnoresInterrupts, "programs_that_stay_end_like_any_other"),
    (Lie::StaysReady, "programs_that_stay_end_like_any_other"),
    (Lie::DeclaresShare, "shared_programs_are_as_declared"),
    (Lie::HidesShare, "shared_programs_are_as_declared"),
    (Lie::MixesOutput, "shared_programs_answer_at_once"),
    (Lie::AddsOutput, "shared_programs_answer_at_once"),
    (Lie::AsksOneByOne, "shared_programs_answer_at_once"),
    (Lie::TakesMoreCalls, "shared_programs_take_so_many_calls"),
    (Lie::TakesAnyProgram, "shared_programs_take_no_other"),
    (Lie::HoldsOthersUp, "shared_programs_wait_for_no_other_reader"),
    (Lie::MeasuresNothing, "shared_programs_say_what_was_used"),
    (Lie::EndsAllWithOne, "shared_programs_go_on_without_a_call"),
    (Lie::IgnoresInterrupts, "shared_programs_go_on_without_a_call"),
    (Lie::IgnoresDeadline, "shared_programs_go_on_without_a_call"),
    (Lie::IgnoresOutputLimit, "shared_programs_go_on_without_a_call"),
    (Lie::StaysReady, "shared_programs_go_on_without_a_call"),
    (Lie::ExitsWithZero, "shared_programs_end_every_call"),
    (Lie::RecyclesNothing, "shared_programs_are_spared_by_recycling"),
    (Lie::SharesNoMore, "shared_programs_are_spared_by_recycling"),
    (Lie::SendsNoDone, "shared_programs_end_with_their_sandbox"),
];

/// The message of the failure; `None` when the scenario passed.
async fn failure(lie: Lie, scenario: &Scenario) -> Option<String> {
    let run = scenario.run;
    let ended = tokio::spawn(async move { run(Arc::new(Liar::new(lie)), &FakeGuest).await }).await;
    let panic = ended.err()?.into_panic();
    Some(panic.downcast::<String>().map_or_else(|_| "a panic without a text".to_owned(), |text| *text))
}

#[tokio::test(start_paused = true)]
async fn without_a_lie_every_scenario_passes() {
    for scenario in SCENARIOS {
        assert_eq!(failure(Lie::None, scenario).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn each_lie_is_found_by_the_scenario_of_its_promise() {
    let mut believed = Vec::new();
    for (lie, name) in LIES {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).expect("a scenario of that name");
        match failure(*lie, scenario).await {
            Some(message) => assert!(message.starts_with(name), "the failure does not name its scenario: {message}"),
            None => believed.push((lie, name)),
        }
    }
    assert!(believed.is_empty(), "lies the suite believed: {believed:?}");
}
