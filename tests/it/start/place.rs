//! Where things are found: by the operator, and by what starts them with the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{StartSandbox, read};
use crate::waiting::eventually;

#[test]
fn what_the_path_of_a_unit_would_not_find_is_said_when_it_is_saved_or_enabled() {
    let sandbox = StartSandbox::new();
    let bin = sandbox.world.work().join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    fs::write(bin.join("own-tool"), "#!/bin/sh\nexec sleep 1000\n").expect("a program");
    fs::set_permissions(bin.join("own-tool"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
    let tsm = |words: &[&str]| super::said(sandbox.command(words).env("PATH", &path).output().expect("tetra runs"));
    let words = format!("export PATH=\"{}:", bin.display());
    let saved = tsm(&["save", "a", "own-tool"]);
    assert!(saved.code == 0 && saved.err.contains(&words), "{}{}", saved.out, saved.err);
    let enabled = tsm(&["enable", "a"]);
    assert!(enabled.code == 0 && enabled.err.contains("own-tool"), "{}{}", enabled.out, enabled.err);
    for words in
        [&["save", "b", "sh", "-c", "own-tool"][..], &["save", "c", &bin.join("own-tool").display().to_string()]]
    {
        let saved = tsm(words);
        assert!(saved.code == 0 && !saved.err.contains("PATH"), "{}{}", saved.out, saved.err);
    }
    sandbox.service("d", &format!("TSM_COMMAND=own-tool\nexport PATH=\"{path}\"\n"));
    assert!(!tsm(&["enable", "d"]).err.contains("PATH"));
}

#[test]
fn python_keeps_nothing_back_unless_it_is_asked_to() {
    let sandbox = StartSandbox::new();
    let app = "import time\nprint('said', flush=False)\ntime.sleep(1000)\n";
    fs::write(sandbox.world.work().join("app.py"), app).expect("a script");
    sandbox.script("tool", &format!("#!/usr/bin/env python3\n{app}"));
    for (name, line) in [
        ("a", "python3 app.py"),
        ("b", "./tool"),
        ("c", "cd . && exec python3 app.py"),
        ("d", "env X=1 python3 app.py"),
    ] {
        sandbox.start(&["--name", name, line]);
        eventually("its first word arrives", || read(&sandbox.dir(name).join("current.out")) == "said\n");
    }
    let shows = "import os; print(os.environ['PYTHONUNBUFFERED'] == '', flush=True)";
    sandbox.start(&["--name", "e", "--env", "PYTHONUNBUFFERED=", "python3", "-c", shows]);
    eventually("it was asked to", || read(&sandbox.dir("e").join("current.out")) == "True\n");
}

#[test]
fn the_home_directory_is_meant_where_a_shell_leaves_its_sign() {
    let sandbox = StartSandbox::new();
    let home = sandbox.world.home().join("app");
    fs::create_dir_all(home.join("src")).expect("a directory");
    fs::write(home.join("x.env"), "SAID=of the file\n").expect("written");
    let line = "echo $PWD $SAID; exec sleep 1000";
    let expected = format!("{} of the file\n", home.display());
    let of_service = format!(
        "TSM_COMMAND='{line}'\nTSM_CWD=\"~/app\"\nTSM_ENV_FILE='~/app/x.env'\nTSM_WATCH=(\"~/app/src\")\nexport KEPT='~/app'\n"
    );
    sandbox.service("c", &of_service);
    let saved = sandbox.tsm(&["save", "d", "--cwd=~/app", "--env-file=~/app/x.env", "--watch=~/app/src", line]);
    assert_eq!(saved.code, 0, "{}", saved.err);
    for words in [
        &["--name", "a", "--cwd=~/app", "--env=~/app/x.env", "--watch=~/app/src", line][..],
        &["--name", "b", "--cwd", "~/app", "--env-file=~/app/x.env", line],
        &["c"],
        &["d"],
    ] {
        let started = sandbox.start(words);
        let name = started["name"].as_str().expect("a name");
        eventually("it is where it is to be", || read(&sandbox.dir(name).join("current.out")) == expected);
    }
    let watched = |name: &str| sandbox.meta(name).run.monitor.watch;
    assert!(["a", "c", "d"].iter().all(|name| watched(name) == [home.join("src").display().to_string()]));
}
