//! Installs what the program needs on a machine: directories, links beside it, the shell file, templates.
//!
//! [`Install::artifacts`] says what there should be; each [`Artifact`] can tell its [`ArtifactState`], be put in place and be taken away.
//! A file of that name which the program did not write is never touched.

mod artifact;
mod record;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::file::Access;
use super::paths::Paths;
pub use artifact::{Artifact, ArtifactState, copy_program, is_copy};
pub use record::InstallRecord;

/// The names the program answers to beside its own.
pub const NAMES: [&str; 3] = ["tsm", "tkm", "org"];

/// Where `ssh HOST 'tsm …'` finds programs, since it reads no shell file.
pub const SYSTEM_BIN: &str = "/usr/local/bin";

/// Where documents are below a directory `share`.
pub const DOCUMENTS: &str = "doc/tetra";

/// Part of every file that setup writes.
pub(crate) const MARKER: &str = "Written by tetra setup";

const SHELL_FILE_TEMPLATE: &str = include_str!("../../templates/tetra.sh");

/// The template of the service that the documents copy: its name, and its text.
const SERVICE_TEMPLATE: (&str, &str) =
    ("services/tetra-dev.tsm", include_str!("../../templates/services/tetra-dev.tsm"));

/// Templates for Prometheus and Grafana: their names, and their texts.
const MONITORING_TEMPLATES: [(&str, &str); 2] = [
    ("monitoring/grafana-dashboard.json", include_str!("../../templates/monitoring/grafana-dashboard.json")),
    ("monitoring/prometheus-alerts.yml", include_str!("../../templates/monitoring/prometheus-alerts.yml")),
];

/// What is installed where.
#[derive(Debug, Clone)]
pub struct Install {
    /// Where everything is.
    pub paths: Paths,
    /// The program.
    pub program: PathBuf,
    /// The operator's home directory; places below it are written as `$HOME/…`.
    pub user_home: Option<PathBuf>,
    /// A second directory for links, for all users: [`SYSTEM_BIN`] outside of tests.
    pub system_bin: Option<PathBuf>,
    /// The shells that get completion.
    pub shells: Vec<Shell>,
    /// Units for the templates: the name of each, and its text.
    pub units: Vec<(String, String)>,
    /// Manual pages and documents: the place of each below a directory `share`, and its text.
    pub manual: Vec<(String, String)>,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash: read by `tetra.sh`
    Bash,
    /// zsh: read by `tetra.sh`
    Zsh,
    /// fish: in its own directory for completions
    Fish,
}

impl Install {
    /// Everything that should be there, directories before what is in them.
    #[must_use]
    pub fn artifacts(&self) -> Vec<Artifact> {
        let paths = &self.paths;
        let mut pieces = vec![
            Artifact::Directory(paths.home().to_owned(), Access::Shared),
            Artifact::Directory(paths.orgs(), Access::Shared),
            Artifact::Directory(paths.tsm(), Access::Shared),
            Artifact::Directory(paths.services_available(), Access::Shared),
            Artifact::Directory(paths.services_enabled(), Access::Shared),
            Artifact::Directory(paths.runtime(), Access::Private),
            Artifact::Directory(paths.processes(), Access::Private),
            Artifact::Directory(paths.keys(), Access::Private),
            Artifact::Directory(paths.logs(), Access::Shared),
            Artifact::File(paths.shell_file(), self.shell_file()),
        ];
        pieces.extend(self.templates());
        pieces.extend(self.links());
        pieces.extend(self.manual_pages());
        if self.shells.iter().any(|shell| *shell != Shell::Fish) {
            pieces.push(Artifact::Directory(self.paths.completions(), Access::Shared));
        }
        pieces.extend(self.shells.iter().flat_map(|shell| self.completion(*shell)));
        pieces
    }

    /// The templates. The project's own source tree has them already.
    fn templates(&self) -> Vec<Artifact> {
        if self.paths.source().join("Cargo.toml").exists() {
            return Vec::new();
        }
        let dir = self.paths.templates();
        let mut pieces = vec![
            Artifact::Directory(dir.clone(), Access::Shared),
            Artifact::Directory(dir.join("systemd"), Access::Shared),
            Artifact::Directory(dir.join("services"), Access::Shared),
            Artifact::Directory(dir.join("monitoring"), Access::Shared),
        ];
        let units = self.units.iter().map(|(name, text)| Artifact::File(dir.join("systemd").join(name), text.clone()));
        pieces.extend(units);
        let others = [SERVICE_TEMPLATE].into_iter().chain(MONITORING_TEMPLATES);
        pieces.extend(others.map(|(name, text)| Artifact::File(dir.join(name), text.to_owned())));
        pieces
    }

    /// Links to the program: beside it by its bare name, so that the directory can move; elsewhere by its whole path.
    fn links(&self) -> Vec<Artifact> {
        let mut links = Vec::new();
        let (Some(dir), Some(own)) = (self.program.parent(), self.program.file_name()) else { return links };
        links.extend(NAMES.map(|name| Artifact::Link(dir.join(name), PathBuf::from(own))));
        if let Some(system) = self.system_bin.as_deref().filter(|system| *system != dir) {
            let program = system.join("tetra");
            links.push(match is_open_to_all(&self.program) {
                true => Artifact::Link(program, self.program.clone()),
                // A link into a directory that other users cannot enter would be none for them.
                false => Artifact::Program(program, self.program.clone()),
            });
            links.extend(NAMES.map(|name| Artifact::Link(system.join(name), PathBuf::from("tetra"))));
        }
        links
    }

    /// The manual where `man` finds it, beside the directories for programs, and the reference with the documents. Not where a
    /// package has brought them.
    fn manual_pages(&self) -> Vec<Artifact> {
        let beside = |programs: &Path| programs.parent().map(|prefix| prefix.join("share"));
        let is_packaged = |share: PathBuf| share.join("man/man1/tetra.1.gz").exists();
        let packaged = self.program.parent().and_then(beside).is_some_and(is_packaged);
        let own = self.user_home.as_deref().filter(|_| !packaged).map(|home| home.join(".local/share"));
        let system = self.system_bin.as_deref().and_then(beside);
        let pages = |share: PathBuf| {
            let documents = Artifact::Directory(share.join(DOCUMENTS), Access::Shared);
            let pages = self.manual.iter().map(|(name, page)| Artifact::File(share.join(name), page.clone()));
            std::iter::once(documents).filter(|_| !self.manual.is_empty()).chain(pages).collect::<Vec<_>>()
        };
        own.into_iter().chain(system).flat_map(pages).collect()
    }

    /// What a shell needs to complete. fish looks for a file of the name of each command.
    fn completion(&self, shell: Shell) -> Vec<Artifact> {
        let dir = self.paths.completions();
        let (directory, names, text): (_, &[&str], _) = match shell {
            Shell::Bash => (dir, &["tetra.bash"], include_str!("../../completions/tetra.bash")),
            Shell::Zsh => (dir, &["tetra.zsh"], include_str!("../../completions/tetra.zsh")),
            Shell::Fish => {
                let names = &["tetra.fish", "tsm.fish", "tkm.fish", "org.fish"];
                (self.paths.fish_completions(), names, include_str!("../../completions/tetra.fish"))
            }
        };
        let marked = format!("{text}\n# {MARKER}, which replaces it.\n");
        names.iter().map(|name| Artifact::File(directory.join(name), marked.clone())).collect()
    }

    /// The text of `tetra.sh` for this machine.
    fn shell_file(&self) -> String {
        let dir = self.program.parent().unwrap_or(Path::new("/usr/local/bin"));
        SHELL_FILE_TEMPLATE.replace("@BIN@", &self.quoted(dir)).replace("@SOURCE@", &self.quoted(self.paths.source()))
    }

    /// A path as a shell word, without the operator's home directory in it.
    fn quoted(&self, path: &Path) -> String {
        let below_home = self.user_home.as_deref().and_then(|home| path.strip_prefix(home).ok());
        let (prefix, rest) = match below_home {
            Some(rest) => ("$HOME/", rest),
            None => ("", path),
        };
        let mut word = String::from(prefix);
        for c in rest.to_string_lossy().chars() {
            if matches!(c, '"' | '\\' | '$' | '`') {
                word.push('\\');
            }
            word.push(c);
        }
        format!("\"{word}\"")
    }
}

/// True if every user can execute a program where it is.
#[must_use]
pub fn is_open_to_all(program: &Path) -> bool {
    let allows = |path: &Path, bits| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == bits);
    // Also the directories that links on the way lead through.
    let Ok(program) = program.canonicalize() else { return false };
    allows(&program, 0o005) && program.ancestors().skip(1).all(|directory| allows(directory, 0o001))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    }

    fn install(directory: &Path) -> Install {
        fs::create_dir_all(directory.join("bin")).expect("ours");
        fs::create_dir_all(directory.join("system")).expect("ours");
        fs::write(directory.join("bin/tetra"), format!("a program with the words {MARKER}")).expect("ours");
        set_mode(directory.join("bin/tetra"), 0o755);
        Install {
            paths: Paths::under(directory),
            program: directory.join("bin/tetra"),
            user_home: Some(directory.to_owned()),
            system_bin: Some(directory.join("system")),
            shells: vec![Shell::Bash, Shell::Zsh, Shell::Fish],
            units: vec![("tetra.service".to_owned(), format!("# {MARKER}\n"))],
            manual: vec![("man/man1/tetra.1".to_owned(), format!(".\\\" {MARKER}\n"))],
        }
    }

    fn states(install: &Install) -> Vec<ArtifactState> {
        install.artifacts().iter().map(|piece| piece.state().expect("it can be looked at")).collect()
    }

    fn put_all(install: &Install) {
        for piece in install.artifacts() {
            piece.install().expect("it can be put in place");
        }
    }

    #[test]
    fn everything_is_missing_then_there_then_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        assert!(states(&install).iter().all(|state| *state == ArtifactState::Missing));
        put_all(&install);
        assert!(states(&install).iter().all(|state| *state == ArtifactState::UpToDate));
        assert_eq!(fs::read_link(directory.path().join("bin/tsm")).expect("a link"), Path::new("tetra"));
        assert_eq!(fs::read_link(directory.path().join("system/tsm")).expect("a link"), Path::new("tetra"));
        for piece in install.artifacts().iter().rev() {
            assert!(piece.uninstall().expect("it can be taken away"), "{piece:?}");
        }
        assert!(!directory.path().join("tetra").exists());
    }

    #[test]
    fn data_stays_when_the_rest_is_taken_away() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        put_all(&install);
        let data = install.paths.services_available().join("api.tsm");
        fs::write(&data, "TSM_NAME=api").expect("ours");
        for piece in install.artifacts().iter().rev() {
            piece.uninstall().expect("it can be taken away");
        }
        assert!(data.exists());
        assert!(!install.paths.shell_file().exists());
    }

    #[test]
    fn private_directories_are_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        put_all(&install);
        let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        for private in [install.paths.runtime(), install.paths.processes(), install.paths.keys()] {
            assert_eq!(mode(private), 0o700);
        }
        fs::set_permissions(install.paths.keys(), Permissions::from_mode(0o755)).expect("ours");
        assert!(states(&install).contains(&ArtifactState::Outdated));
        put_all(&install);
        assert_eq!(mode(install.paths.keys()), 0o700);
    }

    #[test]
    fn what_is_not_ours_is_never_touched() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        fs::write(directory.path().join("bin/tsm"), "another program").expect("ours");
        symlink("/bin/true", directory.path().join("bin/org")).expect("ours");
        fs::create_dir_all(install.paths.home()).expect("ours");
        fs::write(install.paths.shell_file(), "# my own").expect("ours");
        put_all(&install);
        for piece in install.artifacts() {
            piece.uninstall().expect("it can be looked at");
        }
        assert_eq!(fs::read_to_string(directory.path().join("bin/tsm")).expect("it is there"), "another program");
        assert_eq!(fs::read_link(directory.path().join("bin/org")).expect("it is there"), Path::new("/bin/true"));
        assert_eq!(fs::read_to_string(install.paths.shell_file()).expect("it is there"), "# my own");
    }

    #[test]
    fn what_is_ours_is_brought_up_to_date() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        put_all(&install);
        fs::write(install.paths.shell_file(), format!("# {MARKER}, long ago")).expect("ours");
        fs::remove_file(directory.path().join("system/tsm")).expect("ours");
        symlink("/elsewhere/tetra", directory.path().join("system/tsm")).expect("ours");
        assert_eq!(states(&install).iter().filter(|state| **state == ArtifactState::Outdated).count(), 2);
        put_all(&install);
        assert!(states(&install).iter().all(|state| *state == ArtifactState::UpToDate));
    }

    #[test]
    fn all_users_can_run_what_is_in_the_directory_of_the_system() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        let (link, program) = (directory.path().join("system/tetra"), directory.path().join("bin/tetra"));
        // As in a home that others cannot enter; then in one that they can; then the program is closed.
        for (mode, file, is_link) in [(0o700, 0o755, false), (0o755, 0o755, true), (0o755, 0o750, false)] {
            set_mode(directory.path(), mode);
            set_mode(&program, file);
            put_all(&install);
            assert_eq!(link.is_symlink(), is_link, "{mode:o} {file:o}");
            assert_eq!(fs::read(&link).expect("readable"), fs::read(&program).expect("readable"));
            assert!(is_link || fs::metadata(&link).expect("a copy").permissions().mode() & 0o7777 == 0o755);
            assert!(states(&install).iter().all(|state| *state == ArtifactState::UpToDate));
        }
        fs::write(&program, format!("a newer program, {MARKER}")).expect("ours");
        assert_eq!(states(&install).iter().filter(|state| **state == ArtifactState::Outdated).count(), 1);
        put_all(&install);
        assert_eq!(fs::read(&link).expect("readable"), fs::read(&program).expect("readable"));
        fs::write(&link, "another program called tetra").expect("ours");
        put_all(&install);
        assert_eq!(fs::read_to_string(&link).expect("readable"), "another program called tetra");
    }

    #[test]
    fn the_shell_file_names_no_home_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        let text = install.shell_file();
        assert!(!text.contains(&directory.path().display().to_string()), "{text}");
        assert!(text.contains("in \"$HOME/bin\" \"$TETRA_DIR/bin\""), "{text}");
        assert!(text.contains("TETRA_SRC=\"$HOME/src\""), "{text}");
        assert!(!text.contains("@BIN@") && !text.contains("@SOURCE@"), "{text}");
    }

    #[test]
    fn a_source_tree_keeps_its_own_templates() {
        let directory = tempfile::tempdir().expect("a directory");
        let install = install(directory.path());
        fs::create_dir_all(install.paths.source()).expect("ours");
        fs::write(install.paths.source().join("Cargo.toml"), "").expect("ours");
        put_all(&install);
        assert!(!install.paths.templates().exists());
    }
}
