//! `env init`

use super::{note_all, open, project_dir, scope_inputs, short_path, with_missing};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::base::plural::pluralize;
use crate::base::redact;
use crate::command::{Command, Cx, Effect};
use crate::config::template::is_variable_name;
use crate::env::format::EnvFormat;
use crate::env::generate::{self, MissingSecret};
use crate::env::scope::{ProcessEnv, UnsetPolicy};
use crate::env::write::{self, WriteMode, WriteRequest, WriteResult};
use crate::report::{Message, Report, Value};

/// Generate the env file of an environment from tetra.toml or its template
///
/// Reads the tables common and environments.ENV of tetra.toml in the working directory, else env/ENV.env.tmpl, resolves every
/// `${…}`, takes secrets from the organization's secrets/ENV.env, and writes env/ENV.env with mode 0600. Nothing is written
/// on an error. A missing secret leaves a line `# MISSING NAME` and the exit code is 22; a file that has a value for it is not replaced.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// Replace a file that was edited by hand, or whose secrets are missing now; the old file is saved in env/.backup
    #[arg(long)]
    force: bool,
    /// Set a variable; overrides all sources
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Ignore the variables of this shell; always on for staging, prod and what extends them
    #[arg(long)]
    hermetic: bool,
    /// Expand an undefined name to an empty string, with a warning
    #[arg(long)]
    allow_unset: bool,
    /// Output format: for a shell and tsm, dotenv libraries, systemd, docker, kubectl, or JSON
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "export")]
    format: EnvFormatArg,
}

/// The format of an env file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EnvFormatArg {
    /// `export KEY="value"`
    Export,
    /// `KEY=value`, quoted where needed
    Dotenv,
    /// EnvironmentFile= of a unit
    Systemd,
    /// docker run --env-file
    Docker,
    /// kubectl create secret --from-env-file
    K8s,
    /// One object
    Json,
}

impl EnvFormatArg {
    fn format(self) -> EnvFormat {
        match self {
            Self::Export => EnvFormat::Export,
            Self::Dotenv => EnvFormat::Dotenv,
            Self::Systemd => EnvFormat::Systemd,
            Self::Docker => EnvFormat::Docker,
            Self::K8s => EnvFormat::K8s,
            Self::Json => EnvFormat::Json,
        }
    }
}

impl Command for Init {
    const NAME: &'static str = "env init";
    const ALIASES: &'static [&'static str] = &["tsm init"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["env init staging", "env init @dev --force", "env init prod --format k8s"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.target.clone())])
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let env = self.target;
        let project = open(cx)?;
        let mut around = scope_inputs(cx, &env)?;
        if self.hermetic {
            around.process_env = ProcessEnv::Hermetic;
        }
        if self.allow_unset {
            around.unset = UnsetPolicy::Empty;
        }
        around.given = self.set.iter().map(|text| parse_set_option(text)).collect::<Result<_, _>>()?;
        let generated = generate::generate(&project.plan(&env, around)?, &env)?;
        note_all(cx, &generated.warnings);
        let format = self.format.format();
        let text = generated.text(&env, format)?;
        let path = project_dir(&project).join(format.file_name(env.as_str()));
        let care = if self.force { WriteMode::Force } else { WriteMode::Keep };
        let lacking: Vec<MissingSecret> = generated.missing_secrets().collect();
        let wanted = WriteRequest { env: &env, text: &text, missing_secrets: &lacking };
        let written = write::write(&path, wanted, care, cx.host.now())?;
        let (file, from) = (short_path(cx, &path), &generated.from);
        let aside = match &written {
            WriteResult::Replaced(Some(aside)) => Some(short_path(cx, aside)),
            _ => None,
        };
        let (action, said) = match written {
            WriteResult::Unchanged => ("unchanged", format!("{file} is up to date with {from}")),
            WriteResult::Created => ("created", format!("created {file} from {from}")),
            WriteResult::Replaced(_) => ("replaced", format!("replaced {file} from {from}")),
        };
        let all = generated.variables.len();
        let secret = generated.variables.iter().filter(|variable| variable.secret).count();
        let waiting: Vec<String> =
            generated.variables.iter().filter(|it| it.is_placeholder()).map(|it| it.key.clone()).collect();
        let secrets = if secret == 0 { String::new() } else { format!(", {} among them", pluralize(secret, "secret")) };
        let sentence = Message::new(format!("{said}: {}{secrets}", pluralize(all, "variable")))
            .with("env", env.as_str())
            .with("file", &file)
            .with("from", from)
            .with("format", format.word())
            .with("action", action)
            .with("variables", generated.variables.iter().map(|it| it.key.clone()).collect::<Vec<_>>())
            .with("missing", missing(&generated))
            .with("placeholders", waiting.clone())
            .with("kept", Value::from(aside.clone()));
        let mut report = Report::of(sentence);
        if let Some(aside) = aside {
            report = report.note(format!("saved the old file as {aside}"));
        }
        if !waiting.is_empty() {
            let names = waiting.join(", ");
            report =
                report.note(format!("still placeholders: {names}; `tetra secrets set {env} NAME`, or edit the source"));
        }
        if generated.missing.is_empty() && waiting.is_empty() {
            report = report.note(format!("never commit {file}; next: `tetra env validate {env}`"));
        }
        Ok(with_missing(report, &env, generated.missing))
    }
}

/// A variable and its value, as they are given on the command line.
fn parse_set_option(text: &str) -> Result<(String, String), Fault> {
    match text.split_once('=').filter(|(name, _)| is_variable_name(name)) {
        Some((name, _)) if redact::is_secret_name(name) => {
            Err(Fault::usage(format!("`{name}` is a secret: do not pass it on the command line"))
                .with_advice(format!("tetra secrets set ENV {name}")))
        }
        Some((name, value)) => Ok((name.to_ascii_uppercase(), value.to_owned())),
        None => Err(Fault::usage("invalid value for `--set`: expected NAME=VALUE")),
    }
}

fn missing(generated: &generate::Generated) -> Vec<String> {
    generated.variables.iter().filter(|it| it.value.is_none()).map(|it| it.key.clone()).collect()
}
