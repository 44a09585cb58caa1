//! `tsm save`

use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::command::argument::{DirectoryPath, EnvSource, StartWord};
use crate::command::help::services;
use crate::command::tsm::service_args::{ServiceArgs, below_home};
use crate::command::tsm::start::args;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Block, Message, Question, Report, Tone, UserAnswer, Value};
use crate::sys::program::find;
use crate::tsm::boot;
use crate::tsm::definition::{Definition, environment_of};
use crate::tsm::environment;
use crate::tsm::port::PortSpec;
use crate::tsm::request::StartRequest;
use crate::tsm::resolve::resolve_one;
use crate::tsm::save;
use crate::tsm::service::{Overwrite, ServiceError, Services};
use crate::tsm::store::{Process, ProcessStore};

/// A service with every key.
fn template(cx: &Cx) -> Report {
    let text = services::template();
    let file = cx.paths.services_available().join(format!("{}.tsm", services::TEMPLATE_NAME)).display().to_string();
    let data = [
        ("name", services::TEMPLATE_NAME.to_owned()),
        ("action", "shown".to_owned()),
        ("file", file),
        ("command", services::TEMPLATE_COMMAND.to_owned()),
        ("text", text.clone()),
    ];
    let data = Value::Record(data.map(|(key, value)| (key.to_owned(), Value::from(value))).to_vec());
    Report::of(Block::TextWithData { text, data })
}

/// The global option that is ours at the end of a command line too.
const JSON_OPTION: &str = "--json";

/// Save a command or a process as a service
///
/// `tsm save NAME COMMAND…` saves a command line with the options of `tsm start`; `tsm save PROCESS [NAME]` saves what a process
/// was started with: command, directory, env file, variables, port, pre-start command and policy. Variables of a process are written to
/// the file; one with secrets among them can be read by its owner only.
#[derive(Debug, clap::Args)]
pub struct Save {
    /// A name and a command line, or a process and perhaps a name
    #[arg(required_unless_present = "template", value_name = "NAME COMMAND|PROCESS")]
    words: Vec<StartWord>,
    /// The env file by name or path, `none`, or one variable; may be repeated
    #[arg(long, short, value_name = "NAME|FILE|K=V")]
    env: Vec<EnvSource>,
    /// The port it has to get, exported as PORT; `N+` is the next free one, `none` is for what does not listen
    #[arg(long, short, value_name = "N|N+|none")]
    port: Option<PortSpec>,
    /// How many of it: ports from --port on, or names with numbers
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    instances: Option<u32>,
    /// Where it runs
    #[arg(long, value_name = "DIR")]
    cwd: Option<DirectoryPath>,
    /// A command that has to succeed before the program is run
    #[arg(long, value_name = "COMMAND")]
    pre_hook: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    service: ServiceArgs,
    /// Replace a service of that name
    #[arg(long, short)]
    force: bool,
    /// Only show a service with every key, each with a comment
    #[arg(long, conflicts_with = "words")]
    template: bool,
}

impl Command for Save {
    const NAME: &'static str = "tsm save";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "tsm save api node server.js --port 4000",
        "tsm save web --restart always -- python3 -m http.server 8000",
        "tsm save --template",
    ];

    fn reorder_args(mut given: Vec<String>) -> Vec<String> {
        let own = <Self as clap::Args>::augment_args(clap::Command::new(Self::NAME));
        // Nothing is run whose output could be meant; the program's own comes after `--`.
        let is_ours = given.last().is_some_and(|last| last == JSON_OPTION) && !given.iter().any(|word| word == "--");
        if is_ours {
            given.rotate_right(1);
        }
        let name = args::program_index(&given, &own);
        if name >= given.len() || given[name] == "--" {
            return given;
        }
        let name = given.remove(name);
        let mut arranged = args::reorder(given, &own);
        let apart = arranged.iter().position(|word| word == "--").map_or(arranged.len(), |at| at + 1);
        arranged.insert(apart, name);
        arranged
    }

    fn effect(&self) -> Effect {
        if self.template { Effect::Read } else { Self::EFFECT }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        if self.template {
            let run = |(), cx: &mut Cx| Ok(template(cx));
            return Ok(Stage {
                effect: Effect::Read,
                environments: Vec::new(),
                state: (),
                plan: |(), _| Ok(None),
                run,
            }
            .ready());
        }
        let definition = self.definition(cx)?;
        // That of a service which is replaced.
        let replaced = definition.name.parse().ok().and_then(|name| environment_of(&cx.paths.service(&name)));
        let notes = self.unresolved_env_files(&definition, cx);
        let state = PlannedService { definition, notes, force: self.force };
        let environments = replaced.into_iter().collect();
        Ok(Stage { effect: Self::EFFECT, environments, state, plan: |_, _| Ok(None), run: PlannedService::save }
            .ready())
    }
}

/// A service as it will be saved.
struct PlannedService {
    definition: Definition,
    notes: Vec<String>,
    force: bool,
}

impl PlannedService {
    fn save(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Self { definition, mut notes, force } = self;
        let services = Services::open(cx.paths);
        let over = if force || cx.yes { Overwrite::Existing } else { Overwrite::Never };
        let file = match services.save(&definition, over) {
            Err(error @ ServiceError::Taken { .. }) => {
                match cx.console.ask(&Question { text: format!("Overwrite '{}'?", definition.name), expected: None }) {
                    UserAnswer::Yes => services.save(&definition, Overwrite::Existing)?,
                    UserAnswer::No => {
                        return Err(Fault::new(
                            FaultKind::Refused,
                            format!("the service `{}` stays as it was", definition.name),
                        ));
                    }
                    UserAnswer::NotInteractive => return Err(error.into()),
                }
            }
            saved => saved?,
        };
        let name = &definition.name;
        let said = format!(
            "saved {name} to {}\n`tsm start {name}` starts it, `tsm enable {name}` starts it at boot",
            file.display()
        );
        notes.extend(boot::not_found_by_unit(&file, &cx.operation().unlimited(&[])));
        let report = Report::of(
            Message::new(said)
                .tone(Tone::Good)
                .with("name", name.as_str())
                .with("action", "saved")
                .with("file", file.display().to_string())
                .with("command", redact::text(&definition.command)),
        );
        Ok(notes.into_iter().fold(report, Report::note))
    }
}

impl Save {
    fn definition(&self, cx: &Cx) -> Result<Definition, Fault> {
        let processes = ProcessStore::open(cx.paths).all()?;
        let mut words: Vec<String> = self.words.iter().map(|word| word.0.clone()).collect();
        let name = words.remove(0);
        // What comes after `--` belongs to the command, whatever it looks like.
        let apart = words.iter().position(|word| word == "--");
        let arguments = apart.map(|at| words.split_off(at)[1..].to_vec());
        let mut definition = match (words.as_slice(), &arguments) {
            ([], None) => of_process(resolve_one(&name, &processes)?, None, cx)?,
            ([new], None) if is_new_name(new, cx) && resolve_one(&name, &processes).is_ok() => {
                of_process(resolve_one(&name, &processes)?, Some(new), cx)?
            }
            _ => return self.of_command(&name, StartRequest { arguments, ..self.request(words, cx) }, cx, &processes),
        };
        definition.options = self.service.options(cx).or(&definition.options);
        definition.instances = self.instances.or(definition.instances);
        definition.port = self.port.or(definition.port);
        definition.description = self.description.clone().or(definition.description);
        definition.pre_command = self.pre_hook.clone().or(definition.pre_command);
        let given = self.request(Vec::new(), cx);
        if self.cwd.is_some() {
            definition.cwd = crate::tsm::plan::working_directory(cx.host.cwd(), given.cwd.as_deref())?;
        }
        if given.names_env_files() {
            let files: Vec<String> = given.env_files().map(str::to_owned).collect();
            definition.env = files.is_empty().then(|| environment::NONE.to_owned());
            definition.options.env_file = Some(files).filter(|files| !files.is_empty());
        }
        definition.exports.extend(given.pairs());
        Ok(definition)
    }

    fn of_command(
        &self,
        name: &str,
        request: StartRequest,
        cx: &Cx,
        processes: &[Process],
    ) -> Result<Definition, Fault> {
        let definition = save::of_command(name, &request, &cx.operation().unlimited(processes))?;
        Ok(Definition { description: self.description.clone(), ..definition })
    }

    /// That an env file is not there yet; what was meant for the program looks the same.
    fn unresolved_env_files(&self, definition: &Definition, cx: &Cx) -> Vec<String> {
        if !self.request(Vec::new(), cx).names_env_files() {
            return Vec::new();
        }
        let missing = |file: &str| environment::named(file, &[&definition.cwd]).err();
        let named = definition.env.as_deref().filter(|name| *name != environment::NONE);
        let files = definition.env_files().iter().map(String::as_str);
        let missing = named.into_iter().chain(files).filter_map(missing);
        let note = |error| format!("{error}; write `--` before the words of the program if this is one of them");
        missing.map(note).collect()
    }

    fn request(&self, program: Vec<String>, cx: &Cx) -> StartRequest {
        StartRequest {
            program,
            arguments: None,
            env: self.env.iter().map(|source| below_home(&source.0, cx)).collect(),
            port: self.port,
            name: None,
            cwd: self.cwd.as_ref().map(|directory| below_home(&directory.0, cx).into()),
            pre_hook: self.pre_hook.clone(),
            instances: self.instances,
            options: self.service.options(cx),
            written: Vec::new(),
        }
    }
}

/// A word that names the new service rather than a program to run.
fn is_new_name(word: &str, cx: &Cx) -> bool {
    let search = cx.host.variable("PATH").unwrap_or_default();
    crate::base::name::is_name(word)
        && !cx.host.cwd().join(word).is_file()
        && find(word, search, cx.host.cwd()).is_none()
}

fn of_process(process: &Process, name: Option<&str>, cx: &Cx) -> Result<Definition, Fault> {
    let service = std::path::Path::new(&process.meta.run.service);
    let origin = Definition::read(service, cx.host.variables()).ok();
    Ok(save::of_process(process, name, origin)?)
}
