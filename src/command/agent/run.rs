//! A command that only looks, for a key that is bound: on processes of its environment and nothing else.

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::global::Globals;
use crate::command::parse_error::from_clap;
use crate::command::tsm::{info::Info, list::List, logs::Logs, stats::Stats, why::Why};
use crate::command::{Command, CommandSpec, Cx, Effect, spec};
use crate::report::{Block, Report, Value, json};
use crate::tkm::agent::host;
use crate::tkm::agent::protocol::{AgentBlob, AgentOutput, Reply};
use crate::tsm::store::Process;

/// What is run, beside `tsm list`: commands whose words are processes and options that name no file.
const READS: [CommandSpec; 4] = [spec::<Info>(), spec::<Logs>(), spec::<Why>(), spec::<Stats>()];

/// The most bytes of an answer; it has to fit into a frame.
const MAX_ANSWER: usize = 900 << 10;

/// What a key is bound to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) env: &'a EnvRef,
    /// The processes of the environment.
    pub(super) own: &'a [Process],
}

/// Runs it.
pub(super) fn run(cx: &mut Cx, scope: Scope, words: &[String]) -> Reply {
    match attempt(cx, scope, words) {
        Ok(report) => reply(&report),
        Err(Denied::Refused(why)) => host::refused(why),
        Err(Denied::Fault(fault)) => Reply::Ran(AgentOutput {
            code: fault.kind.code(),
            output: AgentBlob(Vec::new()),
            errors: AgentBlob(json::fault(&fault).into_bytes()),
        }),
    }
}

/// Why a command gives nothing.
enum Denied {
    /// The key may not do it.
    Refused(String),
    /// It may, and it did not work.
    Fault(Fault),
}

impl From<Fault> for Denied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn attempt(cx: &mut Cx, Scope { env, own }: Scope, words: &[String]) -> Result<Report, Denied> {
    let refused = |why: String| Err(Denied::Refused(why));
    let mut globals = Globals::default();
    let count = globals.parse_leading(words)?;
    let arguments = words.get(count + 2..).unwrap_or_default();
    let name = words[count..words.len().min(count + 2)].join(" ");
    let list = spec::<List>();
    let Some(spec) = READS.iter().chain([&list]).find(|spec| spec.name == name) else {
        let names: Vec<&str> = std::iter::once(List::NAME).chain(READS.iter().map(|spec| spec.name)).collect();
        return refused(format!("the agent runs {} only, not `{}`", names.join(", "), name.escape_debug()));
    };
    let parse = |words: &[String]| {
        spec.full_parser().try_get_matches_from(words).map_err(|error| from_clap(spec, words, &error).fault)
    };
    let matches = parse(arguments).map_err(|fault| *fault)?;
    globals.merge(&matches)?;
    if globals.dir.is_some() || globals.org.is_some() || globals.env.as_ref().is_some_and(|it| *it != env.env) {
        return refused(format!("the key is bound to {env}, and `--env`, `--org` and `--dir` name something else"));
    }
    if matches!(matches.try_get_one::<bool>("follow"), Ok(Some(true))) {
        return refused("the agent answers once, and `--follow` does not end".to_owned());
    }
    if spec.name == List::NAME {
        if arguments.iter().any(|word| matches!(word.as_str(), "available" | "enabled")) {
            return refused("services are of several environments; the agent lists processes".to_owned());
        }
        return Ok(only(own, execute(cx, spec, &matches)?));
    }
    let given: Vec<String> =
        matches.get_raw("targets").into_iter().flatten().map(|word| word.to_string_lossy().into_owned()).collect();
    let is_own = |word: &String| own.iter().any(|process| process.name.as_str() == word);
    if let Some(other) = given.iter().find(|word| !is_own(word)) {
        return refused(format!(
            "`{}` is not the name of a process of {env}; without names all of them are meant",
            other.escape_debug()
        ));
    }
    if !given.is_empty() {
        return Ok(execute(cx, spec, &matches)?);
    }
    let names = own.iter().filter(|process| spec.name != Stats::NAME || process.is_running());
    let names: Vec<String> = names.map(|process| process.name.to_string()).collect();
    if names.is_empty() {
        return Ok(Report::of(Block::Rows(Vec::new())));
    }
    let matches = parse(&[arguments, &names].concat()).map_err(|fault| *fault)?;
    Ok(execute(cx, spec, &matches)?)
}

fn execute(cx: &mut Cx, spec: &CommandSpec, matches: &clap::ArgMatches) -> Result<Report, Fault> {
    let command = (spec.parse)(matches).map_err(|error| *from_clap(spec, &[], &error).fault)?;
    if command.effect() != Effect::Read {
        return Err(Fault::usage(format!("`{}` does not only look", spec.name)));
    }
    command.prepare(cx)?.run(cx)
}

/// The rows of the processes of the environment.
fn only(own: &[Process], mut report: Report) -> Report {
    for block in &mut report.blocks {
        let Block::Table(table) = block else { continue };
        let Some(at) = table.columns.iter().position(|column| column.key == "name") else { continue };
        let is_own = |name: &Value| matches!(name, Value::Text(name) if own.iter().any(|it| it.name.as_str() == name));
        table.rows.retain(|row| row.get(at).is_some_and(|cell| is_own(&cell.value)));
    }
    report
}

fn reply(report: &Report) -> Reply {
    let data: Vec<_> = report.blocks.iter().filter_map(json::block).collect();
    let output = json::document(&data, report.json_shape);
    let errors: Vec<String> = report.faults.iter().map(json::fault).collect();
    let errors = errors.join("\n");
    if output.len() + errors.len() > MAX_ANSWER {
        return host::refused(format!("the answer has more than {} KiB; ask for less, as with `-n`", MAX_ANSWER >> 10));
    }
    let code = report.exit_code();
    Reply::Ran(AgentOutput { code, output: AgentBlob(output.into_bytes()), errors: AgentBlob(errors.into_bytes()) })
}
