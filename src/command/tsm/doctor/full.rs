//! `tsm doctor`, `healthcheck`, `clean` and `reconcile`

use super::{examined, mended};
use crate::base::fault::Fault;
use crate::command::tsm::findings::{self, Which};
use crate::command::tsm::targets::control;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::mend::mend;
use crate::tsm::doctor::{Depth, Grade, Mend, ports};
use crate::tsm::ports::{read, survey};
use crate::tsm::store::Store;

/// Examine everything: folders, permissions, supervisors, pipes, stale state, ports, disk, limits, unit, clock
///
/// Changes nothing unless --fix is given, which does what is safe: makes folders, closes private ones, gives processes their supervisors
/// back, removes what belongs to nobody, puts the port registry in step. Exit code 3 if an error is left.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Mend what can be mended safely
    #[arg(long)]
    fix: bool,
}

impl Command for Doctor {
    const NAME: &'static str = "tsm doctor";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor", "tsm doctor --fix", "tsm doctor --json"];

    fn effect(&self) -> Effect {
        if self.fix { Effect::Write } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let findings = examined(cx, Depth::Full)?;
        Ok(if self.fix { mended(&findings, cx, |_| true) } else { findings::report(&findings, Which::All) })
    }
}

/// Check quickly whether processes can be managed
///
/// Says only what is wrong. Exit code 3 if there is an error, so that a script or a monitor can ask.
#[derive(Debug, clap::Args)]
pub struct HealthCheck {}

impl Command for HealthCheck {
    const NAME: &'static str = "tsm doctor healthcheck";
    const ALIASES: &'static [&'static str] = &["tsm doctor health"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor healthcheck"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        Ok(findings::report(&examined(cx, Depth::Quick)?, Which::Wrong))
    }
}

/// Remove what dead processes left: pid files, empty folders, halves of interrupted deletes
///
/// With -a also gives processes their supervisors back and puts the port registry in step with the records.
#[derive(Debug, clap::Args)]
pub struct Clean {
    /// Also supervisors and ports
    #[arg(short, long)]
    aggressive: bool,
}

impl Command for Clean {
    const NAME: &'static str = "tsm doctor clean";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor clean", "tsm doctor clean -a"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut findings = examined(cx, Depth::Quick)?;
        let wanted = |cure: &Mend| match cure {
            Mend::Remove(_) => true,
            Mend::Supervise(_) | Mend::Enter(_) | Mend::Strike(_) => self.aggressive,
            Mend::Make(_) | Mend::Close(..) => false,
        };
        findings.retain(|finding| finding.mend.as_ref().is_some_and(wanted));
        if findings.is_empty() {
            return Ok(
                Report::of(crate::report::Block::from(Vec::<crate::report::Sentence>::new())).note("Nothing is stale.")
            );
        }
        Ok(mended(&findings, cx, wanted))
    }
}

/// Compare the port registry with the records of processes and with the sockets that there are
///
/// With --fix the registry is put in step: missing lines are entered, lines that contradict a record are struck out. Exit code 3 if
/// something is left.
#[derive(Debug, clap::Args)]
pub struct Reconcile {
    /// Put the registry in step
    #[arg(long)]
    fix: bool,
}

impl Command for Reconcile {
    const NAME: &'static str = "tsm doctor reconcile";
    const ALIASES: &'static [&'static str] = &["tsm doctor ports-declared", "tsm doctor ports-actual"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor reconcile", "tsm doctor reconcile --fix"];

    fn effect(&self) -> Effect {
        if self.fix { Effect::Write } else { Effect::Read }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes = Store::open(cx.paths).all()?;
        if self.fix {
            let findings = ports::out_of_step(&read(cx.paths)?, &processes);
            let done = {
                let interrupted = || cx.host.interrupted();
                let control = control(cx, &interrupted);
                let cures = findings.iter().filter_map(|finding| finding.mend.as_ref());
                cures.map(|cure| mend(cure, &control)).collect::<Result<Vec<_>, _>>()?
            };
            done.iter().for_each(|done| cx.console.note(done));
        }
        let survey = survey::survey(cx.paths, &processes)?;
        let wrong = ports::registry(cx.paths, &processes)?.iter().any(|finding| finding.grade == Grade::Error);
        let mut table = Table::new(&[
            ("name", "NAME"),
            ("port", "PORT"),
            ("in_registry", "REGISTRY"),
            ("in_record", "RECORD"),
            ("listening", "LISTENING"),
            ("verdict", "VERDICT"),
        ])
        .when_empty("No ports are declared.");
        for account in &survey.accounts {
            let listening = account.in_use();
            let (verdict, tone) = verdict(account);
            table.row(vec![
                Cell::from(account.claim.name.as_str()).tone(Tone::Strong),
                account.claim.port.into(),
                account.entered.into(),
                account.process.is_some().into(),
                match listening {
                    survey::Use::Free => Value::Nothing.into(),
                    survey::Use::Own => "itself".into(),
                    survey::Use::Other => "another".into(),
                },
                Cell::from(verdict).tone(tone),
            ]);
        }
        Ok(Report { says_no: wrong, ..Report::of(table) })
    }
}

fn verdict(account: &survey::Account) -> (&'static str, Tone) {
    match (account.entered, account.process.is_some(), account.in_use()) {
        (false, _, _) => ("missing in the registry", Tone::Bad),
        (true, _, survey::Use::Other) => ("taken by another", Tone::Bad),
        (true, false, _) => ("reserved", Tone::Dim),
        (true, true, survey::Use::Own) => ("as declared", Tone::Good),
        (true, true, survey::Use::Free) if account.pid.is_some() => ("not listening", Tone::Warn),
        (true, true, survey::Use::Free) => ("not running", Tone::Dim),
    }
}
