//! `env promote`

use super::{
    masker, note_all, note_sealed, open, pairs, project_dir, resolved, scope_inputs, scope_inputs_if_unsealed,
    short_path, tier,
};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::command::argument::VariableName;
use crate::command::secrets::scan_guard;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::config::mask::Masker;
use crate::env::compare::KeyValue;
use crate::env::format::{EnvFormat, EnvLine};
use crate::env::generate::{self, Generated, MissingSecret};
use crate::env::project::{Project, ProjectError};
use crate::env::promote::{self, PromotionAction, PromotionPair, PromotionStep};
use crate::env::write::{self, WriteMode, WriteRequest, WriteResult};
use crate::report::{Cell, Report, Table, Tone, Value};

/// Generate the env file of an environment from that of another
///
/// Each variable of FROM is resolved for TO if the source defines it, kept if TO has its own value, derived if it follows from
/// the name (NODE_ENV, TETRA_ENV, dev.example.com, /home/dev/, users), and dropped if it is for debugging. Secrets are never
/// copied: those of TO are used; a missing one leaves a line and the exit code is 22. Any other literal needs a review: the exit
/// code is 23 until --accept names it.
#[derive(Debug, clap::Args)]
pub struct Promote {
    /// The environment to promote from
    #[arg(value_name = "FROM")]
    from: EnvName,
    /// The environment to promote to
    #[arg(value_name = "TO")]
    to: EnvName,
    /// Accept a literal as it is; `all` accepts every one
    #[arg(long, value_name = "NAME")]
    accept: Vec<VariableName>,
    /// Replace a file of TO that was edited by hand; the old file is saved in env/.backup
    #[arg(long)]
    force: bool,
    /// Show what would be done
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
}

impl Command for Promote {
    const NAME: &'static str = "env promote";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["env promote dev staging", "env promote dev staging --dry-run", "env promote staging prod --accept COLOR"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Self::EFFECT }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        if self.from == self.to {
            return Err(Fault::usage(format!("{} cannot be promoted to itself", self.from)));
        }
        let promotion = self.promotion(cx)?;
        let effect = Command::effect(&self);
        let environments = vec![cx.selection.qualify(self.to.clone())];
        let state = PlannedFile { wanted: self, promotion };
        let plan = |it: &PlannedFile, _: &mut Cx| Ok(Some(Report::of(it.promotion.table())));
        Ok(Stage { effect, environments, state, plan, run: PlannedFile::run }.ready())
    }
}

/// A promotion that was asked for, with everything that is known about it.
struct PlannedFile {
    wanted: Promote,
    promotion: FilePromotion,
}

impl PlannedFile {
    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Self { wanted: Promote { from, to, force, dry_run, .. }, promotion } = self;
        note_all(cx, &promotion.source.iter().flat_map(|it| it.warnings.clone()).collect::<Vec<_>>());
        let report = Report::of(promotion.table());
        let review: Vec<&str> = promotion.keys(PromotionAction::Review);
        if !review.is_empty() {
            let (count, have) = (pluralize(review.len(), "variable"), if review.len() == 1 { "has" } else { "have" });
            let what = format!("{count} of {} {have} to be reviewed: {}", from, review.join(", "));
            let fault = Fault::new(FaultKind::Review, what).with_advice(format!(
                "set them for {to} in the source, or use --accept {first}; nothing was written",
                first = review.join(" --accept ")
            ));
            return Ok(with_fault(report, fault));
        }
        if dry_run {
            note_sealed(cx, &[&from, &to])?;
            return Ok(report.note("nothing was written"));
        }
        let text = promotion.text(&from, &to)?;
        let care = if force || promotion.keeps_existing() { WriteMode::Force } else { WriteMode::Keep };
        let path = project_dir(&promotion.project).join(EnvFormat::Export.file_name(to.as_str()));
        let lacking = promotion.missing_secrets();
        let wanted = WriteRequest { env: &to, text: &text, missing_secrets: &lacking };
        let written = write::write(&path, wanted, care, cx.host.now())?;
        let file = short_path(cx, &path);
        let mut report = match written {
            WriteResult::Unchanged => report.note(format!("{file} is up to date")),
            WriteResult::Created => report.note(format!("created {file}")),
            WriteResult::Replaced(None) => report.note(format!("replaced {file}")),
            WriteResult::Replaced(Some(aside)) => {
                report.note(format!("replaced {file}; saved the old file as {}", short_path(cx, &aside)))
            }
        };
        let missing = promotion.keys(PromotionAction::Missing);
        if !missing.is_empty() {
            let names = missing.join(", ");
            let secrets: Vec<String> = lacking.into_iter().map(|it| it.secret).collect();
            let fault = Fault::new(FaultKind::SecretMissing, format!("{} has no secret for {names}; see {file}", to))
                .with_advice(format!("{}; then promote again", generate::set_advice(&to, &secrets)));
            report = with_fault(report, fault);
        }
        Ok(report)
    }
}

fn with_fault(mut report: Report, fault: Fault) -> Report {
    report.faults.push(fault);
    report
}

/// Everything that is known about a promotion.
struct FilePromotion {
    project: Project,
    source: Option<Generated>,
    existing: Vec<KeyValue>,
    steps: Vec<PromotionStep>,
    masker: Masker,
}

impl Promote {
    fn promotion(&self, cx: &mut Cx) -> Result<FilePromotion, Fault> {
        let project = open(cx)?;
        // A secret in the source would spread.
        if let Some(document) = &project.document {
            scan_guard::ensure_no_secrets(&document.source.name, &document.source.text)?;
        }
        let rung = tier(cx, &self.to)?;
        // What is only shown needs no secrets.
        let target = if self.dry_run { scope_inputs_if_unsealed(cx, &self.to)? } else { scope_inputs(cx, &self.to)? };
        let secrets = target.secrets.clone();
        let cover = masker(cx, &project, &[&self.from, &self.to])?;
        let source = match project.plan(&self.to, target) {
            Ok(plan) => Some(generate::generate(&plan, &self.to)?),
            Err(ProjectError::UnknownEnvironment { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let here = self.source_pairs(cx, &project)?;
        let there = pairs(&project, &self.to)
            .or_else(|fault| if fault.kind == FaultKind::NotFound { Ok(Vec::new()) } else { Err(fault) })?;
        let (from, to) = (&self.from, &self.to);
        let accepted: Vec<String> = self.accept.iter().map(|name| name.0.clone()).collect();
        let steps = promote::plan_steps(&PromotionPair {
            from,
            to,
            source_values: &here,
            source: source.as_ref(),
            target_values: &there,
            secrets: &secrets,
            accepted: &accepted,
            tier: rung,
        });
        Ok(FilePromotion { project, source, existing: there, steps, masker: cover })
    }

    /// The variables of the one side: its file, else what its source says.
    fn source_pairs(&self, cx: &mut Cx, project: &Project) -> Result<Vec<KeyValue>, Fault> {
        match pairs(project, &self.from) {
            Err(fault) if fault.kind == FaultKind::NotFound => {
                let around = scope_inputs_if_unsealed(cx, &self.from)?;
                let Ok(plan) = project.plan(&self.from, around) else { return Err(fault) };
                let generated = generate::generate(&plan, &self.from)?;
                let mut here = resolved(&generated);
                // What is missing here may be there on the other side.
                let missing = generated.variables.into_iter().filter(|it| it.value.is_none());
                here.extend(missing.map(|it| (it.key, String::new())));
                Ok(here)
            }
            other => other,
        }
    }
}

impl FilePromotion {
    fn keys(&self, action: PromotionAction) -> Vec<&str> {
        self.steps.iter().filter(|step| step.action == action).map(|step| step.key.as_str()).collect()
    }

    /// The variables whose secret is missing: the source may call it by another name.
    fn missing_secrets(&self) -> Vec<MissingSecret> {
        let known: Vec<MissingSecret> = self.source.iter().flat_map(Generated::missing_secrets).collect();
        let missing = self.keys(PromotionAction::Missing).into_iter();
        let found = missing.map(|key| {
            let known = known.iter().find(|it| it.key == key).cloned();
            known.unwrap_or_else(|| MissingSecret { key: key.to_owned(), secret: key.to_owned() })
        });
        found.collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[("key", "NAME"), ("action", "ACTION"), ("before", "BEFORE"), ("after", "AFTER")]);
        for step in &self.steps {
            let tone = match step.action {
                PromotionAction::Review | PromotionAction::Missing => Tone::Bad,
                PromotionAction::Derived | PromotionAction::Dropped | PromotionAction::Accepted => Tone::Warn,
                PromotionAction::Resolved | PromotionAction::Kept | PromotionAction::Secret => Tone::Plain,
            };
            table.row(vec![
                step.key.as_str().into(),
                Cell::from(step.action.word()).tone(tone),
                Value::from(step.before.as_deref().map(|value| self.display_value(step, value))).into(),
                Value::from(step.after.as_deref().map(|value| self.display_value(step, value))).into(),
            ]);
        }
        table
    }

    fn display_value(&self, step: &PromotionStep, value: &str) -> String {
        if step.secret && !value.is_empty() {
            return crate::base::redact::MASK.to_owned();
        }
        self.masker.variable(&step.key, value)
    }

    /// What is there now says nothing that would be lost.
    fn keeps_existing(&self) -> bool {
        let says = |key: &str, value: &str| {
            self.steps.iter().any(|step| step.key == key && step.after.as_deref() == Some(value))
        };
        self.existing.iter().all(|(key, value)| says(key, value))
    }

    /// The whole file: what the source says, then what comes along.
    fn text(&self, from: &EnvName, to: &EnvName) -> Result<String, Fault> {
        let along: Vec<EnvLine> = self.steps.iter().filter(|step| !self.is_in_source(step)).filter_map(line).collect();
        let mut generated = self.source.clone().unwrap_or_else(|| Generated {
            from: format!("env/{from}.env"),
            digest: String::new(),
            lines: Vec::new(),
            variables: Vec::new(),
            warnings: Vec::new(),
            missing: Vec::new(),
        });
        if !along.is_empty() {
            if let Some(source) = &self.source {
                generated.from = format!("{} and env/{from}.env", source.from);
                let head = [EnvLine::Verbatim(String::new()), EnvLine::Verbatim(format!("# from {from}"))];
                generated.lines.extend(head);
            }
            generated.lines.extend(along);
        }
        Ok(generated.text(to, EnvFormat::Export)?)
    }

    fn is_in_source(&self, step: &PromotionStep) -> bool {
        self.source.iter().flat_map(|source| &source.variables).any(|variable| variable.key == step.key)
    }
}

fn line(step: &PromotionStep) -> Option<EnvLine> {
    match (&step.after, step.action) {
        (Some(value), _) => Some(EnvLine::Variable { key: step.key.clone(), value: value.clone() }),
        (None, PromotionAction::Missing) => Some(EnvLine::Verbatim(format!("# MISSING {}", step.key))),
        (None, _) => None,
    }
}
