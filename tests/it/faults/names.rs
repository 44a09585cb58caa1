//! Names and ids when many start at the same time.

use crate::sandbox::{CommandOutput, Sandbox};
use crate::waiting::eventually;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};

fn at_once(sandbox: &Sandbox, lines: &[Vec<String>]) -> Vec<CommandOutput> {
    let spawn = |line: &Vec<String>| {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        sandbox.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs")
    };
    let running: Vec<Child> = lines.iter().map(spawn).collect();
    running.into_iter().map(|child| CommandOutput::from(child.wait_with_output().expect("an end"))).collect()
}

fn start(name: &str, word: &str) -> Vec<String> {
    ["start", "--no-wait", "--name", name, "--", "sleep", word].map(str::to_owned).to_vec()
}

#[test]
fn of_starts_of_one_name_one_wins() {
    for (many, word) in [(2, "1002"), (50, "1050")] {
        let sandbox = Sandbox::of_tsm();
        let lines = vec![start("one", word); many];
        let answers = at_once(&sandbox, &lines);
        let won = answers.iter().filter(|said| said.code == 0).count();
        let refused = answers.iter().filter(|said| said.code == 1).count();
        assert_eq!((won, refused), (1, many - 1), "{answers:?}");
        let child = sandbox.read("one").pid;
        // What launched the supervisor has the same words until it ends.
        eventually("one has the words, and it is the child", || {
            let all = sandbox.processes_with_argument(word).into_iter();
            all.filter(|pid| !is_supervisor(&sandbox, *pid)).eq([child])
        });
        assert_eq!(sandbox.list().len(), 1);
        sandbox.ok(&["delete", "one"]);
        sandbox.assert_empty();
    }
}

fn is_supervisor(sandbox: &Sandbox, pid: u32) -> bool {
    sandbox.supervisors("one").contains(&pid)
}

#[test]
fn many_names_at_once_all_run_with_ids_of_their_own() {
    let many = 200;
    let sandbox = Sandbox::of_tsm();
    let lines: Vec<_> = (0..many).map(|n| start(&format!("p{n}"), "1000")).collect();
    let answers = at_once(&sandbox, &lines);
    let failed: Vec<_> = answers.iter().filter(|said| said.code != 0).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let shown = sandbox.list();
    let ids: BTreeSet<u64> = shown.iter().filter_map(|it| it["id"].as_u64()).collect();
    assert_eq!(ids, (0..many as u64).collect(), "unique and without holes");
    assert!(shown.iter().all(|it| it["status"] == "online"), "{shown:?}");
    sandbox.ok(&["delete", "*", "--yes"]);
    sandbox.assert_empty();
}
