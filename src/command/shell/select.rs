//! `select`

use crate::base::fault::Fault;
use crate::command::argument::SingleProcess;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report, SelectionChange, Table};
use crate::tsm::resolve::resolve_one;
use crate::tsm::store::ProcessStore;

/// Select the default process of tsm commands
///
/// For this session only. `select -` clears the selection. Without a word it shows what there is.
#[derive(Debug, clap::Args)]
pub struct Select {
    /// The id, the name, a prefix or a part of it, the PID or port, or `-`
    #[arg(value_name = "PROCESS|-")]
    pub process: Option<SingleProcess>,
}

impl Command for Select {
    const NAME: &'static str = "select";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["select -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(SingleProcess(given)) = self.process else { return list(cx) };
        let process = match given.as_str() {
            "-" => None,
            given => Some(resolve_one(given, &ProcessStore::open(cx.paths).all()?)?.name.clone()),
        };
        Ok(Report::then(FollowUp::ChangeSelection(SelectionChange {
            process: Some(process),
            ..SelectionChange::default()
        })))
    }
}

fn list(cx: &Cx) -> Result<Report, Fault> {
    let columns = [("id", "ID"), ("name", "NAME"), ("state", "STATE"), ("active", "ACTIVE")];
    let mut table = Table::new(&columns).when_empty("there are no processes");
    for process in ProcessStore::open(cx.paths).all()? {
        let active = cx.selection.process.as_ref() == Some(&process.name);
        let id = process.id().map(i64::from);
        table.row(vec![id.into(), process.name.to_string().into(), process.live.state.as_str().into(), active.into()]);
    }
    Ok(Report::of(table))
}
