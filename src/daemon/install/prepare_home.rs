//! What a unit needs before it can run: its user, its directories, a program within reach, something to start.

use std::path::{Path, PathBuf};

use super::InstallError;
use super::placement::copied_program;
use super::step::Step;
use crate::base::environment::Tier;
use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::disk;
use crate::ops::OpContext;
use crate::ops::apply::{self, Action, ApplyRequest, Replace, Starts, UnitPart};
use crate::sys::install::{self, Artifact, ArtifactState, Install};
use crate::sys::paths::Paths;
use crate::sys::{net, passwd};
use crate::tsm::definition::Definition;
use crate::tsm::port::PortSpec;
use crate::tsm::service::Overwrite;
use crate::unit::{Account, Owner, UnitSettings};

/// The service that a machine without an organization gets.
const SERVICE: &str = "tetra";

/// What is missing, in order.
pub(super) fn steps(
    context: &OpContext,
    settings: &mut UnitSettings,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let account = match &settings.owner {
        Owner::Account(account) => Some(account.clone()),
        Owner::Instance | Owner::Session => None,
    };
    if let Some(account) = &account {
        account_steps(account, &settings.home, &mut steps);
        directory_steps(account, settings, &mut steps)?;
    }
    if let Some(copy) = copied_program(settings) {
        let from = std::mem::replace(&mut settings.program, copy.clone());
        if !install::is_copy(&from, &copy) {
            steps.push(Step::CopyProgram { from, to: copy });
        }
    }
    if settings.owner == Owner::Instance {
        return Ok(steps);
    }
    let paths = context.paths.with_home(settings.home.clone());
    for piece in home_pieces(context, &paths, settings) {
        refuse_links(&settings.home, piece.path())?;
        if matches!(piece.state(), Ok(ArtifactState::Missing | ArtifactState::Outdated) | Err(_)) {
            steps.push(Step::Piece(piece));
        }
    }
    service_steps(context, &paths, settings, &mut steps, notes)?;
    Ok(steps)
}

fn account_steps(account: &Account, home: &Path, steps: &mut Vec<Step>) {
    let has_group = passwd::group_id(&account.group).is_some();
    if !has_group {
        steps.push(Step::AddGroup(account.group.clone()));
    }
    if passwd::find(&account.user).ok().flatten().is_none() {
        steps.push(Step::AddUser { account: account.clone(), home: home.to_owned() });
    }
}

/// The directories of the unit. One that is there and is root's is given to the user of the unit; of all others the owner must be that user.
fn directory_steps(account: &Account, settings: &UnitSettings, steps: &mut Vec<Step>) -> Result<(), Fault> {
    let home = &settings.home;
    match disk::owner_of(home) {
        None => steps.push(Step::MakeDirectory { path: home.clone(), owner: account.clone() }),
        Some((uid, _)) if net::user_name(uid) == account.user => {}
        Some((0, _)) => steps.push(Step::GiveDirectory { path: home.clone(), owner: account.clone() }),
        Some((uid, _)) => {
            let (path, owner, user) = (home.clone(), net::user_name(uid), account.user.clone());
            return Err(InstallError::ForeignHome { path, owner, user }.into());
        }
    }
    if disk::owner_of(&settings.source).is_none() {
        steps.push(Step::MakeDirectory { path: settings.source.clone(), owner: account.clone() });
    }
    Ok(())
}

/// What `tetra setup` would make in the directory.
fn home_pieces(context: &OpContext, paths: &Paths, settings: &UnitSettings) -> Vec<Artifact> {
    let install = Install {
        paths: Paths::new(
            paths.home().to_owned(),
            paths.config_dir().to_owned(),
            paths.config_dir().to_owned(),
            settings.source.clone(),
        ),
        program: settings.program.clone(),
        user_home: match settings.owner {
            Owner::Session => context.host.variable("HOME").map(PathBuf::from),
            _ => None,
        },
        system_bin: None,
        shells: Vec::new(),
        units: Vec::new(),
        manual: Vec::new(),
    };
    let mut pieces = install.artifacts();
    pieces.retain(|piece| piece.path().starts_with(paths.home()) && piece.path() != paths.home());
    // What was set up for this directory before names the program and source of that time, and may go on doing so.
    pieces.retain(|piece| !(matches!(piece, Artifact::File(..)) && piece.path().exists()));
    pieces
}

/// Root writes into the directory of another user only where that user cannot lead it elsewhere.
fn refuse_links(home: &Path, path: &Path) -> Result<(), Fault> {
    let between = path.ancestors().take_while(|it| it.starts_with(home) && *it != home);
    match between.into_iter().find(|it| it.symlink_metadata().is_ok_and(|found| found.is_symlink())) {
        Some(link) => Err(InstallError::Link { path: link.to_owned() }.into()),
        None => Ok(()),
    }
}

/// Something to start: the services of the environment, or else the built-in server.
fn service_steps(
    context: &OpContext,
    paths: &Paths,
    settings: &UnitSettings,
    steps: &mut Vec<Step>,
    notes: &mut Vec<String>,
) -> Result<(), Fault> {
    if let Some(org) = settings.org.as_ref().filter(|_| paths.home() == context.paths.home()) {
        let request = ApplyRequest {
            paths: context.paths,
            host: context.host,
            org,
            env: &settings.env,
            replace: Replace::Own,
            file: None,
            incoming: &[],
            starts: Starts::WhereLive,
            unit: UnitPart::LeftAlone,
        };
        let plan = apply::plan(&request)?;
        if let Some(refusal) = plan.refusal() {
            notes.push(format!("the services of {org}/{} were left as they are: {refusal}", settings.env));
        } else if plan.services.iter().any(|service| service.action != Action::Keep) {
            steps.push(Step::ApplyServices(plan));
        }
        return Ok(());
    }
    let name: ServiceName = SERVICE.parse()?;
    let file = paths.service(&name);
    let wanted = built_in_server(settings, settings.port);
    let save = |over| Step::SaveService { paths: paths.clone(), definition: Box::new(wanted.clone()), over };
    if file.symlink_metadata().is_err() {
        steps.push(save(Overwrite::Never));
        return Ok(());
    }
    let there = Definition::read(&file, context.host.variables());
    let Ok(Definition { port: Some(PortSpec::Exact(port)), .. }) = there else { return Ok(()) };
    let is_own = || disk::read_to_string(&file).is_ok_and(|text| text == built_in_server(settings, port).to_text());
    if port != settings.port && is_own() {
        steps.push(save(Overwrite::Existing));
    } else if port != settings.port {
        notes.push(format!("`{}` has port {port}, and the unit {}: set TSM_PORT there", file.display(), settings.port));
    }
    Ok(())
}

fn built_in_server(settings: &UnitSettings, port: u16) -> Definition {
    let word =
        if settings.tier == Tier::Prod && settings.env.tier().is_some() { "production" } else { settings.env.as_str() };
    Definition {
        name: SERVICE.to_owned(),
        command: format!("tetra serve --env {word}"),
        cwd: settings.home.clone(),
        port: Some(PortSpec::Exact(port)),
        description: Some(format!("Tetra unified orchestration server (@{} environment)", settings.env)),
        autostart: Some(true),
        ..Definition::default()
    }
}
