//! `tsm stack`

use super::list::{StatusDetail, health, status};
use super::process_args::plan;
use super::restart::add_outcome;
use super::startup;
use super::stop::add_result;
use crate::base::fault::Fault;
use crate::command::argument::StackName;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::stack::{self, StackState};
use crate::report::{Cell, Message, Report, Table, Tone, Value};
use crate::tsm::control::StopResult;
use crate::tsm::store::Process;

/// Start and stop services together
///
/// A service names its stack in TSM_STACK; a file tsm/stacks/NAME.stack names services, one a line. A start begins each after those
/// in its TSM_DEPS, all others at the same time; what runs already stays. A stop ends each before those in its TSM_DEPS.
#[derive(Debug, clap::Args)]
pub struct Stacks {
    /// What to do
    #[arg(value_enum)]
    action: StackAction,
    /// The stack; none to list them
    #[arg(value_name = "STACK", required_if_eq_any([("action", "start"), ("action", "stop"), ("action", "restart"), ("action", "status")]))]
    stack: Option<StackName>,
}

/// What to do with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StackAction {
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
            StackAction::Stop | StackAction::Restart => Effect::Destroy,
            StackAction::Start => Effect::Write,
            StackAction::Status | StackAction::List => Effect::Read,
        }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let effect = self.effect();
        let Some(StackName(name)) = self.stack.filter(|_| self.action != StackAction::List) else {
            return Ok(Stage { effect, environments: Vec::new(), state: (), plan: |(), _| Ok(None), run: list }.ready());
        };
        let mut stack = stack::find(&cx.operation(), &name)?;
        if self.action == StackAction::Start {
            stack.plan_start(&cx.operation())?;
        }
        let environments = stack.environments.clone();
        let (plan, run): (Plan, StackRun) = match self.action {
            StackAction::Start => (|stack, _| Ok(Some(startup::preview(stack.jobs(), |_| "running"))), start),
            StackAction::Stop => (|stack, _| Ok(Some(plan(&stack.processes))), stop),
            StackAction::Restart => (|stack, _| Ok(Some(plan(&stack.processes))), restart),
            StackAction::Status | StackAction::List => (|_, _| Ok(None), show),
        };
        Ok(Stage { effect, environments, state: stack, plan, run }.ready())
    }
}

type Plan = fn(&StackState, &mut Cx) -> Result<Option<Report>, Fault>;
type StackRun = fn(StackState, &mut Cx) -> Result<Report, Fault>;

fn list((): (), cx: &mut Cx) -> Result<Report, Fault> {
    let mut table = Table::new(&[("name", "NAME"), ("running", "RUNNING"), ("services", "SERVICES")])
        .when_empty("No stacks found.\nA service names its stack in TSM_STACK.");
    for (stack, running) in stack::list(&cx.operation())? {
        let words = stack.services.join(" ");
        let name = Cell::from(stack.name.as_str()).tone(Tone::Strong);
        table.row(vec![name, running.into(), Cell::from(stack.services).text(words)]);
    }
    Ok(Report::of(table))
}

fn start(stack: StackState, cx: &mut Cx) -> Result<Report, Fault> {
    let done = stack.start(&cx.operation(), &mut cx.progress())?;
    let report = startup::report(done.outcomes);
    let restarted = done.restarted.into_iter();
    Ok(restarted.fold(report, |report, (process, result)| add_outcome(report, &process, result)))
}

fn stop(stack: StackState, cx: &mut Cx) -> Result<Report, Fault> {
    let results = stack.stop(&cx.operation()).into_iter();
    let results = results.filter(|(_, result)| !matches!(result, Ok(StopResult::WasNotRunning { .. })));
    let report = Report::each(Vec::<Message>::new());
    Ok(results.fold(report, |report, (process, result)| add_result(report, &process, result, "stopped")))
}

fn restart(stack: StackState, cx: &mut Cx) -> Result<Report, Fault> {
    let name = stack.stack.name.clone();
    let stopped = stop(stack, cx)?;
    // What was stopped is to be started: that is planned by what runs now.
    let mut stack = stack::find(&cx.operation(), &name)?;
    stack.plan_start(&cx.operation())?;
    let mut started = start(stack, cx)?;
    // What did not stop explains what follows.
    started.faults.splice(0..0, stopped.faults);
    Ok(started)
}

fn show(stack: StackState, cx: &mut Cx) -> Result<Report, Fault> {
    let columns =
        [("service", "SERVICE"), ("process", "PROCESS"), ("pid", "PID"), ("port", "PORT"), ("status", "STATUS")];
    let mut table = Table::new(&[&columns[..], &[("health", "HEALTH")]].concat());
    for process in stack.own() {
        table.row(row(Value::Null.into(), process, cx));
    }
    for name in &stack.stack.services {
        let service = || Cell::from(name.as_str()).tone(Tone::Strong);
        let processes = stack.of_service(name, &cx.operation());
        for process in &processes {
            table.row(row(service(), process, cx));
        }
        if processes.is_empty() {
            let nothing = || Cell::from(Value::Null);
            let never = Cell::from("stopped").tone(Tone::Dim);
            table.row(vec![service(), nothing(), nothing(), nothing(), never, nothing()]);
        }
    }
    Ok(Report::of(table))
}

fn row(service: Cell, process: &Process, cx: &Cx) -> Vec<Cell> {
    vec![
        service,
        process.name.as_str().into(),
        Value::from(process.pid()).into(),
        Value::from(process.meta.port).into(),
        status(process, cx.host.now(), StatusDetail::Short),
        health(process.health().as_ref()),
    ]
}
