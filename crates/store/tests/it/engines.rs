//! What every engine does: the same tests on an embedded database and on a real server.

use crate::support::Engine;
use crate::{group, keyed, leases, open, transaction};

/// The table of tests. What holds on one engine only stands in its own file: group commit, files and locks, the filter
/// before the keys on SQLite; replicas, lost servers and isolation on PostgreSQL.
macro_rules! on_every_engine {
    ($($module:ident::$test:ident,)+) => {
        mod sqlite {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $module::$test(Engine::Sqlite).await;
                }
            )+
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $module::$test(Engine::Postgres).await;
                }
            )+
        }
    };
}

on_every_engine! {
    transaction::every_type_comes_back_as_it_was,
    transaction::parameters_are_bound_by_name_and_counted,
    transaction::an_error_a_problem_and_a_panic_undo_their_own_write_only,
    transaction::transaction_control_and_pragmas_are_refused,
    transaction::a_read_does_not_write_and_sees_one_moment,
    transaction::time_and_ids_are_the_same_when_a_closure_runs_again,
    transaction::what_follows_a_commit_runs_once_after_it_and_never_after_a_rollback,
    transaction::running_closures_twice_finds_those_that_are_not_repeatable,
    transaction::a_stale_version_is_refused_and_a_fitting_one_is_not,
    transaction::slow_closures_are_counted,
    keyed::an_answer_is_stored_with_its_effect_and_replayed_whole,
    keyed::a_key_belongs_to_its_scope_and_to_one_request,
    keyed::what_rolled_back_is_not_stored_and_is_evaluated_again,
    keyed::a_problem_that_commits_is_stored_and_replayed,
    keyed::without_a_key_it_is_a_write_that_knows_its_call,
    keyed::sixty_four_at_once_have_one_effect_and_one_answer,
    keyed::a_request_waits_for_the_one_with_its_key_and_its_handler_does_not_run,
    keyed::in_progress_is_said_only_when_the_own_deadline_ends_first,
    keyed::keys_survive_the_process,
    keyed::keys_are_kept_for_a_day_and_pruned_in_small_batches,
    group::a_full_queue_rejects_at_once,
    group::a_constraint_that_fails_at_the_commit_costs_only_its_own_write,
    group::a_write_whose_deadline_passed_in_the_queue_is_not_begun,
    group::a_write_goes_on_without_its_caller_and_a_read_does_not_begin,
    open::a_closed_store_takes_nothing_more,
    leases::one_holds_a_lease_at_a_time_and_its_epoch_is_the_greatest,
    leases::an_epoch_grows_from_one_opening_to_the_next_and_an_old_one_is_fenced,
    leases::a_bell_is_heard_after_the_commit_and_a_ring_is_not_lost,
}
