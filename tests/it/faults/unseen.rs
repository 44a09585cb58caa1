//! What cannot be read is not known, and nothing is done to it.

use crate::sandbox::{CommandOutput, Sandbox, is_running};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use tetra::supervise::ownership;

use super::note;

/// `tsm` with so many descriptors.
fn with_descriptors(sandbox: &Sandbox, most: u32, words: &[&str]) -> CommandOutput {
    let line = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
    CommandOutput::from(sandbox.command_under(&["bash", "-c", &line], words).output().expect("bash runs"))
}

#[test]
fn what_cannot_be_read_is_not_taken_for_dead() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &[], &["sleep", "1000"]);
    let mut seen = 0;
    for most in 3..40 {
        // With a few more each time, something else is the first that cannot be opened.
        let list = with_descriptors(&sandbox, most, &["list", "all", "--json"]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap_or_default();
        let status = rows.first().map(|row| row["status"].clone());
        assert!(status.is_none() || status == Some("unknown".into()) || status == Some("online".into()), "{list:?}");
        seen += usize::from(status == Some("unknown".into()));
        with_descriptors(&sandbox, most, &["cleanup", "--yes"]);
        assert!(sandbox.dir("p").is_dir() && is_running(pid), "{most}");
        if status == Some("unknown".into()) {
            for words in
                [&["delete", "p"][..], &["stop", "p"], &["restart", "p"], &["start", "p"], &["kill", "p", "--yes"]]
            {
                let refused = with_descriptors(&sandbox, most, words);
                assert!(refused.code != 0 && !refused.err.contains("delete"), "{most} {words:?}: {refused:?}");
            }
        }
        let shown = sandbox.list();
        assert_eq!((&shown[0]["status"], &shown[0]["pid"]), (&"online".into(), &pid.into()), "{most}");
    }
    assert!(seen > 0, "there is such a number");
    sandbox.ok(&["delete", "p"]);
    sandbox.assert_empty();
}

#[test]
fn a_record_or_directory_of_another_owner_stays_as_it_is() {
    const USER: u32 = 65534;
    if ownership::user_of(std::process::id()) != Some(0) {
        note("only root can give files away");
        return;
    }
    for what in ["meta.json", ""] {
        let sandbox = Sandbox::of_tsm();
        let pid = sandbox.start("p", &[], &["sleep", "1000"]);
        fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o777)).expect("open");
        // All of it is the user's but this.
        for entry in walk(sandbox.root()) {
            chown(&entry, Some(USER), Some(USER)).expect("given away");
        }
        let kept = sandbox.dir("p").join(what);
        chown(&kept, Some(0), Some(0)).expect("root's");
        fs::set_permissions(&kept, fs::Permissions::from_mode(if what.is_empty() { 0o700 } else { 0o600 }))
            .expect("closed");
        let as_user = |words: &[&str]| {
            let user = USER.to_string();
            let before = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
            CommandOutput::from(sandbox.command_under(&before, words).output().expect("setpriv runs"))
        };
        let list = as_user(&["list", "all", "--json"]);
        assert!(list.out.contains("\"unknown\""), "{what}: {list:?}");
        let cleaned = as_user(&["cleanup", "--stopped", "--yes"]);
        assert_eq!(cleaned.code, 0, "{cleaned:?}");
        assert_ne!(as_user(&["delete", "p", "--yes"]).code, 0);
        assert!(kept.exists() && is_running(pid), "{what}");
        for entry in walk(sandbox.root()) {
            chown(&entry, Some(0), Some(0)).expect("taken back");
        }
        assert_eq!(sandbox.list()[0]["status"], "online", "{what}");
        sandbox.ok(&["delete", "p"]);
    }
}

fn walk(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![root.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if all[at].is_dir() {
            all.extend(fs::read_dir(&all[at]).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        at += 1;
    }
    all
}

#[test]
fn a_directory_that_was_moved_aside_gets_its_name_back() {
    for supervised in [true, false] {
        let sandbox = Sandbox::of_tsm();
        let pid = sandbox.start("p", &[], &["sleep", "1000"]);
        if !supervised {
            sandbox.kill_supervisors("p");
        }
        fs::rename(sandbox.dir("p"), sandbox.processes().join(".p.4194304.aside")).expect("moved");
        // A list does it in passing, a start before it gives out a name.
        sandbox.start("q", &[], &["sleep", "1000"]);
        let shown = sandbox.list();
        let row = shown.iter().find(|row| row["name"] == "p").unwrap_or_else(|| panic!("{supervised}: {shown:?}"));
        assert_eq!((&row["status"], &row["pid"]), (&"online".into(), &pid.into()));
        sandbox.ok(&["delete", "*", "--yes"]);
        assert!(!is_running(pid));
        sandbox.assert_empty();
    }
    // What does not run was half made or half removed.
    let sandbox = Sandbox::of_tsm();
    sandbox.start("p", &[], &["true"]);
    sandbox.until_unsupervised("p");
    fs::rename(sandbox.dir("p"), sandbox.processes().join(".p.4194304.aside")).expect("moved");
    assert!(sandbox.list().is_empty());
    sandbox.assert_empty();
}

#[test]
fn a_removal_that_fails_leaves_the_process_under_its_name() {
    let sandbox = Sandbox::of_tsm();
    sandbox.start("p", &[], &["sleep", "1000"]);
    sandbox.ok(&["stop", "p"]);
    let refused =
        ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", "inject=unlinkat:error=EPERM"];
    let answer = CommandOutput::from(sandbox.command_under(&refused, &["delete", "p"]).output().expect("strace runs"));
    assert!(answer.code != 0 && answer.err.contains("failed to remove"), "{answer:?}");
    assert_eq!(sandbox.list()[0]["name"], "p");
    sandbox.ok(&["delete", "p"]);
    sandbox.assert_empty();
}
