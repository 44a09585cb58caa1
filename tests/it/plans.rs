//! What is shown before a question: each command that may ask has a plan, or a reason to go without.

use std::fs;
use std::path::Path;

use tetra::command::registry::COMMANDS;

use crate::world::World;

/// Commands whose question is about the line itself, with the reason.
const WITHOUT_PLAN: [(&str, &str); 26] = [
    ("tsm monitor", "asks for each key that changes something, with the plan of that command"),
    ("tsm save", "asks before it replaces a service, with its name"),
    ("tsm ports set", "the line has the name and the port"),
    ("tsm ports allocate", "reserves what is free"),
    ("tsm ports conflicts", "without `--fix` it shows what is changed"),
    ("tsm ports import", "the file lists what is reserved"),
    ("tsm ports export", "the line has the file"),
    ("tsm doctor", "without `--fix` it shows what is changed"),
    ("tsm doctor clean", "what it removes belongs to nothing that runs"),
    ("tsm doctor reconcile", "without `--fix` it shows what is changed"),
    ("org init", "changes nothing that there is"),
    ("org env edit", "the editor shows the file"),
    ("org profile new", "changes nothing that there is"),
    ("env init", "changes nothing that there is"),
    ("secrets set", "the line has the environment and the name"),
    ("secrets edit", "the editor shows the file"),
    ("secrets doctor", "without `--fix` it shows what is changed"),
    ("tkm init", "makes a store where there is none"),
    ("tkm host add", "the line has the host and its address"),
    ("tkm host import", "adds hosts, and replaces none"),
    ("tkm generate", "makes a key, and replaces none"),
    ("tkm ca sign", "the line has what is signed, and for how long"),
    ("tkm config", "writes a file that is made of the store"),
    ("setup", "with `--check` it shows what is made"),
    ("manual", "the line has the directory"),
    ("org use", "the line has the name"),
];

/// The file that defines a command.
fn source(name: &str, directory: &Path) -> Option<String> {
    let is_it = format!("const NAME: &'static str = \"{name}\";");
    fs::read_dir(directory).expect("a directory").find_map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return source(name, &path);
        }
        fs::read_to_string(&path).ok().filter(|text| text.contains(&is_it))
    })
}

#[test]
fn a_command_that_asks_has_a_plan_or_a_reason() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command");
    for spec in COMMANDS.iter().filter(|spec| spec.effect.is_guarded()) {
        let text = source(spec.name, &directory).unwrap_or_else(|| panic!("`{}` has a file", spec.name));
        let prepares = text.contains("fn prepare(self") && !text.contains("plan: |_, _| Ok(None)");
        let plans = prepares || text.contains("fn plan(&self");
        let reason = WITHOUT_PLAN.iter().find(|(name, _)| *name == spec.name);
        let checks_only = ["org use", "tkm generate", "tkm ca sign"].contains(&spec.name);
        assert_eq!(plans && !checks_only, reason.is_none(), "`{}` has a plan: {plans}, and {reason:?}", spec.name);
    }
}

/// Where nothing of that name exists nothing is asked.
#[test]
fn a_name_that_does_not_exist_is_said_before_the_question() {
    let mut world = World::new();
    world.org("acme", &[("prod", "")]);
    world.run("use acme @prod").done();
    for line in [
        "tsm stop nosuch",
        "tsm stop nosuch nosuch2",
        "tsm delete nosuch nosuch2",
        "tsm restart nosuch nosuch2",
        "tsm reload nosuch nosuch2",
        "tsm signal TERM nosuch nosuch2",
        "tsm kill nosuch",
        "tsm kill nosuch nosuch2",
        "tsm scale nosuch 2",
        "tsm logs clean nosuch nosuch2",
        "tsm logs rotate nosuch nosuch2",
        "tsm logs export nosuch --to api.log",
        "tsm enable nosuch",
        "tsm enable nosuch nosuch2",
        "tsm disable nosuch",
        "tsm rm nosuch",
        "tsm start nosuch.tsm",
        "tsm up nosuch",
        "tsm ports remove nosuch",
        "tsm nginx install nosuch",
        "tsm nginx uninstall nosuch",
        "tsm stack stop nosuch",
        "org use nosuch",
        "org rollback nosuch",
        "secrets rm prod NOSUCH",
        "secrets seal prod",
        "secrets rekey prod",
        "daemon stop @prod",
        // Before `tkm init`.
        "tkm revoke @prod",
        "tkm rotate prod",
        "tkm bootstrap web",
        "tkm ssh web -- uptime",
        "tkm host rm web",
        "tkm host rekey web --fingerprint SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "tkm generate prod",
        "tkm ca init prod",
        "tkm ca sign prod",
        "tkm ca revoke 7",
    ] {
        world.answers(&["prod"]);
        let result = world.run(line);
        assert_ne!(result.code, 0, "`{line}`: {}", result.output);
        assert!(!result.stderr.contains("continue?"), "`{line}`: {}", result.stderr);
    }
    world.run("tkm init --yes").done();
    for line in ["tkm revoke @prod", "tkm rotate prod", "tkm ssh web", "tkm host rm web", "tkm bootstrap web"] {
        assert!(!world.run(line).stderr.contains("continue?"), "{line}");
    }
    assert!(world.run("tsm enable api").stderr.contains("service not found"));
}
