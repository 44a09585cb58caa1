//! `env promote`

use super::{
    around, around_if_open, counted, cover, folder, note_all, note_sealed, open, pairs, resolved, rung, short,
};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, Kind};
use crate::command::secrets::leaks;
use crate::command::{Command, Cx, Effect};
use crate::env::compare::Pair;
use crate::env::format::{Format, Line};
use crate::env::generate::{self, Generated, Lacking};
use crate::env::masked::Cover;
use crate::env::project::{Project, ProjectError};
use crate::env::promote::{self, Action, Sides, Step};
use crate::env::write::{self, Care, Wanted, Written};
use crate::report::{Cell, Report, Table, Tone, Value};

/// Make the env file of an environment from that of another
///
/// Every variable of FROM is resolved anew for TO where the source says it, kept where TO has a value of its own, derived
/// where it follows (NODE_ENV, TETRA_ENV, dev.example.com, /home/dev/, users), and left behind if it is for debugging. Secrets
/// are never copied: TO's own are taken, and missing ones leave a line and the exit code 22. What is left is a literal that a
/// person has to look at: exit code 23 until --accept names it.
#[derive(Debug, clap::Args)]
pub struct Promote {
    /// Where it comes from
    #[arg(value_name = "FROM")]
    from: EnvName,
    /// Where it goes
    #[arg(value_name = "TO")]
    to: EnvName,
    /// Let a literal pass as it is; `all` for every one
    #[arg(long, value_name = "NAME")]
    accept: Vec<String>,
    /// Write over a file of TO that somebody edited; the old one is kept in env/.backup
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

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.within(self.to.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let promotion = self.promotion(cx)?;
        Ok(Some(Report::of(promotion.table())))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.from == self.to {
            return Err(Fault::usage(format!("{} cannot be promoted to itself", self.from)));
        }
        let promotion = self.promotion(cx)?;
        note_all(cx, &promotion.source.iter().flat_map(|it| it.warnings.clone()).collect::<Vec<_>>());
        let report = Report::of(promotion.table());
        let review: Vec<&str> = promotion.keys(Action::Review);
        if !review.is_empty() {
            let (count, have) = (counted(review.len(), "variable"), if review.len() == 1 { "has" } else { "have" });
            let what = format!("{count} of {} {have} to be looked at: {}", self.from, review.join(", "));
            let fault = Fault::new(Kind::Review, what).advise(format!(
                "set them for {to} in the source, or let them pass: --accept {first}; nothing was written",
                to = self.to,
                first = review.join(" --accept ")
            ));
            return Ok(failing(report, fault));
        }
        if self.dry_run {
            note_sealed(cx, &[&self.from, &self.to])?;
            return Ok(report.note("nothing was written"));
        }
        let text = promotion.text(&self.from, &self.to)?;
        let care = if self.force || promotion.covers_there() { Care::Force } else { Care::Keep };
        let path = folder(&promotion.project).join(Format::Export.file_name(self.to.as_str()));
        let lacking = promotion.lacking();
        let wanted = Wanted { env: &self.to, text: &text, lacking: &lacking };
        let written = write::put(&path, wanted, care, cx.host.now())?;
        let file = short(cx, &path);
        let mut report = match written {
            Written::Unchanged => report.note(format!("{file} says so already")),
            Written::Created => report.note(format!("created {file}")),
            Written::Replaced(None) => report.note(format!("replaced {file}")),
            Written::Replaced(Some(aside)) => {
                report.note(format!("replaced {file}; the one that was there is kept as {}", short(cx, &aside)))
            }
        };
        let missing = promotion.keys(Action::Missing);
        if !missing.is_empty() {
            let names = missing.join(", ");
            let secrets: Vec<String> = lacking.into_iter().map(|it| it.secret).collect();
            let fault =
                Fault::new(Kind::SecretMissing, format!("{} has no secret for {names}; {file} says where", self.to))
                    .advise(format!("{}; then promote again", generate::set_advice(&self.to, &secrets)));
            report = failing(report, fault);
        }
        Ok(report)
    }
}

fn failing(mut report: Report, fault: Fault) -> Report {
    report.faults.push(fault);
    report
}

/// Everything that is known about a promotion.
struct Promotion {
    project: Project,
    source: Option<Generated>,
    there: Vec<Pair>,
    steps: Vec<Step>,
    cover: Cover,
}

impl Promote {
    fn promotion(&self, cx: &mut Cx) -> Result<Promotion, Fault> {
        let project = open(cx)?;
        // A secret in the source would spread.
        if let Some(document) = &project.document {
            leaks::stop(&document.source.name, &document.text)?;
        }
        let rung = rung(cx, &self.to)?;
        // What is only shown needs no secrets.
        let target = if self.dry_run { around_if_open(cx, &self.to)? } else { around(cx, &self.to)? };
        let secrets = target.secrets.clone();
        let cover = cover(cx, &project, &[&self.from, &self.to])?;
        let source = match project.plan(&self.to, target) {
            Ok(plan) => Some(generate::generate(&plan, &self.to)?),
            Err(ProjectError::Unknown { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let here = self.here(cx, &project)?;
        let there = pairs(&project, &self.to)
            .or_else(|fault| if fault.kind == Kind::NotFound { Ok(Vec::new()) } else { Err(fault) })?;
        let (from, to) = (&self.from, &self.to);
        let accepted = &self.accept;
        let steps = promote::steps(&Sides {
            from,
            to,
            here: &here,
            source: source.as_ref(),
            there: &there,
            secrets: &secrets,
            accepted,
            rung,
        });
        Ok(Promotion { project, source, there, steps, cover })
    }

    /// The variables of the one side: its file, else what its source says.
    fn here(&self, cx: &mut Cx, project: &Project) -> Result<Vec<Pair>, Fault> {
        match pairs(project, &self.from) {
            Err(fault) if fault.kind == Kind::NotFound => {
                let around = around_if_open(cx, &self.from)?;
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

impl Promotion {
    fn keys(&self, action: Action) -> Vec<&str> {
        self.steps.iter().filter(|step| step.action == action).map(|step| step.key.as_str()).collect()
    }

    /// The variables whose secret is missing: the source may call it by another name.
    fn lacking(&self) -> Vec<Lacking> {
        let known: Vec<Lacking> = self.source.iter().flat_map(Generated::lacking).collect();
        let missing = self.keys(Action::Missing).into_iter();
        let found = missing.map(|key| {
            let known = known.iter().find(|it| it.key == key).cloned();
            known.unwrap_or_else(|| Lacking { key: key.to_owned(), secret: key.to_owned() })
        });
        found.collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[("key", "NAME"), ("action", "ACTION"), ("before", "BEFORE"), ("after", "AFTER")]);
        for step in &self.steps {
            let tone = match step.action {
                Action::Review | Action::Missing => Tone::Bad,
                Action::Derived | Action::Dropped | Action::Accepted => Tone::Warn,
                Action::Resolved | Action::Kept | Action::Secret => Tone::Plain,
            };
            table.row(vec![
                step.key.as_str().into(),
                Cell::from(step.action.word()).tone(tone),
                Value::from(step.before.as_deref().map(|value| self.shown(step, value))).into(),
                Value::from(step.after.as_deref().map(|value| self.shown(step, value))).into(),
            ]);
        }
        table
    }

    fn shown(&self, step: &Step, value: &str) -> String {
        if step.secret && !value.is_empty() {
            return crate::base::redact::MASK.to_owned();
        }
        self.cover.variable(&step.key, value)
    }

    /// What is there now says nothing that would be lost.
    fn covers_there(&self) -> bool {
        let says = |key: &str, value: &str| {
            self.steps.iter().any(|step| step.key == key && step.after.as_deref() == Some(value))
        };
        self.there.iter().all(|(key, value)| says(key, value))
    }

    /// The whole file: what the source says, then what comes along.
    fn text(&self, from: &EnvName, to: &EnvName) -> Result<String, Fault> {
        let along: Vec<Line> = self.steps.iter().filter(|step| !self.is_in_source(step)).filter_map(line).collect();
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
                let head = [Line::Verbatim(String::new()), Line::Verbatim(format!("# from {from}"))];
                generated.lines.extend(head);
            }
            generated.lines.extend(along);
        }
        Ok(generated.text(to, Format::Export)?)
    }

    fn is_in_source(&self, step: &Step) -> bool {
        self.source.iter().flat_map(|source| &source.variables).any(|variable| variable.key == step.key)
    }
}

fn line(step: &Step) -> Option<Line> {
    match (&step.after, step.action) {
        (Some(value), _) => Some(Line::Variable { key: step.key.clone(), value: value.clone() }),
        (None, Action::Missing) => Some(Line::Verbatim(format!("# MISSING {}", step.key))),
        (None, _) => None,
    }
}
