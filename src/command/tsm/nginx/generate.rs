//! `tsm nginx generate`

use super::SiteArgs;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report, Value};

/// Print an nginx site that proxies to the port of a process
#[derive(Debug, clap::Args)]
pub struct Generate {
    #[command(flatten)]
    wanted: SiteArgs,
}

impl Command for Generate {
    const NAME: &'static str = "tsm nginx generate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx generate api --domain api.example.org"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let site = self.wanted.site(cx)?;
        let text = site.text();
        let data = vec![
            ("process".to_owned(), site.process.as_str().into()),
            ("port".to_owned(), Value::from(site.ports.first().copied())),
            ("ports".to_owned(), Value::List(site.ports.iter().map(|port| (*port).into()).collect())),
            ("text".to_owned(), text.as_str().into()),
        ];
        Ok(Report::of(Block::TextWithData { text, data: Value::Record(data) }))
    }
}
