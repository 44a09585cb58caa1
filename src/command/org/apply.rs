//! `org apply`

use std::path::{Path, PathBuf};

use super::context::{affected_envs, environment, home, organization};
use super::service_keys;
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::org::document::Document;
use crate::org::error::OrgError;
use crate::org::header::{self, GeneratedFileState};
use crate::org::services::{self, DeclaredService};
use crate::org::store::{self, OrgStore};
use crate::report::{Cell, Report, Table, Tone};
use crate::tsm::definition::{Definition, GENERATED_FROM};
use crate::tsm::port::PortSpec;
use crate::tsm::service::{Overwrite, ServiceSet, Services};
use crate::tsm::store::ProcessStore;

/// Install the services of an environment on this machine
///
/// Writes a definition for each `[services.NAME]` of the generated file, with its command, directory, env file and port, and
/// enables it to start at boot. Applying it again changes nothing. Running processes are not restarted.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// The environment; default: the chosen one
    env: Option<EnvName>,
    /// Show what would change, and change nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// Replace services of the same name that were saved by hand or by another environment
    #[arg(long)]
    force: bool,
}

impl Command for Apply {
    const NAME: &'static str = "org apply";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org apply", "org apply @dev --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        affected_envs(cx, self.env.as_ref())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let wanted = self.make_plan(cx)?;
        match wanted.conflict {
            Some(foreign) => Err(foreign),
            None => Ok(Some(self.report(cx, &wanted))),
        }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut wanted = self.make_plan(cx)?;
        if !self.dry_run {
            wanted.conflict.take().map_or(Ok(()), Err)?;
            refuse_not_ours(&wanted.services)?;
            wanted.services.iter().try_for_each(|deed| execute(cx, deed))?;
        }
        Ok(self.report(cx, &wanted))
    }
}

/// Refuses to replace services that were saved by hand or by another environment.
fn refuse_not_ours(deeds: &[ServicePlan]) -> Result<(), Fault> {
    let names = |is: &dyn Fn(&PlannedAction) -> bool| {
        let names: Vec<&str> = deeds.iter().filter(|deed| is(&deed.action)).map(|it| it.name.as_str()).collect();
        names.join(", ")
    };
    let elsewhere = deeds.iter().find_map(|deed| match &deed.action {
        PlannedAction::Elsewhere(env) => Some(env),
        _ => None,
    });
    if let Some(env) = elsewhere {
        let names = names(&|what| matches!(what, PlannedAction::Elsewhere(it) if it == env));
        let what = format!("services already applied from {env}: {names}; a service belongs to one environment");
        return Err(Fault::new(FaultKind::Refused, what).with_advice(TWO_ENVIRONMENTS_ADVICE.to_owned()));
    }
    let taken = names(&|what| *what == PlannedAction::NotOurs);
    if taken.is_empty() {
        return Ok(());
    }
    let what = format!("services of the same name were saved by hand: {taken}");
    Err(Fault::new(FaultKind::Refused, what).with_advice("--force replaces them; nothing was changed"))
}

/// How two environments share a machine.
const TWO_ENVIRONMENTS_ADVICE: &str = "nothing was changed; --force moves them here. For two environments on one machine, give each a directory of its \
                   own (`tetra --dir DIR` or TETRA_DIR; `org init ORG --server` in it, and copy the environment there), with \
                   ports of its own";

/// Refuses to apply an environment that runs as another user; root may apply all.
fn find_conflict(cx: &Cx, env: &EnvName, document: &Document) -> Option<Fault> {
    let user = document.text_at(&["deployment", "user"]).filter(|user| !user.is_empty())?;
    let asks = cx.host.user();
    if asks == "root" || asks == user {
        return None;
    }
    let what = format!("`{env}` runs as `{user}` and you are `{asks}`; nothing was changed");
    let yours = match env.tier() {
        Some(Tier::Dev) => format!("{env} = \"user\" below [profiles] in manifest.toml"),
        _ => format!("deployment.user = \"{asks}\" below [overrides.{env}] in local.toml"),
    };
    let advice = format!("apply it as root or as `{user}`; to run `{env}` as you, write {yours} and promote it again");
    Some(Fault::new(FaultKind::Refused, what).with_advice(advice))
}

/// What an environment wants of this machine.
struct ApplyPlan {
    services: Vec<ServicePlan>,
    /// It is another user's.
    conflict: Option<Fault>,
}

/// What is to be done about one service.
struct ServicePlan {
    name: ServiceName,
    action: PlannedAction,
    /// As it will be; none if it is to be removed.
    definition: Option<Definition>,
    enabled: bool,
    notes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
enum PlannedAction {
    Added,
    Changed,
    Unchanged,
    Removed,
    /// A service of this name was saved by hand.
    NotOurs,
    /// It was applied from this other environment.
    Elsewhere(EnvRef),
}

impl PlannedAction {
    fn word(&self) -> (&'static str, Tone) {
        match self {
            Self::Added => ("added", Tone::Good),
            Self::Changed => ("changed", Tone::Warn),
            Self::Unchanged => ("unchanged", Tone::Dim),
            Self::Removed => ("removed", Tone::Bad),
            Self::NotOurs => ("taken", Tone::Bad),
            Self::Elsewhere(_) => ("elsewhere", Tone::Bad),
        }
    }
}

impl Apply {
    fn make_plan(&self, cx: &Cx) -> Result<ApplyPlan, Fault> {
        let org = organization(cx)?;
        let env = environment(cx, self.env.as_ref())?;
        let store = OrgStore::open(cx.paths, &org)?;
        let document = read_generated(&store, &env)?;
        service_keys::refuse(&store.environment_path(&env), service_keys::check(&document))?;
        let foreign = find_conflict(cx, &env, &document);
        let wanted = EnvRef { org: Some(org), env };
        let mut deeds = Vec::new();
        for service in services::declared_services(&document) {
            let Some((definition, notes)) = build_definition(cx, &document, &service, &wanted) else { continue };
            let name: ServiceName =
                service.name.parse().map_err(|error| Fault::new(FaultKind::Failed, format!("{error}")))?;
            let what = self.action_for(cx, &name, &definition, &wanted);
            deeds.push(ServicePlan {
                name,
                action: what,
                definition: Some(definition),
                enabled: service.enabled,
                notes,
            });
        }
        for file in Services::open(cx.paths).files(ServiceSet::Available)? {
            let Ok(known) = Definition::read(&file, cx.host.variables()) else { continue };
            let ours =
                origin(&known).as_ref() == Some(&wanted) && !deeds.iter().any(|deed| deed.name.as_str() == known.name);
            if let (true, Ok(name)) = (ours, known.name.parse()) {
                deeds.push(ServicePlan {
                    name,
                    action: PlannedAction::Removed,
                    definition: None,
                    enabled: false,
                    notes: Vec::new(),
                });
            }
        }
        Ok(ApplyPlan { services: deeds, conflict: foreign })
    }

    fn action_for(&self, cx: &Cx, name: &ServiceName, definition: &Definition, wanted: &EnvRef) -> PlannedAction {
        let file = cx.paths.service(name);
        if !file.exists() {
            return PlannedAction::Added;
        }
        let of = Definition::read(&file, cx.host.variables()).ok().and_then(|known| origin(&known));
        match disk::read_to_string(&file) {
            Ok(text) if text == definition.to_text() => PlannedAction::Unchanged,
            _ if self.force || of.as_ref() == Some(wanted) => PlannedAction::Changed,
            _ => of.map_or(PlannedAction::NotOurs, PlannedAction::Elsewhere),
        }
    }

    fn report(&self, cx: &Cx, wanted: &ApplyPlan) -> Report {
        let columns = [("service", "SERVICE"), ("action", "ACTION"), ("enabled", "ENABLED"), ("command", "COMMAND")];
        let mut table = Table::new(&columns).when_empty("the environment has no services");
        let mut notes = Vec::new();
        let running = ProcessStore::open(cx.paths).all().unwrap_or_default();
        for deed in &wanted.services {
            let (word, tone) = deed.action.word();
            table.row(vec![
                Cell::from(deed.name.as_str()).tone(Tone::Strong),
                Cell::from(word).tone(tone),
                deed.enabled.into(),
                Cell::from(deed.definition.as_ref().map_or_else(String::new, |it| redact::text(&it.command))),
            ]);
            notes.extend(deed.notes.iter().map(|note| format!("{}: {note}", deed.name)));
            let file = cx.paths.service(&deed.name);
            let of_it = |it: &&crate::tsm::store::Process| it.is_running() && Path::new(&it.meta.run.service) == file;
            if deed.action == PlannedAction::Changed {
                let names = running.iter().filter(of_it).map(|it| it.name.to_string());
                notes.extend(names.map(|it| {
                    format!("{it} still runs the old definition: `tsm delete {it}`, `tsm start {}`", deed.name)
                }));
            }
        }
        let report = notes.into_iter().fold(Report::of(table), Report::note);
        match &wanted.conflict {
            Some(foreign) => report.note(foreign.to_string()),
            None if self.dry_run => report.note("nothing was changed"),
            None => report,
        }
    }
}

fn origin(definition: &Definition) -> Option<EnvRef> {
    definition.generated_from()?.parse().ok()
}

/// The generated file of an environment, as it was generated.
fn read_generated(store: &OrgStore, env: &EnvName) -> Result<Document, Fault> {
    let path = store.environment_path(env);
    if *env == store::local_env() {
        return Err(Fault::usage("`local` cannot be applied: it is the source of the other environments")
            .with_advice("`tsm org promote @dev`, then `tsm org apply @dev`"));
    }
    let Some(current) = store.current(env)? else {
        return Err(Fault::from(OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() }).with_advice(
            format!("copy {env}.toml here, to {}; or `tsm org promote @{env}` where its local.toml is", path.display()),
        ));
    };
    match &current.state {
        GeneratedFileState::Intact(header) if header::matches(header, store.org(), env) => {}
        GeneratedFileState::Edited(header) if header::matches(header, store.org(), env) => {
            let what = format!("`{}` was edited after it was generated", path.display());
            return Err(Fault::new(FaultKind::HandEdited, what)
                .with_advice("generate and copy it again; set differences below [overrides] in local.toml"));
        }
        _ => return Err(OrgError::NotGenerated { path, env: env.clone() }.into()),
    }
    Ok(Document::parse(&path.display().to_string(), &current.text).map_err(|found| OrgError::invalid(&path, found))?)
}

/// The tsm definition of a service, with notes. None if it has no command.
fn build_definition(
    cx: &Cx,
    document: &Document,
    service: &DeclaredService,
    made_from: &EnvRef,
) -> Option<(Definition, Vec<String>)> {
    let mut notes = Vec::new();
    let source = document.text_at(&["deployment", "tetra_src"]).map(|text| expand_tilde(cx, text));
    let directory = source.filter(|directory| directory.is_dir()).unwrap_or_else(|| cx.paths.home().to_owned());
    let mut it = service_keys::definition(document, &service.name, &directory, home(cx));
    if it.command.trim().is_empty() {
        return None;
    }
    if !it.cwd.is_dir() {
        notes.push(format!("the working directory {} does not exist", it.cwd.display()));
    }
    if let Some(file) = it.env_file.take_if(|file| !it.cwd.join(file).is_file()) {
        let file = it.cwd.join(file);
        notes.push(format!("env file {} does not exist and was left out; apply again when it exists", file.display()));
    }
    it.port = it.port.or(service.port.map(PortSpec::Exact));
    let own = [
        ("TETRA_ORG", made_from.org.as_ref().map(ToString::to_string)),
        ("TETRA_ENV", Some(made_from.env.to_string())),
    ];
    it.exports.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    it.unknown = vec![(GENERATED_FROM.to_owned(), made_from.to_string())];
    Some((it, notes))
}

fn expand_tilde(cx: &Cx, text: &str) -> PathBuf {
    match (text.strip_prefix('~'), home(cx)) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => PathBuf::from(format!("{home}{rest}")),
        _ => PathBuf::from(text),
    }
}

fn execute(cx: &Cx, deed: &ServicePlan) -> Result<(), Fault> {
    let services = Services::open(cx.paths);
    let Some(definition) = &deed.definition else { return Ok(services.remove(&deed.name)?) };
    if deed.action != PlannedAction::Unchanged {
        services.save(definition, Overwrite::Existing)?;
    }
    if deed.enabled {
        services.enable(&deed.name)?;
    } else if services.is_enabled(&deed.name) {
        services.disable(&deed.name)?;
    }
    Ok(())
}
