//! The table of verbs of other programs.

use super::{Counterpart, ELSEWHERE, Effect, ForeignVerb};
use Counterpart::{Line, Text};
use Effect::{Destroy, Read, Write};

pub(super) const PM2: &str = "PM2";
pub(super) const SYSTEMD: &str = "systemd";
const SUPERVISORD: &str = "supervisord";
pub(super) const UNIX: &str = "Unix";
const WINDOWS: &str = "Windows";
pub(super) const DOCKER: &str = "docker";

const fn verb(word: &'static str, of: &'static str, least: usize, effect: Effect, here: Counterpart) -> ForeignVerb {
    ForeignVerb { word, of, least, effect, here }
}

const TRY_RESTART: Counterpart =
    Text("`tsm restart NAME` also starts a process that was stopped; `tsm list` shows which ones run");

const STOPS: Counterpart = Text("`tsm stop NAME` stops a process and keeps what is known of it; `tsm list` shows them");

/// For words that also mean to clear the screen, or say too little of what is to go: nothing is named that removes something.
const LOOK_FIRST: Counterpart =
    Text("`clear` clears the screen; `help search remove` lists the commands that remove something");

const READ_ANEW: Counterpart =
    Text("every command reads the files anew; `tsm up NAME` applies what has changed in a service");

const REMOVES: Counterpart =
    Text("`tsm rm {}` removes the definition of a service, `tsm delete {}` a process with its logs");

const SAVES: Counterpart =
    Text("`tsm save NAME` keeps a process as a service, and `tsm enable NAME` starts it at boot");

/// All of them. Of rows with one word the first whose number of arguments fits counts.
pub const VERBS: &[ForeignVerb] = &[
    verb("ps", PM2, 0, Read, Line("tsm list")),
    verb("l", PM2, 0, Read, Line("tsm list")),
    verb("ls", PM2, 0, Read, Line("tsm list")),
    verb("status", SYSTEMD, 1, Read, Line("tsm info {}")),
    verb("status", PM2, 0, Read, Line("tsm list")),
    verb("jlist", PM2, 0, Read, Line("tsm list --json")),
    verb("prettylist", PM2, 0, Read, Line("tsm list --json")),
    verb("describe", PM2, 0, Read, Line("tsm info {}")),
    verb("desc", PM2, 0, Read, Line("tsm info {}")),
    verb("pid", PM2, 1, Read, Line("tsm info {}")),
    verb("id", PM2, 1, Read, Line("tsm info {}")),
    verb("inspect", PM2, 0, Read, Line("tsm info {}")),
    verb("monit", PM2, 0, Read, Line("tsm monitor")),
    verb("dash", PM2, 0, Read, Line("tsm monitor")),
    verb("report", PM2, 0, Read, Line("tsm doctor healthcheck")),
    verb("ping", PM2, 0, Read, Text("nothing has to answer; `tsm list` shows what runs")),
    verb(
        "flush",
        PM2,
        0,
        Destroy,
        Text(
            "`tsm logs rotate {}`, then `tsm logs clean {}`: what is written goes on in a new file, and only older ones are removed",
        ),
    ),
    verb(
        "reloadLogs",
        PM2,
        0,
        Write,
        Text("logs need not be opened anew here; `tsm logs rotate {}` begins a new file"),
    ),
    verb("logrotate", PM2, 0, Write, Line("tsm logs rotate {}")),
    verb("gracefulReload", PM2, 0, Write, Line("tsm reload {}")),
    verb("startOrRestart", PM2, 0, Write, Line("tsm up {}")),
    verb("startOrReload", PM2, 0, Write, Line("tsm up {}")),
    verb("startOrGracefulReload", PM2, 0, Write, Line("tsm up {}")),
    verb("sendSignal", PM2, 0, Destroy, Line("tsm signal {2} {1}")),
    verb("dump", PM2, 0, Write, SAVES),
    verb("resurrect", PM2, 0, Write, Line("tsm startup")),
    verb("reset", PM2, 0, Write, Text("no count is set back here; `tsm why {}` shows the restarts")),
    verb("update", PM2, 0, Write, Line("tsm upgrade")),
    verb("updatePM2", PM2, 0, Write, Line("tsm upgrade")),
    verb(
        "ecosystem",
        PM2,
        0,
        Write,
        Text("`tsm save --template` shows a service with every key; `tsm import FILE` reads an ecosystem file"),
    ),
    verb("unstartup", PM2, 0, Write, Text("`tsm disable NAME` keeps a service from being started at boot")),
    verb("cleardump", PM2, 0, Write, Text("`tsm disable NAME` keeps a service from being started at boot")),
    verb("deploy", PM2, 0, Write, Text("`org deploy @ENV` brings an environment to its hosts")),
    verb("plus", PM2, 0, Read, ELSEWHERE),
    verb("link", PM2, 0, Read, ELSEWHERE),
    verb("web", PM2, 0, Read, ELSEWHERE),
    verb("attach", PM2, 0, Read, Text("`tsm logs -f {}` shows what a process writes; nothing can be typed into it")),
    verb("trigger", PM2, 0, Write, Text("a process takes signals here: `tsm signal NAME USR1`")),
    verb(
        "install",
        PM2,
        0,
        Write,
        Text("there are no modules: logs are rotated by themselves, and `tsm stats` has what a process uses"),
    ),
    verb("is-active", SYSTEMD, 0, Read, Line("tsm info {}")),
    verb("is-failed", SYSTEMD, 0, Read, Line("tsm why {}")),
    verb("is-enabled", SYSTEMD, 0, Read, Line("tsm services")),
    verb("is-system-running", SYSTEMD, 0, Read, Line("tsm doctor healthcheck")),
    verb("list-units", SYSTEMD, 0, Read, Line("tsm list")),
    verb("list-unit-files", SYSTEMD, 0, Read, Line("tsm services")),
    verb("list-timers", SYSTEMD, 0, Read, Line("tsm list -v")),
    verb("list-sockets", SYSTEMD, 0, Read, Line("tsm ports")),
    verb("list-dependencies", SYSTEMD, 0, Read, Line("tsm show {}")),
    verb("cat", SYSTEMD, 0, Read, Line("tsm show {}")),
    verb(
        "edit",
        SYSTEMD,
        0,
        Write,
        Text("`tsm show {}` names the file of a service, and `tsm up {}` applies its changes"),
    ),
    verb("journal", SYSTEMD, 0, Read, Line("tsm logs {}")),
    verb("journalctl", SYSTEMD, 0, Read, Line("tsm logs {}")),
    verb("show-environment", SYSTEMD, 0, Read, Line("tsm env {}")),
    verb("daemon-reload", SYSTEMD, 0, Write, READ_ANEW),
    verb(
        "daemon-reexec",
        SYSTEMD,
        0,
        Write,
        Text("`tsm upgrade` gives running processes the supervisors of this version"),
    ),
    verb(
        "reset-failed",
        SYSTEMD,
        0,
        Write,
        Text("`tsm cleanup --dry-run` shows what has ended; no failed state has to be reset here"),
    ),
    verb("try-restart", SYSTEMD, 0, Write, TRY_RESTART),
    verb("condrestart", SYSTEMD, 0, Write, TRY_RESTART),
    verb("force-reload", SYSTEMD, 0, Write, Line("tsm reload {}")),
    verb("reload-or-restart", SYSTEMD, 0, Write, Line("tsm up {}")),
    verb("try-reload-or-restart", SYSTEMD, 0, Write, TRY_RESTART),
    verb(
        "mask",
        SYSTEMD,
        0,
        Write,
        Text(
            "`tsm disable {}` keeps a service from being started at boot; unlike a masked unit it can still be started by hand",
        ),
    ),
    verb("unmask", SYSTEMD, 0, Write, Text("nothing is masked here; `tsm services` shows what is started at boot")),
    verb("systemd-run", SYSTEMD, 0, Write, Line("tsm start {}")),
    verb("systemd-cgtop", SYSTEMD, 0, Read, Line("tsm monitor")),
    verb("remove", SUPERVISORD, 0, Destroy, Line("tsm delete {}")),
    verb("reread", SUPERVISORD, 0, Write, READ_ANEW),
    verb("rm", UNIX, 0, Destroy, REMOVES),
    verb("erase", WINDOWS, 0, Destroy, REMOVES),
    verb("destroy", UNIX, 0, Destroy, REMOVES),
    verb("clean", UNIX, 0, Read, LOOK_FIRST),
    verb("purge", UNIX, 0, Read, LOOK_FIRST),
    verb("prune", DOCKER, 0, Read, LOOK_FIRST),
    verb("wipe", UNIX, 0, Read, LOOK_FIRST),
    verb("empty", UNIX, 0, Read, LOOK_FIRST),
    verb("cls", WINDOWS, 0, Read, Line("clear")),
    verb("up", DOCKER, 0, Write, Line("tsm up {}")),
    verb("down", DOCKER, 1, Destroy, Line("tsm stop {}")),
    verb("down", DOCKER, 0, Destroy, STOPS),
    verb("top", UNIX, 0, Read, Line("tsm monitor")),
    verb("htop", UNIX, 0, Read, Line("tsm monitor")),
    verb("tail", UNIX, 0, Read, Line("tsm logs {}")),
    verb("run", UNIX, 0, Write, Line("tsm start {}")),
    verb("nohup", UNIX, 0, Write, Line("tsm start {}")),
    verb("shutdown", UNIX, 1, Destroy, Line("tsm stop {}")),
    verb("shutdown", UNIX, 0, Destroy, STOPS),
    verb("halt", UNIX, 1, Destroy, Line("tsm stop {}")),
    verb("halt", UNIX, 0, Destroy, STOPS),
    verb("killall", UNIX, 0, Destroy, Line("tsm stop {}")),
    verb("pkill", UNIX, 0, Destroy, Line("tsm stop {}")),
    verb("netstat", UNIX, 0, Read, Line("tsm ports")),
    verb("ss", UNIX, 0, Read, Line("tsm ports")),
    verb("lsof", UNIX, 0, Read, Line("tsm ports")),
    verb("printenv", UNIX, 0, Read, Line("tsm env {}")),
    verb("whoami", UNIX, 0, Read, Line("context")),
    verb("man", UNIX, 0, Read, Line("help {}")),
    verb("apropos", UNIX, 1, Read, Line("help search {}")),
];

/// Verbs that mean something else after the name of their program than those of this one do.
pub const AFTER_PROGRAM: &[ForeignVerb] = &[
    verb("show", PM2, 0, Read, Line("tsm info {}")),
    verb("kill", PM2, 0, Destroy, Line("tsm stop all")),
    verb("save", PM2, 0, Write, SAVES),
    verb(
        "startup",
        PM2,
        0,
        Write,
        Text("`daemon install` makes a unit that starts at boot what `tsm enable NAME` has enabled"),
    ),
    verb("show", SYSTEMD, 0, Read, Line("tsm info {}")),
    verb("update", SUPERVISORD, 0, Write, Text("`tsm up {}` applies what has changed in a service")),
    verb(
        "kill",
        SYSTEMD,
        0,
        Destroy,
        Text("`tsm signal NAME TERM` sends the signal to the process itself, not to what it started"),
    ),
    verb("rm", DOCKER, 0, Destroy, Line("tsm delete {}")),
    verb(
        "kill",
        DOCKER,
        0,
        Destroy,
        Text("`tsm signal NAME KILL` sends the signal to the process itself, not to what it started"),
    ),
    verb(
        "exec",
        DOCKER,
        0,
        Read,
        Text("`tsm env NAME` shows the variables of a process; `!PROGRAM` runs another program at the prompt"),
    ),
    verb(
        "run",
        DOCKER,
        0,
        Read,
        Text("images are not run here: `tsm import compose.yaml --dry-run` shows the services of a compose file"),
    ),
];

/// Programs whose verbs are typed with their name in front, and whose they are.
pub(super) const PROGRAMS: [(&str, &str); 6] = [
    ("pm2", PM2),
    ("systemctl", SYSTEMD),
    ("service", SYSTEMD),
    ("supervisorctl", SUPERVISORD),
    ("docker", DOCKER),
    ("docker-compose", DOCKER),
];

/// Those in which `all` means every process.
pub(super) const HAVE_ALL: [&str; 2] = [PM2, SUPERVISORD];
