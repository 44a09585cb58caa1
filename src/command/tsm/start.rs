//! `tsm start`

pub(in crate::command) mod args;
pub(super) mod plan_view;
mod watch_path;

use super::option_fields::planned_env_file;
use super::restart::done_text;
use super::systemd_unit;
use super::up::UpStage;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::command::argument::{DirectoryPath, EnvSource, StartWord};
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::tsm::service_args::{ServiceArgs, below_home};
use crate::command::tsm::written_options::WrittenOptions;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops;
use crate::ops::start::{PreparedStart, StartResult};
use crate::ops::up::PreparedUp;
use crate::report::{Message, Report, Tone, Value};
use crate::sys::net;
use crate::tsm::exit_text;
use crate::tsm::instances::group_of;
use crate::tsm::plan::{Environ, StartPlan};
use crate::tsm::port::{PortSource, PortSpec};
use crate::tsm::readiness::{NOT_REPORTED, READINESS_TIMEOUT, Readiness};
use crate::tsm::request::StartRequest;
use crate::tsm::resolve::{Precision, resolve};
use crate::tsm::schedule;
use crate::tsm::service::Services;
use crate::tsm::start::{Started, WaitFor};

/// Start a service, a program, or a stopped process
///
/// The first word is a service, a file that ends in `.tsm`, a process there is (by name or id), or else a program. Options may come
/// before or after the program; an unknown option after it is the program's, and so is everything after `--`. A single extra word
/// after a script names the process. The program runs when this returns: its port answers, or it has lived for half a second.
/// What a service names in its TSM_DEPS is started before it, if it does not run. As the main process of a systemd unit the command
/// stays until the program has ended, for the unit ends with it.
#[derive(Debug, clap::Args)]
pub struct Start {
    #[command(flatten)]
    pub(super) written: WrittenOptions<Self>,
    /// A service, a file, a process, or a program with its arguments
    #[arg(value_name = "SERVICE|FILE.tsm|PROGRAM", if_not_given = SELECTED_PROCESS)]
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
    service: ServiceArgs,
    /// Restart it if it runs, with the variables of this shell (a start always takes them)
    #[arg(long)]
    update_env: bool,
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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let request = self.request(cx);
        if let Some(up) = self.renewal(&request, cx) {
            let stage = UpStage { up, environ: Environ::Operator }.stage();
            return Ok(if self.dry_run { stage.dry_run() } else { stage.ready() });
        }
        let start = ops::start::prepare(&cx.operation(), &request)
            .map_err(|fault| watch_path::explain(of_group(fault, &request, cx), &request, cx))?;
        let environments = start.environments.clone();
        let wait_for = match (self.wait, self.no_wait) {
            (true, _) => WaitFor::Exit,
            (false, true) => WaitFor::Spawn,
            (false, false) => WaitFor::Ready,
        };
        let state = StartStage { start, wait_for, debug: self.debug };
        let stage = Stage { effect: Self::EFFECT, environments, state, plan: StartStage::plan, run: StartStage::run };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

/// A start that was planned.
struct StartStage {
    start: PreparedStart,
    wait_for: WaitFor,
    /// Show the plan before it is carried out.
    debug: bool,
}

impl StartStage {
    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.start.show(&cx.operation(), &mut cx.progress(), plan_view::report).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let context = cx.operation();
        if self.debug
            && let Ok(lines) = self.start.show(&context, &mut |_| {}, plan_view::lines)
        {
            lines.iter().for_each(|line| cx.console.note(line));
        }
        let (plan, result) = self.start.run(&context, self.wait_for, &mut cx.progress())?;
        match result {
            StartResult::Instances(outcomes) => Ok(systemd_unit::note_lifetime(super::startup::report(outcomes), cx)),
            StartResult::One(started) => {
                let report = result_report(&plan, &started, cx.host.now());
                systemd_unit::wait_in_foreground(report, &started.name, cx)
            }
        }
    }
}

impl Start {
    /// The restart that `--update-env` means for what runs already. Other options make it a start, which is refused.
    fn renewal(&self, request: &StartRequest, cx: &Cx) -> Option<PreparedUp> {
        let (program, written) = (request.program.clone(), request.written.clone());
        let has_options = *request != StartRequest { program, written, ..StartRequest::default() };
        if !self.update_env || has_options || !request.may_name_process() {
            return None;
        }
        ops::up::prepare(&cx.operation(), &request.program).ok().filter(PreparedUp::restarts_any)
    }

    fn request(&self, cx: &Cx) -> StartRequest {
        let mut words: Vec<String> = self.program.iter().map(|word| word.0.clone()).collect();
        if let (true, Some(selected)) = (words.is_empty(), &cx.selection.process) {
            words.push(selected.to_string());
        }
        let apart = words.iter().position(|word| word == "--");
        let arguments = apart.map(|at| words.split_off(at)[1..].to_vec());
        StartRequest {
            program: words,
            arguments,
            env: self.env.iter().map(|source| below_home(&source.0, cx)).collect(),
            port: self.port,
            name: self.name.clone(),
            cwd: self.cwd.as_ref().map(|directory| below_home(&directory.0, cx).into()),
            pre_hook: self.pre_hook.clone(),
            instances: self.instances,
            options: self.service.options(cx),
            written: self.written.0.clone(),
        }
    }
}

/// A start that was refused, with what starts all instances if their common name was given.
fn of_group(fault: Fault, request: &StartRequest, cx: &Cx) -> Fault {
    let [word] = &request.program[..] else { return of_several(fault, &request.program, cx) };
    let all = cx.operation().processes().unwrap_or_default();
    match all.iter().filter(|it| group_of(it, &all) == *word).count() {
        0 | 1 => fault,
        _ => fault.with_advice(format!("`tsm up {word}` starts all of them; the name or id of one starts only that")),
    }
}

/// A start that was refused because more than one name was given: each has a line of its own.
fn of_several(fault: Fault, words: &[String], cx: &Cx) -> Fault {
    let processes = cx.operation().processes().unwrap_or_default();
    let services = Services::open(cx.paths);
    let is_known = |word: &str| {
        resolve(&[word], &processes, Precision::Exact).missing.is_empty()
            || word.parse().is_ok_and(|name| services.find(&name).is_ok())
    };
    let names_only = words.iter().all(|word| !word.starts_with('-') && !word.contains('/'));
    let (known, unknown): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| is_known(word));
    if fault.kind != FaultKind::NotFound || !names_only || words.is_empty() || known.first() != words.first().as_ref() {
        return fault;
    }
    let lines: Vec<String> = known.iter().map(|word| format!("tsm start {word}")).collect();
    let mut advice = format!("`{}`", lines.join("; "));
    for word in unknown {
        advice.push_str(&format!("; `{word}` is not a service or process"));
    }
    Fault::usage("`tsm start` starts one service or process at a time").with_advice(advice)
}

fn result_report(plan: &StartPlan, started: &Started, now: Timestamp) -> Report {
    let Started { name, id, pid, port, .. } = started;
    let listening = match started.readiness {
        Readiness::Listening => Some(true),
        Readiness::NotListening => Some(false),
        _ => None,
    };
    let healthy = match started.readiness {
        Readiness::Healthy => Some(true),
        Readiness::NotHealthy | Readiness::NotReported => Some(false),
        _ => None,
    };
    let again = schedule::next_run(&plan.settings.monitor, now);
    let again = again.map(|next| format!("; it runs again {next}")).unwrap_or_default();
    let (text, tone) = match started.readiness {
        Readiness::Ended(how) if how.is_success() => (format!("completed {name} ({id}){again}"), Tone::Good),
        Readiness::Ended(how) => (format!("{name} ({id}) failed: {}{again}", exit_text::describe(how)), Tone::Bad),
        _ => (done_text("started", name, *id, *port), Tone::Good),
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
        .with("env_file", planned_env_file(plan))
        .with("listening", Value::from(listening))
        .with("healthy", Value::from(healthy))
        .with("ended", Value::from(ended.map(exit_text::describe)));
    let mut report = Report { code: ended.map(exit_text::exit_code), ..Report::of(sentence) };
    match (started.readiness, port) {
        (Readiness::NotListening, Some(port)) => report.note(not_listening(plan, started, *port)),
        (Readiness::NotReported, _) => {
            report.note(format!("`{name}` started and {NOT_REPORTED}; `tsm logs {name}` shows its output"))
        }
        (Readiness::NotHealthy, _) => {
            report.note(format!("`{name}` started and is not healthy yet; `tsm info {name}` shows why"))
        }
        (Readiness::Interrupted, _) => {
            let words = format!("stopped waiting for `{name}`; it keeps running");
            report
                .faults
                .push(Fault::new(FaultKind::Interrupted, words).with_advice(format!("`tsm stop {name}` ends it")));
            report
        }
        _ => report,
    }
}

/// The warning, with the ports on which it does listen.
fn not_listening(plan: &StartPlan, started: &Started, port: u16) -> String {
    let name = &started.name;
    let others: Vec<String> = net::ports_of_tree(started.pid).iter().map(ToString::to_string).collect();
    let waited = READINESS_TIMEOUT.as_secs();
    let flag = plan.port.as_ref().is_some_and(|choice| choice.source == PortSource::Flag);
    let hint = match &plan.own_port {
        // What was said before the start names it, and what to write.
        Some(own) if others.contains(&own.port.to_string()) => ", as its command says",
        _ if flag => "; use `$PORT` in its command, or write a --port of the program after `--`",
        _ => "",
    };
    match others.as_slice() {
        [] => format!(
            "`{name}` started but not listening on {port} after {waited} s; `tsm logs {name}` shows what it says"
        ),
        others => format!("`{name}` started but not listening on {port}: it listens on {}{hint}", others.join(", ")),
    }
}
