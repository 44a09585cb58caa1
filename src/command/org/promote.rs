//! `org promote`

use super::context::{home, organization, short_hash, tier_env};
use super::diff;
use crate::base::diagnostic::Severity;
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::base::plural::pluralize;
use crate::command::argument::{GeneratedEnv, TomlAssignment};
use crate::command::prepared::{Prepared, Stage};
use crate::command::secrets::scan_guard;
use crate::command::{Command, Cx, Effect};
use crate::config::Value as TomlValue;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::secret_scan;
use crate::ops::service_keys;
use crate::org::diff::DiffRow;
use crate::org::draft::DiffKind;
use crate::org::hand_edits::LostEdit;
use crate::org::history::VersionEntry;
use crate::org::manifest::Approval;
use crate::org::operations::{
    AfterRollback, HandEdits, PlannedEnv, PromoteOptions, Promotion, PromotionPlan, SecretGuard,
};
use crate::org::render::Annotate;
use crate::org::schema;
use crate::org::set_option::parse_set_options;
use crate::org::store::OrgStore;
use crate::org::versions::Author;
use crate::report::{Message, Report};

/// Generate environments from local.toml
///
/// Applies the rules of each environment's profile, then [overrides.ENV] of local.toml, then --set. Comments, order and formatting
/// are kept. The previous version is saved in the history; an unchanged file is not written. With several environments, all are
/// generated before the first is written.
#[derive(Debug, clap::Args)]
pub struct Promote {
    /// The environments
    #[arg(required = true)]
    envs: Vec<GeneratedEnv>,
    /// Show what would be written, and write nothing
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// Set a value; overrides all layers
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<TomlAssignment>,
    /// Omit the comments `# Changed`, `# Flag added`, `# Added`
    #[arg(long)]
    no_annotate: bool,
    /// Write edits of generated files into local.toml, below [overrides.ENV]
    #[arg(long, conflicts_with = "discard_edits")]
    keep_as_override: bool,
    /// Discard edits of generated files; a copy is saved in the history
    #[arg(long)]
    discard_edits: bool,
    /// Promote also from a local.toml that was rolled back from
    #[arg(long)]
    force: bool,
}

impl Promote {
    fn promote_options(&self, store: &OrgStore) -> Result<PromoteOptions, Fault> {
        let envs: Vec<EnvName> = self.envs.iter().map(|GeneratedEnv(env)| store.resolve_alias(env)).collect();
        refuse_orphans(store, &envs)?;
        self.refuse_orphan_settings()?;
        Ok(PromoteOptions {
            envs,
            options: self.set.iter().map(|text| parse_set_options(&text.0)).collect::<Result<Vec<_>, _>>()?.concat(),
            annotate: if self.no_annotate { Annotate::No } else { Annotate::Yes },
            hand_edits: match (self.keep_as_override, self.discard_edits) {
                (true, _) => HandEdits::Keep,
                (_, true) => HandEdits::Discard,
                _ => HandEdits::Refuse,
            },
            after_rollback: if self.force { AfterRollback::Allow } else { AfterRollback::Refuse },
        })
    }

    /// Refuses keys of services in `--set` that mean nothing.
    fn refuse_orphan_settings(&self) -> Result<(), Fault> {
        for setting in
            self.set.iter().map(|text| parse_set_options(&text.0)).collect::<Result<Vec<_>, _>>()?.iter().flatten()
        {
            if let Some((title, help)) = service_keys::problem_with(&setting.path, &setting.value) {
                return Err(Fault::usage(format!("--set: {title}")).with_advice(help));
            }
        }
        Ok(())
    }

    /// The environments that need an approval. The manifest can waive it for prod.
    fn guarded_envs(&self, cx: &mut Cx, store: &OrgStore) -> Result<Vec<EnvRef>, Fault> {
        let waived = store.manifest()?.approval == Approval::NotRequired;
        let mut touched =
            self.envs.iter().map(|GeneratedEnv(env)| tier_env(cx, store.org(), env)).collect::<Result<Vec<_>, _>>()?;
        touched.retain(|env| !(waived && env.tier() == Some(Tier::Prod)));
        Ok(touched.into_iter().map(|env| cx.selection.qualify(env)).collect())
    }
}

/// Refuses keys of services that mean nothing, in `local.toml` and in the profiles of environments.
fn refuse_orphans(store: &OrgStore, envs: &[EnvName]) -> Result<(), Fault> {
    let (path, text) = store.local_text()?;
    // Invalid TOML is reported later.
    if let Ok(local) = Document::parse(&path.display().to_string(), &text) {
        let strays = service_keys::check(&local);
        if !strays.is_empty() {
            let mut found = schema::check(&local);
            found.retain(|it| it.severity == Severity::Error);
            found.extend(strays);
            service_keys::refuse(&path, found)?;
        }
    }
    for env in envs {
        let Ok(chain) = store.chain(env) else { continue };
        service_keys::refuse(&path, service_keys::check_profiles(&chain))?;
    }
    Ok(())
}

/// A promotion that was asked for, and its plan.
pub(super) struct PlannedPromotion {
    org: OrgName,
    options: PromoteOptions,
    pub plan: PromotionPlan,
}

/// Plans the promotion of one environment, as it is without options.
///
/// # Errors
///
/// As the promotion itself fails.
pub(super) fn plan_one(cx: &Cx, store: &OrgStore, env: &EnvName, author: Author) -> Result<PlannedPromotion, Fault> {
    ensure_no_leaks(store)?;
    let options = PromoteOptions {
        envs: vec![env.clone()],
        options: Vec::new(),
        annotate: Annotate::Yes,
        hand_edits: HandEdits::Refuse,
        after_rollback: AfterRollback::Refuse,
    };
    let plan = Promotion { author, ..promotion(cx, store, &options) }.plan()?;
    refuse_orphans(store, std::slice::from_ref(env))?;
    Ok(PlannedPromotion { org: store.org().clone(), options, plan })
}

/// Writes what was planned; what was done, in lines.
///
/// # Errors
///
/// Fails if the plan does not fit any more, or a file cannot be written.
pub(super) fn carry_out(cx: &Cx, store: &OrgStore, planned: PlannedPromotion) -> Result<Vec<Message>, Fault> {
    let PlannedPromotion { options, plan, .. } = planned;
    let (plan, entries) = promotion(cx, store, &options).execute(plan)?;
    Ok(plan.planned.iter().zip(&entries).map(|(planned, entry)| result_message(planned, entry.as_ref())).collect())
}

fn promotion<'a>(cx: &'a Cx, store: &'a OrgStore, options: &'a PromoteOptions) -> Promotion<'a> {
    let author = Author { by: cx.host.user(), now: cx.host.now() };
    let guard = SecretGuard { find: scan_guard::toml_leaks, allow: secret_scan::ALLOW };
    let accepts = |path: &KeyPath, value: &TomlValue| service_keys::problem_with(path, value).is_none();
    Promotion { store, options, author, home: home(cx), guard, accepts }
}

fn show(PlannedPromotion { org, plan, .. }: &PlannedPromotion, cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let mut report = Report::each::<Message>([]);
    for one in &plan.planned {
        report = match one.up_to_date {
            true => report.note(up_to_date(one)),
            false => report
                .note(format!(
                    "{} would be {}:",
                    one.path.display(),
                    if one.current.is_some() { "changed" } else { "written" }
                ))
                .and(diff::table(&changing(one), one.current.as_ref())),
        };
    }
    let warnings = of_manifest(&OrgStore::open(cx.paths, org)?);
    Ok(Some(warnings.into_iter().chain(lost(plan)).fold(report, Report::note)))
}

fn promote(PlannedPromotion { org, options, plan }: PlannedPromotion, cx: &mut Cx) -> Result<Report, Fault> {
    let store = OrgStore::open(cx.paths, &org)?;
    let (plan, entries) = promotion(cx, &store, &options).execute(plan)?;
    let warnings = plan.planned.iter().flat_map(|planned| &planned.warnings);
    let mut lines: Vec<String> =
        warnings.filter_map(|it| Some(format!("warning: {}: {}", it.location()?, it.title))).collect();
    lines.dedup();
    lines.extend(of_manifest(&store));
    lines.extend(lost(&plan));
    lines.iter().for_each(|line| cx.console.note(line));
    let done = || plan.planned.iter().zip(&entries);
    let report = Report::each(done().map(|(planned, entry)| result_message(planned, entry.as_ref())));
    let written: Vec<String> =
        done().filter(|(_, entry)| entry.is_some()).map(|(planned, _)| format!("@{}", planned.env)).collect();
    Ok(match written.first() {
        Some(first) => report.note(format!("next: `tsm org diff {first}`, `tsm org env show {}`", &first[1..])),
        None => report,
    })
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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        ensure_no_leaks(&store)?;
        let options = self.promote_options(&store)?;
        let given = options.options.iter().map(|it| format!("{} = {}\n", it.path.to_toml(), it.written));
        scan_guard::ensure_no_secrets("--set", &given.collect::<String>())?;
        let plan = promotion(cx, &store, &options).plan()?;
        let (effect, environments) = (Self::EFFECT, self.guarded_envs(cx, &store)?);
        let state = PlannedPromotion { org: org.clone(), options, plan };
        let stage = Stage { effect, environments, state, plan: show, run: promote };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

/// A secret in local.toml would be in every environment.
fn ensure_no_leaks(store: &OrgStore) -> Result<(), Fault> {
    // What it means is read once, later.
    let (path, text) = store.local_text()?;
    scan_guard::ensure_no_secrets(&path.display().to_string(), &text)
}

/// Keys of the manifest that mean nothing, such as a misspelt gate. It was read before, and what is wrong was reported then.
fn of_manifest(store: &OrgStore) -> Vec<String> {
    store.manifest().map(|it| it.warnings()).unwrap_or_default()
}

/// Edits that could not be kept.
fn lost(plan: &PromotionPlan) -> Vec<String> {
    let line =
        |it: &LostEdit| format!("warning: the edit of `{}` in {}.toml cannot be kept: {}", it.path, it.env, it.why);
    plan.lost.iter().map(line).collect()
}

/// What would be written otherwise than it is now.
pub(super) fn changing(planned: &PlannedEnv) -> Vec<DiffRow> {
    let changing = |row: &&DiffRow| planned.current.is_none() || row.is_stale();
    planned.rows.iter().filter(changing).cloned().collect()
}

fn up_to_date(planned: &PlannedEnv) -> String {
    format!("{} is up to date (content {})", planned.env, short_hash(&planned.content))
}

fn result_message(planned: &PlannedEnv, entry: Option<&VersionEntry>) -> Message {
    let count = |how: DiffKind| planned.rows.iter().filter(|row| row.kind == Some(how)).count();
    let mut parts: Vec<String> = [
        (DiffKind::Changed, "changed"),
        (DiffKind::FlagAdded, "with a flag added"),
        (DiffKind::Added, "added"),
        (DiffKind::Removed, "removed"),
    ]
    .iter()
    .filter(|(how, _)| count(*how) > 0)
    .map(|(how, word)| format!("{} {word}", count(*how)))
    .collect();
    if planned.current.is_some() {
        parts = vec![format!("{} changed since the version before", pluralize(changing(planned).len(), "value"))];
    }
    let text = match entry {
        None => up_to_date(planned),
        Some(_) => {
            format!("{}: generated from local.toml, {}\n  {}", planned.env, parts.join(", "), planned.path.display())
        }
    };
    Message::new(text)
        .with("env", planned.env.as_str())
        .with("action", if entry.is_some() { "generated" } else { "up-to-date" })
        .with("path", planned.path.display().to_string())
        .with("content", planned.content.as_str())
        .with("id", entry.map(|entry| entry.id.as_str()).map_or(crate::report::Value::Null, Into::into))
        .with("differences", planned.rows.iter().filter(|row| row.kind.is_some()).count())
}

/// `3 values`, for other commands that plan.
pub(super) fn values(count: usize) -> String {
    pluralize(count, "value")
}
