//! `secrets edit`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{check_can_save, check_exists, save, store, text};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::config::read;
use crate::env::secrets;
use crate::report::{Message, Question, Report, UserAnswer};
use crate::sys::file::{self, Access, FileError};
use crate::sys::host::Invocation;
use crate::sys::password_prompt;

/// Edit the secrets of an environment with $EDITOR
///
/// Edits a private copy, in memory where the system supports it, which is removed afterwards. Text that is not a valid env file,
/// sets a name twice or no longer contains any secret is not saved.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for Edit {
    const NAME: &'static str = "secrets edit";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["secrets edit dev"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        check_exists(cx, &store(cx)?, &self.target)?;
        Ok(vec![cx.selection.qualify(self.target.clone())])
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if !password_prompt::stdin_is_terminal() {
            return Err(
                Fault::needs_terminal("an editor").with_advice("`secrets set ENV NAME` takes a value from a pipe")
            );
        }
        let store = store(cx)?;
        let _lock = store.lock()?;
        let old = text(cx, &store, &self.target, &self.identity)?.unwrap_or_default();
        check_can_save(cx, &store, &self.target, &self.identity)?;
        let copy = WorkingCopy::create(cx, store.directory(), &self.target, &old)?;
        let new = loop {
            copy.edit(cx)?;
            let new = read::text(&copy.path)?;
            match secrets::check_edited(Path::new("the edited text"), &old, &new) {
                Ok(()) => break new,
                Err(error) => {
                    cx.console.error(&error.into());
                    let ask = Question { text: "edit it again?".to_owned(), expected: None };
                    if cx.console.ask(&ask) != UserAnswer::Yes {
                        return Err(Fault::new(
                            FaultKind::Failed,
                            "the edited text was discarded; nothing was changed",
                        ));
                    }
                }
            }
        };
        let changed = new != old;
        if changed {
            save(cx, &store, &self.target, &self.identity, &new)?;
        }
        let said = if changed { "changed the secrets of" } else { "nothing was changed for" };
        Ok(Report::of(
            Message::new(format!("{said} {}", self.target)).with("env", self.target.as_str()).with("changed", changed),
        ))
    }
}

/// A private file that is removed in the end.
struct WorkingCopy {
    path: PathBuf,
    /// A directory that was made for it alone.
    created_dir: Option<PathBuf>,
}

impl WorkingCopy {
    /// Makes it. The lock of the store must be held: what an editing before left when it was killed is taken away.
    fn create(cx: &Cx, store: &Path, env: &EnvName, text: &str) -> Result<Self, FileError> {
        // That directory is in memory and belongs to the operator alone. Each store has its own place there.
        let memory = cx.host.variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
        let place = secrets::sha256(&store.display().to_string());
        let made = memory.map(|memory| memory.join(format!("tetra-edit-{}", &place[..16])));
        if let Some(directory) = &made {
            file::create_private_dir(directory)?;
            file::remove_stale_temporaries(directory);
        }
        let name = format!("{}{}-{env}", file::TEMPORARY_PREFIX, cx.host.now().0);
        let copy = Self { path: made.as_deref().unwrap_or(store).join(name), created_dir: made };
        file::write(&copy.path, text.as_bytes(), Access::Private)?;
        Ok(copy)
    }

    fn edit(&self, cx: &Cx) -> Result<(), Fault> {
        let editor = cx.host.variable("VISUAL").or_else(|| cx.host.variable("EDITOR")).unwrap_or("vi");
        // An editor may come with options, as in `code --wait`.
        let call = Invocation {
            program: "sh".to_owned(),
            arguments: vec![
                "-c".to_owned(),
                format!("{editor} \"$1\""),
                "sh".to_owned(),
                self.path.display().to_string(),
            ],
            inherit_stdio: true,
            ..Invocation::default()
        };
        let failed = |source: io::Error| FileError::Io { action: "edit", path: self.path.clone(), source };
        let finished = cx.host.run(&call).map_err(failed)?;
        if finished.exit_code != 0 {
            let what = format!("`{editor}` exited with {}; nothing was changed", finished.exit_code);
            return Err(Fault::new(FaultKind::Failed, what).with_advice("set $VISUAL or $EDITOR"));
        }
        Ok(())
    }
}

impl Drop for WorkingCopy {
    fn drop(&mut self) {
        // One that is gone need not be removed; a directory in which the editor left something stays until the next time.
        let _ = fs::remove_file(&self.path);
        if let Some(directory) = &self.created_dir {
            let _ = fs::remove_dir(directory);
        }
    }
}
