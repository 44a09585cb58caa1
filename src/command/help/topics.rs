//! Texts about what is not one command. A line that begins with two blanks and a command is one that can be typed; a test reads them.

use super::services;
use crate::base::fault::FaultKind;
use crate::command::foreign::{AFTER_PROGRAM, Counterpart, FOREIGN_OPTIONS, VERBS};

/// A text about what is not one command.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The word after `help`.
    pub name: &'static str,
    /// What it is about.
    pub summary: &'static str,
    /// Writes it.
    pub text: fn() -> String,
}

/// All topics.
pub const TOPICS: &[Topic] = &[
    Topic { name: "exit-codes", summary: "what each exit code means", text: exit_codes },
    Topic { name: "lines", summary: "quotes, pipes, redirection, several commands", text: lines },
    Topic { name: "context", summary: "organization, environment and process of a command", text: context },
    Topic { name: "guard", summary: "when a command asks before it acts", text: guard },
    Topic { name: "prompt", summary: "keys and settings of the prompt", text: prompt },
    Topic { name: "services", summary: "the format of services, with every key", text: services::topic },
    Topic {
        name: "environments",
        summary: "dev, staging and prod of an organization, made of one file",
        text: environments,
    },
    Topic { name: "secrets", summary: "private values: where they are, who reads them", text: secrets },
    Topic { name: "fleet", summary: "one command on many hosts", text: fleet },
    Topic { name: "boot", summary: "start services when the machine starts", text: boot },
    Topic { name: "logs", summary: "read, rotate, export and remove what processes say", text: logs },
    Topic { name: "from-pm2", summary: "what the commands of PM2 are here", text: from_pm2 },
    Topic { name: "from-systemd", summary: "what the commands of systemd are here", text: from_systemd },
];

/// The topic of a name.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

fn exit_codes() -> String {
    let mut text = "0    done\n".to_owned();
    for (_, code, _, meaning) in FaultKind::ALL {
        text.push_str(&format!("{code:<4} {meaning}\n"));
    }
    text
}

fn lines() -> String {
    "A line is one command or several with `;` or `&&` between them; it stops at the first failure.\n\n\
     'a b'  \"a b\"  a\\ b   one word\n\
     # text              a comment\n\
     \\ at the end        the line goes on\n\
     COMMAND | PROGRAM   the output goes to `sh -c PROGRAM`, up to the next `;` outside quotes and parentheses;\n\
     \x20                   tables as lines of cells with a tab between them\n\
     COMMAND > FILE      the output goes to a file; >> adds to it; ~/ is your home\n\
     !PROGRAM            runs the rest of the line with `sh -c`, at the prompt\n\
     $org $env $proc     the organization, the environment and the process of the prompt, as bare words at the prompt\n\
     $? $last            the exit code of the last line there, and the names of the last list; the line that is run is shown\n\n\
     The same holds at the prompt, after `tetra -c` and in scripts but for what is said to be of the prompt. There `tsm` may be left\n\
     out where no other command has the name: `restart api` is `tsm restart api`. `source FILE` runs a script here.\n"
        .to_owned()
}

fn context() -> String {
    "The context is the organization, the environment and the process that commands use when none is named.\n\n\
     use ORG, use @ENV, @ENV   choose for this session; `use -` goes back\n\
     select PROCESS            choose a process for this session\n\
     --org ORG, --env ENV      choose for one command\n\n\
     What counts, first to last: the option, this session, TETRA_ORG and TETRA_ENV, the kept choice, the only one there is.\n"
        .to_owned()
}

fn prompt() -> String {
    "The prompt shows organization, environment and process, and the exit code of the last line if it failed.\n\n\
     Tab                  completes, or shows what fits here; Tab again goes through it, Esc closes it\n\
     PageDown, PageUp     a page on or back in what is longer than half of the screen\n\
     Right, Ctrl-F        takes the grey rest of an earlier line; Alt-F takes one word of it\n\
     Up, Ctrl-R           earlier lines; Ctrl-R finds those that hold each word, or else its letters in order\n\
     Alt-R                looks in all lines, those of this organization, those of this environment\n\
     Alt-Enter            a further line; an open quote or a `\\` at the end goes on by itself\n\
     Ctrl-O, Ctrl-X Ctrl-E  the line in $VISUAL or $EDITOR\n\
     F1                   the help of the command, the option or the value that the cursor is on; the line stays\n\
     Ctrl-C               drops the line, or ends the command; the session goes on\n\
     Ctrl-D               closes a menu; leaves, on an empty line\n\
     Ctrl-Z               takes the last change of the line back\n\n\
     What is pasted is not run before Enter; characters that cannot be seen are shown in it as `\\u{200b}`.\n\
     Lines are kept for this user alone, their secrets as `***`; one with a blank in front is not kept,\n\
     and none after `set private on` or in a session of `tetra --private`.\n\
     What is longer than the screen is shown by $TETRA_PAGER, $PAGER or less; TETRA_PAGER=cat shows it at once.\n\
     `~/.config/tetra/config.toml` holds settings (`edit-mode = \"vi\"`; `set` lists them) and tables\n\
     `aliases` and `abbreviations`; an abbreviation is written out at a blank or Enter, Ctrl-Z gives it back.\n\
     The lines of `rc.tetra` beside it are run at the start, unless `--norc` is given. `--plain`, TETRA_PLAIN=1 or TERM=dumb\n\
     give a prompt without an editor, for screen readers and poor terminals.\n"
        .to_owned()
}

fn guard() -> String {
    "Commands read, write or destroy. Whether they ask first depends on the environment:\n\n\
     \x20            write   destroy\n\
     local, dev   runs    runs\n\
     staging      runs    asks\n\
     prod         asks    asks for the organization's name\n\n\
     What is only yours (aliases, `config.toml`, the history) changes no environment: `alias --save` and the like never ask.\n\
     The strictest counts: the environment of the command, of the context, or of the process itself.\n\
     In `-c` lines and scripts TETRA_ENV and the kept choice count too, whatever `use` says there; at the prompt `use` replaces them.\n\
     A process is also in the environment that its env file is named after: prod with `env/prod.env`.\n\
     An environment of your own counts as its type says, and as prod if it says nothing.\n\
     `set confirm yes` takes a y for every question. What was typed before a question is not its answer.\n\
     `set idle 15m` leaves prod for the default environment when no key was pressed for so long.\n\
     `--yes` answers; without a terminal it is needed, else nothing is done and the exit code is 4.\n"
        .to_owned()
}

fn environments() -> String {
    "An organization has one file that people edit, local.toml, and environments that are made of it by the rules of a profile.\n\n\
     \x20 tsm org init acme\n\
     \x20 org env edit local\n\
     \x20 org promote @dev\n\
     \x20 org diff @dev\n\
     \x20 org promote @prod --dry-run\n\
     \x20 org history @prod\n\
     \x20 org rollback @prod --dry-run\n\n\
     `use @dev` chooses one for this session, `--env dev` for one command. `help guard` says what asks first in which.\n\
     A project has env files of its own, made of tetra.toml or templates:\n\n\
     \x20 env init dev\n\
     \x20 env diff dev prod\n\
     \x20 env promote dev staging --dry-run\n"
        .to_owned()
}

fn secrets() -> String {
    "Private values are in a file for each environment that only its owner can read; local.toml and tetra.toml refer to them\n\
     by name. A value is typed at a question, read from standard input or from a file, never written on the command line.\n\n\
     \x20 secrets set prod API_KEY\n\
     \x20 secrets list prod\n\
     \x20 secrets edit prod\n\
     \x20 secrets rm prod API_KEY\n\
     \x20 secrets seal prod\n\
     \x20 secrets scan\n\
     \x20 secrets doctor\n\n\
     A sealed file may be kept with the code: only the recipients of manifest.toml open it. Secrets are `***` in the history,\n\
     in logs of commands and in JSON.\n"
        .to_owned()
}

fn boot() -> String {
    "A service that is enabled is started when its environment is. `daemon` makes a unit of systemd that does it at boot.\n\n\
     \x20 tsm save web node server.js\n\
     \x20 tsm enable web\n\
     \x20 tsm services\n\
     \x20 tsm startup\n\
     \x20 daemon install --help\n\n\
     `tsm startup` starts all that is enabled once, in the order of what needs what; a line of cron (`@reboot`) can call it\n\
     without systemd.\n"
        .to_owned()
}

fn fleet() -> String {
    "`--on @ENV` runs a command on all hosts of an environment, `--host NAME[,NAME]` on those that are named. The answers are one\n\
     table with a column HOST, or lines of JSON with `host`. A host that does not answer is a row with its error.\n\n\
     \x20 tsm list --on @dev\n\
     \x20 tsm info web --host web-1,web-2\n\
     \x20 tsm logs web -f --on @dev\n\
     \x20 tsm restart web --host web-2\n\
     \x20 tkm host list\n\n\
     Commands of tsm, daemon and env that look run there, and those that start and stop processes; these ask for the strictest\n\
     environment of the hosts. A key of staging or prod that is bound to `tetra agent` runs tsm list, info, why, stats and logs.\n"
        .to_owned()
}

fn logs() -> String {
    "What a process writes is kept byte for byte, stdout and stderr apart, with the time of each line beside it. Logs are\n\
     rotated by themselves (`--log-size`, `--log-keep` of `tsm start`).\n\n\
     \x20 tsm logs web\n\
     \x20 tsm logs web -f\n\
     \x20 tsm logs web --since 10m --grep 'error|warn' -t\n\
     \x20 tsm logs * -n 20 -e\n\
     \x20 tsm logs rotate web\n\
     \x20 tsm logs export web --since 1h --to web.log\n\
     \x20 tsm logs clean web\n\
     \x20 tsm paths web\n"
        .to_owned()
}

fn from_pm2() -> String {
    let more = "`tsm import ecosystem.config.js` makes services of an ecosystem file; look before with `--dry-run`.\n\
                Instances are processes with ports of their own; nothing shares a port. Nothing is restarted unless\n\
                `--restart always` or `--restart on-failure` says so.\n";
    format!("{}\n{more}", of_another("PM2"))
}

fn from_systemd() -> String {
    let more = "`tsm import /etc/systemd/system/NAME.service` makes a service of a unit; look before with `--dry-run`.\n\
                `help boot` says how services are started with the machine.\n";
    format!("{}\n{more}", of_another("systemd"))
}

/// The verbs and options of another program, with what does the same here.
fn of_another(program: &str) -> String {
    let here = |it: Counterpart, value: &str| match it {
        Counterpart::Line(line) => line.replace("{}", value).replace("{1}", "SIGNAL").replace("{2}", "NAME"),
        Counterpart::Text(text) => text.replace("{}", "NAME"),
    };
    let verbs = VERBS
        .iter()
        .chain(AFTER_PROGRAM)
        .filter(|verb| verb.of == program)
        .map(|verb| (verb.word.to_owned(), here(verb.here, "NAME")));
    let options = FOREIGN_OPTIONS.iter().filter(|it| it.of == program).map(|it| {
        let option = if it.takes_value { format!("{} VALUE", it.option) } else { it.option.to_owned() };
        let ours = here(it.here, "VALUE");
        (option, if ours.is_empty() { "is not needed".to_owned() } else { ours })
    });
    let rows: Vec<(String, String)> = verbs.chain(options).collect();
    let width = rows.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    rows.iter().map(|(word, here)| format!("{word:width$}  {here}\n")).collect()
}
