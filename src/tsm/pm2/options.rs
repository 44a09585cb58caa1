//! The options of `pm2 start` and what does the same here: for the note on a script that is given one of them, for the advice on a
//! line of PM2, and for `help from-pm2`.

/// What does the same here as a word of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counterpart {
    /// A line, or options in one: `{}` is all its arguments, or the value of the option; `{1}` the first one.
    Line(&'static str),
    /// No single command; what to know instead. `{}` is all arguments, or `NAME`.
    Text(&'static str),
}

use Counterpart::{Line, Text};

/// An option of PM2.
#[derive(Debug, Clone, Copy)]
pub struct Pm2Option {
    /// The option.
    pub option: &'static str,
    /// True if the next word is its value.
    pub takes_value: bool,
    /// What does it here.
    pub here: Counterpart,
}

const fn valued(option: &'static str, here: Counterpart) -> Pm2Option {
    Pm2Option { option, takes_value: true, here }
}

const fn switch(option: &'static str, here: Counterpart) -> Pm2Option {
    Pm2Option { option, takes_value: false, here }
}

const TIMES: Counterpart = Text("the time of each line is kept beside it; `tsm logs -t NAME` shows it");
const LOG_FILES: Counterpart = Text("the logs of a process are kept by its name; `tsm paths NAME` shows where");
const INTERPRETER: Counterpart =
    Text("write the interpreter and its options before the script: `tsm start node app.js`");
const BACKOFF: Counterpart =
    Text("the wait before a restart grows by itself, from 100ms to 30s; `--max-restarts` says when to give up");
const FOREGROUND: Counterpart = Text("`tsm logs -f NAME` shows what a process says, until Ctrl-C");
const NONE: Counterpart = Text("tsm has no such option");

/// Those that `tsm start` does not have by the same name and with the same meaning.
pub const OPTIONS: &[Pm2Option] = &[
    valued("-i", Line("--instances {}")),
    valued("-n", Line("--name {}")),
    valued("--max-memory-restart", Line("--max-memory {}")),
    switch("--no-autorestart", Line("--restart never")),
    switch("--autorestart", Line("--restart always")),
    valued("--stop-exit-codes", Line("--restart on-failure")),
    valued("--cron-restart", Line("--cron {}")),
    valued("--cron-restart-pattern", Line("--cron {}")),
    switch(WATCH, Line("--watch .")),
    valued("--ignore-watch", Line("--ignore {}")),
    valued("--uid", Line("--user {}")),
    valued("--namespace", Line("--stack {}")),
    switch("--wait-ready", Line("--notify")),
    valued("--listen-timeout", Line("--notify")),
    switch("--time", TIMES),
    valued("--log-date-format", TIMES),
    valued("--output", LOG_FILES),
    valued("--error", LOG_FILES),
    valued("--log", LOG_FILES),
    valued("--log-type", LOG_FILES),
    switch("--merge-logs", LOG_FILES),
    valued("--interpreter", INTERPRETER),
    valued("--interpreter-args", INTERPRETER),
    valued("--node-args", INTERPRETER),
    valued("--restart-delay", BACKOFF),
    valued("--exp-backoff-restart-delay", BACKOFF),
    valued("--min-uptime", BACKOFF),
    switch("--no-daemon", FOREGROUND),
    switch("--attach", FOREGROUND),
    switch("--no-treekill", NONE),
    switch("--no-vizion", NONE),
    switch("--no-pmx", NONE),
];

/// Those that hardly any other program has, by their long names: also behind a program that cannot be read they are of PM2.
pub const UNMISTAKABLE: [&str; 13] = [
    "--max-memory-restart",
    "--no-autorestart",
    "--stop-exit-codes",
    "--cron-restart",
    "--cron-restart-pattern",
    "--ignore-watch",
    "--wait-ready",
    "--listen-timeout",
    "--exp-backoff-restart-delay",
    "--merge-logs",
    "--no-treekill",
    "--no-vizion",
    "--no-pmx",
];

/// The switch that is an option here too, with a path.
pub const WATCH: &str = "--watch";

/// The words of a template with a value of an option of PM2 in its place.
#[must_use]
pub fn fill(template: &str, option: &str, value: &str) -> Vec<String> {
    let is_all = option == "-i" && matches!(value, "max" | "0");
    let value = if is_all { processors() } else { value.to_owned() };
    template.split(' ').filter(|part| !part.is_empty()).map(|part| part.replace("{}", &value)).collect()
}

/// What `-i max` means.
fn processors() -> String {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string()
}
