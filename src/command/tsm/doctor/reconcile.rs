//! `tsm doctor reconcile`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::fix::apply_fix;
use crate::tsm::doctor::{CheckStatus, ports};
use crate::tsm::ports::{read, status};
use crate::tsm::store::ProcessStore;

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
