//! `tsm doctor validate`

use crate::base::fault::{Fault, UserFacingError};
use crate::base::redact;
use crate::command::argument::{EnvSource, StartWord};
use crate::command::tsm::start;
use crate::command::tsm::written_options::WrittenOptions;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report, Value};
use crate::sys::{disk_space, process};
use crate::tsm::allocate::allocate;
use crate::tsm::conflict;
use crate::tsm::doctor::{CheckStatus, environment};
use crate::tsm::plan::StartPlan;
use crate::tsm::planner::plan;
use crate::tsm::port::PortSpec;
use crate::tsm::request::StartRequest;
use crate::tsm::store::ProcessStore;

/// Check whether a command could be started, without starting it
///
/// The program is there and may be executed, the port is in range and free, the env file is well formed and filled in, the disk has
/// room. Exit code 3 if it could not be started.
#[derive(Debug, clap::Args)]
pub struct ValidateCommand {
    #[command(flatten)]
    written: WrittenOptions<Self>,
    /// A service, a file, a process, or a program with its arguments
    #[arg(required = true, value_name = "SERVICE|PROGRAM")]
    program: Vec<StartWord>,
    /// The port it has to get
    #[arg(long, short, value_name = "N|N+")]
    port: Option<PortSpec>,
    /// The env file by name or path
    #[arg(long, short, value_name = "NAME|FILE|K=V")]
    env: Vec<EnvSource>,
}

/// What was found, by weight.
#[derive(Default)]
struct ValidationReport {
    errors: Vec<String>,
    warnings: Vec<String>,
    info: Vec<String>,
}

/// Less room than this is worth a word: logs need some.
const LOW_DISK_BYTES: u64 = 100 << 20;

impl Command for ValidateCommand {
    const NAME: &'static str = "tsm doctor validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["tsm doctor validate node app.js", "tsm doctor validate --port 3000 node app.js"];

    fn reorder_args(words: Vec<String>) -> Vec<String> {
        start::args::reorder(words, &<Self as clap::Args>::augment_args(clap::Command::new(Self::NAME)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes = ProcessStore::open(cx.paths).all()?;
        let mut verdict = ValidationReport::default();
        let context = cx.operation();
        match plan(&self.request(), &context.start_context(&processes)?) {
            Ok(made) => {
                verdict.check_plan(&made);
                match allocate(&made, &processes, &|port| conflict::find(port, &processes)) {
                    Ok(found) => {
                        verdict.info.push(format!("it would be called {}", found.name));
                        verdict.warnings.extend(found.guessed_port_conflict.map(|conflict| conflict.line()));
                    }
                    Err(error) => verdict.add_fault(&error),
                }
            }
            Err(error) => verdict.add_fault(&error),
        }
        if let Ok(room) = disk_space::of_path(cx.paths.home()).or_else(|_| disk_space::of_path(cx.host.cwd()))
            && room.free < LOW_DISK_BYTES
        {
            verdict.warnings.push(format!("{} MiB are free on the disk", room.free >> 20));
        }
        Ok(verdict.report())
    }
}

impl ValidateCommand {
    fn request(&self) -> StartRequest {
        let mut words: Vec<String> = self.program.iter().map(|word| word.0.clone()).collect();
        let apart = words.iter().position(|word| word == "--");
        let arguments = apart.map(|at| words.split_off(at)[1..].to_vec());
        StartRequest {
            program: words,
            arguments,
            env: self.env.iter().map(|source| source.0.clone()).collect(),
            port: self.port,
            written: self.written.0.clone(),
            ..StartRequest::default()
        }
    }
}

impl ValidationReport {
    fn add_fault(&mut self, error: &dyn UserFacingError) {
        let advice = error.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
        self.errors.push(format!("{error}{advice}"));
    }

    fn check_plan(&mut self, plan: &StartPlan) {
        self.info.push(format!("it would run: {}", redact::redact(&plan.program.argv).join(" ")));
        self.info.push(format!("in {}", plan.cwd.display()));
        if let Some(choice) = &plan.port {
            self.info.push(format!("port {}, from {}", choice.spec, choice.source));
            if let (PortSpec::Exact(port @ ..1024), true) = (choice.spec, process::own_uid() != 0) {
                self.warnings.push(format!("port {port} is privileged: only root may open it"));
            }
        }
        for file in plan.env_files.iter().filter(|file| !file.optional || file.path.is_file()) {
            self.info.push(format!("env file {}", file.path.display()));
            // Whether the port is free is looked at once, below.
            let found = environment::check(&file.path).into_iter().filter(|it| !it.message.starts_with("PORT "));
            for finding in found {
                match finding.status {
                    CheckStatus::Error => self.errors.push(finding.message),
                    CheckStatus::Warning => self.warnings.push(finding.message),
                    CheckStatus::Ok => {}
                }
            }
        }
        self.warnings.extend(plan.notes.iter().cloned());
    }

    fn report(self) -> Report {
        let valid = self.errors.is_empty();
        let lines = |word: &str, all: &[String]| all.iter().map(|it| format!("{word:<8} {it}\n")).collect::<String>();
        let text = lines("error", &self.errors) + &lines("warning", &self.warnings) + &lines("info", &self.info);
        let text = format!("{text}{}\n", if valid { "valid: it could be started" } else { "not valid" });
        let data = vec![
            ("valid".to_owned(), Value::from(valid)),
            ("errors".to_owned(), self.errors.into()),
            ("warnings".to_owned(), self.warnings.into()),
            ("info".to_owned(), self.info.into()),
        ];
        Report { check_failed: !valid, ..Report::of(Block::TextWithData { text, data: Value::Record(data) }) }
    }
}
