//! Faults, each against the real program with real children. A test holds this table to the tests that there are.
//!
//! | fault | shown by |
//! |---|---|
//! | worker, guard or both killed at random moments; idle child | `kills::an_idle_child_survives_every_death_above_it` |
//! | the same; a line every 0.3 ms | `kills::not_a_byte_of_a_child_that_writes_lines_is_lost` |
//! | the same; a flood with rotation | `kills::not_a_byte_of_a_flood_is_lost` |
//! | the same, while a start, stop or restart goes on | `kills::an_order_whose_supervisors_are_killed_ends_in_one_child_or_none` |
//! | random signals, SIGSTOP too, to guard, worker, child and command during every verb | `chaos::random_signals_during_every_verb_end_in_one_child_or_none` |
//! | guard killed in the moment in which it forks its worker | `kills::a_worker_whose_guard_dies_at_its_birth_takes_no_other_process_for_it` |
//! | worker alone, guard alone, both; polite ends; while stopping, restarting, waiting | `supervise::survival::…` |
//! | start, start again, stop, restart or delete killed before each of its changes | `halves::…_cut_off_anywhere_is_mended_by_the_next` |
//! | fork or exec of the supervisor refused | `halves::a_supervisor_that_cannot_be_executed_leaves_nothing` |
//! | no thread for a `startup` | `halves::a_startup_that_gets_no_thread_starts_one_after_the_other` |
//! | deaf child with strays in group, session and as a daemon | `stops::strays_of_a_deaf_child_end_with_it` |
//! | the same, after guard and worker were killed | `stops::strays_of_an_adopted_child_end_with_it` |
//! | a stop that finds what ends in this moment | `supervise::stop::a_stop_does_not_wait_for_what_is_gone` |
//! | 200 daemons that fork on, also of an adopted child | `stops::a_bomb_of_two_hundred_is_swept` |
//! | stop while starting | `stops::a_stop_while_starting_ends_the_start` |
//! | restart while stopping, stop while restarting | `stops::a_restart_while_stopping_ends_in_one_child_and_a_stop_while_restarting_in_none` |
//! | the port after a stop | `stops::after_a_stop_the_port_is_free_or_its_holder_is_named` |
//! | crash loop | `crashes::a_crash_loop_is_slowed_down_given_up_and_shown`, `supervise::policy::a_crash_loop_backs_off_and_is_given_up` |
//! | … cap of the back-off, and what forgets it | `machine::back_off_doubles_up_to_its_cap_and_a_settled_life_forgets_it` |
//! | exit code, signal, core | `crashes::code_signal_and_core_are_distinguished_and_kept` |
//! | out of memory: certain, likely, not at all | `crashes::out_of_memory_in_a_control_group_is_certain_and_somewhere_else_likely`, `crashes::who_was_killed_with_memory_to_spare_did_not_run_out_of_it` |
//! | an unseen end | `crashes::an_unseen_end_is_a_failure_and_followed_by_the_policy` |
//! | 2 and 50 starts of one name | `names::of_starts_of_one_name_one_wins` |
//! | 200 names at once | `names::many_names_at_once_all_run_with_ids_of_their_own` |
//! | full disk | `disks::a_full_disk_loses_nothing_and_everything_goes_on_when_there_is_room`, `disks::on_a_full_disk_a_stop_still_stops`, `disks::on_a_full_disk_a_stop_says_what_was_lost` |
//! | full disk: a restart | `disks::on_a_full_disk_a_restart_is_recorded_and_what_is_not_written_is_said`, `disks::on_a_full_disk_a_reader_of_a_record_takes_no_room_from_the_next_one` |
//! | disk that stays full | `disks::a_child_waits_for_room_as_long_as_it_is_to_and_every_byte_it_loses_is_counted` |
//! | read-only disk | `disks::on_a_disk_that_is_not_writable_processes_are_seen_and_nothing_is_lost` |
//! | logs removed or cut | `disks::logs_that_are_removed_or_cut_go_on` |
//! | directory removed | `disks::the_process_of_a_removed_directory_is_reported_and_can_still_be_ended` |
//! | FIFOs replaced by files | `disks::fifos_that_were_replaced_by_files_are_no_obstacle` |
//! | record emptied, garbage or removed; worker or both killed then | `disks::a_record_that_is_empty_or_garbage_never_loses_the_process` |
//! | … and the record before it as well | `disks::without_any_record_the_process_is_made_out_from_what_runs` |
//! | clock jump, other uptime | `surroundings::a_clock_that_jumped_decides_nothing`, `surroundings::in_a_world_with_another_uptime_everything_works` |
//! | child or supervisor stopped (SIGSTOP) | `surroundings::a_child_that_is_suspended_is_stopped`, `surroundings::a_supervisor_that_is_suspended_is_continued` |
//! | 64 descriptors | `surroundings::sixty_four_descriptors_are_enough` |
//! | fork refused to an ordinary user | `surroundings::a_user_who_may_not_fork_is_reported_and_nothing_is_left` |
//! | 500 processes of an ordinary user | `surroundings::an_ordinary_user_has_many_processes_and_every_word_of_them` |
//! | the link to the release switched, the old release removed | `places::a_linked_directory_is_entered_anew_at_every_start` |
//! | the same path in another mount namespace | `places::what_runs_at_the_same_path_of_another_mount_namespace_is_left_alone` |
//! | the version of the interpreter removed, a newer one beside it | `places::a_program_whose_version_is_gone_is_found_again` |
//! | another user's process that says it was started here | `identity::a_stranger_who_names_our_directory_is_neither_taken_nor_touched` |
//! | a daemon whose service and supervisors were all killed; start and restart | `identity::a_daemon_of_a_dead_life_is_not_taken_for_the_service` |
//! | … stop, kill and delete | `identity::stop_kill_and_delete_leave_nothing_of_what_has_no_supervisor` |
//! | … a restart that was left over | `identity::a_look_takes_up_the_restart_of_what_died_unseen` |
//! | a child with the words of a supervisor, or with the mark of another directory | `identity::a_child_that_looks_like_a_supervisor_ends_with_the_others` |
//! | a process that was started from within another one | `identity::a_process_that_was_started_from_within_another_one_stays` |
//! | supervisors stopped (SIGSTOP) while the child ends | `identity::a_child_that_ended_under_stopped_supervisors_is_not_called_online` |
//! | no descriptors left to look with | `unseen::what_cannot_be_read_is_not_taken_for_dead` |
//! | a record of another owner | `unseen::a_record_or_directory_of_another_owner_stays_as_it_is` |
//! | a directory that was moved aside, and runs | `unseen::a_directory_that_was_moved_aside_gets_its_name_back` |
//! | a removal that fails | `unseen::a_removal_that_fails_leaves_the_process_under_its_name` |
//! | files limited in size (`ulimit -f`) | `disks::a_file_size_limit_ends_neither_supervisor_nor_command` |
//! | directory removed, then a start of the same name | `disks::a_name_whose_directory_was_removed_is_not_started_twice` |
//! | pid used again | `surroundings::a_pid_that_a_stranger_has_now_is_not_touched` |
//! | full pipe without a reader | `surroundings::a_child_whose_pipe_is_full_goes_on_when_it_is_read` |
//! | 10 MB line | `surroundings::a_line_of_ten_megabytes_arrives_whole` |
//! | no line ends at all | `surroundings::a_chatty_child_without_newlines_does_not_hold_up_a_stop` |
//! | binary output, escapes | `surroundings::binary_output_is_kept_byte_for_byte_and_shown_harmless` |
//! | rotation under load with a follower | `rotation::a_follower_sees_every_line_once_through_twenty_rotations` |
//! | … and one that is slower than the rotation | `rotation::a_follower_that_is_overtaken_says_how_much_it_never_saw`, `rotation::in_json_what_was_removed_is_a_row_also_when_no_line_matches` |
//! | upgrade: a newer file in place, another path | `upgrades::every_supervisor_is_replaced_in_place`, `upgrades::a_program_at_another_place_takes_over_too` |
//! | records and orders of other versions | `upgrades::a_record_of_a_later_version_is_read_and_what_is_unknown_is_kept`, `upgrades::orders_of_a_later_version_are_skipped_one_by_one` |
//! | many with coming and going | `many::many_with_churn_neither_grow_nor_drift_nor_leave_zombies` |
//!
//! With `SOAK=1` the loops are as long as their claims: 200 random kills for each child, 1 000 rounds of random signals, 520 processes of an ordinary user,
//! 1 000 processes for ten minutes (or for `SOAK` seconds, if that is more than 1).

mod chaos;
mod crashes;
pub(crate) mod disks;
mod halves;
mod identity;
mod kills;
mod many;
mod names;
mod places;
mod rotation;
mod stops;
mod surroundings;
mod table;
mod unseen;
mod upgrades;

/// Counts up, a line every few hundred microseconds; each is one write, so that no signal leaves half of one.
pub(super) const COUNTER: &str = "
import os, time
n = 0
while True:
    os.write(1, b'%d\\n' % n)
    n += 1
    time.sleep(0.0003)";

/// The first number in the gate, the second when there is time.
fn scale(quick: usize, soak: usize) -> usize {
    if std::env::var_os("SOAK").is_some() { soak } else { quick }
}

/// Says something that is no failure: what was measured, or what this machine does not allow to be tested.
fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
