//! `tsm paths`

use std::fs;
use std::path::PathBuf;

use super::process_args::find_one;
use crate::base::fault::Fault;
use crate::command::argument::SingleProcess;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table, Value};
use crate::supervise::meta;

/// Show the files and directories of a process
#[derive(Debug, clap::Args)]
pub struct Paths {
    /// Id, name, the beginning or a part of a name, pid or port
    #[arg(if_not_given = SELECTED_PROCESS)]
    target: Option<SingleProcess>,
}

impl Command for Paths {
    const NAME: &'static str = "tsm paths";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm paths api", "tsm paths 0 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = find_one(self.target, cx)?;
        let (meta, run) = (&process.meta, &process.meta.run);
        let given = |path: &str| Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
        let program = run.argv.first().map(PathBuf::from).filter(|path| path.is_absolute());
        let rows = [
            ("directory", Some(process.dir.clone())),
            ("record", Some(meta::path(&process.dir))),
            ("pid_file", Some(process.pid_file())),
            ("stdout", Some(process.out_log())),
            ("stderr", Some(process.err_log())),
            ("orders", Some(process.dir.join("orders"))),
            ("environ", Some(process.dir.join("environ"))),
            ("cwd", Some(meta.cwd.clone())),
            ("program", program),
        ];
        let env_files = meta.env_files().into_iter().map(|file| ("env_file", given(file.path)));
        let others = [("secrets_file", given(&run.secrets_file)), ("service", given(&run.service))];
        let mut table = Table::new(&[("what", "WHAT"), ("path", "PATH"), ("there", "THERE"), ("size", "SIZE")]);
        for (what, path) in rows.into_iter().chain(env_files).chain(others) {
            let Some(path) = path else { continue };
            let found = fs::metadata(&path).ok();
            let size = found.as_ref().filter(|it| it.is_file()).map(|it| Value::Bytes(it.len()));
            table.row(vec![
                what.into(),
                path.display().to_string().into(),
                found.is_some().into(),
                size.unwrap_or(Value::Null).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}
