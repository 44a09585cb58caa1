//! `tetra setup` with real shells: what it makes lets bash and zsh start, and it can be copied and undone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::program;

/// A machine of its own: a home directory, and the program in a directory that is not in `PATH`.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let directory = program::directory();
        for name in ["home with blanks", "programs"] {
            fs::create_dir(directory.path().join(name)).expect("ours");
        }
        program::place(&directory.path().join("programs/tetra"));
        Self { dir: directory }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home with blanks")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home()).env("PATH", "/usr/bin:/bin").current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    fn tetra(&self, words: &[&str]) -> Output {
        let program = self.dir.path().join("programs/tetra");
        let mut command = self.command(program.to_str().expect("a text"));
        command.env("TETRA_SRC", self.home().join("data")).args(words).output().expect("it starts")
    }

    /// Runs a line in a shell without its own settings; its output. Only an interactive one may complain (it has no terminal).
    fn shell(&self, shell: &[&str], line: &str) -> String {
        let output = self.command(shell[0]).args(&shell[1..]).arg("-c").arg(line).output().expect("it starts");
        assert!(output.status.success(), "{shell:?} {line}: {}", text(&output.stderr));
        let interactive = shell.contains(&"-i");
        assert!(interactive || output.stderr.is_empty(), "{shell:?} {line}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

const SHELLS: [&[&str]; 4] = [&["bash"], &["bash", "-eu"], &["zsh", "-f"], &["zsh", "-feu"]];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}

#[test]
fn bash_and_zsh_have_the_names_after_one_line() {
    let machine = Machine::new();
    assert_eq!(machine.tetra(&["setup"]).status.code(), Some(0));
    let dir = machine.home().join("tetra").display().to_string();
    let expected = format!("{dir}\n{dir}/tsm/runtime/processes {dir}/tsm/ports\n{}\n", env!("CARGO_PKG_VERSION"));
    for shell in SHELLS {
        let line = "source ~/tetra/tetra.sh && tsm --help >/dev/null && command -v org >/dev/null && command -v tkm >/dev/null \
                    && echo $TETRA_DIR && echo $TSM_PROCESSES_DIR $TSM_PORTS_FILE && tetra --version | tr -d 'a-z '";
        assert_eq!(machine.shell(shell, line), expected, "{shell:?}");
    }
}

#[test]
fn the_line_that_it_advises_works_as_written() {
    let machine = Machine::new();
    let data = machine.home().join("my data/tetra");
    let said = machine.tetra(&["--dir", data.to_str().expect("a text"), "setup"]);
    let said = text(&said.stderr) + &text(&said.stdout);
    let line = said.split("next: `").nth(1).and_then(|rest| rest.split('`').next()).expect("a next line");
    for shell in SHELLS {
        let line = format!("{line} && echo $TETRA_DIR");
        assert_eq!(machine.shell(shell, &line), format!("{}\n", data.display()), "{shell:?}");
    }
}

#[test]
fn a_program_without_links_still_answers_to_its_names() {
    let machine = Machine::new();
    machine.tetra(&["setup"]);
    fs::remove_file(machine.dir.path().join("programs/tsm")).expect("setup made it");
    for shell in SHELLS {
        assert_eq!(machine.shell(shell, "source ~/tetra/tetra.sh && tsm list --json"), "[]\n", "{shell:?}");
    }
}

#[test]
fn the_shell_file_can_be_copied() {
    let machine = Machine::new();
    machine.tetra(&["setup"]);
    let other = machine.dir.path().join("other");
    fs::create_dir(&other).expect("ours");
    fs::copy(machine.home().join("tetra/tetra.sh"), other.join("tetra.sh")).expect("setup made it");
    for shell in SHELLS {
        let absolute = format!("source {}/tetra.sh && echo $TETRA_DIR", other.display());
        assert_eq!(machine.shell(shell, &absolute), format!("{}\n", other.display()), "{shell:?}");
        let relative = "cd other && source ./tetra.sh && echo $TETRA_DIR";
        assert_eq!(machine.shell(shell, relative), format!("{}\n", other.display()), "{shell:?}");
        let given = "TETRA_DIR=/somewhere; source other/tetra.sh && echo $TETRA_DIR";
        assert_eq!(machine.shell(shell, given), "/somewhere\n", "{shell:?}");
    }
}

#[test]
fn the_shell_file_finds_the_templates() {
    let machine = Machine::new();
    machine.tetra(&["setup"]);
    let line = "source ~/tetra/tetra.sh && cat \"$TETRA_SRC/templates/systemd/tetra@dev.service\" \
                \"$TETRA_SRC/templates/systemd/tetra.service\" \"$TETRA_SRC/templates/services/tetra-dev.tsm\"";
    let said = machine.shell(&["bash"], line);
    for expected in ["tetra daemon run @dev", "tetra daemon run @prod", "TSM_NAME=\"tetra\""] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
}

#[test]
fn check_says_what_is_missing_and_remove_undoes() {
    let machine = Machine::new();
    let missing = machine.tetra(&["setup", "--check", "--json"]);
    assert_eq!(missing.status.code(), Some(3));
    let missing: serde_json::Value = serde_json::from_slice(&missing.stdout).expect("JSON");
    assert!(missing.as_array().is_some_and(|rows| rows.iter().all(|row| row["state"] == "missing")), "{missing}");

    assert_eq!(machine.tetra(&["setup"]).status.code(), Some(0));
    assert_eq!(machine.tetra(&["setup", "--check"]).status.code(), Some(0));
    let documents = machine.home().join(".local/share/doc/tetra");
    let reference = fs::read_to_string(documents.join("reference.html")).expect("setup wrote it");
    assert!(reference.starts_with("<!doctype html>\n") && reference.contains("<h3 id=\"tsm-start\">tsm start</h3>"));
    let again = machine.tetra(&["tsm", "setup", "--json"]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(0), "[]\n".to_owned()), "nothing is left to do");

    let data = machine.home().join("tetra/tsm/services-available/api.tsm");
    fs::write(&data, "TSM_COMMAND=\"node api.js\"\n").expect("ours");
    assert_eq!(machine.tetra(&["setup", "--remove"]).status.code(), Some(0));
    assert!(data.exists(), "data stays");
    assert!(!machine.home().join("tetra/tetra.sh").exists());
    assert!(!documents.exists(), "the reference is removed with its directory");
    assert!(!machine.dir.path().join("programs/tsm").is_symlink());
}

#[test]
fn removing_the_setup_of_one_directory_leaves_what_another_one_made() {
    let machine = Machine::new();
    let second = machine.home().join("second");
    let second = second.to_str().expect("a text");
    assert_eq!(machine.tetra(&["setup"]).status.code(), Some(0));
    assert_eq!(machine.tetra(&["--dir", second, "setup"]).status.code(), Some(0));
    let link = machine.dir.path().join("programs/tsm");
    let template = machine.home().join("data/templates/systemd/tetra.service");
    let removed = machine.tetra(&["--dir", second, "setup", "--remove"]);
    assert_eq!(removed.status.code(), Some(0), "{}", text(&removed.stderr));
    assert!(text(&removed.stderr).contains("another data directory"), "{}", text(&removed.stderr));
    assert!(link.is_symlink() && template.exists());
    assert_eq!(machine.tetra(&["setup", "--check"]).status.code(), Some(0), "the first has all that it had");
    assert_eq!(machine.tetra(&["setup", "--remove"]).status.code(), Some(0));
    assert!(!link.is_symlink() && !template.exists());
}

#[test]
fn what_a_version_without_a_record_made_can_be_removed() {
    let machine = Machine::new();
    machine.tetra(&["setup"]);
    fs::remove_file(machine.home().join("tetra/.setup.json")).expect("the record");
    assert_eq!(machine.tetra(&["setup"]).status.code(), Some(0));
    machine.tetra(&["setup", "--remove"]);
    assert!(!machine.dir.path().join("programs/tsm").is_symlink());
}

#[test]
fn another_program_of_that_name_is_left_alone() {
    let machine = Machine::new();
    let other = machine.dir.path().join("programs/tsm");
    fs::write(&other, "#!/bin/sh\necho other\n").expect("ours");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).expect("ours");
    let output = machine.tetra(&["setup"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("was not written by tetra"), "{}", text(&output.stderr));
    assert!(machine.home().join("tetra/tetra.sh").exists(), "the rest is made");
    machine.tetra(&["setup", "--remove"]);
    assert_eq!(fs::read_to_string(&other).expect("it is there"), "#!/bin/sh\necho other\n");
}

#[test]
fn completion_is_there_for_those_who_ask() {
    let machine = Machine::new();
    assert_eq!(machine.tetra(&["setup"]).status.code(), Some(0));
    let bash = "source ~/tetra/tetra.sh; complete -p tsm 2>/dev/null || echo none";
    assert_eq!(machine.shell(&["bash", "--norc", "-i"], bash), "none\n");
    let words = ["setup", "--completions", "bash", "--completions", "zsh", "--completions", "fish"];
    assert_eq!(machine.tetra(&words).status.code(), Some(0));
    assert!(machine.shell(&["bash", "--norc", "-i"], bash).contains("tsm"));
    let zsh = "autoload -Uz compinit && compinit -D; source ~/tetra/tetra.sh; echo ${_comps[tsm]}";
    assert_eq!(machine.shell(&["zsh", "-f", "-i"], zsh), "_tetra\n");
    let fish = "source ~/.config/fish/completions/tsm.fish; complete -c tsm";
    assert!(machine.shell(&["fish", "--no-config"], fish).contains("__tetra_complete"));
    machine.tetra(&["setup", "--remove"]);
    assert!(!machine.home().join(".config/fish/completions/tsm.fish").exists());
}
