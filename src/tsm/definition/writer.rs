//! A definition as the text of a file. What is written is what is read back.

use std::fmt::Write as _;
use std::time::Duration;

use crate::base::size::Size;
use crate::supervise::meta::Restart;
use crate::tsm::keep::{Keep, Strategy};
use crate::tsm::limits::MemoryMax;

use super::Definition;

impl Definition {
    /// The text of a `.tsm` file that says the same.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Text::default();
        text.line("TSM_NAME", &self.name);
        text.line("TSM_COMMAND", &self.command);
        text.line("TSM_CWD", &self.cwd.to_string_lossy());
        text.some("TSM_DESCRIPTION", self.description.as_deref());
        text.some("TSM_PORT", self.port.map(|port| port.to_string()));
        text.some("TSM_ENV_FILE", self.env_file.as_deref());
        text.some("TSM_ENV", self.env.as_deref());
        text.some("TSM_ENVIRONMENT", self.belongs.as_ref().map(ToString::to_string));
        text.some("TSM_PRE_COMMAND", self.pre_command.as_deref());
        text.some("TSM_AUTOSTART", self.autostart.map(|yes| yes.to_string()));
        text.some("TSM_DEPS", Some(self.deps.join(" ")).filter(|deps| !deps.is_empty()));
        text.some("TSM_STACK", self.stack.as_deref());
        text.some("TSM_INSTANCES", self.instances.map(|count| count.to_string()));
        text.keep(&self.keep);
        for (key, value) in &self.unknown {
            text.line(key, value);
        }
        for (key, value) in &self.exports {
            text.line(&format!("export {key}"), value);
        }
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn keep(&mut self, keep: &Keep) {
        self.some("TSM_RESTART", keep.restart.map(policy));
        self.some("TSM_MAX_RESTARTS", keep.max_restarts.map(|count| count.to_string()));
        self.some("TSM_KILL_TIMEOUT", keep.kill_timeout.map(|span| format!("{}ms", span.as_millis())));
        self.some("TSM_LOG_SIZE", keep.log_size.map(|size| Size(size).to_string()));
        self.some("TSM_LOG_KEEP", keep.log_keep.map(|count| count.to_string()));
        self.some("TSM_USER", keep.user.as_deref());
        self.some("TSM_STOP_SIGNAL", keep.stop_signal.map(|signal| signal.to_string()));
        self.some("TSM_TYPE", keep.oneshot.map(|yes| if yes { "oneshot" } else { "simple" }));
        self.some("TSM_STRATEGY", keep.strategy.map(Strategy::word));
        self.some("TSM_MEMORY_MAX", keep.memory_max.map(|bytes| MemoryMax(bytes).to_string()));
        self.some("TSM_LIMIT_NOFILE", keep.limit_nofile.map(|count| count.to_string()));
        self.some("TSM_LIMIT_NPROC", keep.limit_nproc.map(|count| count.to_string()));
        let span = |span: Option<Duration>| span.map(|span| format!("{}ms", span.as_millis()));
        self.some("TSM_HEALTH_CHECK", keep.health.as_ref().map(ToString::to_string));
        self.some("TSM_HEALTH_INTERVAL", span(keep.health_interval));
        self.some("TSM_HEALTH_TIMEOUT", span(keep.health_timeout));
        self.some("TSM_HEALTH_THRESHOLD", keep.health_threshold.map(|count| count.to_string()));
        self.some("TSM_HEALTH_GRACE", span(keep.health_grace));
        self.some("TSM_HEALTH_RESTART", keep.health_restart.map(|yes| yes.to_string()));
        self.some("TSM_NOTIFY", keep.notify.map(|yes| yes.to_string()));
        self.list("TSM_WATCH", keep.watch.as_deref().unwrap_or_default());
        self.list("TSM_WATCH_IGNORE", keep.ignore.as_deref().unwrap_or_default());
        self.some("TSM_CRON", keep.cron.as_ref().map(ToString::to_string));
        self.some("TSM_CRON_TZ", keep.cron_tz.as_ref().map(ToString::to_string));
        self.some("TSM_MAX_MEMORY", keep.max_memory.map(|size| Size(size).to_string()));
    }

    fn some(&mut self, key: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.line(key, value.as_ref());
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let words: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            let _ = writeln!(self.0, "{key}=({})", words.join(" "));
        }
    }

    /// In double quotes; in single ones where a shell would see more than text in them.
    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}={}", quoted(value));
    }
}

fn quoted(value: &str) -> String {
    if value.contains(['"', '\\', '$', '`', '!']) {
        format!("'{}'", value.replace('\'', r"'\''"))
    } else {
        format!("\"{value}\"")
    }
}

fn policy(restart: Restart) -> &'static str {
    match restart {
        Restart::Never => "never",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsm::port::PortWish;
    use proptest::prelude::{Just, any, prop_assert_eq, prop_compose, prop_oneof, proptest};
    use proptest::strategy::Strategy as Generator;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    /// Any text that is not blank: blank values mean that nothing is said.
    fn value() -> impl Generator<Value = String> {
        "[^\\x00]{0,12}[!-~é✅][^\\x00]{0,12}"
    }

    fn name() -> impl Generator<Value = String> {
        "[A-Za-z][A-Za-z0-9._-]{0,9}"
    }

    fn keep() -> impl Generator<Value = Keep> {
        let restart = prop_oneof![Just(Restart::Never), Just(Restart::OnFailure), Just(Restart::Always)];
        (
            proptest::option::of(restart),
            proptest::option::of(any::<u32>()),
            proptest::option::of(1u64..4_000_000),
            proptest::option::of(1u64..(1 << 53)),
            proptest::option::of(any::<u32>()),
            (proptest::option::of(prop_oneof![Just(0), (4u64 << 20)..(1 << 50)]), proptest::option::of(any::<u64>())),
            (proptest::option::of(any::<bool>()), proptest::option::of(34i32..=64)),
        )
            .prop_map(
                |(restart, max_restarts, kill_timeout, log_size, log_keep, (memory_max, count), (yes, signal))| Keep {
                    oneshot: yes,
                    strategy: yes.map(|yes| if yes { Strategy::Rolling } else { Strategy::Recreate }),
                    stop_signal: signal.and_then(crate::base::signal::Signal::of),
                    restart,
                    max_restarts,
                    kill_timeout: kill_timeout.map(Duration::from_millis),
                    log_size,
                    log_keep,
                    memory_max,
                    limit_nofile: count,
                    limit_nproc: count.map(|count| count / 2),
                    user: count.map(|count| format!("u{count}")),
                    ..Keep::default()
                },
            )
    }

    /// What is looked after, beside the rest.
    fn care() -> impl Generator<Value = Keep> {
        let checks = ["http://localhost:$PORT/x?y='1'", "tcp://db:5432", "exec:test \"$A\" = 'b c' || exit 3"];
        let schedules = ["*/5 * * * *", "0 4 * * mon", "@daily"];
        let list = || proptest::option::of(proptest::collection::vec("[^\\x00]{1,10}", 1..3));
        let some = proptest::option::of::<std::ops::Range<u64>>;
        (
            proptest::option::of(proptest::sample::select(checks.to_vec())),
            (some(1..90_000), some(1..90_000), some(1..90_000), proptest::option::of(any::<u32>())),
            proptest::option::of(any::<bool>()),
            (list(), list()),
            proptest::option::of(proptest::sample::select(schedules.to_vec())),
            some((4 << 20)..(1 << 53)),
        )
            .prop_map(
                |(check, (interval, timeout, grace, threshold), yes, (watch, ignore), cron, max_memory)| Keep {
                    health: check.map(|check| check.parse().expect("a check")),
                    health_interval: interval.map(Duration::from_millis),
                    health_timeout: timeout.map(Duration::from_millis),
                    health_grace: grace.map(Duration::from_millis),
                    health_threshold: threshold,
                    health_restart: yes,
                    notify: yes,
                    watch,
                    ignore,
                    cron: cron.map(|cron| cron.parse().expect("a schedule")),
                    cron_tz: yes.map(|_| "UTC".parse().expect("a zone")),
                    max_memory,
                    ..Keep::default()
                },
            )
    }

    prop_compose! {
        fn definition()(
            name in name(),
            command in value(),
            cwd in "/[^\\x00]{0,20}[!-~]",
            texts in proptest::array::uniform4(proptest::option::of(value())),
            port in proptest::option::of((1u16.., any::<bool>())),
            autostart in proptest::option::of(any::<bool>()),
            deps in proptest::collection::vec(name(), 0..3),
            stack in proptest::option::of(name()),
            instances in proptest::option::of(1..=256u32),
            keep in keep(),
            care in care(),
            unknown in proptest::collection::vec(("OTHER_[A-Z]{1,5}", "[^\\x00]{0,12}"), 0..3),
            exports in proptest::collection::btree_map("[A-Z_]{1,8}", "[^\\x00]{0,16}", 0..4),
        ) -> Definition {
            let [description, env_file, env, pre_command] = texts;
            Definition {
                file: PathBuf::from("/srv/x.tsm"),
                name,
                command,
                cwd: PathBuf::from(cwd),
                env_file,
                env,
                belongs: instances.is_some().then(|| "acme/qa".parse().expect("a reference")),
                port: port.map(|(port, plus)| match port {
                    1..9 => PortWish::Nothing,
                    port if plus => PortWish::From(port),
                    port => PortWish::Exactly(port),
                }),
                description,
                pre_command,
                autostart,
                deps,
                stack,
                instances,
                keep: keep.or(&care),
                exports: exports.into_iter().collect(),
                unknown,
                slips: Vec::new(),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(definition in definition()) {
            let text = definition.to_text();
            let variables = BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
            let read = Definition::parse(&text, Path::new("/srv/x.tsm"), &variables).expect(&text);
            prop_assert_eq!(read, definition, "{}", text);
        }
    }

    #[test]
    fn plain_values_stand_in_double_quotes_and_odd_ones_in_single() {
        let definition = Definition {
            name: "web".to_owned(),
            command: "serve --on $PORT 'a b'".to_owned(),
            cwd: PathBuf::from("/srv"),
            exports: vec![("A".to_owned(), "it's".to_owned())],
            ..Definition::default()
        };
        assert_eq!(
            definition.to_text(),
            "TSM_NAME=\"web\"\nTSM_COMMAND='serve --on $PORT '\\''a b'\\'''\nTSM_CWD=\"/srv\"\nexport A=\"it's\"\n"
        );
    }
}
