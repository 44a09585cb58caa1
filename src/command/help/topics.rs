//! Texts about what is not one command. A line that begins with two blanks and a command is one that can be typed; a test reads them.

use super::{keys, services};
use crate::base::fault::FaultKind;
use crate::command::foreign::{AFTER_PROGRAM, Counterpart, VERBS, foreign_options};

/// A text about what is not one command.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The word after `help`.
    pub name: &'static str,
    /// Other words that lead to it.
    pub aliases: &'static [&'static str],
    /// What it is about.
    pub summary: &'static str,
    /// Writes it.
    pub text: fn() -> String,
}

const fn about(name: &'static str, summary: &'static str, text: fn() -> String) -> Topic {
    Topic { name, aliases: &[], summary, text }
}

/// All topics.
pub const TOPICS: &[Topic] = &[
    about("exit-codes", "what each exit code means", exit_codes),
    about("lines", "quotes, pipes, redirection, several commands", lines),
    about("context", "organization, environment and process of a command", context),
    about("guard", "when a command asks before it acts", guard),
    about("prompt", "what the prompt shows and keeps, and its settings", prompt),
    Topic {
        name: "keys",
        aliases: &["key", "shortcuts", "bindings", "keybindings"],
        summary: "the keys of the prompt",
        text: keys::topic,
    },
    Topic {
        name: "plain",
        aliases: &["screen", "screen-reader", "screenreader", "accessibility", "a11y"],
        summary: "a prompt without an editor, for screen readers and poor terminals",
        text: plain,
    },
    about("services", "the format of services, with every key", services::topic),
    about("environments", "dev, staging and prod of an organization, made of one file", environments),
    about("secrets", "private values: where they are, who reads them", secrets),
    about("fleet", "one command on many hosts", fleet),
    about("boot", "start services when the machine starts", boot),
    about("logs", "read, rotate, export and remove what processes say", logs),
    about("from-pm2", "what the commands of PM2 are here", from_pm2),
    about("from-systemd", "what the commands of systemd are here", from_systemd),
];

/// The topic of a name, or of another name of it.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name || topic.aliases.contains(&name))
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
     !PROGRAM            runs the rest of the line with `sh -c`, at the prompt; elsewhere after `set shell-escape on`\n\
     $org $env $proc     the organization, the environment and the process of the prompt, as bare words at the prompt\n\
     $? $last            the exit code of the last line there, and the names of the last list; the line that is run is shown\n\n\
     The same holds at the prompt, after `tetra -c` and in scripts but for what is said to be of the prompt. At the prompt `tsm` may be\n\
     left out where no other command has the name: `restart api` is `tsm restart api`. `source FILE` runs a script here.\n"
        .to_owned()
}

fn context() -> String {
    "The context is the organization, the environment and the process that commands use when none is named.\n\n\
     use ORG, use @ENV, @ENV   choose for this session; `use -` goes back\n\
     select PROCESS            choose a process for this session\n\
     --org ORG, --env ENV      choose for one command\n\
     context                   shows what is chosen, and by what\n\n\
     What counts, first to last: the option, this session, TETRA_ORG and TETRA_ENV, the kept choice, the only one there is.\n"
        .to_owned()
}

fn prompt() -> String {
    "The prompt shows, from left to right, each only where there is something to show:\n\n\
     [1]                the exit code of the last line, if it failed\n\
     12s                how long that line ran, if it was long\n\
     3↑ 1✗              how many processes run, and how many failed: of the chosen environment only, of all if none is chosen\n\
     acme/dev/api       the organization, the environment and the process that were chosen; `-` for one that was not, `tetra`\n\
     \x20                  if nothing was\n\
     (online)           the state of that process\n\
     deploying, frozen, read-only, private, asks nothing\n\
     \x20                  what differs from the usual\n\n\
     Where the terminal is too narrow, `(online)` is left out, `(crashed)` is `✗`, `ro`, `priv` and `-y` are read-only, private and\n\
     asks nothing, and then the middle of the longest names is cut; never the environment.\n\
     Production is written in capitals: `acme/PROD`. A process belongs to the environment that was chosen when it was started; one\n\
     that was started without is counted only while none is chosen. `tsm list` shows those of all environments.\n\n\
     `help keys` lists the keys. What is pasted is not run before Enter; characters that cannot be seen are shown in it as `\\u{200b}`.\n\
     Lines are kept for this user alone, their secrets as `***`; one with a blank in front is not kept,\n\
     and none after `set private on` or in a session of `tetra --private`.\n\
     What is longer than the screen is shown by $TETRA_PAGER, $PAGER or less; TETRA_PAGER=cat shows it at once.\n\
     `~/.config/tetra/config.toml` holds settings (`edit-mode = \"vi\"`; `set` lists them) and tables\n\
     `aliases` and `abbreviations`; an abbreviation is written out at a blank or Enter, Ctrl-Z gives it back.\n\
     The lines of `rc.tetra` beside it are run at the start, unless `--norc` is given. `help plain` is about a prompt without an\n\
     editor.\n"
        .to_owned()
}

fn plain() -> String {
    "A prompt without an editor writes line after line and redraws nothing, so that a screen reader can follow it and a poor\n\
     terminal can show it. Any of these gives one:\n\n\
     tetra --plain              for this prompt\n\
     TETRA_PLAIN=1              for every prompt of a shell that exports it\n\
     plain = true               for every prompt, as a line of `~/.config/tetra/config.toml`\n\
     TERM=dumb                  the terminal says so itself\n\n\
     The commands are the same, and so are questions, aliases and abbreviations. Tab completes nothing, nothing has colours or is\n\
     paged, the prompt counts no processes and shows no notices, and its lines are not kept in the history. `help search WORD` and\n\
     `COMMAND --help` say what there is. Where the desktop says that a screen reader is on, the prompt names this once.\n"
        .to_owned()
}

/// The list of all topics.
#[must_use]
pub fn list() -> String {
    let width = TOPICS.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let row = |it: &Topic| format!("  help {:width$}  {}\n", it.name, it.summary);
    let rows: String = TOPICS.iter().map(row).collect();
    format!("Topics:\n\n{rows}\n`help` lists the commands, `help search WORD` finds a word in both.\n")
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
     `set idle 15m` leaves prod for the default environment when no key was pressed for so long; a question there is answered with no.\n\
     `set readonly on` refuses all that changes something, also in programs that are started from here (TETRA_READONLY).\n\
     What `!` and `|` start acts where the prompt is (TETRA_ORG, TETRA_ENV).\n\
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
     in logs of commands and in JSON. `secrets --help` lists all commands for them.\n"
        .to_owned()
}

fn boot() -> String {
    "What is enabled is started by `tsm startup`, and when the machine starts by the unit of systemd that `daemon install` makes for\n\
     an environment.\n\n\
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
    let options = foreign_options().filter(|it| it.of == program).map(|it| {
        let option = if it.takes_value { format!("{} VALUE", it.option) } else { it.option.to_owned() };
        (format!("{} {option}", it.typed_after()), it.in_whole())
    });
    let rows: Vec<(String, String)> = verbs.chain(options).collect();
    let width = rows.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    rows.iter().map(|(word, here)| format!("{word:width$}  {here}\n")).collect()
}
