//! Directories and programs that are at another place than they were at the first start.

use crate::sandbox::{CommandOutput, Sandbox, signal};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::signal::Signal;
use tetra::supervise::meta::ProcessState;

use crate::waiting::eventually;

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
