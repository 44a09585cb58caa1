//! `tsm doctor`, `healthcheck`, `clean` and `reconcile`

use super::{apply_fixes, run_checks};
use crate::base::fault::Fault;
use crate::command::tsm::findings::{self, FindingFilter};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::fix::apply_fix;
use crate::tsm::doctor::{CheckLevel, CheckStatus, Fix, ports};
use crate::tsm::ports::{read, status};
use crate::tsm::store::ProcessStore;

/// Examine everything: directories, permissions, supervisors, pipes, stale state, ports, disk, limits, unit, clock
///
/// Changes nothing unless --fix is given, which does what is safe: makes directories, closes private ones, gives processes their supervisors
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
        let findings = run_checks(cx, CheckLevel::Full)?;
        Ok(if self.fix {
            apply_fixes(&findings, cx, |_| true)
        } else {
            findings::report(&findings, FindingFilter::All)
        })
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
        Ok(findings::report(&run_checks(cx, CheckLevel::Quick)?, FindingFilter::Problems))
    }
}

/// Remove what dead processes left: pid files, empty directories, halves of interrupted deletes
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
        let mut findings = run_checks(cx, CheckLevel::Quick)?;
        let wanted = |cure: &Fix| match cure {
            Fix::Remove(_) => true,
            Fix::Supervise(_) | Fix::AddPort(_) | Fix::RemovePort(_) => self.aggressive,
            Fix::CreateDirectory(_) | Fix::SetMode(..) => false,
        };
        findings.retain(|finding| finding.with_fix.as_ref().is_some_and(wanted));
        if findings.is_empty() {
            return Ok(
                Report::of(crate::report::Block::from(Vec::<crate::report::Message>::new())).note("Nothing is stale.")
            );
        }
        Ok(apply_fixes(&findings, cx, wanted))
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
        let processes = ProcessStore::open(cx.paths).all()?;
        if self.fix {
            let findings = ports::mismatches(&read(cx.paths)?, &processes);
            let done = {
                let context = cx.operation();
                let cures = findings.iter().filter_map(|finding| finding.with_fix.as_ref());
                cures
                    .map(|cure| context.with_control(|control| apply_fix(cure, control)))
                    .collect::<Result<Vec<_>, _>>()?
            };
            done.iter().for_each(|done| cx.console.note(done));
        }
        let survey = status::read_status(cx.paths, &processes)?;
        let wrong = ports::registry(cx.paths, &processes)?.iter().any(|finding| finding.status == CheckStatus::Error);
        let mut table = Table::new(&[
            ("name", "NAME"),
            ("port", "PORT"),
            ("in_registry", "REGISTRY"),
            ("in_record", "RECORD"),
            ("listening", "LISTENING"),
            ("verdict", "VERDICT"),
        ])
        .when_empty("No ports are declared.");
        for account in &survey.declared {
            let listening = account.in_use();
            let (verdict, tone) = verdict(account);
            table.row(vec![
                Cell::from(account.claim.name.as_str()).tone(Tone::Strong),
                account.claim.port.into(),
                account.registered.into(),
                account.process.is_some().into(),
                match listening {
                    status::PortUse::Free => Value::Null.into(),
                    status::PortUse::Own => "itself".into(),
                    status::PortUse::Other => "another".into(),
                },
                Cell::from(verdict).tone(tone),
            ]);
        }
        Ok(Report { check_failed: wrong, ..Report::of(table) })
    }
}

fn verdict(account: &status::DeclaredPort) -> (&'static str, Tone) {
    match (account.registered, account.process.is_some(), account.in_use()) {
        (false, _, _) => ("missing in the registry", Tone::Bad),
        (true, _, status::PortUse::Other) => ("taken by another", Tone::Bad),
        (true, false, _) => ("reserved", Tone::Dim),
        (true, true, status::PortUse::Own) => ("as declared", Tone::Good),
        (true, true, status::PortUse::Free) if account.pid.is_some() => ("not listening", Tone::Warn),
        (true, true, status::PortUse::Free) => ("not running", Tone::Dim),
    }
}
