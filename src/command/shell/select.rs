//! `select`

use crate::base::fault::{Fault, Kind};
use crate::base::name::ProcessName;
use crate::base::near::nearest;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{Choice, Next, Report};
use crate::tsm::store::Store;

/// Choose the process that tsm commands mean when they are not told
///
/// For this session only. `select -` chooses none.
#[derive(Debug, clap::Args)]
pub struct Select {
    /// Its name, the beginning or a part of it, or `-`
    #[arg(value_name = "PROCESS|-", allow_hyphen_values = true)]
    pub process: ProcessTarget,
}

impl Command for Select {
    const NAME: &'static str = "select";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["select -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = if self.process.0 == "-" { None } else { Some(find(cx, &self.process.0)?) };
        Ok(Report::then(Next::Choose(Choice { process: Some(process), ..Choice::default() })))
    }
}

fn find(cx: &Cx, given: &str) -> Result<ProcessName, Fault> {
    let mut names = Store::open(cx.paths).names()?;
    names.sort();
    if let Some(exact) = names.iter().find(|name| name.as_str() == given) {
        return Ok(exact.clone());
    }
    let matching = |fits: fn(&str, &str) -> bool| -> Vec<&ProcessName> {
        names.iter().filter(|name| fits(name.as_str(), given)).collect()
    };
    let mut found = matching(|name, given| name.starts_with(given));
    if found.is_empty() {
        found = matching(|name, given| name.contains(given));
    }
    match found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let fault = Fault::new(Kind::NotFound, format!("no process is called `{given}`"));
            Err(match nearest(given, names.iter().map(ProcessName::as_str)) {
                Some(near) => fault.advise(format!("did you mean `{near}`?")),
                None => fault.advise("`tsm list all` shows every process"),
            })
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
            Err(Fault::new(Kind::NotFound, format!("`{given}` may be {}", names.join(", ")))
                .advise("write more of the name"))
        }
    }
}
