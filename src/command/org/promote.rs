//! `org promote`

use super::diff;
use super::service_keys;
use super::target::{brief, counted, guarded, home, organization};
use crate::base::diagnostic::Severity;
use crate::base::environment::{EnvName, EnvRef, Rung};
use crate::base::fault::Fault;
use crate::command::secrets::leaks;
use crate::command::{Command, Cx, Effect};
use crate::env::leak;
use crate::org::change::{Again, Edits, Guard, Plan, Planned, Promotion, Wish};
use crate::org::difference::Row;
use crate::org::document::Document;
use crate::org::draft::Difference;
use crate::org::error::OrgError;
use crate::org::history::Entry;
use crate::org::keep::Lost;
use crate::org::manifest::Approval;
use crate::org::render::Annotate;
use crate::org::schema;
use crate::org::setting::settings;
use crate::org::store::Store;
use crate::org::versions::Author;
use crate::report::{Report, Sentence};

/// Generate environments from local.toml
///
/// The rules of each environment's profile are applied, then [overrides.ENV] of local.toml, then --set. Comments, order and
/// looks stay. What was there before is kept in the history; nothing is written if nothing would change. With several
/// environments, all are made before the first is written.
#[derive(Debug, clap::Args)]
pub struct Promote {
    /// The environments
    #[arg(required = true)]
    envs: Vec<EnvName>,
    /// Only show what would be written
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// Give a value; stronger than everything else
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Without the comments `# Changed`, `# Flag added`, `# Added`
    #[arg(long)]
    no_annotate: bool,
    /// If a generated file was edited by hand: write the edits into local.toml, below [overrides.ENV]
    #[arg(long, conflicts_with = "discard_edits")]
    keep_as_override: bool,
    /// If a generated file was edited by hand: keep a copy in the history and generate anew
    #[arg(long)]
    discard_edits: bool,
    /// Also from the local.toml that was rolled back from
    #[arg(long)]
    force: bool,
}

impl Promote {
    fn wish(&self, store: &Store) -> Result<Wish, Fault> {
        self.refuse_strays(store)?;
        Ok(Wish {
            envs: self.envs.iter().map(|env| store.meant(env)).collect(),
            options: self.set.iter().map(|text| settings(text)).collect::<Result<Vec<_>, _>>()?.concat(),
            annotate: if self.no_annotate { Annotate::No } else { Annotate::Yes },
            edits: match (self.keep_as_override, self.discard_edits) {
                (true, _) => Edits::Keep,
                (_, true) => Edits::Discard,
                _ => Edits::Refuse,
            },
            again: if self.force { Again::Allow } else { Again::Refuse },
        })
    }

    /// Refuses keys of services that mean nothing, wherever they are given.
    fn refuse_strays(&self, store: &Store) -> Result<(), Fault> {
        let (path, text) = store.local_text()?;
        // What is no TOML is told later.
        if let Ok(local) = Document::parse(&path.display().to_string(), &text) {
            let strays = service_keys::check(&local);
            if !strays.is_empty() {
                let mut found = schema::check(&local);
                found.retain(|it| it.severity == Severity::Error);
                found.extend(strays);
                service_keys::refuse(&path, found)?;
            }
        }
        for env in &self.envs {
            let Ok(chain) = store.chain(&store.meant(env)) else { continue };
            service_keys::refuse(&path, service_keys::check_profiles(&chain))?;
        }
        for setting in self.set.iter().map(|text| settings(text)).collect::<Result<Vec<_>, _>>()?.iter().flatten() {
            if let Some((title, help)) = service_keys::objection_to(&setting.path, &setting.value) {
                return Err(Fault::usage(format!("--set: {title}")).advise(help));
            }
        }
        Ok(())
    }

    /// Does something with the promotion that is asked for, after a look at secrets in what it is made from.
    fn with<T>(&self, cx: &Cx, act: impl FnOnce(&Promotion) -> Result<T, OrgError>) -> Result<T, Fault> {
        let org = organization(cx)?;
        let store = Store::open(cx.paths, &org)?;
        no_leaks(&store)?;
        let wish = self.wish(&store)?;
        let given = wish.options.iter().map(|it| format!("{} = {}\n", it.path.written(), it.written));
        leaks::stop("--set", &given.collect::<String>())?;
        let author = Author { by: cx.host.user(), now: cx.host.now() };
        let guard = Guard { find: leaks::errors, allow: leak::ALLOW };
        Ok(act(&Promotion { store: &store, wish: &wish, author, home: home(cx), guard })?)
    }

    fn planned(&self, cx: &Cx) -> Result<Report, Fault> {
        let plan = self.with(cx, |promotion| promotion.plan())?;
        let mut report = Report::each::<Sentence>([]);
        for one in &plan.planned {
            report = match one.up_to_date {
                true => report.note(up_to_date(one)),
                false => report
                    .note(format!(
                        "{} would be {}:",
                        one.path.display(),
                        if one.there.is_some() { "changed" } else { "written" }
                    ))
                    .and(diff::table(&changing(one), one.there.as_ref())),
            };
        }
        Ok(lost(&plan).into_iter().fold(report, Report::note))
    }
}

impl Command for Promote {
    const NAME: &'static str = "org promote";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &[
        "org promote @dev",
        "org promote @dev @staging @prod --dry-run",
        "org promote @prod --set resources.memory_max=8192",
    ];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let org = organization(cx)?;
        let store = Store::open(cx.paths, &org)?;
        let waived = store.manifest()?.approval == Approval::Waived;
        let mut touched = self.envs.iter().map(|env| guarded(cx, &org, env)).collect::<Result<Vec<_>, _>>()?;
        touched.retain(|env| !(waived && env.rung() == Some(Rung::Prod)));
        Ok(touched.into_iter().map(|env| cx.selection.within(env)).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.planned(cx).map(Some)
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.dry_run {
            return self.planned(cx);
        }
        let (plan, entries) = self.with(cx, |promotion| promotion.carry_out())?;
        let warnings = plan.planned.iter().flat_map(|planned| &planned.warnings);
        let mut lines: Vec<String> =
            warnings.filter_map(|it| Some(format!("warning: {}: {}", it.place()?, it.title))).collect();
        lines.dedup();
        lines.extend(lost(&plan));
        lines.iter().for_each(|line| cx.console.note(line));
        let done = || plan.planned.iter().zip(&entries);
        let report = Report::each(done().map(|(planned, entry)| said(planned, entry.as_ref())));
        let written: Vec<String> =
            done().filter(|(_, entry)| entry.is_some()).map(|(planned, _)| format!("@{}", planned.env)).collect();
        Ok(match written.first() {
            Some(first) => {
                report.note(format!("look at it: `tsm org diff {first}`, `tsm org env show {}`", &first[1..]))
            }
            None => report,
        })
    }
}

/// A secret in local.toml would be in every environment.
fn no_leaks(store: &Store) -> Result<(), Fault> {
    // What it means is read once, later.
    let (path, text) = store.local_text()?;
    leaks::stop(&path.display().to_string(), &text)
}

/// Edits that could not be kept.
fn lost(plan: &Plan) -> Vec<String> {
    let line = |it: &Lost| format!("warning: the edit of `{}` in {}.toml is not kept: {}", it.path, it.env, it.why);
    plan.lost.iter().map(line).collect()
}

/// What would be written otherwise than it is now.
fn changing(planned: &Planned) -> Vec<Row> {
    let changing = |row: &&Row| planned.there.is_none() || row.is_stale();
    planned.rows.iter().filter(changing).cloned().collect()
}

fn up_to_date(planned: &Planned) -> String {
    format!("{} is up to date (content {})", planned.env, brief(&planned.content))
}

fn said(planned: &Planned, entry: Option<&Entry>) -> Sentence {
    let count = |how: Difference| planned.rows.iter().filter(|row| row.how == Some(how)).count();
    let mut parts: Vec<String> = [
        (Difference::Changed, "changed"),
        (Difference::FlagAdded, "with a flag added"),
        (Difference::Added, "added"),
        (Difference::Removed, "removed"),
    ]
    .iter()
    .filter(|(how, _)| count(*how) > 0)
    .map(|(how, word)| format!("{} {word}", count(*how)))
    .collect();
    if planned.there.is_some() {
        parts = vec![format!("{} changed since the version before", counted(changing(planned).len(), "value"))];
    }
    let text = match entry {
        None => up_to_date(planned),
        Some(_) => {
            format!("{}: generated from local.toml, {}\n  {}", planned.env, parts.join(", "), planned.path.display())
        }
    };
    Sentence::new(text)
        .with("env", planned.env.as_str())
        .with("action", if entry.is_some() { "generated" } else { "up-to-date" })
        .with("path", planned.path.display().to_string())
        .with("content", planned.content.as_str())
        .with("id", entry.map(|entry| entry.id.as_str()).map_or(crate::report::Value::Nothing, Into::into))
        .with("differences", planned.rows.iter().filter(|row| row.how.is_some()).count())
}

/// `3 values`, for other commands that plan.
pub(super) fn values(count: usize) -> String {
    counted(count, "value")
}
