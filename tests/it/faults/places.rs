//! Directories and programs that are at another place than they were at the first start.

use crate::sandbox::{CommandOutput, Sandbox, signal};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use nix::sys::signal::Signal;
use tetra::supervise::meta::ProcessState;

use crate::waiting::eventually;

#[test]
fn what_runs_at_the_same_path_of_another_mount_namespace_is_left_alone() {
    let sandbox = Sandbox::of_tsm();
    fs::create_dir_all(sandbox.home()).expect("a directory");
    // It starts a process below a directory of its own, and tells after the end of this input whether it still runs.
    let line = "mount -t tmpfs none \"$TETRA_DIR\" || exit 99; \"$0\" tsm start --no-wait --name web -- sleep 1000 >&2 && echo up; \
                read line; \"$0\" tsm list; \"$0\" tsm delete web --yes >&2";
    let mut there = sandbox.command_under(&["unshare", "--mount", "--map-root-user", "sh", "-c", line], &[]);
    there.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut there = there.spawn().expect("unshare runs");
    let mut said = BufReader::new(there.stdout.take().expect("a pipe"));
    let mut first = String::new();
    said.read_line(&mut first).expect("a line");
    if first != "up\n" {
        let code = there.wait().expect("an end").code();
        super::note(&format!("no mount namespace can be made here: {code:?}"));
        return;
    }
    // No directory of that name, then one of the same name, and then none again.
    assert_eq!(sandbox.run(&["stop", "web"]).code, 5);
    let orphans = sandbox.ok(&["doctor", "orphans"]);
    assert!(!orphans.contains("sleep 1000"), "{orphans}");
    sandbox.start("web", &[], &["sleep", "1001"]);
    sandbox.ok(&["restart", "web"]);
    sandbox.ok(&["delete", "web", "--yes"]);
    sandbox.ok(&["cleanup", "--yes"]);
    drop(there.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("a list");
    assert_eq!(there.wait().expect("an end").code(), Some(0));
    assert!(rest.contains("online"), "{rest}");
}

/// A release whose program says which one it is.
fn release(sandbox: &Sandbox, name: &str) {
    let directory = sandbox.path(name);
    fs::create_dir(&directory).expect("a directory");
    fs::write(directory.join("app.sh"), format!("#!/bin/sh\necho {name} in $PWD\nexec sleep 1000\n"))
        .expect("a script");
    fs::set_permissions(directory.join("app.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn lead(sandbox: &Sandbox, name: &str) {
    let _ = fs::remove_file(sandbox.path("current"));
    symlink(name, sandbox.path("current")).expect("a link");
}

#[test]
fn a_linked_directory_is_entered_anew_at_every_start() {
    let sandbox = Sandbox::of_tsm();
    let says = |word: &str, process: &str| {
        eventually("it says where it is", || String::from_utf8_lossy(&sandbox.written(process)).contains(word));
    };
    release(&sandbox, "r1");
    lead(&sandbox, "r1");
    let current = sandbox.path("current");
    sandbox.start("by-option", &["--cwd", "current", "--restart", "always"], &["./app.sh"]);
    let mut from_there = sandbox.command(&["start", "--no-wait", "--name", "from-there", "./app.sh"]);
    let from_there =
        CommandOutput::from(from_there.current_dir(&current).env("PWD", &current).output().expect("tetra runs"));
    assert_eq!(from_there.code, 0, "{}", from_there.err);
    fs::write(sandbox.path("r1").join("of-file.tsm"), "TSM_COMMAND=./app.sh\n").expect("a definition");
    sandbox.ok(&["start", "--no-wait", "current/of-file.tsm"]);
    sandbox.ok(&["save", "saved", "--cwd", "current", "./app.sh"]);
    sandbox.ok(&["start", "--no-wait", "saved"]);
    let all = ["by-option", "from-there", "of-file", "saved"];
    for name in all {
        says(&format!("r1 in {}", current.display()), name);
    }
    release(&sandbox, "r2");
    fs::copy(sandbox.path("r1").join("of-file.tsm"), sandbox.path("r2").join("of-file.tsm")).expect("a copy");
    lead(&sandbox, "r2");
    fs::remove_dir_all(sandbox.path("r1")).expect("removed");
    signal(sandbox.read("by-option").pid, Signal::SIGKILL);
    says(&format!("r2 in {}", current.display()), "by-option");
    for name in &all[1..] {
        sandbox.ok(&["restart", name]);
        says(&format!("r2 in {}", current.display()), name);
    }
}

/// A version of an interpreter, called `tool-js`, that tells its own place.
fn version(sandbox: &Sandbox, version: &str) {
    let bin = sandbox.path("versions").join(version).join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    for (name, text) in
        [("node", "#!/bin/sh\necho node of $0\nexec sleep 1000\n"), ("tool", "#!/bin/sh\nexec node x\n")]
    {
        fs::write(bin.join(name), text).expect("a program");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}

#[test]
fn a_program_whose_version_is_gone_is_found_again() {
    let sandbox = Sandbox::of_tsm();
    version(&sandbox, "v18.1.0");
    fs::write(sandbox.path("app.js"), "").expect("a script");
    let path = format!("{}:{}", sandbox.path("versions/v18.1.0/bin").display(), std::env::var("PATH").expect("a PATH"));
    let start = |name: &str, words: &[&str]| {
        let words = [&["start", "--no-wait", "--restart", "always", "--name", name, "--"], words].concat();
        let started = CommandOutput::from(sandbox.command(&words).env("PATH", &path).output().expect("tetra runs"));
        assert_eq!(started.code, 0, "{}", started.err);
    };
    let says = |version: &str, process: &str| {
        let place = format!("node of {}", sandbox.path("versions").join(version).join("bin/node").display());
        eventually("it says which one it is", || String::from_utf8_lossy(&sandbox.written(process)).contains(&place));
    };
    start("by-interpreter", &["node", "app.js"]);
    start("by-name", &["tool"]);
    for name in ["by-interpreter", "by-name"] {
        says("v18.1.0", name);
    }
    version(&sandbox, "v20.10.1");
    version(&sandbox, "v20.9.0");
    fs::remove_dir_all(sandbox.path("versions/v18.1.0")).expect("removed");
    for name in ["by-interpreter", "by-name"] {
        signal(sandbox.read(name).pid, Signal::SIGKILL);
        says("v20.10.1", name);
    }
    sandbox.ok(&["stop", "by-interpreter"]);
    sandbox.until_state("by-interpreter", ProcessState::Stopped);
    sandbox.ok(&["start", "--no-wait", "by-interpreter"]);
    sandbox.until_state("by-interpreter", ProcessState::Online);
}
