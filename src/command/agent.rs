//! `agent`

mod run;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::redact;
use crate::base::time::Timestamp;
use crate::command::shell::version::VERSION;
use crate::command::tsm::list::process_table;
use crate::command::{Command, Cx, Effect};
use crate::ops::deploy::host::Bounds;
use crate::ops::deploy::serve;
use crate::ops::service_health::Judge;
use crate::ops::snapshot::UsageSampler;
use crate::report::value::to_jiff_timestamp;
use crate::report::{Block, Report, json};
use crate::sys::file::{self, Access};
use crate::sys::poll::StdinUntil;
use crate::tkm::agent::host::{self, Agent};
use crate::tkm::agent::is_own_line;
use crate::tkm::agent::protocol::{AgentBlob, ErrorKind, NO_NONCE, Reply, Request, frame, read_frame};
use crate::tsm::store::{Process, ProcessStore};

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(30);

/// The size at which the log is put aside, in bytes. One that was put aside is kept.
const MAX_LOG: u64 = 1 << 20;

/// The most characters of a refused line that are written down.
const MAX_SHOWN: usize = 200;

/// Answer the requests of a key that is bound to this command
///
/// What `command=` in authorized_keys names for the keys of staging and prod. The request comes on standard input in a frame, or is
/// a word: hello, ping, list, status, health. It reads the state of the environment's processes, also with the commands that
/// `--on` and `--host` send, changes the lines of tetra for this environment in ~/.ssh/authorized_keys, and deploys releases of this
/// environment. Everything else is refused, and written to logs/agent.log.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct AgentCommand {
    /// The environment that the key is bound to
    #[arg(value_name = "ENV")]
    env: EnvRef,
    /// The request, instead of one on standard input
    #[arg(value_parser = ["hello", "ping", "list", "status", "health"])]
    request: Option<String>,
}

/// A request, or what is answered instead.
struct Asked {
    nonce: String,
    request: Result<Request, Reply>,
}

impl Command for AgentCommand {
    const NAME: &'static str = "agent";
    // It is run by sshd, and what it changes was confirmed on the operator's machine.
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["agent prod hello", "agent acme/prod list"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Asked { nonce, request } = self.asked(cx);
        if matches!(request, Ok(Request::Session)) {
            let begun = Reply::Done { status: 0, output: AgentBlob(Vec::new()) };
            self.log(cx, &request, &begun)?;
            serve::serve(Bounds { paths: cx.paths, host: cx.host, env: &self.env, version: VERSION }, &nonce);
            return Ok(Report::default());
        }
        let agent = Agent { env: &self.env, variables: cx.host.variables(), version: VERSION };
        let reply = match &request {
            Err(reply) => reply.clone(),
            Ok(request) => match agent.answer(request) {
                Some(reply) => reply,
                None => self.of_processes(cx, request).unwrap_or_else(|fault| host::failed(fault.in_full())),
            },
        };
        self.log(cx, &request, &reply)?;
        let code = u8::from(matches!(reply, Reply::Error { .. }));
        let text = frame(&nonce, &reply);
        Ok(Report { code: Some(code), ..Report::of(Block::Text(text.trim_end().to_owned())) })
    }
}

impl AgentCommand {
    /// From the word, else from `SSH_ORIGINAL_COMMAND` if it is one, else from standard input.
    fn asked(&self, cx: &Cx) -> Asked {
        let line = self.request.as_deref().or_else(|| cx.host.variable("SSH_ORIGINAL_COMMAND"));
        if let Some(line) = line.filter(|line| !is_own_line(line, &self.env)) {
            let request = Request::of_word(line)
                .ok_or_else(|| host::refused(format!("this key runs `tetra agent {}` only", self.env)));
            return Asked { nonce: NO_NONCE.to_owned(), request };
        }
        match read_frame(&mut StdinUntil(Instant::now() + PATIENCE)) {
            Ok(found) => Asked {
                nonce: found.nonce,
                request: serde_json::from_slice(&found.json)
                    .map_err(|_| host::refused("the request is not one that this version knows")),
            },
            Err(error) => Asked { nonce: NO_NONCE.to_owned(), request: Err(host::malformed(&error)) },
        }
    }

    /// What is about processes, without a change of anything.
    fn of_processes(&self, cx: &mut Cx, request: &Request) -> Result<Reply, Fault> {
        let mut all = ProcessStore::open(cx.paths).all()?;
        let EnvRef { org, env } = &self.env;
        let is_own = |found: EnvRef| found.env == *env && (org.is_none() || found.org == *org);
        all.retain(|process| process.environment().is_some_and(is_own));
        if let Request::Run { words } = request {
            return Ok(run::run(cx, run::Scope { env: &self.env, own: &all }, words));
        }
        Ok(Reply::Data(match request {
            Request::List => {
                let block = process_table(&all, cx.host.now(), &UsageSampler::default().sample()).into();
                json::block(&block).map(|data| serde_json::to_value(data).unwrap_or_default()).unwrap_or_default()
            }
            Request::Health => health(&all, cx.host.now()),
            _ => {
                let running = all.iter().filter(|process| process.is_running()).count();
                json!({ "processes": all.len(), "running": running })
            }
        }))
    }

    fn log(&self, cx: &Cx, request: &Result<Request, Reply>, reply: &Reply) -> Result<(), Fault> {
        let asked = match request {
            Ok(request) if request.changes() || matches!(reply, Reply::Error { .. }) => request.name().to_owned(),
            Ok(_) => return Ok(()),
            Err(_) => shown(cx.host.variable("SSH_ORIGINAL_COMMAND").unwrap_or_default()),
        };
        let outcome = match reply {
            Reply::Error { kind: ErrorKind::Failed, message } => format!("failed: {message}"),
            Reply::Error { message, .. } => format!("refused: {message}"),
            Reply::Done { status, .. } if *status != 0 => format!("failed: {status}"),
            _ => "done".to_owned(),
        };
        let from = cx.host.variable("SSH_CONNECTION").and_then(|it| it.split(' ').next()).unwrap_or("-");
        let path = cx.paths.agent_log();
        file::create_dir(&cx.paths.logs())?;
        if fs::metadata(&path).is_ok_and(|found| found.len() > MAX_LOG) {
            fs::rename(&path, path.with_extension("log.1")).map_err(file::FileError::io("write", &path))?;
        }
        let line = format!("{} {} from {from}: `{asked}` {outcome}\n", time(cx.host.now()), self.env);
        Ok(file::append(&path, line.as_bytes(), Access::Private)?)
    }
}

/// How each process is, and why not well.
fn health(processes: &[Process], now: Timestamp) -> serde_json::Value {
    let judge = Judge { now, own_mark: None };
    let row = |process: &Process| {
        let condition = judge.process(process);
        json!({ "name": process.name.to_string(), "condition": condition.word(), "reason": condition.reason() })
    };
    processes.iter().map(row).collect()
}

/// A refused line on one line, shortened, with its secrets masked.
fn shown(line: &str) -> String {
    let line: String = redact::text(line).chars().take(MAX_SHOWN).collect();
    line.escape_debug().to_string()
}

/// RFC 3339 in UTC.
fn time(now: Timestamp) -> String {
    to_jiff_timestamp(now).map_or_else(String::new, |time| format!("{time:.0}"))
}
