//! `tsm stats`

use std::time::Duration;

use super::process_args::Targets;
use crate::base::fault::Fault;
use crate::base::time::HumanDuration;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::stack;
use crate::tsm::stats::{ResourceTotals, StatsSnapshot, between, by_group, by_stack};
use crate::tsm::store::{Process, ProcessStore};

/// Show what processes use: processor, memory, threads, descriptors, disks
///
/// Each row is the sum over a process and everything that it started. With --groups also over all processes of a group: the instances
/// of one service, and `api-3000`, `api-3001` and `api-2` are of the group `api`. With --stacks over all services of a stack. CPU is in percent of one processor over the time that is measured.
#[derive(Debug, clap::Args)]
pub struct Stats {
    /// Which processes
    #[arg(if_not_given = "all that run")]
    targets: Vec<ProcessTarget>,
    /// Sum up by group
    #[arg(short, long)]
    groups: bool,
    /// Sum up by stack
    #[arg(long, conflicts_with = "groups")]
    stacks: bool,
    /// How long is measured
    #[arg(long, value_name = "SPAN", default_value = "200ms")]
    over: HumanDuration,
}

/// Keys and titles of what is used.
const USED: [(&str, &str); 9] = [
    ("processes", "PROCESSES"),
    ("threads", "THREADS"),
    ("cpu", "CPU"),
    ("memory", "MEMORY"),
    ("swapped", "SWAP"),
    ("descriptors", "FILES"),
    ("read", "READ"),
    ("written", "WRITTEN"),
    ("write_rate", "WRITES/S"),
];

impl Command for Stats {
    const NAME: &'static str = "tsm stats";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["tsm stats", "tsm stats --groups", "tsm stats --stacks", "tsm stats --over 1s --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let over = self.over.within("--over", Duration::from_millis(10)..=Duration::from_secs(60 * 60))?;
        let (processes, faults) = self.processes(cx)?;
        let before = StatsSnapshot::take(&processes);
        let begun = std::time::Instant::now();
        let _ = cx.host.sleep(over);
        let after = StatsSnapshot::take(&processes);
        let stats = between(&before, &after, begun.elapsed(), &processes);
        let empty = "Nothing runs.\nStart services with: tsm start <service-name>";
        let table = if self.groups {
            sums("group", "GROUP", by_group(&stats)).when_empty(empty)
        } else if self.stacks {
            let stacks = stack::all(cx.paths, cx.host.variables(), &processes)?;
            let empty = "Nothing of a stack runs.\nA service names its stack in TSM_STACK.";
            sums("stack", "STACK", by_stack(&stats, &stacks)).when_empty(empty)
        } else {
            let head = [("id", "ID"), ("name", "NAME"), ("group", "GROUP"), ("pid", "PID")];
            let mut table = Table::new(&[&head[..], &USED[..]].concat())
                .with_visibility("group", crate::report::Visibility::Never)
                .when_empty(empty);
            for it in &stats {
                let name = Cell::from(it.name.as_str()).tone(Tone::Strong);
                let head = vec![Value::from(it.id).into(), name, it.group.as_str().into(), it.pid.into()];
                table.row([head, cells(&it.load)].concat());
            }
            table
        };
        Ok(Report { faults, ..Report::of(table) })
    }
}

impl Stats {
    fn processes(&self, cx: &Cx) -> Result<(Vec<Process>, Vec<Fault>), Fault> {
        if self.targets.is_empty() {
            return Ok((ProcessStore::open(cx.paths).all()?, Vec::new()));
        }
        let targets = Targets::find_read_only(&self.targets, cx)?;
        Ok((targets.processes, targets.faults))
    }
}

fn sums(key: &'static str, title: &'static str, sums: Vec<(String, usize, ResourceTotals)>) -> Table {
    let mut table = Table::new(&[&[(key, title), ("members", "MEMBERS")], &USED[..]].concat());
    for (name, count, load) in sums {
        let head = vec![Cell::from(name).tone(Tone::Strong), count.into()];
        table.row([head, cells(&load)].concat());
    }
    table
}

fn cells(load: &ResourceTotals) -> Vec<Cell> {
    let bytes = |bytes: Option<u64>| Cell::from(bytes.map_or(Value::Null, Value::Bytes));
    vec![
        load.processes.into(),
        load.usage.threads.into(),
        Cell::from(load.cpu).text(format!("{:.1}%", load.cpu)),
        Value::Bytes(load.memory).into(),
        Value::Bytes(load.usage.swapped).into(),
        Value::from(load.usage.descriptors).into(),
        bytes(load.usage.read),
        bytes(load.usage.written),
        bytes(load.write_rate),
    ]
}
