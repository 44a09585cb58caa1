//! `manual`

use std::path::PathBuf;

use crate::base::fault::Fault;
use crate::command::manual::{html, pages, roff};
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table};
use crate::sys::file::{self, Access, FileError};

/// Write the manual pages and the reference into a directory
///
/// For packages: `man1` and `man5` with the pages for man, and `reference.html`, all of one program.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Manual {
    /// The directory, which is made if it does not exist
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl Command for Manual {
    const NAME: &'static str = "manual";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["manual target/manual"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let root = cx.host.cwd().join(&self.directory);
        let pages = pages();
        let mut table = Table::new(&[("page", "PAGE"), ("path", "PATH")]);
        let mut write = |page: &str, name: &str, text: String| {
            let path = root.join(name);
            file::create_dir(path.parent().unwrap_or(&root))?;
            file::write(&path, text.as_bytes(), Access::Shared)?;
            table.row(vec![page.into(), path.display().to_string().into()]);
            Ok::<(), FileError>(())
        };
        const NOTE: &str = "Made by `tetra manual`.";
        for page in &pages {
            let title = format!("{}({})", page.name, page.section);
            write(&title, &page.file(), roff(page, NOTE))?;
        }
        write("reference", "reference.html", html(&pages, NOTE))?;
        Ok(Report::of(table))
    }
}
