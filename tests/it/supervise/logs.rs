//! What the child says arrives whole, in order, and with its time.

use std::fs;
use std::os::unix::fs::MetadataExt;

use tetra::supervise::client::{ControlCommand, LaunchResult};
use tetra::supervise::index;
use tetra::supervise::meta::ProcessState;

use super::fixture::{SupervisorFixture, assert_counts_up, kill_supervisor};
use crate::waiting::eventually;

#[test]
fn rotation_loses_and_tears_nothing() {
    let nest = SupervisorFixture::shell("exec seq 0 200000").with(|meta| {
        meta.run.log_size = 50_000;
        meta.run.log_keep = 100;
    });
    nest.start_child();
    nest.until_unsupervised();
    let lines = nest.lines("out");
    assert_eq!(lines.len(), 200_001);
    assert_counts_up(&lines);
    let rotated = (1..100).take_while(|n| nest.dir.join(format!("current.out.{n}")).exists()).count();
    assert!(rotated >= 20, "{rotated}");
    for n in 1..=rotated {
        let log = nest.dir.join(format!("current.out.{n}"));
        let text = fs::read(&log).expect("a rotated log");
        assert!(text.len() >= 50_000 && text.len() < 51_000 && text.ends_with(b"\n"), "{n}: {}", text.len());
        let marks = index::read(&log).expect("an index");
        assert_eq!(marks.first().map(|mark| mark.offset), Some(0), "{n}");
    }
}

#[test]
fn only_as_many_old_logs_stay_as_asked() {
    let nest = SupervisorFixture::shell("exec seq 0 50000").with(|meta| {
        meta.run.log_size = 20_000;
        meta.run.log_keep = 2;
    });
    nest.start_child();
    nest.until_unsupervised();
    let exists = |n: u32| nest.dir.join(format!("current.out.{n}")).exists();
    assert_eq!([exists(1), exists(2), exists(3)], [true, true, false]);
    let lines = nest.lines("out");
    assert_eq!(lines.last().map(String::as_str), Some("50000"));
}

#[test]
fn a_line_without_end_is_cut_a_mebibyte_over_the_limit() {
    let nest = SupervisorFixture::shell("head -c 3000000 /dev/zero | tr '\\0' x; echo")
        .with(|meta| meta.run.log_size = 10_000);
    nest.start_child();
    nest.until_unsupervised();
    let size = |file: &str| fs::metadata(nest.dir.join(file)).map_or(0, |file| file.size());
    let cut = 10_000 + 1024 * 1024;
    assert_eq!(["current.out.2", "current.out.1", "current.out"].map(size), [cut, cut, 3_000_001 - 2 * cut]);
}

#[test]
fn the_last_words_come_before_the_record_of_the_end() {
    let nest = SupervisorFixture::shell("head -c 60000 /dev/zero | tr '\\0' x; echo; echo last >&2; exit 3");
    nest.start_child();
    nest.until_state(ProcessState::Crashed);
    assert_eq!((nest.out().len(), nest.text("current.err").as_str()), (60_001, "last\n"));
}

#[test]
fn the_index_tells_the_order_of_the_two_streams() {
    let nest = SupervisorFixture::shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.02; echo $i >&2; sleep 0.02; done");
    nest.start_child();
    nest.until_unsupervised();
    let times = |stream: &str| {
        let log = nest.dir.join(format!("current.{stream}"));
        let marks = index::read(&log).expect("an index");
        (0..6).map(|n| index::time_of(&marks, n * 2).expect("a time")).collect::<Vec<_>>()
    };
    let (out, err) = (times("out"), times("err"));
    let merged: Vec<i64> = out.iter().zip(&err).flat_map(|(out, err)| [*out, *err]).collect();
    assert!(merged.is_sorted_by(|a, b| a < b), "{merged:?}");
}

#[test]
fn a_log_cut_removed_or_moved_by_hand_goes_on() {
    let nest = SupervisorFixture::shell("for i in 1 2 3 4; do echo $i; while [ ! -e go$i ]; do sleep 0.01; done; done");
    nest.start_child();
    let log = nest.dir.join("current.out");
    let go = |n: u32| fs::write(nest.work(&format!("go{n}")), "").expect("a sign");

    eventually("1", || nest.out() == "1\n");
    fs::write(&log, "").expect("cut");
    go(1);
    eventually("2", || nest.out() == "2\n");
    fs::remove_file(&log).expect("removed");
    go(2);
    eventually("3", || nest.out() == "3\n");
    fs::rename(&log, nest.dir.join("elsewhere")).expect("moved");
    nest.send(ControlCommand::Reopen);
    eventually("a new log", || log.exists());
    go(3);
    eventually("4", || nest.out() == "4\n");
    assert_eq!(nest.text("elsewhere"), "3\n");
    go(4);
    nest.until_unsupervised();
}

#[test]
fn output_can_be_write_only() {
    let line = "python3 -c 'import fcntl,os; print(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY)'";
    for (write_only, said) in [(false, "False\n"), (true, "True\n")] {
        let nest = SupervisorFixture::shell(line).with(|meta| meta.run.write_only_output = write_only);
        nest.start_child();
        nest.until_unsupervised();
        assert_eq!(nest.out(), said);
    }
}

#[test]
fn what_came_without_a_reader_is_read_by_the_next() {
    // More than a pipe holds, so the child is blocked while it has no supervisor.
    let nest = SupervisorFixture::shell("while [ ! -e go ]; do sleep 0.01; done; exec seq 0 60000");
    let pid = nest.start_child();
    kill_supervisor(&nest.read());
    fs::write(nest.work("go"), "").expect("a sign");
    eventually("blocked", || {
        fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("pipe_write"))
    });
    assert_eq!(nest.launch(), LaunchResult::Adopted { pid });
    nest.until_unsupervised();
    let lines = nest.lines("out");
    assert_eq!(lines.len(), 60_001);
    assert_counts_up(&lines);
}
