//! A definition as the text of a file. What is written is what is read back.

use std::fmt::Write as _;

use super::Definition;
use super::keys::keys;
use super::reader::has_paths;
use crate::base::home;
use crate::tsm::options::value::FormattedValue;

impl Definition {
    /// The text of a `.tsm` file that says the same.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = DefinitionWriter::default();
        for key in keys() {
            match key.write(self) {
                Some(FormattedValue::Text(value)) => text.line(key.tsm, &value),
                Some(FormattedValue::List(values)) => text.list(key.tsm, &values),
                None => {}
            }
        }
        for (key, value) in &self.unknown {
            text.line(key, value);
        }
        for (key, value) in &self.exports {
            text.0.push_str("export ");
            text.line(key, value);
        }
        text.0
    }
}

#[derive(Default)]
struct DefinitionWriter(String);

impl DefinitionWriter {
    fn list(&mut self, key: &str, values: &[String]) {
        let words: Vec<String> = values.iter().map(|value| quoted(key, value)).collect();
        let _ = writeln!(self.0, "{key}=({})", words.join(" "));
    }

    /// In double quotes; in single ones where a shell would see more than text in them.
    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}={}", quoted(key, value));
    }
}

fn quoted(key: &str, value: &str) -> String {
    // An escaped tilde is itself; any other of a path would be read back as the home directory.
    if let Some(rest) = home::below(value).filter(|_| has_paths(key)) {
        let rest = if rest.is_empty() { String::new() } else { quoted(key, rest) };
        return format!("\\~{rest}");
    }
    if value.contains(['"', '\\', '$', '`', '!']) {
        format!("'{}'", value.replace('\'', r"'\''"))
    } else {
        format!("\"{value}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::RestartPolicy;
    use crate::tsm::options::{ServiceOptions, Strategy};
    use crate::tsm::port::PortSpec;
    use proptest::prelude::{Just, any, prop_assert_eq, prop_compose, prop_oneof, proptest};
    use proptest::strategy::Strategy as Generator;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// Any text that is not blank: blank values mean that nothing is said.
    fn value() -> impl Generator<Value = String> {
        "[^\\x00]{0,12}[!-~é✅][^\\x00]{0,12}"
    }

    fn name() -> impl Generator<Value = String> {
        "[A-Za-z][A-Za-z0-9._-]{0,9}"
    }

    fn keep() -> impl Generator<Value = ServiceOptions> {
        let restart =
            prop_oneof![Just(RestartPolicy::Never), Just(RestartPolicy::OnFailure), Just(RestartPolicy::Always)];
        (
            proptest::option::of(restart),
            proptest::option::of(0u32..1_000_000),
            proptest::option::of(1u64..4_000_000),
            proptest::option::of(1024u64..(1 << 40)),
            proptest::option::of(0u32..1000),
            (
                proptest::option::of(prop_oneof![Just(0), (4u64 << 20)..(1 << 46)]),
                proptest::option::of(0u64..8_000_000),
            ),
            (proptest::option::of(any::<bool>()), proptest::option::of(34i32..=64)),
        )
            .prop_map(
                |(restart, max_restarts, kill_timeout, log_size, log_keep, (memory_max, count), (yes, signal))| {
                    ServiceOptions {
                        oneshot: yes,
                        strategy: yes.map(|yes| if yes { Strategy::Rolling } else { Strategy::Recreate }),
                        stop_signal: signal.and_then(crate::base::signal::Signal::from_number),
                        restart,
                        max_restarts,
                        kill_timeout: kill_timeout.map(Duration::from_millis),
                        log_size,
                        log_keep,
                        memory_max,
                        limit_nofile: count,
                        limit_nproc: count.map(|count| count / 2),
                        user: count.map(|count| format!("u{count}")),
                        ..ServiceOptions::default()
                    }
                },
            )
    }

    /// What is looked after, beside the rest.
    fn care() -> impl Generator<Value = ServiceOptions> {
        let checks = ["http://localhost:$PORT/x?y='1'", "tcp://db:5432", "exec:test \"$A\" = 'b c' || exit 3"];
        let schedules = ["*/5 * * * *", "0 4 * * mon", "@daily"];
        let list = || proptest::option::of(proptest::collection::vec("[^\\x00]{1,10}", 1..3));
        let some = proptest::option::of::<std::ops::Range<u64>>;
        (
            proptest::option::of(proptest::sample::select(checks.to_vec())),
            (some(10..90_000), some(10..90_000), some(1..90_000), proptest::option::of(1u32..1000)),
            proptest::option::of(any::<bool>()),
            (list(), list(), list()),
            proptest::option::of(proptest::sample::select(schedules.to_vec())),
            some((4 << 20)..(1 << 46)),
        )
            .prop_map(
                |(check, (interval, timeout, grace, threshold), yes, (watch, ignore, env_file), cron, max_memory)| {
                    ServiceOptions {
                        health: check.map(|check| check.parse().expect("a check")),
                        health_interval: interval.map(Duration::from_millis),
                        health_timeout: timeout.map(Duration::from_millis),
                        health_grace: grace.map(Duration::from_millis),
                        health_threshold: threshold,
                        health_restart: yes,
                        notify: yes,
                        watch,
                        ignore,
                        env_file: env_file.map(|files| files.iter().map(|file| format!("a{file}z")).collect()),
                        cron: cron.map(|cron| cron.parse().expect("a schedule")),
                        cron_tz: yes.map(|_| "UTC".parse().expect("a zone")),
                        max_memory,
                        ..ServiceOptions::default()
                    }
                },
            )
    }

    prop_compose! {
        fn definition()(
            name in name(),
            command in value(),
            cwd in "/[^\\x00]{0,20}[!-~]",
            texts in proptest::array::uniform3(proptest::option::of(value())),
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
            let [description, env, pre_command] = texts;
            Definition {
                file: PathBuf::from("/srv/x.tsm"),
                name,
                command,
                cwd: PathBuf::from(cwd),
                env,
                belongs: instances.is_some().then(|| "acme/qa".parse().expect("a reference")),
                port: port.map(|(port, plus)| match port {
                    1..9 => PortSpec::None,
                    port if plus => PortSpec::AtLeast(port),
                    port => PortSpec::Exact(port),
                }),
                description,
                pre_command,
                autostart,
                instances,
                arguments: Vec::new(),
                options: ServiceOptions { stack, deps: Some(deps).filter(|deps| !deps.is_empty()), ..keep.or(&care) },
                exports: exports.into_iter().collect(),
                unknown,
                typos: Vec::new(),
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
    fn a_tilde_that_is_none_of_the_home_directory_is_kept() {
        let tilde = || vec!["~".to_owned(), "~/$x".to_owned(), "~u".to_owned()];
        let definition = Definition {
            file: PathBuf::from("/srv/x.tsm"),
            name: "web".to_owned(),
            command: "~/serve".to_owned(),
            cwd: PathBuf::from("/srv"),
            description: Some("~".to_owned()),
            options: ServiceOptions { watch: Some(tilde()), env_file: Some(tilde()), ..ServiceOptions::default() },
            exports: vec![("A".to_owned(), "~".to_owned()), ("TSM_X".to_owned(), "~/x".to_owned())],
            unknown: vec![("TSM_ORG".to_owned(), "~".to_owned())],
            ..Definition::default()
        };
        let text = definition.to_text();
        assert!(text.contains("TSM_WATCH=(\\~ \\~'/$x' \"~u\")\n"), "{text}");
        // Only paths have the home directory in quotes.
        assert!(text.contains("TSM_COMMAND=\"~/serve\"\n") && text.contains("TSM_DESCRIPTION=\"~\"\n"), "{text}");
        let variables = BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
        assert_eq!(Definition::parse(&text, Path::new("/srv/x.tsm"), &variables).expect(&text), definition, "{text}");
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
