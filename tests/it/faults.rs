//! Faults, each against the real program with real children.
//!
//! | fault | shown by |
//! |---|---|
//! | worker, guard or both killed at random moments; idle child | `kills::an_idle_child_survives_every_death_above_it` |
//! | the same; a line every 0.3 ms | `kills::not_a_byte_of_a_child_that_writes_lines_is_lost` |
//! | the same; a flood with rotation | `kills::not_a_byte_of_a_flood_is_lost` |
//! | start, start again, stop, restart or delete killed before each of its changes | `halves::…_cut_off_anywhere_is_mended_by_the_next` |
//! | fork or exec of the supervisor refused | `halves::a_supervisor_that_cannot_be_executed_leaves_nothing` |
//! | deaf child with strays in group, session and as a daemon | `stops::strays_of_a_deaf_child_end_with_it` |
//! | the same, after guard and worker were killed | `stops::strays_of_an_adopted_child_end_with_it` |
//! | 200 daemons that fork on | `stops::a_bomb_of_two_hundred_is_swept` |
//! | stop while starting | `stops::a_stop_while_starting_ends_the_start` |
//! | restart while stopping, stop while restarting | `stops::a_restart_while_stopping_…` |
//! | the port after a stop | `stops::after_a_stop_the_port_is_free_or_its_holder_is_named` |
//! | crash loop | `crashes::a_crash_loop_is_slowed_down_given_up_and_shown` |
//! | exit code, signal, core | `crashes::code_signal_and_core_are_told_apart_and_kept` |
//! | out of memory | `crashes::out_of_memory_in_a_control_group_is_certain`, `crashes::who_was_killed_with_memory_to_spare_…` |
//! | an end that nobody saw | `crashes::an_end_that_nobody_saw_is_a_failure_and_followed_by_the_policy` |
//! | 2 and 50 starts of one name | `names::of_starts_of_one_name_one_wins` |
//! | many names at once | `names::many_names_at_once_all_run_with_ids_of_their_own` |
//! | full disk | `disks::a_full_disk_loses_nothing_…`, `disks::on_a_full_disk_a_stop_still_stops` |
//! | read-only disk | `disks::on_a_disk_that_is_not_writable_processes_are_seen_and_nothing_is_lost` |
//! | logs removed or cut, folder removed | `disks::logs_that_are_removed_or_cut_go_on`, `disks::the_process_of_a_removed_folder_can_still_be_ended` |
//! | FIFOs replaced by files | `disks::fifos_that_were_replaced_by_files_are_no_obstacle` |
//! | record emptied or garbage | `disks::a_record_that_is_empty_or_garbage_never_loses_the_process` |
//! | clock jump, other uptime | `surroundings::a_clock_that_jumped_decides_nothing`, `surroundings::in_a_world_with_another_uptime_everything_works` |
//! | child or supervisor stopped (SIGSTOP) | `surroundings::a_child_that_stands_still_is_stopped`, `surroundings::a_supervisor_that_stands_still_is_continued` |
//! | 64 descriptors | `surroundings::sixty_four_descriptors_are_enough` |
//! | fork refused to an ordinary user | `surroundings::a_user_who_may_not_fork_is_told_and_nothing_is_left` |
//! | 500 processes of an ordinary user | `surroundings::an_ordinary_user_has_many_processes_and_every_word_of_them` |
//! | pid used again | `surroundings::a_pid_that_a_stranger_has_now_is_not_touched` |
//! | full pipe without a reader | `surroundings::a_child_whose_pipe_is_full_goes_on_when_somebody_reads` |
//! | 10 MB line, binary, escapes | `surroundings::a_line_of_ten_megabytes_arrives_whole`, `surroundings::binary_output_is_kept_…` |
//! | rotation under load with a follower | `rotation::a_follower_sees_every_line_once_through_twenty_rotations` |
//! | upgrade, other versions | `upgrades::…` |
//! | many with coming and going | `many::many_with_churn_neither_grow_nor_drift_nor_leave_zombies` |
//!
//! With `SOAK=1` the loops are as long as their claims: 200 random kills for each child, 1 000 processes for ten minutes
//! (or for `SOAK` seconds, if that is more than 1).

mod crashes;
mod disks;
mod field;
mod halves;
mod kills;
mod many;
mod names;
mod rotation;
mod stops;
mod surroundings;
mod upgrades;

/// The first number in the gate, the second when there is time.
fn scale(quick: usize, soak: usize) -> usize {
    if std::env::var_os("SOAK").is_some() { soak } else { quick }
}

/// Says something that is no failure: what was measured, or what this machine does not allow to be tested.
fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
