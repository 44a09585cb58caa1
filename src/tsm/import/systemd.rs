//! A unit of systemd: `NAME.service`. What it runs, as whom and when again; not what keeps it in a box.

mod words;

use std::path::{Path, PathBuf};

use crate::base::dotenv::EnvVar;
use crate::base::environment::EnvFileName;
use crate::base::invalid_value;
use crate::base::sort::SortExt;
use crate::base::time::HumanDuration;
use crate::disk;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::command_line::{assignment, quoted};
use crate::tsm::definition::Definition;
use crate::tsm::environment;
use crate::tsm::limits::MemoryMax;

use super::ini::{Section, Style, parse};
use super::source::{add_env_file, definition, in_bytes, set_port};
use super::termination;
use super::{ImportContext, Imported, Unsupported};

pub(super) fn read(path: &Path, text: &str, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let sections = with_drop_ins(text, &stem, site.dir)?;
    let mut it = definition(stem.trim_end_matches('@'), PathBuf::from("/"));
    let mut unit = UnitImporter { it: &mut it, site, unsupported: &mut imported.unsupported, stem: &stem };
    let mut is_service = false;
    unit.timer();
    for section in sections {
        match section.name.as_str() {
            "Service" => {
                is_service = true;
                unit.service(section)?;
            }
            "Unit" => unit.head(section),
            "Install" => section.rest().for_each(|(key, _)| {
                unit.mark_unsupported("Install", &key, "`tsm enable` starts a service at boot");
            }),
            name => unit.unsupported.push(Unsupported { field: name.to_owned(), why: "not supported".to_owned() }),
        }
    }
    if !is_service {
        return Err("no section [Service]".to_owned());
    }
    set_port(&mut it, None);
    imported.add("Service", it);
    Ok(imported)
}

/// The sections of a unit and of the files that change it: `NAME.service.d/*.conf`, and for an instance those of its template.
fn with_drop_ins(text: &str, stem: &str, dir: &Path) -> Result<Vec<Section>, String> {
    let mut all: Vec<Section> = Vec::new();
    let template = stem.split_once('@').filter(|(_, instance)| !instance.is_empty());
    let template = template.map(|(prefix, _)| dir.join(format!("{prefix}@.service.d")));
    let mut files: Vec<PathBuf> = template
        .into_iter()
        .chain([dir.join(format!("{stem}.service.d"))])
        .flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
        .collect();
    files.order_by(|one, other| one.file_name().cmp(&other.file_name()));
    let mut texts = vec![text.to_owned()];
    for file in files {
        texts.push(disk::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    for section in
        texts.iter().map(|text| parse(text, Style::Systemd)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        match all.iter_mut().find(|known| known.name == section.name) {
            Some(known) => known.extend(section),
            None => all.push(section),
        }
    }
    Ok(all)
}

struct UnitImporter<'a> {
    it: &'a mut Definition,
    site: ImportContext<'a>,
    unsupported: &'a mut Vec<Unsupported>,
    /// The name of the file without its ending.
    stem: &'a str,
}

impl UnitImporter<'_> {
    fn mark_unsupported(&mut self, section: &str, key: &str, why: &str) {
        self.unsupported.push(Unsupported { field: format!("{section}.{key}"), why: why.to_owned() });
    }

    /// Says what starts it by the clock.
    fn timer(&mut self) {
        let file = format!("{}.timer", self.stem);
        let Ok(text) = disk::read_to_string(self.site.dir.join(&file)) else { return };
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("On"));
        let when = lines.collect::<Vec<_>>().join(", ");
        self.unsupported.push(Unsupported { field: file, why: format!("it starts the unit at {when}; see TSM_CRON") });
    }

    fn head(&mut self, mut section: Section) {
        self.it.description = section.take("Description").map(|text| self.specified("Description", &text));
        self.it.options.max_restarts = section.take("StartLimitBurst").and_then(|count| count.parse().ok());
        for (key, value) in section.rest() {
            match key.as_str() {
                "Documentation" => {}
                "After" | "Requires" | "Wants" | "BindsTo" | "Before" | "PartOf" => {
                    let why = format!("services needed of {value} have to be saved and added to TSM_DEPS");
                    self.mark_unsupported("Unit", &key, &why);
                }
                _ => self.mark_unsupported("Unit", &key, "not supported"),
            }
        }
    }

    fn service(&mut self, mut section: Section) -> Result<(), String> {
        let lines = section.take_all("ExecStart");
        if lines.is_empty() {
            return Err("no ExecStart".to_owned());
        }
        self.it.command = match &self.commands("ExecStart", &lines)[..] {
            [only] => {
                if only.may_fail {
                    let why = "its prefix `-` is removed: a failure counts as one";
                    self.mark_unsupported("Service", "ExecStart", why);
                }
                only.line.clone()
            }
            several => in_a_row(several),
        };
        let before = in_a_row(&self.commands("ExecStartPre", &section.take_all("ExecStartPre")));
        self.it.pre_command = Some(before).filter(|text| !text.is_empty());
        self.place(&mut section);
        self.kind(section.take("Type").as_deref().unwrap_or("simple"));
        self.read_options(&mut section);
        for (key, _) in section.rest() {
            self.mark_unsupported("Service", &key, unsupported_reason(&key));
        }
        Ok(())
    }

    /// Where it runs, and with which variables.
    fn place(&mut self, section: &mut Section) {
        if let Some(directory) = section.take("WorkingDirectory") {
            let directory = self.specified("WorkingDirectory", directory.trim_start_matches('-'));
            self.it.cwd = self.site.path(&directory);
        }
        for line in section.take_all("Environment") {
            let Some(words) = words::words(&line) else {
                self.mark_unsupported("Service", "Environment", UNCLOSED);
                continue;
            };
            for word in &words {
                let word = self.specified("Environment", word);
                match assignment(&word) {
                    Some(pair) => self.it.exports.push(pair),
                    None => self.mark_unsupported("Service", "Environment", &format!("`{word}`: expected KEY=VALUE")),
                }
            }
        }
        for file in section.take_all("EnvironmentFile") {
            let file = self.specified("EnvironmentFile", file.trim());
            let EnvFileName { path, optional } = EnvFileName::of(&file);
            if path.contains(['*', '?', '[']) {
                self.mark_unsupported("Service", "EnvironmentFile", &format!("`{path}`: patterns are not supported"));
            } else {
                add_env_file(self.it, path, optional);
            }
        }
        self.weaker_variables();
    }

    /// What a unit sets beside its env files is weaker than what they say; in a service it is stronger.
    fn weaker_variables(&mut self) {
        let files: Vec<PathBuf> = self.it.env_files().iter().map(|file| EnvFileName::of(file).path.into()).collect();
        let settings: Vec<EnvVar> = files.iter().filter_map(|file| environment::read(file).ok()).flatten().collect();
        let (weaker, own): (Vec<_>, Vec<_>) = std::mem::take(&mut self.it.exports)
            .into_iter()
            .partition(|(key, _)| settings.iter().any(|setting| setting.key == *key));
        self.it.exports = own;
        for (key, _) in weaker {
            self.mark_unsupported("Service", &format!("Environment.{key}"), "an env file sets it too, and wins");
        }
    }

    fn kind(&mut self, kind: &str) {
        match kind {
            "simple" | "exec" | "idle" => {}
            "notify" | "notify-reload" => self.it.options.notify = Some(true),
            "oneshot" => termination::oneshot(self.it),
            "forking" => self.mark_unsupported(
                "Service",
                "Type",
                "the program must stay in the foreground; look for an option that does that",
            ),
            _ => self.mark_unsupported(
                "Service",
                "Type",
                "a start is watched for half a second, or until its port or health check responds",
            ),
        }
    }

    fn read_options(&mut self, section: &mut Section) {
        let user = section.take("User").map(|user| self.specified("User", &user));
        let keep = &mut self.it.options;
        let policy = section.take("Restart");
        keep.restart = Some(match policy.as_deref() {
            Some("always") => RestartPolicy::Always,
            Some("on-failure" | "on-abnormal" | "on-abort" | "on-watchdog") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Never,
        });
        keep.user = user;
        keep.limit_nofile = section.take("LimitNOFILE").as_deref().and_then(count);
        keep.limit_nproc = section.take("LimitNPROC").as_deref().and_then(count);
        let timeout = section.take("TimeoutStopSec").or_else(|| section.take("TimeoutSec"));
        keep.kill_timeout = timeout.as_deref().and_then(span).map(|span| span.0);
        let memory = section.take("MemoryMax").or_else(|| section.take("MemoryLimit"));
        keep.memory_max = memory
            .as_deref()
            .and_then(|text| match text {
                "infinity" => Some(MemoryMax(0)),
                text => in_bytes(text).parse::<MemoryMax>().ok(),
            })
            .map(|most| most.0);
        let timeout = timeout.filter(|_| keep.kill_timeout.is_none());
        let memory = memory.filter(|_| keep.memory_max.is_none());
        let unread = [
            ("TimeoutStopSec", timeout.and_then(|text| invalid_value::parse::<HumanDuration>(&text).err())),
            ("MemoryMax", memory.and_then(|text| invalid_value::parse::<MemoryMax>(&in_bytes(&text)).err())),
        ];
        for (key, why) in unread {
            self.unsupported.extend(why.map(|why| Unsupported { field: format!("Service.{key}"), why }));
        }
        if let Some(policy) = policy.filter(|it| it.starts_with("on-") && it != "on-failure") {
            self.mark_unsupported("Service", "Restart", &format!("`{policy}` is not supported; see TSM_RESTART"));
        }
        let signal = section.take("KillSignal");
        termination::stop_signal(self.it, signal.as_deref(), "Service.KillSignal", self.unsupported);
    }

    /// The commands of lines, for a shell that sees no more in them than systemd does.
    fn commands(&mut self, key: &str, lines: &[String]) -> Vec<Command> {
        let mut all = Vec::new();
        for text in lines {
            let Some(commands) = words::commands(text) else {
                self.mark_unsupported("Service", key, UNCLOSED);
                all.push(Command { line: quoted(text), may_fail: false });
                continue;
            };
            all.extend(commands.into_iter().map(|words| self.command(key, words)));
        }
        all
    }

    fn command(&mut self, key: &str, mut words: Vec<String>) -> Command {
        let marks = marks(&words[0]).to_owned();
        words[0].drain(..marks.len());
        if words[0].is_empty() && words.len() > 1 {
            words.remove(0);
        }
        if marks.contains(['@', '+', '!']) {
            self.mark_unsupported("Service", key, &format!("its prefix `{marks}` is removed"));
        }
        if marks.contains('@') && words.len() > 1 {
            // The second word is not an argument but the name that the program is given.
            words.remove(1);
        }
        let as_text = marks.contains(':');
        let words = words.iter().map(|word| {
            let word = self.specified(key, word);
            if as_text { quoted(&word) } else { words::shown(&word) }
        });
        Command { line: words.collect::<Vec<_>>().join(" "), may_fail: marks.contains('-') }
    }

    /// The value of a specifier.
    fn specifier(&self, letter: char) -> Option<String> {
        let (prefix, instance) = self.stem.split_once('@').unwrap_or((self.stem, ""));
        match letter {
            'h' => self.site.home().map(str::to_owned),
            'n' => Some(format!("{}.service", self.stem)),
            'N' => Some(self.stem.to_owned()),
            'p' => Some(prefix.to_owned()),
            'i' if !instance.is_empty() => Some(instance.to_owned()),
            // Unescaped: a hyphen is a slash.
            'I' if !instance.is_empty() && !instance.contains('\\') => Some(instance.replace('-', "/")),
            _ => DIRECTORIES.iter().find(|(known, _)| *known == letter).map(|(_, directory)| (*directory).to_owned()),
        }
    }

    /// Specifiers, as far as they are known here.
    fn specified(&mut self, key: &str, word: &str) -> String {
        let mut shown = String::new();
        let mut letters = word.chars();
        while let Some(c) = letters.next() {
            match (c, if c == '%' { letters.next() } else { None }) {
                ('%', Some('%')) => shown.push('%'),
                ('%', Some(letter)) => match self.specifier(letter) {
                    Some(value) => shown.push_str(&value),
                    None => {
                        shown.push('%');
                        shown.push(letter);
                        self.mark_unsupported("Service", key, &format!("`%{letter}` is not supported"));
                    }
                },
                (c, _) => shown.push(c),
            }
        }
        shown
    }
}

/// Directories of the system that specifiers name.
const DIRECTORIES: [(char, &str); 7] = [
    ('t', "/run"),
    ('S', "/var/lib"),
    ('C', "/var/cache"),
    ('L', "/var/log"),
    ('E', "/etc"),
    ('T', "/tmp"),
    ('V', "/var/tmp"),
];

/// What may be in front of a command.
fn marks(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches(['@', '-', ':', '+', '!']).len()]
}

/// A command for a shell.
struct Command {
    line: String,
    may_fail: bool,
}

/// Commands of which each follows when the one before succeeded, or may fail.
fn in_a_row(commands: &[Command]) -> String {
    let lines = commands.iter().map(|Command { line, may_fail }| match may_fail {
        true => format!("{{ {line} || true; }}"),
        false => line.clone(),
    });
    lines.collect::<Vec<_>>().join(" && ")
}

const UNCLOSED: &str = "a quote is not closed";

/// Seconds if there is no unit.
fn span(text: &str) -> Option<HumanDuration> {
    let seconds = text.parse::<u64>().ok().map(|seconds| HumanDuration(std::time::Duration::from_secs(seconds)));
    seconds.or_else(|| text.replace(' ', "").parse().ok())
}

/// One number, or two of which the hard one counts.
fn count(text: &str) -> Option<u64> {
    match text.rsplit(':').next()? {
        "infinity" => Some(0),
        number => number.parse().ok(),
    }
}

fn unsupported_reason(key: &str) -> &'static str {
    match key {
        "Group" | "SupplementaryGroups" => "the groups are those of the user; see TSM_USER",
        "RestartSec" | "StartLimitIntervalSec" => {
            "restart delays start at 100 ms and double up to 30 s until the process has run for 10 s"
        }
        "ExecStop" => "processes are stopped with a signal",
        "ExecReload" => "`tsm restart` restarts it",
        "KillMode" => "all child processes are killed when a process stops",
        "StandardOutput" | "StandardError" | "SyslogIdentifier" => "logs are written by tsm; see `tsm logs`",
        "PIDFile" => "the pid is in NAME.pid of the process directory; see `tsm paths`",
        "RemainAfterExit" => "a process that has ended is shown as stopped",
        "UMask" => "processes inherit the umask of the user who starts them",
        _ if key.starts_with("Limit") => "only open files and processes are limited",
        _ => "not supported; the unit itself keeps working",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{import, lost};
    use super::*;

    #[test]
    fn a_unit() {
        let imported = import(
            "shop.service",
            "[Unit]\nDescription=The shop\nAfter=network.target db.service\n[Service]\nType=notify\nUser=www\nGroup=www\n\
             WorkingDirectory=/srv/shop\nEnvironment=\"A=b c\" PORT=8000\nEnvironment=C=%h\nEnvironmentFile=-/nowhere/env\n\
             ExecStartPre=-/bin/mkdir -p /run/shop\nExecStart=/usr/bin/node app.js --cost $$5 --on ${PORT} \\\n  'a b' %%x %i\n\
             Restart=on-failure\nRestartSec=2\nTimeoutStopSec=1min 30s\nLimitNOFILE=1024:65536\nMemoryMax=infinity\n\
             ProtectSystem=full\n[Install]\nWantedBy=multi-user.target\n",
        );
        let [it] = &imported.services[..] else { panic!("one service") };
        assert_eq!(it.command, "/usr/bin/node app.js --cost '$5' --on \"${PORT}\" 'a b' '%x' '%i'");
        assert_eq!(it.pre_command.as_deref(), Some("{ /bin/mkdir -p /run/shop || true; }"));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(it.exports, [pair("A", "b c"), pair("PORT", "8000"), pair("C", "/home/u")]);
        assert_eq!((it.name.as_str(), it.cwd.as_path()), ("shop", Path::new("/srv/shop")));
        let keep = &it.options;
        assert_eq!(
            (keep.restart, keep.notify, keep.user.as_deref()),
            (Some(RestartPolicy::OnFailure), Some(true), Some("www"))
        );
        assert_eq!((keep.kill_timeout, keep.limit_nofile), (Some(Duration::from_secs(90)), Some(65536)));
        assert_eq!((keep.memory_max, it.description.as_deref()), (Some(0), Some("The shop")));
        assert_eq!(
            lost(&imported),
            [
                "Unit.After",
                "Service.ExecStart",
                "Service.Group",
                "Service.RestartSec",
                "Service.ProtectSystem",
                "Install.WantedBy"
            ]
        );
    }

    #[test]
    fn an_instance_is_its_template_with_what_changes_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        put(
            "web@8081.service",
            "[Unit]\nDescription=%p on %i\n[Service]\nUser=u-%i\nWorkingDirectory=%h/%p\nEnvironment=PID=%t/%N NAME=%n\n\
             ExecStart=/usr/bin/java $JAVA_OPTS -jar %I.jar ${ONE} a$TWO\n",
        );
        put("web@.service.d/10-all.conf", "[Service]\nEnvironment=A=all B=all\nEnvironmentFile=-/etc/default/%p-%i\n");
        put(
            "web@8081.service.d/20-own.conf",
            "[Service]\nEnvironment=B=own\nExecStart=\nExecStart=/usr/bin/web --port %i $ARGS\n[Unit]\nAfter=x\n",
        );
        put("web@8081.service.d/note.txt", "no unit");
        put("web@8081.timer", "[Timer]\nOnCalendar=daily\n");
        let variables = std::collections::BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
        let imported = super::super::read(&dir.path().join("web@8081.service"), &variables).expect("a unit");
        let [it] = &imported.services[..] else { panic!("one service") };
        assert_eq!((it.name.as_str(), it.command.as_str()), ("web-8081", "/usr/bin/web --port 8081 $ARGS"));
        assert_eq!((it.cwd.to_str(), it.description.as_deref()), (Some("/home/u/web"), Some("web on 8081")));
        assert_eq!(
            (it.options.user.as_deref(), it.env_files()),
            (Some("u-8081"), &["-/etc/default/web-8081".to_owned()][..])
        );
        let exports: Vec<String> = it.exports.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(exports, ["PID=/run/web@8081", "NAME=web@8081.service", "A=all", "B=all", "B=own"]);
        assert_eq!(lost(&imported), ["web@8081.timer", "Unit.After"]);
        let imported = import("a.service", "[Service]\nExecStart=/bin/java $JAVA_OPTS ${ONE} a$TWO '$$5'\n");
        assert_eq!(imported.services[0].command, "/bin/java $JAVA_OPTS \"${ONE}\" 'a$TWO' '$5'");
        let imported = import("a@.service", "[Service]\nExecStart=/bin/a %i\n");
        assert_eq!(lost(&imported), ["Service.ExecStart"]);
    }

    #[test]
    fn what_is_for_the_program_is_not_expanded_before_it() {
        for (text, command) in [
            ("/bin/sh -c 'for i in 1 2; do echo $i; done'", "/bin/sh -c 'for i in 1 2; do echo $i; done'"),
            (r#"/bin/bash -c "exec java $(cat /etc/opts) \"$0\"""#, "/bin/bash -c 'exec java $(cat /etc/opts) \"$0\"'"),
            ("/bin/a ; -/bin/b x ; @/bin/c d e", "/bin/a && { /bin/b x || true; } && /bin/c e"),
            (":/bin/a ${B} $C", "/bin/a '${B}' '$C'"),
            ("- /bin/a ''", "/bin/a ''"),
        ] {
            let imported = import("a.service", &format!("[Service]\nType=oneshot\nExecStart={text}\n"));
            assert_eq!(imported.services[0].command, command, "{text}");
        }
        let imported = import("a.service", "[Service]\nExecStart=/bin/a 'b\nEnvironment=A=1 B\nEnvironment=C=it's\n");
        assert_eq!(lost(&imported), ["Service.ExecStart", "Service.Environment", "Service.Environment"]);
        assert_eq!(imported.services[0].exports, [("A".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn prefixes_and_optional_files_mean_what_they_mean_to_systemd() {
        let imported = import(
            "a.service",
            "[Service]\nEnvironmentFile=-/nowhere/env\nEnvironmentFile=/etc/hostname\nEnvironment=U=%n N=%N\n\
             ExecStart=@/usr/sbin/nginx nginx -g 'daemon off;'\n",
        );
        let [it] = &imported.services[..] else { panic!("one service") };
        assert_eq!(it.command, "/usr/sbin/nginx -g 'daemon off;'");
        assert_eq!(it.env_files(), ["-/nowhere/env", "/etc/hostname"]);
        assert_eq!(it.exports[0].1, "a.service");
        let imported = import("b.service", "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=-/bin/b x\n");
        assert_eq!(imported.services[0].command, "/bin/a && { /bin/b x || true; }");
        let imported = import("c.service", "[Service]\nExecStart=-/bin/a\n");
        assert_eq!((imported.services[0].command.as_str(), lost(&imported)), ("/bin/a", vec!["Service.ExecStart"]));
    }
}
