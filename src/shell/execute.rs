//! Executes one parsed command: confirmation, run, audit record.

use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::command::fleet;
use crate::command::global::Globals;
use crate::command::{CommandSpec, Cx, Effect, ParsedCommand, Selection};
use crate::report::{Console, Report};
use crate::sys::{net, privileges, process};

use super::audit::{self, AuditRecord};
use super::session::Session;
use super::source::ScriptOrigin;
use super::{confirm, confirmed_line, panics};

/// A parsed command and the words it came from.
pub struct Execution<'a> {
    /// The command.
    pub spec: &'static CommandSpec,
    /// All words as given, for the audit log.
    pub words: &'a [String],
    /// The options for this command alone.
    pub globals: &'a Globals,
    /// Where the words come from.
    pub origin: &'a ScriptOrigin,
}

impl Execution<'_> {
    /// The command itself, or the one that has hosts run it. What the options of the session say holds for commands that run
    /// on hosts; others run here.
    ///
    /// # Errors
    ///
    /// Fails if the options of the command name hosts, and it does not run there.
    pub fn where_it_runs(
        &self,
        session: &Session,
        command: Box<dyn ParsedCommand>,
    ) -> Result<Box<dyn ParsedCommand>, Fault> {
        let (own, effect) = (self.globals.fleet()?, command.effect());
        let inherited = || Ok(session.globals.fleet()?.filter(|_| fleet::is_possible(self.spec, effect)));
        let Some(target) = own.map_or_else(inherited, |own| Ok::<_, Fault>(Some(own)))? else { return Ok(command) };
        let mut globals = self.globals.clone();
        globals.output.json |= session.globals.output.json;
        globals.verbose = globals.verbose.max(session.globals.verbose);
        Ok(Box::new(fleet::on_hosts(self.spec, effect, target, self.words, &globals)?))
    }

    /// Asks for confirmation where it is needed, runs the command and writes the audit record.
    ///
    /// # Errors
    ///
    /// Fails if the command is refused or fails; a panic of the command is returned as a fault of [`FaultKind::Internal`].
    pub fn run(
        &self,
        session: &Session,
        console: &mut dyn Console,
        ready: Box<dyn ParsedCommand>,
    ) -> Result<Report, Fault> {
        let paths = match &self.globals.dir {
            Some(dir) => session.paths.with_home(session.host.cwd().join(dir)),
            None => session.paths.clone(),
        };
        let selection = session.selection_with(&paths, self.globals)?;
        let unwritten_lines = session.unwritten_lines.with(<[_]>::to_vec);
        let mut cx = Cx {
            paths: &paths,
            selection: &selection,
            env_option: self.globals.env.as_ref(),
            settings: &session.settings,
            host: &*session.host,
            console,
            yes: self.globals.yes || session.globals.yes,
            verbose: self.globals.verbose.max(session.globals.verbose),
            running_line: session.running_line.as_deref(),
            unwritten_lines: &unwritten_lines,
        };
        let effect = ready.effect();
        let advice = || confirmed_line::advice(self.words, self.origin, session);
        let called = confirm::Called { name: self.spec.name, words: self.words, advice: &advice };
        let mut guarded = None;
        if effect != Effect::Read {
            confirm::check_readonly(self.spec.name, session.mode, &cx)?;
            check_owner(&mut cx)?;
        }
        if effect.is_guarded() {
            confirm::admit(called, effect, guarded.insert(session.guarded()?), &cx)?;
        }
        if self.spec.name.starts_with("tsm ") && !process::is_proc_available() {
            return Err(Fault::new(FaultKind::Failed, "`/proc` is not mounted, and without it no process can be seen")
                .with_advice("mount -t proc proc /proc"));
        }
        let mut began = session.host.now();
        let result = match panics::catch(|| ready.prepare(&mut cx)).unwrap_or_else(Err) {
            Ok(prepared) => {
                let guarded = || guarded.map_or_else(|| session.guarded(), Ok);
                confirm::confirm(called, &prepared, guarded, session.consent, &mut cx)?;
                began = session.host.now();
                panics::catch(|| prepared.run(&mut cx)).unwrap_or_else(Err)
            }
            Err(fault) => Err(fault),
        };
        if effect != Effect::Read {
            self.record(&mut cx, &selection, began, &result);
        }
        result
    }

    /// Writes the audit record. A failure to write it is a warning: the change itself has been made.
    fn record(&self, cx: &mut Cx, selection: &Selection, began: Timestamp, result: &Result<Report, Fault>) {
        let kind = match result {
            Ok(report) => report.faults.first().map(|fault| fault.kind),
            Err(fault) => Some(fault.kind),
        };
        let code = match result {
            Ok(report) => report.exit_code(),
            Err(fault) => fault.kind.code(),
        };
        let deed = AuditRecord {
            started_at: began,
            user: cx.host.user(),
            selection,
            words: self.words,
            outcome: (code, kind),
            duration: cx.host.now().since(began),
        };
        if let Err(error) = audit::record(cx.paths, &deed) {
            let fault = Fault::from(error);
            let why = fault.causes().join(": ");
            cx.console.note(&format!("warning: the audit log was not written: {fault}: {why}"));
        }
    }
}

/// Refuses changes in a data directory of another user. Root acts as the owner of the directory, which is noted.
fn check_owner(cx: &mut Cx) -> Result<(), Fault> {
    let home = cx.paths.home();
    if let Some(owner) = privileges::acts_for() {
        cx.console.note(&format!("note: `{}` belongs to {1}: acting as {1}", home.display(), net::user_name(owner)));
    }
    let Some(owner) = privileges::foreign_owner(home).map(net::user_name) else { return Ok(()) };
    Err(Fault::new(FaultKind::Refused, format!("`{}` belongs to {owner}", home.display()))
        .with_advice(format!("`sudo -u {owner} tsm …` acts as that user; or set TETRA_DIR to a directory of your own")))
}
