//! `/metrics`: measurements in the text format of Prometheus, with names and units as its conventions have them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::ServerIdentity;
use super::events::Exits;
use crate::base::time::Timestamp;
use crate::ops::service_health::{Condition, ServiceHealth};
use crate::ops::snapshot::Measurement;
use crate::sys::process;
use crate::tsm::sidecar::health::{HealthState, HealthStatus};

/// What only grows, also where its source does not: processor time of a child that another process waited for is not seen.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By name: the life, and the processor time.
    cpu: HashMap<String, (String, Duration)>,
}

impl Counters {
    /// Takes in what was measured, and forgets processes that are gone.
    pub(super) fn keep_growing(&mut self, all: &[Measurement]) {
        let mut cpu = HashMap::with_capacity(all.len());
        for it in all {
            let name = it.process.name.to_string();
            let life = &it.process.meta.run_state.nonce;
            let before =
                self.cpu.get(&name).filter(|(known, _)| known == life).map_or(Duration::ZERO, |(_, time)| *time);
            cpu.insert(name, (life.clone(), it.cpu.max(before)));
        }
        self.cpu = cpu;
    }

    fn cpu(&self, it: &Measurement) -> f64 {
        self.cpu.get(it.process.name.as_str()).map_or(0.0, |(_, time)| time.as_secs_f64())
    }
}

/// What is exported.
pub(super) struct Exposition<'a> {
    pub(super) identity: &'a ServerIdentity,
    pub(super) all: &'a [Measurement],
    pub(super) services: &'a [ServiceHealth],
    pub(super) exits: &'a Exits,
    pub(super) now: Timestamp,
}

/// The kinds of metrics.
#[derive(Clone, Copy)]
enum MetricKind {
    Gauge,
    Counter,
}

/// The text, metric by metric.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: MetricKind, help: &str) {
        let kind = match kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

impl Exposition<'_> {
    /// The whole text; `took` is asked last.
    pub(super) fn text(&self, counters: &Counters, took: impl FnOnce() -> Duration) -> String {
        let mut out = Text(String::with_capacity(4096 + 1600 * self.all.len()));
        self.server(&mut out);
        self.services(&mut out);
        self.states(&mut out);
        self.usage(&mut out, counters);
        self.health(&mut out);
        self.logs(&mut out);
        out.family("tetra_collect_duration_seconds", MetricKind::Gauge, "How long it took to collect these metrics.");
        out.sample("tetra_collect_duration_seconds", &[], took().as_secs_f64());
        out.0
    }

    fn server(&self, out: &mut Text) {
        let ServerIdentity { version, release, org, env } = self.identity;
        let (org, env) = (org.as_deref().unwrap_or_default(), env.as_deref().unwrap_or_default());
        out.family(
            "tetra_build_info",
            MetricKind::Gauge,
            "Version of the server, and the environment it is for; always 1.",
        );
        out.sample("tetra_build_info", &[("version", version), ("release", release), ("org", org), ("env", env)], 1);
        let Some(own) = process::stat(process::own_pid()) else { return };
        out.family("process_resident_memory_bytes", MetricKind::Gauge, "Resident memory of the server in bytes.");
        out.sample("process_resident_memory_bytes", &[], own.resident);
        if let Some(started) = process::start_time_ms(own.start_ticks) {
            out.family("process_start_time_seconds", MetricKind::Gauge, "Start of the server in seconds since 1970.");
            out.sample("process_start_time_seconds", &[], seconds(started));
        }
    }

    fn services(&self, out: &mut Text) {
        let up = "tetra_service_up";
        out.family(up, MetricKind::Gauge, "Whether an enabled service runs and is well (1) or not (0).");
        for service in self.services.iter().filter(|service| service.condition != Condition::Off) {
            out.sample(up, &[("service", &service.name)], u8::from(service.condition == Condition::Up));
        }
    }

    /// One metric, with a value for each process that has one.
    fn each<V: std::fmt::Display>(
        &self,
        out: &mut Text,
        name: &str,
        kind: MetricKind,
        help: &str,
        value: impl Fn(&Measurement) -> Option<V>,
    ) {
        out.family(name, kind, help);
        for it in self.all {
            if let Some(value) = value(it) {
                out.sample(name, &[("name", it.process.name.as_str())], value);
            }
        }
    }

    fn states(&self, out: &mut Text) {
        let info = "tetra_process_info";
        out.family(info, MetricKind::Gauge, "What a process is; always 1.");
        for Measurement { process, .. } in self.all {
            let id = process.id().map(|id| id.to_string()).unwrap_or_default();
            let port = process.meta.port.map(|port| port.to_string()).unwrap_or_default();
            let env = process.environment_label().unwrap_or_default();
            let service = std::path::Path::new(&process.meta.run.service).file_stem().unwrap_or_default();
            let labels = [
                ("name", process.name.as_str()),
                ("id", &id),
                ("env", &env),
                ("group", &process.meta.run.group),
                ("service", &service.to_string_lossy()),
                ("port", &port),
            ];
            out.sample(info, &labels, 1);
        }
        let state = "tetra_process_state";
        out.family(state, MetricKind::Gauge, "The state of a process, as a label; always 1.");
        for it in self.all {
            let labels = [("name", it.process.name.as_str()), ("state", it.process.live.state.as_str())];
            out.sample(state, &labels, 1);
        }
        self.each(out, "tetra_process_up", MetricKind::Gauge, "Whether a process runs (1) or not (0).", |it| {
            Some(u8::from(it.process.is_running()))
        });
        let help = "How often a process was started again, by an operator or by itself.";
        self.each(out, "tetra_process_restarts_total", MetricKind::Counter, help, |it| Some(it.process.meta.restarts));
        let help = "Whether a process restarts again and again (1) or not (0).";
        self.each(out, "tetra_process_crash_loop", MetricKind::Gauge, help, |it| {
            Some(u8::from(it.process.is_crash_looping(self.now)))
        });
        let help = "Start of a process that runs, in seconds since 1970.";
        self.each(out, "tetra_process_start_time_seconds", MetricKind::Gauge, help, |it| {
            it.process.pid().map(|_| seconds(it.process.meta.run_state.started_ms))
        });
        let help = "How long a process has run, in seconds.";
        self.each(out, "tetra_process_uptime_seconds", MetricKind::Gauge, help, |it| {
            it.process.uptime(self.now).map(|uptime| uptime.as_secs_f64())
        });
        let exits = "tetra_process_exits_total";
        out.family(exits, MetricKind::Counter, "How often a process ended since the server was started, by reason.");
        for ((name, reason), count) in self.exits {
            out.sample(exits, &[("name", name), ("reason", reason)], count);
        }
        let help = "When a process ended last, in seconds since 1970.";
        self.each(out, "tetra_process_last_exit_time_seconds", MetricKind::Gauge, help, |it| {
            it.process.meta.last_exit.as_ref().map(|exit| seconds(exit.at_ms))
        });
    }

    fn usage(&self, out: &mut Text, counters: &Counters) {
        let running = |it: &Measurement| it.tree > 0;
        let help = "Processor time that a process and all below it used since its start, in seconds.";
        self.each(out, "tetra_process_cpu_seconds_total", MetricKind::Counter, help, |it| {
            running(it).then(|| counters.cpu(it))
        });
        let help = "Resident memory of a process and all below it, in bytes.";
        self.each(out, "tetra_process_resident_memory_bytes", MetricKind::Gauge, help, |it| {
            running(it).then_some(it.memory_bytes)
        });
        let help = "Open file descriptors of a process and all below it.";
        self.each(out, "tetra_process_open_fds", MetricKind::Gauge, help, |it| it.descriptors.filter(|_| running(it)));
        let help = "Threads of a process and all below it.";
        self.each(out, "tetra_process_threads", MetricKind::Gauge, help, |it| running(it).then_some(it.threads));
        let help = "How many processes there are in the tree of a process.";
        self.each(out, "tetra_process_tree_processes", MetricKind::Gauge, help, |it| running(it).then_some(it.tree));
    }

    fn health(&self, out: &mut Text) {
        let checked = |health: &&HealthState| health.checked_ms > 0;
        let help = "Whether the health check of a process succeeds (1) or not (0).";
        self.each(out, "tetra_process_healthy", MetricKind::Gauge, help, |it| {
            it.health.as_ref().map(|health| u8::from(health.status == HealthStatus::Healthy))
        });
        let help = "How many health checks in a row have failed.";
        self.each(out, "tetra_process_health_check_failures", MetricKind::Gauge, help, |it| {
            it.health.as_ref().map(|health| health.failures)
        });
        let help = "How long the last health check took, in seconds.";
        self.each(out, "tetra_process_health_check_duration_seconds", MetricKind::Gauge, help, |it| {
            it.health.as_ref().filter(checked).map(|health| Duration::from_micros(health.took_us).as_secs_f64())
        });
        let help = "When the health was checked last, in seconds since 1970.";
        self.each(out, "tetra_process_health_check_time_seconds", MetricKind::Gauge, help, |it| {
            it.health.as_ref().filter(checked).map(|health| seconds(health.checked_ms))
        });
    }

    fn logs(&self, out: &mut Text) {
        let written = "tetra_process_log_bytes_total";
        out.family(
            written,
            MetricKind::Counter,
            "Bytes that a process wrote to its logs, those that were rotated away included.",
        );
        for it in self.all {
            for (stream, bytes) in ["stdout", "stderr"].into_iter().zip(it.log_bytes) {
                if let Some(bytes) = bytes {
                    out.sample(written, &[("name", it.process.name.as_str()), ("stream", stream)], bytes);
                }
            }
        }
        let help = "Bytes of a process that were not written to its logs because the disk stayed full.";
        self.each(out, "tetra_process_log_discarded_bytes_total", MetricKind::Counter, help, |it| {
            Some(it.process.meta.run_state.discarded_bytes)
        });
    }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut out = Text(String::new());
        out.family("a_total", MetricKind::Counter, "What it is.");
        out.sample("a_total", &[("name", "x\"y\\z\n"), ("b", "")], 1.5);
        out.sample("a_total", &[], 2);
        let expected = "# HELP a_total What it is.\n# TYPE a_total counter\na_total{name=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5\na_total 2\n";
        assert_eq!(out.0, expected);
    }
}
