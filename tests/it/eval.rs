//! From a line to its outcome, inside one session.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::world::World;

/// The context as data.
fn context(world: &mut World, options: &str) -> Value {
    serde_json::from_str(&world.run(&format!("context --json {options}")).done()).expect("JSON")
}

fn org_and_env(world: &mut World, options: &str) -> (String, String) {
    let context = context(world, options);
    let text = |key: &str| context[key].as_str().unwrap_or("-").to_owned();
    (text("org"), text("env"))
}

fn pair(org: &str, env: &str) -> (String, String) {
    (org.to_owned(), env.to_owned())
}

#[test]
fn the_context_is_chosen_in_order() {
    let mut world = World::new();
    assert_eq!(org_and_env(&mut world, ""), pair("-", "-"));
    world.org("acme", &[("prod", "")]);
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "prod"), "the only ones there are");
    world.org("beta", &[("dev", ""), ("prod", "")]);
    assert_eq!(org_and_env(&mut world, ""), pair("-", "-"), "there are two");
    world.file(world.paths().context(), "org=acme\nenv=dev\n");
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "dev"), "what is kept");
    assert_eq!(
        org_and_env(&mut world, "--org beta"),
        pair("beta", "-"),
        "a kept environment belongs to its organization"
    );
    world.run("use beta @staging").done();
    assert_eq!(org_and_env(&mut world, ""), pair("beta", "staging"), "what was chosen here");
    assert_eq!(org_and_env(&mut world, "--env @production"), pair("beta", "prod"), "the option");
    world.run("use -").done();
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "dev"), "back");
    world.run("use -; @dev").done();
    assert_eq!(org_and_env(&mut world, ""), pair("beta", "dev"), "a bare environment");
    assert!(!world.paths().config_dir().join("x").exists());
}

#[test]
fn variables_count_before_what_is_kept() {
    let mut world = World::with(&[("TETRA_ORG", "beta"), ("TETRA_ENV", "stage")]);
    world.file(world.paths().context(), "org=acme\nenv=dev\n");
    assert_eq!(org_and_env(&mut world, ""), pair("beta", "staging"));
    let mut world = World::with(&[("TETRA_ORG", "beta")]);
    world.file(world.paths().context(), "org=acme\nenv=dev\n");
    assert_eq!(org_and_env(&mut world, ""), pair("beta", "-"), "a kept environment belongs to its organization");
    let mut wrong = World::with(&[("TETRA_ORG", "a b")]);
    let said = wrong.run("context").failed(2);
    assert!(said.contains("`a b` cannot be the name of an organization") && said.contains("TETRA_ORG"), "{said}");
}

#[test]
fn what_is_not_there_cannot_be_chosen() {
    let mut world = World::new();
    world.org("acme", &[("qa", "")]);
    world.run("use acme @qa").done();
    for (line, said) in [
        ("use acm", "did you mean `acme`?"),
        ("use dev", "environments are written with `@`: `use @dev`"),
        ("use @qaa", "did you mean `@qa`?"),
        ("@prd", "did you mean `@prod`?"),
    ] {
        let talk = world.run(line).failed(5);
        assert!(talk.contains(said), "{line}: {talk}");
    }
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "qa"));
}

#[test]
fn a_line_can_have_a_name() {
    let mut world = World::new();
    world.run("alias ctx='context --json'; alias both 'version; ctx'; alias top=version\\|cat").done();
    assert_eq!(world.run("ctx --env dev").done(), world.run("context --json --env dev").done());
    assert!(world.run("both --env dev").done().ends_with("}\n"));
    assert_eq!(world.run("alias top").done().lines().count(), 2);
    let said = world.run("alias version=exit").failed(2);
    assert!(said.contains("is a command"), "{said}");
    world.run("alias ctx --remove").done();
    world.run("ctx").failed(2);
    world.run("alias a=b; alias b=a").done();
    let said = world.run("a").failed(1);
    assert!(said.contains("more than 16 levels deep"), "{said}");
}

#[test]
fn the_name_of_the_program_may_stand_before_a_line() {
    let mut world = World::new();
    let plain = world.run("--json version").done();
    for line in ["tetra --json version", "  tetra version --json", "tetra help exit-codes > x; tetra --json version"] {
        assert_eq!(world.run(line).done(), plain, "{line}");
    }
    let ran = world
        .script("deploy", "# as in a shell\ntetra --json version && \\\n  tetra no-such-verb\ntetra --json version\n");
    assert_eq!(ran.output, plain, "up to the first failure");
    assert!(ran.stderr.contains("deploy:3:9"), "{}", ran.stderr);
    assert!(world.run("tetra").done().contains("an operator shell"));
    world.run("alias v='tetra --json version'").done();
    assert_eq!(world.run("tetra v").done(), plain);
}

#[test]
fn a_tilde_is_the_home_directory() {
    let mut world = World::new();
    world.file(world.home().join("my scripts/a.tetra"), "version --json\n");
    let plain = world.run("version --json").done();
    for line in ["source ~/my\\ scripts/a.tetra", "source ~/'my scripts/a.tetra'"] {
        assert_eq!(world.run(line).done(), plain, "{line}");
    }
    let said = world.run("source '~/my scripts/a.tetra'").failed(5);
    assert!(said.contains("`~/my scripts/a.tetra`"), "in quotes it is itself: {said}");
}

#[test]
fn a_file_can_be_run_here() {
    let mut world = World::new();
    world.file("here.tetra", "@dev\nversion\n");
    let ran = world.run("source here.tetra; context --json");
    assert!(ran.output.starts_with("tetra ") && ran.output.contains("\"dev\""), "{}", ran.output);
    world.file("a.tetra", "source b.tetra\nversion\n");
    world.file("b.tetra", "\nuse @nowhere\n");
    let ran = world.run("source a.tetra; version");
    assert_eq!((ran.code, ran.output.as_str()), (5, ""));
    assert!(ran.stderr.contains("at b.tetra:2:1\n") && !ran.stderr.contains("a.tetra"), "{}", ran.stderr);
    world.file("self.tetra", "source self.tetra");
    let said = world.run("source self.tetra").failed(1);
    assert!(said.contains("more than 16 levels deep"), "{said}");
}

#[test]
fn options_hold_for_the_lines_that_a_command_runs() {
    let mut world = World::new();
    world.org("acme", &[]);
    world.file("a.tetra", "context --json\ntsm delete nobody\n");
    let ran = world.run("source a.tetra --env prod");
    assert!(ran.output.contains("\"prod\"") && ran.code == 4, "{}{}", ran.output, ran.stderr);
    let ran = world.run("source a.tetra --env prod --yes");
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(world.run("watch -c 1 --env dev 'context --json'").done().contains("\"dev\""));
    world.file("b.tetra", "@dev");
    world.run("source b.tetra --env prod").done();
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "-"), "it chose with options of its own");
    world.run("source b.tetra").done();
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "dev"), "it chose here");
}

#[test]
fn files_from_other_systems_are_read() {
    let mut world = World::new();
    world.file("a.tetra", "\u{feff}# hello\r\nversion \\\r\n  --json\r\n\r\nversion\r\n");
    assert_eq!(world.run("source a.tetra").done().lines().count(), 4);
}

#[test]
fn files_for_other_shells_are_not_run() {
    let mut world = World::new();
    world.file("tetra.sh", "export TETRA_DIR=/x\n");
    world.file("plain", "#!/bin/bash\nrm -rf /\n");
    let said = world.run("source tetra.sh").failed(2);
    assert!(said.contains("it is for bash and zsh"), "{said}");
    world.run("source plain").failed(2);
    world.file("mine.sh", "#!/usr/bin/env tetra\nversion\n");
    world.run("source mine.sh").done();
    world.run("source nowhere").failed(5);
}

#[test]
fn a_command_can_be_repeated() {
    let mut world = World::new();
    assert_eq!(world.run("watch -n 1ms -c 3 version").done().lines().count(), 3);
    assert_eq!(world.run("watch -n 1ms -c 2 'version; version'").done().lines().count(), 4);
    let ran = world.run("watch -n 1ms -c 2 use @nowhere; version");
    assert_eq!((ran.code, ran.output.as_str()), (5, ""), "the last run decides");
    let said = world.run("watch -c 1 'use \"x'").failed(2);
    assert!(said.contains("unclosed `\"`"), "{said}");
}

#[test]
fn settings_are_checked() {
    let mut world = World::new();
    let said = world.run("set shell-escpe on").failed(2);
    assert!(said.contains("did you mean `shell-escape`?"), "{said}");
    world.run("set shell-escape perhaps").failed(2);
    let said = world.run("!true").failed(4);
    assert!(said.contains("set shell-escape on"), "{said}");
    assert_eq!(world.run("set shell-escape on; !exit 7").code, 7);
    world.run("set keep-going on").done();
    let ran = world.run("use @nowhere; version; nothing");
    assert_eq!((ran.code, ran.output.lines().count()), (5, 1), "the first failure decides");
}

#[test]
fn output_goes_where_it_is_sent() {
    let mut world = World::new();
    world.run("version > a; version >> a; version > ~/b; version > '~'").done();
    let read = |path: std::path::PathBuf| fs::read_to_string(path).expect("it was written");
    let version = read(world.work().join("~"));
    assert_eq!(read(world.work().join("a")), version.repeat(2));
    assert_eq!(read(world.home().join("b")), version);
    world.run("version --json | tr a-z A-Z > c").done();
    assert!(read(world.work().join("c")).contains("\"VERSION\""));
    for (line, code) in [
        ("version | exit 3", 3),
        ("use @nowhere | exit 3", 5),
        ("version | cat >/dev/null", 0),
        ("version | no-such-program-anywhere 2>/dev/null", 127),
    ] {
        assert_eq!(world.run(line).code, code, "{line}");
    }
    let said = world.run("version > nowhere/x").failed(1);
    assert!(said.contains("failed to open") && said.contains("at -c:1:11"), "{said}");
}

#[test]
fn places_are_shown_where_they_help() {
    let mut world = World::new();
    assert!(!world.run("use @nowhere").failed(5).contains("at -c"), "there is only one command");
    assert!(world.run("version; use @nowhere").failed(5).contains("at -c:1:10"));
    assert!(world.run("version --wat").failed(2).contains("at -c:1:9"));
    assert!(world.script("x.tetra", "use @nowhere").failed(5).contains("at x.tetra:1:1"));
}

#[test]
fn leaving_ends_a_script() {
    let mut world = World::new();
    let ran = world.script("x.tetra", "version\nexit\nnothing");
    assert_eq!((ran.code, ran.exit, ran.output.lines().count()), (0, true, 1));
}

#[test]
fn every_change_is_written_down_without_its_secrets() {
    let mut world = World::with(&[("TETRA_ORG", "acme")]);
    world.org("acme", &[("prod", "")]);
    let line = "tsm stop nobody --yes";
    let code = world.run(line).code;
    world.run("tsm list; version").done();
    world.run("tsm stop nobody").failed(4);
    let audit = world.paths().audit();
    let text = fs::read_to_string(&audit).expect("the log");
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(entries.len(), 1, "only what changed something, or tried to: {text}");
    assert_eq!(
        entries[0],
        serde_json::json!({
            "when": "2026-11-20T12:00:00.000Z",
            "who": "operator",
            "pid": std::process::id(),
            "context": { "org": "acme", "env": "prod" },
            "command": line,
            "outcome": { "code": code, "kind": "not-found" },
            "ms": 0,
        })
    );
    assert_eq!(fs::metadata(&audit).expect("it is there").mode() & 0o777, 0o600);
    world.run("tsm stop postgres://u:hunter2@h A_TOKEN=hunter2 --yes");
    let text = fs::read_to_string(&audit).expect("the log");
    assert!(text.lines().count() == 2 && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_log_that_cannot_be_written_is_only_a_warning() {
    let mut world = World::new();
    world.file(world.paths().home().join("logs"), "in the way");
    fs::create_dir_all(world.paths().processes().join("api-3000")).expect("a directory");
    let ran = world.run("tsm delete api-3000");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: the audit log was not written"), "{}", ran.stderr);
}

#[test]
fn prod_asks_for_the_name_of_the_organization() {
    let mut world = World::with(&[("TETRA_ENV", "prod")]);
    world.org("acme", &[("prod", "")]);
    fs::create_dir_all(world.paths().processes().join("api-3000")).expect("a directory");
    world.answers(&["y", "acme"]);
    let said = world.run("tsm delete api-3000").failed(4);
    assert!(said.contains("[type acme]") && said.contains("was not confirmed"), "{said}");
    assert!(world.paths().processes().join("api-3000").exists());
    world.run("tsm delete api-3000").done();
    assert!(!world.paths().processes().join("api-3000").exists());
}

#[test]
fn the_question_before_an_end_names_the_words_that_mean_no_process() {
    let mut world = World::with(&[("TETRA_ENV", "prod")]);
    world.org("acme", &[("prod", "")]);
    fs::create_dir_all(world.paths().processes().join("api-3000")).expect("a directory");
    world.answers(&["n"]);
    let said = world.run("tsm delete api-3000 px").failed(4);
    let question = said.find("[type acme]").expect("the question");
    assert!(said.find("process 'px' not found").is_some_and(|at| at < question), "{said}");
}

#[test]
fn an_organization_and_its_environment_are_used_as_one_word() {
    let mut world = World::new();
    world.org("acme", &[("dev", ""), ("prod", "")]);
    world.org("globex", &[("dev", "")]);
    world.run("use acme@prod").done();
    assert_eq!(org_and_env(&mut world, ""), pair("acme", "prod"));
    world.run("use globex@dev").done();
    assert_eq!(org_and_env(&mut world, ""), pair("globex", "dev"));
    assert!(world.run("use acm@dev").failed(5).contains("did you mean `acme`"));
    assert!(world.run("use acme@dev @prod").failed(2).contains("`ORG@ENV`"));
    assert_eq!(org_and_env(&mut world, ""), pair("globex", "dev"));
}

#[test]
fn save_behind_the_line_of_an_alias_is_refused_with_the_line_that_saves() {
    let mut world = World::new();
    for (line, advice) in [
        ("alias zz tsm info api --save", "`alias --save zz tsm info api`"),
        ("abbr zz=tsm list --save", "`abbr --save zz=tsm list`"),
    ] {
        let said = world.run(line).failed(2);
        assert!(said.contains(advice), "{said}");
    }
    world.run("alias s='set color never --save'").done();
    assert!(world.run("alias s").done().contains("--save"));
}
