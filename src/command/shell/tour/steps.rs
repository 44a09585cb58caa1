//! The steps of the tour: what is typed, and how it is seen that it was done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::command::Selection;
use crate::disk;
use crate::env::secrets;
use crate::supervise::meta::RestartPolicy;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::tsm::definition::Definition;
use crate::tsm::store::{Process, ProcessStore};

use super::scratch;

/// A step of the tour.
pub struct Step {
    /// What is learned.
    pub title: &'static str,
    /// What is said before.
    pub intro: &'static str,
    /// What to type.
    pub line: &'static str,
    /// The command of `line`.
    pub command: &'static str,
    /// What `hint` says.
    pub hint: &'static str,
    /// What is said after.
    pub after: &'static str,
    /// How it is seen that it was done, beside that the command was run.
    pub done: Done,
    /// Later steps need it: `skip` runs `line`.
    pub is_needed: bool,
    /// The process that its line is about, made by an earlier step; none if empty.
    pub process: &'static str,
    /// Changes the scratch directory before the step is shown.
    pub prepare: fn(&World) -> Result<(), FileError>,
}

/// How it is seen that a step was done.
pub enum Done {
    /// By the exit code of its command.
    Succeeded,
    /// By what is in the scratch directory or selected.
    Made(fn(&World) -> bool),
}

/// What the tour looks at.
pub struct World<'a> {
    /// The files.
    pub paths: &'a Paths,
    /// What is selected.
    pub selection: &'a Selection,
    /// The operator's login name.
    pub user: &'a str,
}

/// What most steps have in common.
const STEP: Step = Step {
    title: "",
    intro: "",
    line: "",
    command: "",
    hint: "",
    after: "",
    done: Done::Succeeded,
    is_needed: false,
    process: "",
    prepare: |_| Ok(()),
};

/// All of them, in their order.
pub const STEPS: &[Step] = &[
    Step {
        title: "start a process",
        intro: "This directory has `clock.sh`, which writes the time every second.\n\
                tetra runs it in the background and keeps what it writes.",
        line: "tsm start sh clock.sh --name clock",
        command: "tsm start",
        hint: "Without `--name` the process is called like its program. The words after\n\
               the program are its arguments.",
        after: "`clock` runs, and would go on running if you left.",
        done: Done::Made(|world| world.process("clock").is_some_and(|it| it.is_running())),
        is_needed: true,
        ..STEP
    },
    Step {
        title: "see what runs",
        intro: "Every process has an id and a name, and commands take either. Tab completes\n\
                commands, options and names. At the prompt `list` is short for `tsm list`.",
        line: "tsm list",
        command: "tsm list",
        hint: "Type `tsm l`, then Tab. `tsm info clock` says more about one process.",
        after: "The prompt counts too: `1↑` is one process that runs.",
        ..STEP
    },
    Step {
        title: "read its log",
        intro: "What a process writes is kept, with the time of each line, and rotated before\n\
                it fills the disk.",
        line: "tsm logs clock -n 5",
        process: "clock",
        command: "tsm logs",
        hint: "`-f` follows until Ctrl-C, `--since 10m` and `--grep WORD` choose lines.",
        after: "`tsm logs` without a name is for the selected process; `tsm logs '*'` is\n\
                for all.",
        ..STEP
    },
    Step {
        title: "a program that fails",
        intro: "`broken.sh` ends as soon as it was started. tetra waits half a second and says\n\
                so. The exit code is not 0: `[1]` is shown before the next prompt.",
        line: "tsm start sh broken.sh --name broken",
        command: "tsm start",
        hint: "The error is part of this step.",
        after: "It failed, as it should here. Its output and its exit code are kept.",
        done: Done::Made(|world| world.process("broken").is_some_and(|it| !it.is_running())),
        is_needed: true,
        ..STEP
    },
    Step {
        title: "why it ended",
        intro: "`tsm why` puts together what is known: exit code, last lines, memory, ports,\n\
                who asked for what.",
        line: "tsm why broken",
        process: "broken",
        command: "tsm why",
        hint: "`tsm why` without a name is for the selected process.",
        after: "The cause is in the output: the database does not run.",
        ..STEP
    },
    Step {
        title: "keep it as a service, restarted after a failure",
        intro: "A service is a small file with the command, the directory and the policy of a\n\
                process. It can be started by name, and at boot.",
        line: "tsm save clock --restart on-failure",
        process: "clock",
        command: "tsm save",
        hint: "`never`, `on-failure` and `always` are the policies; `tsm enable clock` would\n\
               start it at boot.",
        after: "`tsm show clock` prints the file. `tsm help services` has all of its\n\
                keys.",
        done: Done::Made(|world| world.policy("clock") == Some(RestartPolicy::OnFailure)),
        ..STEP
    },
    Step {
        title: "variables from an env file",
        intro: "`clock.env` holds `GREETING=…`. A process gets the variables of its env file\n\
                at every start. Without `--env` that is env/dev.env, if there is one: there\n\
                is one now.",
        line: "tsm start sh clock.sh --name greeter --env ./clock.env",
        command: "tsm start",
        hint: "`--env` takes a file, the name of an environment, or one variable such as\n\
               GREETING=hello.",
        after: "`tsm logs greeter` shows the greeting, `tsm env greeter` all of its\n\
                variables.",
        done: Done::Made(|world| {
            world.process("greeter").is_some_and(|it| it.is_running() && it.environment_label().is_some())
        }),
        prepare: |world| scratch::write_dev(world.paths.home()),
        ..STEP
    },
    Step {
        title: "an organization with its environments",
        intro: "The environments dev, staging and prod of an organization are all generated\n\
                from one file, `local.toml`.",
        line: "org init acme",
        command: "org init",
        hint: "`acme` is the name of the organization.",
        after: "Because it is the only one, it is selected: the prompt shows it, and\n\
                counts the processes of its environment only.",
        done: Done::Made(|world| world.file("local").is_some_and(|file| file.is_file())),
        is_needed: true,
        ..STEP
    },
    Step {
        title: "generate an environment",
        intro: "The tour has written a service called `site` into local.toml (`org env edit\n\
                local` would be your way). Promotion applies the rules of a profile to\n\
                local.toml, and writes dev.toml.",
        line: "org promote @dev",
        command: "org promote",
        hint: "`@dev` is the environment. `org promote @dev --dry-run` only shows what would\n\
               be written.",
        after: "dev.toml is generated, and its history is kept: `org rollback @dev`\n\
                would go back.",
        done: Done::Made(|world| world.file("dev").is_some_and(|file| file.is_file())),
        is_needed: true,
        prepare: write_local,
        ..STEP
    },
    Step {
        title: "compare",
        intro: "Each value that differs between local.toml and dev.toml, and the rule that\n\
                made it.",
        line: "org diff @dev",
        command: "org diff",
        hint: "With two environments it compares these: `org diff @dev @staging`.",
        after: "`site` is restarted after a failure in dev, because the profile of\n\
                servers says so.",
        ..STEP
    },
    Step {
        title: "make this machine do what the environment says",
        intro: "`org apply` writes the services of dev.toml and enables them. A second run\n\
                changes nothing. `--dry-run` shows the same plan and changes nothing at all.",
        line: "org apply @dev",
        command: "org apply",
        hint: "In staging and prod it asks first: the prompt shows where you are, prod in\n\
               red.",
        after: "`site` is a service now: `tsm services` lists it, `tsm start site`\n\
                starts it.",
        done: Done::Made(|world| world.policy("site").is_some()),
        ..STEP
    },
    Step {
        title: "a secret",
        intro: "A secret is kept apart from the files that are shared, and is never shown.\n\
                Its value is read without echo: type anything, then Enter.",
        line: "secrets set dev API_KEY",
        command: "secrets set",
        hint: "The value is never part of the command line, where other users and the history\n\
               would see it.",
        after: "Env files refer to it as ${secret:API_KEY}; `secrets list dev` shows\n\
                everything but the value.",
        done: Done::Made(|world| world.has_secret("acme", "dev", "API_KEY")),
        ..STEP
    },
    Step {
        title: "select where you work",
        intro: "With an environment selected, commands work there, and the prompt says so.",
        line: "use acme @dev",
        command: "use",
        hint: "`use` alone lists what there is, `use -` goes back.",
        after: "The prompt shows acme/dev. In prod the name is red, and what changes\n\
                something asks first.",
        done: Done::Made(|world| world.selection.environment().is_some_and(|it| it.to_string() == "acme/dev")),
        ..STEP
    },
    Step {
        title: "find the rest by yourself",
        intro: "`help` lists the commands by what one wants to do, `help search` finds a word\n\
                in all of them. `?` at the end of a line is its help, and F1 that of the word\n\
                under the cursor.",
        line: "help search memory",
        command: "help",
        hint: "Ctrl-R searches the history of lines, and `help services` is a topic.",
        after: "`help from-pm2` and `help from-systemd` translate what you may know\n\
                already.",
        ..STEP
    },
];

impl Step {
    /// The line that makes the process that this step is about, if it does not exist.
    pub fn missing(&self, world: &World) -> Option<&'static str> {
        let is_missing = !self.process.is_empty() && world.process(self.process).is_none();
        let makes =
            |step: &&Step| step.command == "tsm start" && step.line.ends_with(&format!("--name {}", self.process));
        STEPS.iter().find(makes).filter(|_| is_missing).map(|step| step.line)
    }
}

impl World<'_> {
    fn process(&self, name: &str) -> Option<Process> {
        ProcessStore::open(self.paths).get(&name.parse().ok()?)
    }

    /// The policy of a service; none if it does not exist.
    fn policy(&self, name: &str) -> Option<RestartPolicy> {
        let file = self.paths.service(&name.parse().ok()?);
        let definition = Definition::read(&file, &BTreeMap::new()).ok()?;
        Some(definition.options.restart.unwrap_or_default())
    }

    /// The file of an environment of `acme`.
    fn file(&self, env: &str) -> Option<PathBuf> {
        Some(self.paths.environment(&"acme".parse().ok()?, &env.parse().ok()?))
    }

    fn has_secret(&self, org: &str, env: &str, name: &str) -> bool {
        let (Ok(org), Ok(env)) = (org.parse(), env.parse()) else { return false };
        let path = self.paths.secrets(&org, &env);
        let text = disk::read_to_string(&path).unwrap_or_default();
        secrets::parse(&path, &text).is_ok_and(|found| found.values.contains_key(name))
    }
}

/// A `local.toml` with one service, whose environments stay in the directory of the tour.
fn write_local(world: &World) -> Result<(), FileError> {
    let Some(path) = world.file("local").filter(|path| path.is_file()) else { return Ok(()) };
    let (home, source) = (world.paths.home().display(), world.paths.source().display());
    let text = format!(
        r#"# The source of truth of acme: all other environments are generated from it.

[environment]
name = "local"
type = "local"                        # dev: development, staging: staging, prod: production

[deployment]
user = "{user}"
group = "{user}"
tetra_src = "{source}"
tetra_dir = "{home}"

[services.site]
command = "sh clock.sh"
cwd = "{project}"
auto_restart = false                  # servers: true

[logging]
level = "debug"                       # staging: info, prod: warn
format = "pretty"                     # servers: json

[overrides.dev]
deployment.tetra_src = "{source}"
deployment.tetra_dir = "{home}"
"#,
        user = world.user,
        project = scratch::project(world.paths.home()).display(),
    );
    file::write(&path, text.as_bytes(), Access::Shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::line::lex;
    use crate::command::registry::{self, CommandMatch};

    #[test]
    fn every_line_is_a_line_of_the_command_that_is_looked_for() {
        for step in STEPS {
            let line = lex(step.line).expect("a line");
            let words: Vec<&str> = line.statements[0].words.iter().map(|word| word.text.as_str()).collect();
            let CommandMatch::Command(found, _) = registry::resolve(&words) else { panic!("{}", step.line) };
            assert_eq!(found.name, step.command);
        }
    }

    #[test]
    fn every_text_fits_on_a_terminal() {
        for step in STEPS {
            let after = format!("Done: {}", step.after);
            let texts = [step.title, step.intro, step.line, step.hint, &after];
            for line in texts.iter().flat_map(|text| text.lines()) {
                assert!(!line.is_empty() && line.chars().count() <= 78, "{line}");
            }
        }
    }
}
