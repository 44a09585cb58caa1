//! `tsm doctor validate`

use crate::base::fault::{Advise, Fault};
use crate::base::redact;
use crate::command::argument::{EnvSource, StartWord};
use crate::command::tsm::{limits, start};
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report, Value};
use crate::sys::{process, room};
use crate::tsm::conflict;
use crate::tsm::doctor::{Grade, environment};
use crate::tsm::placement::place;
use crate::tsm::plan::{StartPlan, plan};
use crate::tsm::port::PortWish;
use crate::tsm::request::StartRequest;
use crate::tsm::store::Store;

/// Check whether a command could be started, without starting it
///
/// The program is there and may be executed, the port is in range and free, the env file is well formed and filled in, the disk has
/// room. Exit code 3 if it could not be started.
#[derive(Debug, clap::Args)]
pub struct ValidateCommand {
    /// A service, a file, a process, or a program with its arguments
    #[arg(required = true, value_name = "SERVICE|PROGRAM")]
    program: Vec<StartWord>,
    /// The port it has to get
    #[arg(long, short, value_name = "N|N+")]
    port: Option<PortWish>,
    /// The env file by name or path
    #[arg(long, short, value_name = "NAME|FILE|K=V")]
    env: Vec<EnvSource>,
}

/// What was found, by weight.
#[derive(Default)]
struct Verdict {
    errors: Vec<String>,
    warnings: Vec<String>,
    info: Vec<String>,
}

/// Less room than this is worth a word: logs need some.
const LITTLE: u64 = 100 << 20;

impl Command for ValidateCommand {
    const NAME: &'static str = "tsm doctor validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["tsm doctor validate node app.js", "tsm doctor validate --port 3000 node app.js"];

    fn arrange(words: Vec<String>) -> Vec<String> {
        start::words::arrange(words, &<Self as clap::Args>::augment_args(clap::Command::new(Self::NAME)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes = Store::open(cx.paths).all()?;
        let mut verdict = Verdict::default();
        match plan(&self.request(), &start::around(cx, &processes, limits::of_environment(cx)?)) {
            Ok(made) => {
                verdict.of_plan(&made);
                match place(&made, &processes, &|port| conflict::find(port, &processes)) {
                    Ok(found) => {
                        verdict.info.push(format!("it would be called {}", found.name));
                        verdict.warnings.extend(found.in_the_way.map(|conflict| conflict.line()));
                    }
                    Err(error) => verdict.fault(&error),
                }
            }
            Err(error) => verdict.fault(&error),
        }
        if let Ok(room) = room::around(cx.paths.home()).or_else(|_| room::around(cx.host.cwd()))
            && room.free < LITTLE
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
            ..StartRequest::default()
        }
    }
}

impl Verdict {
    fn fault(&mut self, error: &dyn Advise) {
        let advice = error.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
        self.errors.push(format!("{error}{advice}"));
    }

    fn of_plan(&mut self, plan: &StartPlan) {
        self.info.push(format!("it would run: {}", redact::redact(&plan.program.argv).join(" ")));
        self.info.push(format!("in {}", plan.cwd.display()));
        if let Some(choice) = &plan.port {
            self.info.push(format!("port {}, from {}", choice.wish, choice.source));
            if let (PortWish::Exactly(port @ ..1024), true) = (choice.wish, process::own_uid() != 0) {
                self.warnings.push(format!("port {port} is privileged: only root may open it"));
            }
        }
        if let Some(file) = &plan.env_file {
            self.info.push(format!("env file {}", file.path.display()));
            // Whether the port is free is looked at once, below.
            let found = environment::check(&file.path).into_iter().filter(|it| !it.message.starts_with("PORT "));
            for finding in found {
                match finding.grade {
                    Grade::Error => self.errors.push(finding.message),
                    Grade::Warning => self.warnings.push(finding.message),
                    Grade::Good => {}
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
        Report { says_no: !valid, ..Report::of(Block::Written { text, data: Value::Record(data) }) }
    }
}
