//! `tsm start`

pub(in crate::command) mod args;
pub(super) mod plan_view;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::size::Size;
use crate::command::argument::{DirectoryPath, EnvSource, StartWord};
use crate::command::secrets::unsealer;
use crate::command::tsm::limits;
use crate::command::tsm::service_args::ServiceArgs;
use crate::command::tsm::systemd_unit;
use crate::command::{Command, Cx, Effect, Selection};
use crate::report::{Message, Report, Tone, Value};
use crate::supervise::limits::{Limits, MemoryMethod};
use crate::sys::host::Host;
use crate::sys::net;
use crate::sys::paths::Paths;
use crate::tsm::allocate::{AllocationError, allocate};
use crate::tsm::plan::{PlanError, StartPlan, plan};
use crate::tsm::port::{PortSource, PortSpec};
use crate::tsm::process_index::ProcessIndex;
use crate::tsm::readiness::{READINESS_TIMEOUT, Readiness};
use crate::tsm::request::{StartContext, StartRequest, StartTarget};
use crate::tsm::start::{StartDeps, Started, WaitFor, start};
use crate::tsm::startup::{StartJob, StartOutcome, Task, collect};
use crate::tsm::store::{Process, ProcessStore, StoreError};
use crate::tsm::{exit_text, instances};

/// Start a service, a program, or a stopped process
///
/// The first word is a service, a file that ends in `.tsm`, a process there is (by name or id), or else a program. Options may stand
/// before or behind the program; an unknown option behind it is the program's, and so is everything behind `--`. A single extra word
/// behind a script names the process. The program runs when this returns: its port answers, or it has lived for half a second.
/// What a service names in its TSM_DEPS is started before it, if it does not run. As the main process of a systemd unit the command
/// stays until the program has ended, for the unit ends with it.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// A service, a file, a process, or a program with its arguments; the selected process if left out
    #[arg(value_name = "SERVICE|FILE.tsm|PROGRAM")]
    program: Vec<StartWord>,
    /// The env file by name or path, `none`, or one variable; may be repeated
    #[arg(long, short, value_name = "NAME|FILE|K=V")]
    env: Vec<EnvSource>,
    /// The port it has to get, exported as PORT; `N+` is the next free one, `none` is for what does not listen
    #[arg(long, short, value_name = "N|N+|none")]
    port: Option<PortSpec>,
    /// What it is called; `-<port>` is added
    #[arg(long, short = 'N', value_name = "NAME")]
    name: Option<String>,
    /// How many of it: ports from --port on, or names with numbers
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    instances: Option<u32>,
    /// Where it runs
    #[arg(long, value_name = "DIR")]
    cwd: Option<DirectoryPath>,
    #[command(flatten)]
    keeping: ServiceArgs,
    /// A command that has to succeed before the program is run
    #[arg(long, value_name = "COMMAND")]
    pre_hook: Option<String>,
    /// Return as soon as the program runs
    #[arg(long)]
    no_wait: bool,
    /// Wait until it has ended, and end with its exit code: for tasks
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Show the plan, then carry it out
    #[arg(long)]
    debug: bool,
}

impl Command for Start {
    const NAME: &'static str = "tsm start";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "tsm start python3 -m http.server 8000",
        "tsm start node app.js 3000",
        "tsm start --port 4000+ --restart on-failure node app.js",
        "tsm start --name web --env PORT=4000 -- node app.js --verbose",
        "tsm start --dry-run node app.js",
    ];

    fn reorder_args(words: Vec<String>) -> Vec<String> {
        args::reorder(words, &<Self as clap::Args>::augment_args(clap::Command::new(Self::NAME)))
    }

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // What cannot be found is said when it is to be started.
        let Ok(request) = self.request(cx) else { return Ok(Vec::new()) };
        let processes = read_processes(&request, cx)?;
        let around = start_context(cx, &processes, Limits::default());
        match request.target(&around) {
            Ok(StartTarget::Existing(process)) => Ok(process.environments()),
            Ok(StartTarget::Service(service)) => {
                // What cannot be is not worth a question.
                service.refuse_elsewhere(&request, &around).map_err(PlanError::from)?;
                let mut touched = collect::environments(&service.deps, &around);
                touched.extend(service.environment());
                Ok(touched)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.show(cx).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.dry_run {
            return self.show(cx);
        }
        let request = self.request(cx)?;
        let processes = read_processes(&request, cx)?;
        let plan = plan(&request, &start_context(cx, &processes, limits::of_environment(cx)?))?;
        if self.debug
            && let Ok(roster) = ProcessIndex::read(ProcessStore::open(cx.paths))
            && let Ok(placement) = allocate(&plan, &roster, &|port| roster.conflict(port))
        {
            plan_view::lines(&plan, &placement).iter().for_each(|line| cx.console.note(line));
        }
        plan.notes.iter().for_each(|note| cx.console.note(note));
        if !plan.needs.is_empty() {
            let needed = collect::named(&plan.needs, &start_context(cx, &processes, limits::of_environment(cx)?));
            start_dependencies(needed, cx)?;
        }
        if plan.instances > 1 {
            return start_instances(&plan, cx).map(|report| systemd_unit::note_lifetime(report, cx));
        }
        let patience = match (self.wait, self.no_wait) {
            (true, _) => WaitFor::Exit,
            (false, true) => WaitFor::Spawn,
            (false, false) => WaitFor::Ready,
        };
        let console = &mut *cx.console;
        let mut say = |text: &str| console.note(text);
        match start(
            &plan,
            &mut StartDeps {
                paths: cx.paths,
                host: cx.host,
                wait_for: patience,
                on_progress: &mut say,
                unseal: &unsealer(cx.paths, cx.host),
            },
        ) {
            Ok(started) => {
                let report =
                    weaker_limit(&plan, &started, cx).into_iter().fold(result_report(&plan, &started), Report::note);
                systemd_unit::wait_in_foreground(report, &started.name, cx)
            }
            Err(error) => {
                if let Some(conflict) = error.conflict() {
                    cx.console.note(&conflict.to_string());
                }
                Err(error.into())
            }
        }
    }
}

impl Start {
    /// What would be done. Changes nothing.
    fn show(&self, cx: &mut Cx) -> Result<Report, Fault> {
        let request = self.request(cx)?;
        let processes = read_processes(&request, cx)?;
        let plan = plan(&request, &start_context(cx, &processes, limits::of_environment(cx)?))?;
        let roster = ProcessIndex::read(ProcessStore::open(cx.paths))?;
        match allocate(&plan, &roster, &|port| roster.conflict(port)) {
            Ok(placement) => Ok(plan_view::report(&plan, &placement)),
            Err(error) => {
                if let AllocationError::PortTaken { conflict, .. } = &error {
                    cx.console.note(&conflict.to_string());
                }
                Err(error.into())
            }
        }
    }

    fn request(&self, cx: &Cx) -> Result<StartRequest, Fault> {
        let mut words: Vec<String> = self.program.iter().map(|word| word.0.clone()).collect();
        if let (true, Some(selected)) = (words.is_empty(), &cx.selection.process) {
            words.push(selected.to_string());
        }
        let apart = words.iter().position(|word| word == "--");
        let arguments = apart.map(|at| words.split_off(at)[1..].to_vec());
        Ok(StartRequest {
            program: words,
            arguments,
            env: self.env.iter().map(|source| source.0.clone()).collect(),
            port: self.port,
            name: self.name.clone(),
            cwd: self.cwd.as_ref().map(|directory| directory.0.clone().into()),
            pre_hook: self.pre_hook.clone(),
            instances: self.instances,
            options: self.keeping.options(),
            stack: self.keeping.stack(),
            deps: self.keeping.deps(),
        })
    }
}

/// The processes that the request may mean; to read them for a line that cannot mean one would be in vain.
fn read_processes(request: &StartRequest, cx: &Cx) -> Result<Vec<Process>, StoreError> {
    if request.may_name_process() { ProcessStore::open(cx.paths).all() } else { Ok(Vec::new()) }
}

/// Starts all instances at the same time.
fn start_instances(plan: &StartPlan, cx: &mut Cx) -> Result<Report, Fault> {
    let task = |one: StartPlan| Task::Start(Box::new(StartPlan { notes: Vec::new(), ..one }));
    let name = plan.base.text.clone();
    let one = |one| StartJob { name: name.clone(), needs: Vec::new(), task: task(one) };
    let services = instances::plans(plan)?.into_iter().map(one).collect();
    Ok(super::startup::report(super::startup::start_all(services, cx)))
}

/// Starts what a service needs and what does not run yet.
fn start_dependencies(needed: Vec<StartJob>, cx: &mut Cx) -> Result<(), Fault> {
    for (name, outcome) in super::startup::wait_for(WaitFor::Exit, needed, cx) {
        match outcome {
            StartOutcome::Started(it) if !it.readiness.is_ready() => {
                let words = format!("it needs `{name}`, which runs and is not ready");
                return Err(Fault::new(FaultKind::Failed, words)
                    .with_advice(format!("`tsm logs {}` shows what it says", it.name)));
            }
            StartOutcome::Started(it) if matches!(it.readiness, Readiness::Ended(_)) => {
                cx.console.note(&format!("needed: {} succeeded (TSM ID: {})", it.name, it.id));
            }
            StartOutcome::Started(it) => {
                let port = it.port.map_or_else(|| "none".to_owned(), |port| port.to_string());
                cx.console
                    .note(&format!("needed: started {} (TSM ID: {}, PID: {}, Port: {port})", it.name, it.id, it.pid));
            }
            StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled => {}
            StartOutcome::Failed(error) => return Err(super::startup::fault(&name, &error)),
        }
    }
    Ok(())
}

/// What a start is asked amid.
pub(super) fn start_context<'a>(cx: &'a Cx, processes: &'a [Process], allowed: Limits) -> StartContext<'a> {
    start_context_with((cx.paths, cx.host, cx.selection), processes, allowed)
}

/// The same without the console, which others may hold.
pub(super) fn start_context_with<'a>(
    (paths, host, selection): (&'a Paths, &'a dyn Host, &'a Selection),
    processes: &'a [Process],
    allowed: Limits,
) -> StartContext<'a> {
    let env = selection.env.as_ref();
    let restart = env.and_then(EnvName::tier).map(limits::policy);
    StartContext {
        paths,
        cwd: host.cwd(),
        variables: host.variables(),
        org: selection.org.as_ref(),
        env,
        restart,
        limits: allowed,
        terms: limits::terms,
        processes,
    }
}

fn result_report(plan: &StartPlan, started: &Started) -> Report {
    let Started { name, id, pid, port, .. } = started;
    let shown = port.map_or_else(|| "none".to_owned(), |port| port.to_string());
    let listening = match started.readiness {
        Readiness::Listening => Some(true),
        Readiness::NotListening => Some(false),
        _ => None,
    };
    let healthy = match started.readiness {
        Readiness::Healthy => Some(true),
        Readiness::NotHealthy => Some(false),
        _ => None,
    };
    let (text, tone) = match started.readiness {
        Readiness::Ended(how) if how.is_success() => (format!("✅ Succeeded: {name} (TSM ID: {id})"), Tone::Good),
        Readiness::Ended(how) => (format!("❌ Failed: {name} (TSM ID: {id}, {})", exit_text::describe(how)), Tone::Bad),
        _ => (format!("✅ Started: {name} (TSM ID: {id}, PID: {pid}, Port: {shown})"), Tone::Good),
    };
    let ended = match started.readiness {
        Readiness::Ended(how) => Some(how),
        _ => None,
    };
    let sentence = Message::new(text)
        .tone(tone)
        .with("id", *id)
        .with("name", name.as_str())
        .with("action", "started")
        .with("pid", *pid)
        .with("port", Value::from(*port))
        .with("type", plan.program.kind.as_str())
        .with("env_file", Value::from(plan.env_file.as_ref().map(|file| file.path.display().to_string())))
        .with("listening", Value::from(listening))
        .with("healthy", Value::from(healthy))
        .with("ended", Value::from(ended.map(exit_text::describe)));
    let mut report = Report { code: ended.map(exit_text::exit_code), ..Report::of(sentence) };
    match (started.readiness, port) {
        (Readiness::NotListening, Some(port)) => report.note(not_listening(plan, started, *port)),
        (Readiness::NotHealthy, _) => {
            report.note(format!("`{name}` started and is not healthy yet; `tsm info {name}` shows why"))
        }
        (Readiness::Interrupted, _) => {
            let words = format!("stopped waiting for `{name}`; it goes on");
            report
                .faults
                .push(Fault::new(FaultKind::Interrupted, words).with_advice(format!("`tsm stop {name}` ends it")));
            report
        }
        _ => report,
    }
}

/// That its memory is not limited as it was asked for.
fn weaker_limit(plan: &StartPlan, started: &Started, cx: &Cx) -> Option<String> {
    let most = Some(plan.settings.limits.memory_max).filter(|most| *most > 0)?;
    let process = ProcessStore::open(cx.paths).get(&started.name)?;
    (process.meta.run_state.memory_method == MemoryMethod::Data).then(|| {
        format!(
            "the memory limit of {} holds for each process of `{}` by itself (RLIMIT_DATA), not for all of them together: \
             no control group can be made here",
            Size(most),
            started.name
        )
    })
}

/// The warning, with the ports on which it does listen.
fn not_listening(plan: &StartPlan, started: &Started, port: u16) -> String {
    let name = &started.name;
    let others: Vec<String> = net::ports_of_tree(started.pid).iter().map(ToString::to_string).collect();
    let waited = READINESS_TIMEOUT.as_secs();
    let flag = plan.port.as_ref().is_some_and(|choice| choice.source == PortSource::Flag);
    let hint = if flag { "; a --port that is its own stands behind `--`" } else { "" };
    match others.as_slice() {
        [] => format!(
            "`{name}` started but not listening on {port} after {waited} s; `tsm logs {name}` shows what it says"
        ),
        others => format!("`{name}` started but not listening on {port}: it listens on {}{hint}", others.join(", ")),
    }
}
