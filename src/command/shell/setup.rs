//! `setup`

use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, UserFacingError};
use crate::base::line;
use crate::command::manual::{html, pages, roff};
use crate::command::{Command, Cx, Effect};
use crate::ops::unit;
use crate::report::{Cell, Report, Table, Tone};
use crate::sys::install::{
    self, Artifact, ArtifactState, DOCUMENTS, Install, InstallRecord, MARKER, SYSTEM_BIN, Shell,
};
use crate::sys::paths::Paths;

/// Set up directories, links, the manual and shell completion
///
/// Creates the data directory, the links tsm, tkm and org beside the program, tetra.sh for bash and zsh, the templates of units and
/// services, the manual pages below ~/.local/share/man, and the reference for a browser, ~/.local/share/doc/tetra/reference.html.
/// Running it again changes nothing. Files it did not write are left alone, and --remove removes only what the setup of the same data
/// directory created.
#[derive(Debug, clap::Args)]
pub struct Setup {
    /// Also install in /usr/local/bin, for all users and for `ssh HOST 'tsm …'`: links, or a copy of the program where it is in a directory that others cannot enter
    #[arg(long)]
    system: bool,
    /// Only show what is missing; exit code 3 if anything is
    #[arg(long, conflicts_with = "remove")]
    check: bool,
    /// Remove what setup created; data is kept
    #[arg(long)]
    remove: bool,
    /// Also install completion for this shell; can be repeated
    #[arg(long, value_name = "SHELL", value_enum)]
    completions: Vec<SetupShell>,
}

/// A shell with completion support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SetupShell {
    Bash,
    Zsh,
    Fish,
}

impl From<SetupShell> for Shell {
    fn from(shell: SetupShell) -> Self {
        match shell {
            SetupShell::Bash => Self::Bash,
            SetupShell::Zsh => Self::Zsh,
            SetupShell::Fish => Self::Fish,
        }
    }
}

impl Command for Setup {
    const NAME: &'static str = "setup";
    const ALIASES: &'static [&'static str] = &["tsm setup"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["setup", "setup --completions bash", "setup --check", "setup --remove"];

    fn effect(&self) -> Effect {
        if self.check { Effect::Read } else { Effect::Write }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        // The record lists what this setup created.
        let shells = match self.remove {
            true => vec![Shell::Bash, Shell::Zsh, Shell::Fish],
            false => self.completions.into_iter().map(Shell::from).collect(),
        };
        let program = cx.host.program().to_owned();
        let for_all = Path::new(SYSTEM_BIN).join("tetra");
        let install = Install {
            paths: cx.paths.clone(),
            units: match self.system || for_all.exists() {
                true => unit::templates(&for_all, &for_all),
                false if install::is_open_to_all(&program) => unit::templates(&program, &program),
                false => unit::templates(&program, &for_all),
            },
            program,
            user_home: cx.host.variable("HOME").map(PathBuf::from),
            system_bin: (self.system || self.remove).then(|| PathBuf::from(SYSTEM_BIN)),
            shells,
            manual: manual(),
        };
        let pieces = install.artifacts();
        Ok(match (self.check, self.remove) {
            (true, _) => check(&pieces),
            (_, true) => remove(&pieces, cx.paths)?,
            _ => install_all(&pieces, &install)?,
        })
    }
}

/// The manual pages, and the reference for a browser; the place of each below a directory `share`.
fn manual() -> Vec<(String, String)> {
    let note = format!("{MARKER}, which replaces it.");
    let pages = pages();
    let reference = (format!("{DOCUMENTS}/reference.html"), html(&pages, &note));
    pages.iter().map(|page| (format!("man/{}", page.file()), roff(page, &note))).chain([reference]).collect()
}

/// What was found or done, one row for each changed or missing piece.
struct SetupSummary {
    table: Table,
    faults: Vec<Fault>,
}

impl SetupSummary {
    fn new(otherwise: &str) -> Self {
        let columns = [("state", "STATE"), ("kind", "KIND"), ("path", "PATH")];
        Self { table: Table::new(&columns).when_empty(otherwise), faults: Vec::new() }
    }

    fn row(&mut self, piece: &Artifact, word: &str, tone: Tone) {
        let path = piece.path().display().to_string();
        self.table.row(vec![Cell::from(word).tone(tone), piece.kind_name().into(), path.into()]);
    }

    fn report(self) -> Report {
        Report { faults: self.faults, ..Report::of(self.table) }
    }
}

fn check(pieces: &[Artifact]) -> Report {
    let mut tally = SetupSummary::new("nothing is missing");
    for piece in pieces {
        match piece.state() {
            Ok(ArtifactState::UpToDate) => {}
            Ok(ArtifactState::Missing) => tally.row(piece, "missing", Tone::Warn),
            Ok(ArtifactState::Outdated) => tally.row(piece, "outdated", Tone::Warn),
            Ok(ArtifactState::Foreign) => tally.row(piece, "foreign", Tone::Bad),
            Err(error) => tally.faults.push(error.into()),
        }
    }
    let says_no = !tally.table.rows.is_empty();
    let report = Report { check_failed: says_no, ..tally.report() };
    if says_no { report.note("`tetra setup` installs what is missing or outdated") } else { report }
}

fn install_all(pieces: &[Artifact], install: &Install) -> Result<Report, Fault> {
    let paths = &install.paths;
    let mut tally = SetupSummary::new("everything is set up");
    let mut record = InstallRecord::read(&paths.setup_record())?;
    // Created by a version without a record.
    let made_before = record.is_none() && paths.shell_file().exists();
    let outside = |piece: &Artifact| !piece.path().starts_with(paths.home());
    for piece in pieces {
        let found = piece.install();
        if outside(piece) && matches!(found, Ok(ArtifactState::Missing | ArtifactState::Outdated))
            || made_before && matches!(found, Ok(ArtifactState::UpToDate))
        {
            record.get_or_insert_default().add(piece.path());
        }
        match found {
            Ok(ArtifactState::UpToDate) => {}
            Ok(ArtifactState::Missing) => tally.row(piece, "created", Tone::Good),
            Ok(ArtifactState::Outdated) => tally.row(piece, "renewed", Tone::Good),
            Ok(ArtifactState::Foreign) => tally.faults.push(ForeignFileError { piece: piece.clone() }.into()),
            Err(error) => tally.faults.push(error.into()),
        }
    }
    record.unwrap_or_default().write(&paths.setup_record())?;
    let shell_file = paths.shell_file();
    let short = install.user_home.as_ref().and_then(|home| shell_file.strip_prefix(home).ok());
    let quoted = |path: &Path| line::join([path.to_string_lossy()]);
    let shown = short.map_or_else(|| quoted(&shell_file), |rest| format!("~/{}", quoted(rest)));
    Ok(tally.report().note(format!("next: `source {shown}`, then `tsm start …`")))
}

fn remove(pieces: &[Artifact], paths: &Paths) -> Result<Report, Fault> {
    let mut tally = SetupSummary::new("nothing to remove");
    let record = InstallRecord::read(&paths.setup_record())?.unwrap_or_default();
    let mut take_away = |piece: &Artifact| match piece.uninstall() {
        Ok(true) => tally.row(piece, "removed", Tone::Plain),
        Ok(false) => {}
        Err(error) => tally.faults.push(error.into()),
    };
    let (inside, outside): (Vec<&Artifact>, Vec<&Artifact>) =
        pieces.iter().rev().partition(|piece| piece.path().starts_with(paths.home()));
    let (own, others): (Vec<&Artifact>, Vec<&Artifact>) =
        outside.into_iter().partition(|piece| record.contains(piece.path()));
    own.into_iter().for_each(&mut take_away);
    // Last, so that a second attempt can remove what the first one left.
    InstallRecord::remove(&paths.setup_record())?;
    inside.into_iter().for_each(take_away);
    let is_there = |piece: &&Artifact| !matches!(piece.state(), Ok(ArtifactState::Missing | ArtifactState::Foreign));
    let of_others = others.iter().any(|piece| !matches!(piece, Artifact::Directory(..)) && is_there(piece));
    let kept = pieces.iter().any(|piece| matches!(piece, Artifact::Directory(path, _) if path.exists()));
    let mut report = tally.report();
    if of_others {
        report = report.note("links and templates created for another data directory were kept");
    }
    Ok(if kept { report.note("directories with data were kept") } else { report })
}

/// A file that setup did not write is in the way.
#[derive(Debug, thiserror::Error)]
#[error("`{}` exists and was not written by tetra: left unchanged", piece.path().display())]
struct ForeignFileError {
    piece: Artifact,
}

impl UserFacingError for ForeignFileError {
    fn advice(&self) -> Option<String> {
        Some("move it, then run `tetra setup` again".to_owned())
    }
}
