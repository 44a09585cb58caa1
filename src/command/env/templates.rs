//! `env templates`

use super::{open, short_path};
use crate::base::dotenv;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::config::read;
use crate::report::{Report, Table, Value};

/// List the templates of env files
#[derive(Debug, clap::Args)]
pub struct Templates {}

impl Command for Templates {
    const NAME: &'static str = "env templates";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env templates"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let mut table = Table::new(&[("env", "ENV"), ("template", "TEMPLATE"), ("variables", "VARIABLES")])
            .when_empty("no templates here: env/<env>.env.tmpl");
        for env in project.environments() {
            let path = project.template(&env);
            if !path.is_file() {
                continue;
            }
            let count = read::text(&path).ok().and_then(|text| dotenv::parse(&text).ok()).map(|all| all.len());
            table.row(vec![env.as_str().into(), short_path(cx, &path).into(), Value::from(count).into()]);
        }
        Ok(Report::of(table))
    }
}
