//! `tsm stack`

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::tsm::limits;
use crate::command::tsm::list::{health, status};
use crate::command::tsm::process_args::control;
use crate::command::tsm::start::start_context;
use crate::command::tsm::startup::{report, start_all};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Message, Report, Table, Tone, Value};
use crate::supervise::limits::Limits;
use crate::tsm::control::StopResult;
use crate::tsm::stack::{self, Stack};
use crate::tsm::startup::collect;
use crate::tsm::store::{Process, ProcessStore};

use super::restart::restart_all as restart_own;
use super::stop::result_message;
use crate::tsm::restart::RestartOptions;
use crate::tsm::start::{Environ, WaitFor};

/// Start and stop services together
///
/// A service names its stack in TSM_STACK; a file tsm/stacks/NAME.stack names services, one a line. A start begins each after those
/// in its TSM_DEPS, all others at the same time; what runs already stays.
#[derive(Debug, clap::Args)]
pub struct Stacks {
    /// What to do
    #[arg(value_enum)]
    action: Action,
    /// The stack; none to list them
    #[arg(value_name = "STACK", required_if_eq_any([("action", "start"), ("action", "stop"), ("action", "restart"), ("action", "status")]))]
    stack: Option<String>,
}

/// What to do with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    /// Start its services
    Start,
    /// Stop its processes
    Stop,
    /// Stop its processes and start its services
    Restart,
    /// Show its services and what runs of them
    Status,
    /// List the stacks
    List,
}

impl Command for Stacks {
    const NAME: &'static str = "tsm stack";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] =
        &["tsm stack list", "tsm stack start shop", "tsm stack status shop", "tsm stack stop shop"];

    fn effect(&self) -> Effect {
        match self.action {
            Action::Stop | Action::Restart => Effect::Destroy,
            Action::Start => Effect::Write,
            Action::Status | Action::List => Effect::Read,
        }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let Some(name) = &self.stack else { return Ok(Vec::new()) };
        let stack = stack::find(name, cx.paths, cx.host.variables(), &ProcessStore::open(cx.paths).all()?)?;
        let mut touched = collect::environments(&stack.services, &start_context(cx, &[], Limits::default()));
        touched.extend(processes(&stack, cx)?.iter().flat_map(Process::environments));
        Ok(touched)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(name) = self.stack.filter(|_| self.action != Action::List) else { return list(cx) };
        let all = ProcessStore::open(cx.paths).all()?;
        let stack = stack::find(&name, cx.paths, cx.host.variables(), &all)?;
        match self.action {
            Action::Start => start(&stack, cx),
            Action::Stop => stop(&stack, cx),
            Action::Restart => restart(&stack, cx),
            Action::Status | Action::List => show(&stack, cx),
        }
    }
}

fn list(cx: &Cx) -> Result<Report, Fault> {
    let mut table = Table::new(&[("name", "NAME"), ("running", "RUNNING"), ("services", "SERVICES")])
        .when_empty("No stacks found.\nA service names its stack in TSM_STACK.");
    for stack in stack::all(cx.paths, cx.host.variables(), &ProcessStore::open(cx.paths).all()?)? {
        let running = processes(&stack, cx)?.iter().filter(|process| process.is_running()).count();
        let words = stack.services.join(" ");
        let name = Cell::from(stack.name.as_str()).tone(Tone::Strong);
        table.row(vec![name, running.into(), Cell::from(stack.services).text(words)]);
    }
    Ok(Report::of(table))
}

/// The processes that come from the services of a stack, or name it themselves.
fn processes(stack: &Stack, cx: &Cx) -> Result<Vec<Process>, Fault> {
    let files: Vec<_> = stack.services.iter().filter_map(|name| file(name, cx)).collect();
    let mut all = ProcessStore::open(cx.paths).all()?;
    let comes_from = |process: &Process| files.iter().any(|file| collect::comes_from(process, file));
    all.retain(|process| process.meta.run.stack == stack.name || comes_from(process));
    Ok(all)
}

fn file(name: &str, cx: &Cx) -> Option<std::path::PathBuf> {
    cx.paths.service(&name.parse().ok()?).canonicalize().ok()
}

fn start(stack: &Stack, cx: &mut Cx) -> Result<Report, Fault> {
    let processes = ProcessStore::open(cx.paths).all()?;
    let services = collect::named(&stack.services, &start_context(cx, &processes, limits::of_environment(cx)?));
    let report = report(start_all(services, cx));
    // What is no service is started as it was.
    let mut own = own_processes(stack, cx)?;
    own.retain(|process| !process.is_running());
    if own.is_empty() {
        return Ok(report);
    }
    let manner = RestartOptions { strategy: None, environ: Environ::Recorded };
    restart_own(report, &own, manner, WaitFor::Ready, cx)
}

/// The processes of a stack that come from none of its services.
fn own_processes(stack: &Stack, cx: &Cx) -> Result<Vec<Process>, Fault> {
    let files: Vec<_> = stack.services.iter().filter_map(|name| file(name, cx)).collect();
    let mut own = processes(stack, cx)?;
    own.retain(|process| !files.iter().any(|file| collect::comes_from(process, file)));
    Ok(own)
}

fn stop(stack: &Stack, cx: &mut Cx) -> Result<Report, Fault> {
    let mut processes = processes(stack, cx)?;
    control(cx, &|| cx.host.interrupted()).reconcile(&mut processes);
    let all: Vec<&Process> = processes.iter().collect();
    let answers = control(cx, &|| cx.host.interrupted()).stop(&all);
    let mut report = Report::each(Vec::<Message>::new());
    for (process, answer) in all.iter().zip(answers) {
        match answer {
            Ok(StopResult::WasNotRunning { .. }) => {}
            Ok(ended) => report = report.and(result_message(process, &ended, "stopped")),
            Err(error) => report.faults.push(error.into()),
        }
    }
    Ok(report)
}

fn restart(stack: &Stack, cx: &mut Cx) -> Result<Report, Fault> {
    let stopped = stop(stack, cx)?;
    let mut started = start(stack, cx)?;
    // What did not stop is said first: it explains what follows.
    started.faults.splice(0..0, stopped.faults);
    Ok(started)
}

fn show(stack: &Stack, cx: &mut Cx) -> Result<Report, Fault> {
    let processes = processes(stack, cx)?;
    let columns =
        [("service", "SERVICE"), ("process", "PROCESS"), ("pid", "PID"), ("port", "PORT"), ("status", "STATUS")];
    let mut table = Table::new(&[&columns[..], &[("health", "HEALTH")]].concat());
    for process in own_processes(stack, cx)? {
        table.row(vec![
            Cell::from(Value::Null),
            process.name.as_str().into(),
            Value::from(process.pid()).into(),
            Value::from(process.meta.port).into(),
            status(&process, cx.host.now(), false),
            health(process.health().as_ref()),
        ]);
    }
    for name in &stack.services {
        let of_it = file(name, cx);
        let of_it = |process: &&Process| of_it.as_ref().is_some_and(|file| collect::comes_from(process, file));
        let service = || Cell::from(name.as_str()).tone(Tone::Strong);
        let mut any = false;
        for process in processes.iter().filter(of_it) {
            any = true;
            table.row(vec![
                service(),
                process.name.as_str().into(),
                Value::from(process.pid()).into(),
                Value::from(process.meta.port).into(),
                status(process, cx.host.now(), false),
                health(process.health().as_ref()),
            ]);
        }
        if !any {
            let nothing = || Cell::from(Value::Null);
            let never = Cell::from("stopped").tone(Tone::Dim);
            table.row(vec![service(), nothing(), nothing(), nothing(), never, nothing()]);
        }
    }
    Ok(Report::of(table))
}
