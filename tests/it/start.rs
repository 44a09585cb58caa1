//! Starting real programs, by the real program.

mod environment;
mod failure;
mod identity;
mod place;
mod port;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tetra::supervise::meta::{self, Meta};

use crate::program;
use crate::sandbox::CommandOutput;
use crate::world::{PROGRAM, World};

/// A world to start things in.
struct StartSandbox {
    world: World,
}

impl StartSandbox {
    fn new() -> Self {
        Self { world: World::new() }
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        Self { world: World::with(variables) }
    }

    /// `tsm` with these words, in the working directory.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.world.program(PROGRAM);
        command.arg("tsm").args(words);
        command
    }

    fn tsm(&self, words: &[&str]) -> CommandOutput {
        said(self.command(words).output().expect("tetra runs"))
    }

    /// The same in a directory below the working directory.
    fn tsm_in(&self, directory: &str, words: &[&str]) -> CommandOutput {
        said(self.command(words).current_dir(self.world.work().join(directory)).output().expect("tetra runs"))
    }

    /// Starts, expects success and does not wait for more; the data.
    #[track_caller]
    fn start(&self, words: &[&str]) -> Value {
        self.ready(&[&["--no-wait"], words].concat())
    }

    /// The same, and waits until it is ready.
    #[track_caller]
    fn ready(&self, words: &[&str]) -> Value {
        json(self.tsm(&[&["start", "--json"], words].concat()))
    }

    /// Runs the same words so many times at the same time.
    fn race(&self, times: usize, words: &[&str]) -> Vec<CommandOutput> {
        let start = |_| self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
        let all: Vec<_> = (0..times).map(start).collect();
        all.into_iter().map(|one| said(one.wait_with_output().expect("it ended"))).collect()
    }

    /// Writes an executable script.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        // The directories above it.
        let path = self.world.file(name, "");
        fs::remove_file(&path).expect("ours");
        program::script(&path, text);
        path
    }

    fn service(&self, name: &str, text: &str) {
        self.world.file(self.world.paths().services_available().join(format!("{name}.tsm")), text);
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.world.paths().process(&name.parse().expect("a name"))
    }

    fn meta(&self, name: &str) -> Meta {
        meta::read(&self.dir(name)).expect("a readable record").expect("a record")
    }

    /// True if there is a record and its child lives.
    fn living(&self, name: &str) -> bool {
        meta::read(&self.dir(name)).ok().flatten().is_some_and(|meta| meta.pid != 0 && lives(meta.pid))
    }

    /// The directories of all processes.
    fn processes(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.world.paths().processes()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn ports(&self) -> String {
        fs::read_to_string(self.world.paths().ports()).unwrap_or_default()
    }

    /// A Python program that listens on `$PORT`, else on its last argument.
    fn server(&self, name: &str) -> PathBuf {
        self.world.file(
            name,
            "import os, socket, sys, time\n\
             s = socket.socket()\n\
             s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
             s.bind(('127.0.0.1', int(os.environ.get('PORT') or sys.argv[-1])))\n\
             s.listen()\n\
             time.sleep(1000)\n",
        )
    }
}

fn said(output: Output) -> CommandOutput {
    output.into()
}

#[track_caller]
fn json(said: CommandOutput) -> Value {
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn lives(pid: u32) -> bool {
    tetra::sys::process::stat(pid).is_some_and(|stat| stat.is_alive())
}

#[test]
fn an_update_of_the_environment_restarts_what_runs_and_starts_what_does_not() {
    let home = crate::transcript::SessionHome::new();
    let started = "V=1 tsm start --name a -- bash -c 'echo \"v=$V\"; exec sleep 1000'";
    let (said, code) = home.bash(&format!(
        "{started} && V=2 tsm restart a && V=3 tsm start a --update-env && V=4 tsm restart a --update-env && tsm stop a \
         && V=5 tsm start --update-env a && tsm logs a -o"
    ));
    assert_eq!(code, 0, "{said}");
    let values: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("v=")).collect();
    assert_eq!(values, ["1", "1", "3", "4", "5"], "{said}");
    // Other options make it a start, which is refused.
    let (said, code) = home.bash("tsm start a --update-env --port 4123");
    assert!(code == 1 && said.contains("already running"), "{said}");
    let (said, _) = home.bash("V=9 tsm start a --update-env --dry-run; tsm logs a -o; tsm delete a");
    assert!(!said.contains("v=9"), "{said}");
}
