//! Words that people search the help for and that are not those of its commands, with what answers them.

/// A place in the help: a command, a command with one of its options, a global option, a topic after `help`, a setting after `set`.
type Place = &'static str;

/// What is searched for, written in several ways, and the places that answer it, the best first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyword {
    pub(super) phrases: &'static [&'static str],
    pub(super) places: &'static [Place],
}

const fn row(phrases: &'static [&'static str], places: &'static [Place]) -> Keyword {
    Keyword { phrases, places }
}

/// All of them. A test finds every place, and every row that is not needed.
pub(super) const KEYWORDS: &[Keyword] = &[
    row(&["cron", "schedule", "timer", "periodic", "every day"], &["tsm start --cron", "tsm save --cron"]),
    row(&["memory", "ram", "leak", "oom"], &["tsm stats", "tsm start --max-memory", "tsm start --memory-max"]),
    row(&["cpu", "load", "top", "usage"], &["tsm stats", "tsm monitor"]),
    row(&["undo", "revert", "go back"], &["org rollback", "org deploy rollback"]),
    row(&["ssh key", "ssh keys", "key", "keypair"], &["tkm generate", "tkm list", "tkm bootstrap"]),
    row(&["ssh", "login", "log in"], &["tkm ssh", "tkm test"]),
    row(&["port", "listen"], &["tsm start --port", "tsm ports"]),
    row(&["port in use", "address already in use", "kill port"], &["tsm ports", "tsm kill"]),
    row(&["boot", "autostart", "start at boot", "reboot"], &["help boot", "tsm enable", "daemon install"]),
    row(
        &["log rotation", "log size", "disk full"],
        &["tsm logs rotate", "tsm start --log-size", "tsm start --log-keep"],
    ),
    row(&["tail", "follow", "output", "stdout", "stderr"], &["tsm logs", "tsm logs --follow"]),
    row(&["env file", "dotenv", ".env"], &["tsm start --env", "env init"]),
    row(&["environment variable", "variable"], &["tsm env", "tsm start --env", "tsm start --env-file"]),
    row(&["crash", "died", "killed", "failed"], &["tsm why", "tsm start --restart"]),
    row(&["exit code", "exit status", "error code"], &["help exit-codes", "tsm why"]),
    row(&["auto restart", "autorestart", "keep alive", "restart on crash"], &["tsm start --restart"]),
    row(&["zero downtime", "downtime", "graceful", "rolling"], &["tsm reload", "tsm start --strategy"]),
    row(&["cluster", "instance", "replica", "worker"], &["tsm scale", "tsm start --instances"]),
    row(&["json", "machine readable"], &["--json"]),
    row(
        &["health", "healthcheck", "health check", "probe", "liveness"],
        &["tsm start --health", "help services", "serve"],
    ),
    row(&["http", "api", "dashboard", "grafana", "web"], &["serve"]),
    row(&["monitoring", "metric", "prometheus"], &["serve", "tsm monitor"]),
    row(&["secret"], &["help secrets", "secrets set", "secrets list"]),
    row(&["password", "token", "credential", "api key", "vault"], &["secrets set", "help secrets"]),
    row(&["encrypt", "age"], &["secrets seal", "secrets rekey"]),
    row(&["release", "ship", "publish", "deployment"], &["org deploy", "org deploy rollback"]),
    row(&["status", "state", "running"], &["tsm list", "tsm info"]),
    row(&["update", "new version"], &["tsm upgrade"]),
    row(&["backup", "restore", "old version"], &["org history", "org rollback"]),
    row(&["remove", "purge", "prune", "wipe"], &["tsm delete", "tsm rm", "tsm cleanup", "tsm logs clean"]),
    row(&["docker", "compose", "container"], &["tsm import", "env init --format"]),
    row(&["migrate", "convert", "ecosystem"], &["tsm import", "help from-pm2", "help from-systemd"]),
    row(&["problem", "broken", "debug", "diagnose", "troubleshoot"], &["tsm doctor", "tsm why"]),
    row(&["proxy", "reverse proxy", "domain", "tls"], &["tsm nginx install", "tsm nginx generate"]),
    row(&["dependency", "depend", "order"], &["tsm start --deps", "tsm stack"]),
    row(&["timeout", "sigterm", "sigkill", "kill timeout"], &["tsm start --kill-timeout", "tsm start --stop-signal"]),
    row(&["watch file", "file change", "live reload"], &["tsm start --watch"]),
    row(&["limit", "ulimit", "open file"], &["tsm start --limit-nofile", "tsm start --memory-max"]),
    row(&["user", "run as", "root"], &["tsm start --user"]),
    row(&["server", "remote", "host", "machine"], &["help fleet", "tkm host list", "tkm host add"]),
    row(&["certificate"], &["tkm ca sign", "tkm ca list"]),
    row(&["confirm", "are you sure", "ask", "production"], &["help guard", "set confirm"]),
    row(&["color", "colour", "dark", "theme"], &["set theme", "--color"]),
    row(&["vi", "vim", "shortcut", "key binding", "tab", "keys"], &["help keys", "set edit-mode"]),
    row(&["screen reader", "accessibility", "dumb"], &["help plain", "set plain"]),
    row(&["completion", "bash", "zsh", "fish"], &["setup"]),
    row(&["pipe", "redirect", "quote", "semicolon"], &["help lines"]),
    row(&["configuration", "setting"], &["config show", "set", "config edit"]),
    row(&["tutorial", "getting started", "learn"], &["tour", "help"]),
    row(&["quit", "leave"], &["exit"]),
];
