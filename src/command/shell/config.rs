//! `config`

use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::SettingWord;
use crate::command::context::{SETTINGS, setting};
use crate::command::settings_file::{self, SettingsFile};
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Table, Value, Visibility};
use crate::sys::file::{self, Access};
use crate::sys::host::{Invocation, READONLY};

/// Show every setting with its value, and where that comes from
///
/// The value of a setting is that of this session (`set`), else that of `config.toml`, which a prompt takes at its start, else the
/// default.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Only this setting
    key: Option<SettingWord>,
    /// Also show where each value comes from: the session, a line of the file, or the default
    #[arg(long)]
    origin: bool,
}

impl Command for Show {
    const NAME: &'static str = "config show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["config show", "config show edit-mode --origin"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if let Some(SettingWord(key)) = self.key.as_ref().filter(|key| setting(&key.0).is_none()) {
            return Err(
                Fault::usage(format!("unknown setting `{key}`")).with_advice("`config show` lists the settings")
            );
        }
        let file = settings_file::read(&cx.paths.config())?.unwrap_or_default();
        let mut columns = vec![("key", "SETTING"), ("value", "VALUE")];
        if self.origin {
            columns.push(("origin", "ORIGIN"));
        }
        columns.extend([("default", "DEFAULT"), ("accepts", "ACCEPTS"), ("help", "MEANING")]);
        let mut table = Table::new(&columns)
            .with_visibility("accepts", Visibility::Wrapped)
            .with_visibility("help", Visibility::Wrapped);
        let wanted = |name: &str| self.key.as_ref().is_none_or(|key| key.0 == name);
        for it in SETTINGS.iter().filter(|it| wanted(it.name)) {
            let (value, origin) = effective(it.name, &file, cx);
            let mut row = vec![it.name.into(), value.into()];
            if self.origin {
                row.push(origin.into());
            }
            row.extend([it.default.into(), it.accepts.expected().into(), it.help.into()]);
            table.row(row);
        }
        let names = SETTINGS.iter().map(|it| it.name).filter(|name| wanted(name));
        let ahead: Vec<&str> = names.filter(|name| is_ahead(name, &file, cx)).collect();
        let mut report = Report::of(table);
        report.faults.extend(file.wrong);
        Ok(match note_ahead(&ahead) {
            Some(note) => report.note(note),
            None => report,
        })
    }
}

/// True for a setting of the file that is not one of this session: of a prompt that began before it was written, or of no prompt.
/// The theme holds everywhere.
fn is_ahead(name: &str, file: &SettingsFile, cx: &Cx) -> bool {
    name != "theme" && file.settings.values.contains_key(name) && !cx.settings.values.contains_key(name)
}

/// What to know about settings that are ahead of this session.
fn note_ahead(ahead: &[&str]) -> Option<String> {
    let holds = match ahead {
        [] => return None,
        [_] => "holds",
        _ => "hold",
    };
    let readonly = if ahead.contains(&"readonly") {
        format!("; `export {READONLY}=1` makes all commands of a shell read-only")
    } else {
        String::new()
    };
    Some(format!(
        "`{}` of config.toml {holds} at prompts that start from now on, not here{readonly}",
        ahead.join("`, `")
    ))
}

/// The value of a setting and where it comes from.
fn effective(name: &str, file: &SettingsFile, cx: &Cx) -> (String, String) {
    let of_file = file.settings.values.get(name);
    let of_session = cx.settings.values.get(name);
    let is_inherited = name == "readonly" && cx.host.is_switched_on(READONLY);
    match (of_session, of_file, file.lines.get(name)) {
        (Some(here), ..) if is_inherited => (here.clone(), READONLY.to_owned()),
        (Some(here), Some(there), Some(line)) if here == there => (here.clone(), format!("config.toml:{line}")),
        (Some(here), ..) => (here.clone(), "this session".to_owned()),
        (None, Some(there), Some(line)) if is_ahead(name, file, cx) => {
            (there.clone(), format!("config.toml:{line}, from the next prompt on"))
        }
        (None, Some(there), Some(line)) => (there.clone(), format!("config.toml:{line}")),
        (None, ..) => (setting(name).map_or("", |it| it.default).to_owned(), "default".to_owned()),
    }
}

/// Print the path of `config.toml`
#[derive(Debug, clap::Args)]
pub struct ConfigPath {}

impl Command for ConfigPath {
    const NAME: &'static str = "config path";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["config path"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.paths.config();
        let said = Message::new(path.display().to_string());
        Ok(Report::of(said.with("path", path.display().to_string()).with("exists", Value::from(path.exists()))))
    }
}

/// Edit `config.toml` in your editor
///
/// A file that does not exist begins with every key, commented out. What is wrong in it afterwards is shown; only those keys are
/// ignored.
#[derive(Debug, clap::Args)]
pub struct Edit {}

impl Command for Edit {
    const NAME: &'static str = "config edit";
    const EFFECT: Effect = Effect::Own;
    const EXAMPLES: &'static [&'static str] = &["config edit"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.paths.config();
        let editor = cx.host.variable("VISUAL").or_else(|| cx.host.variable("EDITOR")).unwrap_or("vi").to_owned();
        if !cx.console.is_interactive() {
            return Err(
                Fault::needs_terminal("an editor").with_advice(format!("edit the file itself: {}", path.display()))
            );
        }
        if !path.exists() {
            file::create_dir(cx.paths.config_dir())?;
            file::write(&path, settings_file::template().as_bytes(), Access::Private)?;
        }
        let bad = || Fault::new(FaultKind::Failed, format!("invalid EDITOR `{editor}`"));
        let mut words = shlex::split(&editor).filter(|words| !words.is_empty()).ok_or_else(bad)?;
        let program = words.remove(0);
        words.push(path.display().to_string());
        let call =
            Invocation { program: program.clone(), arguments: words, inherit_stdio: true, ..Invocation::default() };
        let finished = cx.host.run(&call).map_err(|source| {
            Fault::new(FaultKind::Failed, format!("failed to start the editor `{program}`: {source}"))
                .with_advice("set $VISUAL or $EDITOR")
        })?;
        if finished.exit_code != 0 {
            return Err(Fault::new(
                FaultKind::Failed,
                format!("the editor `{program}` exited with {}", finished.exit_code),
            ));
        }
        let file = settings_file::read(&path)?.unwrap_or_default();
        let said = Message::new(format!("edited {}", path.display())).with("path", path.display().to_string());
        let used = match &file.wrong {
            None => "it holds",
            Some(_) if !file.is_unreadable => "the other keys hold",
            Some(_) => return Ok(Report { faults: file.wrong.into_iter().collect(), ..Report::of(said) }),
        };
        let mut report = Report::of(said).note(format!("{used} from the next start of the prompt on"));
        report.faults.extend(file.wrong);
        Ok(report)
    }
}
