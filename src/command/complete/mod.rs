//! Completion: one engine for the prompt and for other shells.
//!
//! The line is read by the lexer that runs it. Command names come from the command table, options from the parser of the command;
//! the values of an argument are determined by its *type*, so that every argument that is a process completes processes. Names are
//! read from [`CandidateSource`] at every completion and never cached.

mod beginning;
mod engine;
mod files;
mod free;
mod judge;
mod name_kind;
mod options;
mod org_names;
mod rank;
mod scope;
mod shells;
mod sources;
mod under_cursor;
mod values;

use std::ops::Range;

use engine::TypedWord;

pub use judge::{ArgumentClass, NameFit, judge, usage};
pub use name_kind::NameKind;
pub use shells::{CompletionShell, for_shell};
pub use sources::{CandidateSource, DiskSource, ListedFile, Scope};
pub use under_cursor::{UnderCursor, under_cursor};

use super::{CommandSpec, registry};
use crate::base::control::is_terminal_control;
use crate::base::line::{self, OpenQuoting, Token, TokenKind};

/// The input of completion: the command table and a source of names.
#[derive(Clone, Copy)]
pub struct CompletionContext<'a> {
    /// Every command.
    pub commands: &'static [CommandSpec],
    /// The groups with their meaning.
    pub groups: &'static [(&'static str, &'static str)],
    /// Adds the options that every command takes to a parser.
    pub augment: fn(clap::Command) -> clap::Command,
    /// The source of names.
    pub source: &'a dyn CandidateSource,
    /// At the prompt, where `list` is `tsm list`, and `$last` and `!12` mean something.
    pub is_prompt: bool,
}

impl<'a> CompletionContext<'a> {
    /// All commands and options, with a source of names.
    #[must_use]
    pub fn full(live: &'a dyn CandidateSource) -> Self {
        let (commands, groups) = (registry::COMMANDS, registry::GROUPS);
        Self { commands, groups, augment: options::augment, source: live, is_prompt: false }
    }

    /// The same, with what only the prompt understands.
    #[must_use]
    pub fn prompt(live: &'a dyn CandidateSource) -> Self {
        Self { is_prompt: true, ..Self::full(live) }
    }
}

/// A completion candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The inserted text, quoted if necessary.
    pub value: String,
    /// The displayed text.
    pub display: String,
    /// A one-line description.
    pub description: Option<String>,
    /// The replaced part of the line, in bytes.
    pub span: Range<usize>,
    /// The indices of the matching characters of `display`.
    pub match_indices: Vec<usize>,
    /// No blank is appended: more of the same word follows (a directory, `--option=`), or there is one already.
    pub continues: bool,
    /// Says only what is expected: `<TIME, like 10m>`. Its value is the typed text.
    pub is_placeholder: bool,
    /// One of many possible values. It can be chosen, and nothing of it is inserted unasked.
    pub is_example: bool,
}

/// More lines inside of a word are not looked at for their end.
const MAX_CLOSED: usize = 64;

/// The candidates at `cursor` (in bytes) of `text`, best first.
///
/// A cursor past the end or inside a character is moved back to the nearest boundary.
#[must_use]
pub fn complete(text: &str, cursor: usize, known: &CompletionContext<'_>) -> Vec<Candidate> {
    let rest_begins_with_blank = |span: &Range<usize>| text[span.end..].starts_with(' ');
    let found = raw_candidates(text, cursor, known, engine::MAX_DEPTH);
    let is_few = found.len() <= MAX_CLOSED;
    let closes = |it: &RawCandidate| {
        is_few && !it.continues && it.line.as_ref().is_some_and(|line| judge::is_complete(line, known))
    };
    found
        .into_iter()
        .map(|(proposal, span)| Candidate {
            value: inserted(&text[span.clone()], &proposal, closes(&proposal)),
            display: proposal.display.unwrap_or(proposal.value),
            description: proposal.description.map(|about| sanitize(&about)),
            match_indices: proposal.match_indices,
            continues: proposal.continues || rest_begins_with_blank(&span),
            is_placeholder: proposal.is_placeholder,
            is_example: proposal.is_example,
            span,
        })
        .collect()
}

/// The candidates at a cursor, each with the part of the line that it replaces.
fn raw_candidates(
    text: &str,
    cursor: usize,
    known: &CompletionContext<'_>,
    depth: usize,
) -> Vec<(RawCandidate, Range<usize>)> {
    let place = CursorContext::find(text, cursor);
    let word = text.get(place.span.start..).unwrap_or_default();
    let typed = TypedWord { text: &place.typed, is_open: place.is_open, depth };
    let proposals = match &place.kind {
        CursorKind::Nowhere => Vec::new(),
        CursorKind::File => files::files(&place.typed, known.source),
        CursorKind::Program => {
            let is_recall = known.is_prompt && text[..place.span.start].trim_start() == "!";
            let mut found = if is_recall { values::recalled(&place.typed, known.source) } else { Vec::new() };
            found.extend(files::programs(&place.typed, known.source));
            found
        }
        // Lines inside of a word have no variables.
        CursorKind::Command(before)
            if known.is_prompt && depth == engine::MAX_DEPTH && !before.is_empty() && word.starts_with(['$', '@']) =>
        {
            let found = values::variables(&place.typed, known.source);
            let none = || engine::complete_line(known, before, typed);
            if found.is_empty() { none() } else { found }
        }
        CursorKind::Command(before) => engine::complete_line(known, before, typed),
    };
    proposals.into_iter().map(|proposal| (proposal, place.span.clone())).collect()
}

/// Untrusted text on one line, without control characters.
fn sanitize(text: &str) -> String {
    text.chars().map(|character| if is_terminal_control(character) { ' ' } else { character }).collect()
}

/// Quotes a value; `~/` stays outside of the quotes.
fn quoted(value: &str) -> String {
    match value.strip_prefix("~/") {
        Some(rest) if !rest.is_empty() => format!("~/{}", line::quote(rest)),
        _ if value.starts_with('~') => value.to_owned(),
        _ => line::quote(value).into_owned(),
    }
}

/// What replaces the typed text. A quoted line that `closes` takes nothing more.
fn inserted(typed: &str, proposal: &RawCandidate, closes: bool) -> String {
    match proposal {
        RawCandidate { is_placeholder: true, .. } => typed.to_owned(),
        RawCandidate { line: Some(_), value, .. } => within_quotes(typed, value, closes),
        RawCandidate { is_verbatim: true, value, .. } => value.clone(),
        RawCandidate { value, .. } => quoted(value),
    }
}

/// The value of a word in whose quotes a line is being typed: they stay open for the words that follow, if any can.
fn within_quotes(typed: &str, value: &str, closes: bool) -> String {
    let is_open = matches!(&line::tokens(typed)[..], [Token { kind: TokenKind::Word { open: Some(_), .. }, .. }]);
    let opened = typed.find(['\'', '"']).filter(|_| is_open);
    let Some((before, quote, rest)) = opened.and_then(|at| {
        let before = &typed[..at];
        Some((before, typed[at..].chars().next()?, value.strip_prefix(before)?))
    }) else {
        return quoted(value);
    };
    // What would need an escape is quoted as a whole.
    if before.contains('\\') || rest.contains(['\'', '"', '\\', '$', '`']) {
        return quoted(value);
    }
    let end = if closes { quote.to_string() } else { String::new() };
    format!("{before}{quote}{rest}{end}")
}

/// A candidate before it is fitted into the line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RawCandidate {
    value: String,
    /// What is shown, if it is not the value.
    display: Option<String>,
    description: Option<String>,
    match_indices: Vec<usize>,
    continues: bool,
    is_placeholder: bool,
    is_example: bool,
    /// The line inside of the word, if the value is one.
    line: Option<String>,
    /// The value has a meaning that quotes would take.
    is_verbatim: bool,
}

impl RawCandidate {
    fn new(value: String, description: Option<String>, match_indices: Vec<usize>) -> Self {
        Self {
            value,
            display: None,
            description,
            match_indices,
            continues: false,
            is_placeholder: false,
            is_example: false,
            line: None,
            is_verbatim: false,
        }
    }
}

/// The context of the cursor.
struct CursorContext {
    kind: CursorKind,
    /// The word up to the cursor, without quotes.
    typed: String,
    /// A quote of it is not closed.
    is_open: bool,
    /// The replaced part of the line.
    span: Range<usize>,
}

enum CursorKind {
    /// Unknown.
    Nowhere,
    /// A file: after `>`, or in what goes to `sh`.
    File,
    /// The first word of what goes to `sh`.
    Program,
    /// A word of a statement, after these words.
    Command(Vec<String>),
}

impl CursorContext {
    fn find(text: &str, cursor: usize) -> Self {
        let cursor = text.floor_char_boundary(cursor);
        let mut tokens = line::tokens(&text[..cursor]);
        let is_shell = |kind: &TokenKind| matches!(kind, TokenKind::Shell { .. });
        let current = tokens.pop_if(|last| is_shell(&last.kind) || (last.span.end == cursor && is_word(&last.kind)));
        let span = current.as_ref().map_or(cursor..cursor, |token| token.span.start..token_end(text, token));
        match current.map(|token| token.kind) {
            Some(TokenKind::Invalid(_) | TokenKind::Comment | TokenKind::Program) => {
                Self { kind: CursorKind::Nowhere, typed: String::new(), is_open: false, span }
            }
            Some(TokenKind::Shell { .. }) => Self::in_shell(text, cursor, span.start),
            Some(TokenKind::Word { text: typed, open, .. }) => {
                let is_open = matches!(open, Some(OpenQuoting::Single | OpenQuoting::Double));
                Self { kind: after(&tokens), typed, is_open, span }
            }
            _ => Self { kind: after(&tokens), typed: String::new(), is_open: false, span },
        }
    }

    /// In text for `sh`: its last word, as a file.
    fn in_shell(text: &str, cursor: usize, start: usize) -> Self {
        let shell = &text[start..cursor];
        let word = shell
            .rfind(|c: char| c.is_whitespace() || "|;&<>".contains(c))
            .map_or(0, |at| at + shell[at..].chars().next().map_or(0, char::len_utf8));
        let typed = shell[word..].trim_start_matches(['\'', '"']).to_owned();
        let before = shell[..word].trim_end();
        let first = before.is_empty() || before.ends_with(['|', ';', '&']);
        let kind = if first { CursorKind::Program } else { CursorKind::File };
        Self { kind, typed, is_open: false, span: start + word..cursor }
    }
}

fn is_word(kind: &TokenKind) -> bool {
    !matches!(
        kind,
        TokenKind::Semicolon
            | TokenKind::Newline
            | TokenKind::Pipe
            | TokenKind::Redirect
            | TokenKind::Append
            | TokenKind::Bang
    )
}

/// What is expected after these tokens.
fn after(tokens: &[Token]) -> CursorKind {
    let mut words = Vec::new();
    for token in tokens.iter().rev() {
        match &token.kind {
            TokenKind::Word { text, .. } => words.push(text.clone()),
            TokenKind::Semicolon | TokenKind::Newline | TokenKind::Program => break,
            TokenKind::Redirect | TokenKind::Append if words.is_empty() => return CursorKind::File,
            TokenKind::Pipe | TokenKind::Bang if words.is_empty() => return CursorKind::Program,
            _ => return CursorKind::Nowhere,
        }
    }
    words.reverse();
    CursorKind::Command(words)
}

/// The end of the word whose part before the cursor is `token`; an open quote ends at the cursor.
fn token_end(text: &str, token: &Token) -> usize {
    let whole = line::tokens(text).into_iter().find(|whole| whole.span.start == token.span.start);
    match whole {
        Some(Token { kind: TokenKind::Word { open: None, .. }, span }) => span.end.max(token.span.end),
        _ => token.span.end,
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::path::Path;

    use clap::ValueEnum;
    use proptest::prelude::*;

    use super::*;
    use crate::base::environment::EnvName;
    use crate::base::fault::Fault;
    use crate::command::argument::{CommandWord, FilePath, HelpWord, ProcessTarget, SettingValue};
    use crate::command::{Command, Cx, Effect, spec};
    use crate::report::Report;

    #[derive(Debug, Clone, ValueEnum)]
    enum Order {
        Name,
        Age,
    }

    /// Stop processes
    #[derive(Debug, clap::Args)]
    struct Stop {
        /// Which ones
        targets: Vec<ProcessTarget>,
        /// Do not wait
        #[arg(long)]
        no_wait: bool,
        /// The order
        #[arg(long, short = 'o')]
        order: Option<Order>,
        /// Read names from a file
        #[arg(long)]
        from: Option<FilePath>,
    }

    /// Make an environment
    #[derive(Debug, clap::Args)]
    struct Init {
        /// Which one
        env: EnvName,
    }

    /// Run a line again and again
    #[derive(Debug, clap::Args)]
    struct Watch {
        /// The pause
        #[arg(short)]
        n: Option<u32>,
        /// The line
        #[arg(trailing_var_arg = true)]
        line: Vec<CommandWord>,
    }

    macro_rules! commands {
        ($($type:ident $name:literal $aliases:expr;)*) => {$(
            impl Command for $type {
                const NAME: &'static str = $name;
                const ALIASES: &'static [&'static str] = &$aliases;
                const EFFECT: Effect = Effect::Read;
                const EXAMPLES: &'static [&'static str] = &[];
                fn run(self, _: &mut Cx) -> Result<Report, Fault> {
                    Ok(Report::default())
                }
            }
        )*};
    }

    commands! { Stop "tsm stop" ["tsm halt"]; Init "env init" []; Watch "watch" ["every"]; }

    const COMMANDS: &[CommandSpec] = &[spec::<Stop>(), spec::<Init>(), spec::<Watch>()];
    const GROUPS: &[(&str, &str)] = &[("tsm", "processes"), ("env", "environments"), ("tkm", "keys")];

    fn augment(parser: clap::Command) -> clap::Command {
        let env = clap::Arg::new("--env").long("env").value_parser(clap::value_parser!(EnvName));
        parser.arg(clap::arg!(--json "As JSON")).arg(env)
    }

    struct Fake(Vec<String>);

    impl CandidateSource for Fake {
        fn names(&self, kind: NameKind) -> Vec<String> {
            match kind {
                NameKind::Process => self.0.clone(),
                NameKind::Env => vec!["dev".to_owned(), "prod".to_owned()],
                NameKind::Alias => vec!["down".to_owned()],
                NameKind::Program => vec!["sh".to_owned(), "sort".to_owned()],
                NameKind::User => vec!["nobody".to_owned()],
                NameKind::HistoryLine => vec!["12".to_owned(), "7".to_owned()],
                NameKind::SessionVariable => vec!["$env".to_owned(), "$last".to_owned()],
                NameKind::Service | NameKind::Org => Vec::new(),
                _ => Vec::new(),
            }
        }

        fn description(&self, kind: NameKind, name: &str) -> Option<String> {
            match kind {
                NameKind::Alias => (name == "down").then(|| "tsm stop --no-wait".to_owned()),
                _ => Some(format!("about {name}")),
            }
        }

        fn list_dir(&self, directory: &Path) -> Vec<ListedFile> {
            let listed = |name: &str, directory| ListedFile { name: name.to_owned(), is_dir: directory };
            match directory.to_str() {
                Some(".") => vec![listed(".hidden", false), listed("my file.txt", false), listed("src", true)],
                Some("src/") => vec![listed("main.rs", false)],
                Some("~/") => vec![listed("my docs", true)],
                _ => Vec::new(),
            }
        }
    }

    /// Has a thing of each kind.
    struct Everything;

    impl CandidateSource for Everything {
        fn names(&self, kind: NameKind) -> Vec<String> {
            let name = match kind {
                NameKind::Id | NameKind::Pid => "7",
                NameKind::Port => "7000",
                NameKind::Env => "prod",
                NameKind::TomlKey => "services.web.memory_max",
                _ => "web",
            };
            vec![name.to_owned()]
        }

        fn description(&self, kind: NameKind, name: &str) -> Option<String> {
            Some(format!("{kind:?} {name}"))
        }

        fn list_dir(&self, _: &Path) -> Vec<ListedFile> {
            vec![
                ListedFile { name: "web.env".to_owned(), is_dir: false },
                ListedFile { name: "x".to_owned(), is_dir: true },
            ]
        }
    }

    /// What completes a line with `|` at the cursor: values, separated by blanks.
    fn values(marked: &str) -> Vec<String> {
        let fake = Fake(["api-8000", "my-api", "web", "0.5 odd"].map(str::to_owned).to_vec());
        let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &fake, is_prompt: true };
        let cursor = marked.rfind('|').expect("a cursor");
        let text = format!("{}{}", &marked[..cursor], &marked[cursor + 1..]);
        let found = complete(&text, cursor, &known).into_iter();
        found.filter(|candidate| !candidate.is_placeholder).map(|candidate| candidate.value).collect()
    }

    /// What completes a line of all commands: what is shown.
    fn shown(text: &str) -> Vec<String> {
        let known = CompletionContext::full(&Everything);
        complete(text, text.len(), &known).into_iter().map(|candidate| candidate.display).collect()
    }

    #[test]
    fn a_line_begins_with_a_group_a_command_or_an_alias() {
        assert_eq!(values("|"), ["tsm", "env", "watch", "down"], "a group without commands is not shown");
        assert_eq!(values("w|"), ["watch"]);
        assert_eq!(values("tsm stop web; e|"), ["env"]);
        assert_eq!(values("ev|"), ["every"], "a second name, for those who type it");
        assert_eq!(values("@d|"), ["@dev"]);
        assert_eq!(values("--js|"), ["--json"]);
        assert_eq!(values("--json t|"), ["tsm"]);
        assert_eq!(values("--env dev tsm |"), ["stop"]);
        assert_eq!(values("--env d|"), ["dev"]);
        assert_eq!(values("tsm --json s|"), ["stop"], "options between a group and its command");
        assert_eq!(values("tsm --json stop w|"), ["web"]);
        assert_eq!(values("tsm --js|"), ["--json"]);
        assert_eq!(values("tsm stop --env p|"), ["prod"], "a global option behind a command");
    }

    #[test]
    fn a_group_is_followed_by_its_commands() {
        assert_eq!(values("tsm |"), ["stop"]);
        assert_eq!(values("tsm ha|"), ["halt"]);
        assert_eq!(values("env i|"), ["init"]);
        assert_eq!(values("tkm |"), Vec::<String>::new());
        assert_eq!(values("nothing |"), Vec::<String>::new());
    }

    #[test]
    fn an_argument_is_completed_by_its_type() {
        assert_eq!(values("tsm stop |"), ["api-8000", "my-api", "web", "'0.5 odd'", "all"]);
        assert_eq!(values("tsm stop api|"), ["api-8000", "my-api"]);
        assert_eq!(values("tsm stop a|"), ["api-8000", "my-api"], "a letter of a name is not all");
        assert_eq!(values("tsm stop web ap|"), ["api-8000", "my-api"]);
        assert_eq!(values("tsm stop web we|"), Vec::<String>::new(), "given already");
        assert_eq!(values("env init |"), ["dev", "prod"]);
        assert_eq!(values("env init @p|"), ["@prod"]);
        assert_eq!(values("down w|"), ["web"], "an alias is read as its line");
        assert_eq!(values("watch -n 2 tsm stop w|"), ["web"], "a line within a line");
    }

    #[test]
    fn options_come_from_the_parser_and_only_once() {
        assert_eq!(values("tsm stop -|"), ["--no-wait", "--order", "--from", "--json", "--env", "--help"]);
        assert_eq!(values("tsm stop --no-wait --|"), ["--order", "--from", "--json", "--env", "--help"]);
        assert_eq!(values("tsm stop --no-wait --n|"), Vec::<String>::new());
        assert_eq!(values("tsm stop -o|"), ["-o"]);
        assert_eq!(values("tsm stop --order |"), ["name", "age"]);
        assert_eq!(values("tsm stop -o a|"), ["age"]);
        assert_eq!(values("tsm stop --order=a|"), ["--order=age"]);
        assert_eq!(values("tsm stop -- --|"), Vec::<String>::new(), "after `--` there are no options");
        assert_eq!(values("env init dev |"), ["--json", "--env", "--help"], "nothing else is left");
    }

    #[test]
    fn files_are_quoted_and_keep_their_tilde() {
        assert_eq!(values("tsm stop --from |"), ["'my file.txt'", "src/"]);
        assert_eq!(values("tsm stop --from 'my |"), ["'my file.txt'"]);
        assert_eq!(values("tsm stop --from src/m|"), ["src/main.rs"]);
        assert_eq!(values("tsm stop --from ~|"), ["~/"]);
        assert_eq!(values("tsm stop --from ~/m|"), ["~/'my docs/'"]);
        assert_eq!(values("tsm stop --from .h|"), [".hidden"]);
        assert_eq!(values("tsm stop > s|"), ["src/"]);
        assert_eq!(values("tsm stop | cat s|"), ["src/"]);
        assert_eq!(values("!ls s|"), ["src/"]);
        assert_eq!(values("!s|"), ["sh", "sort", "src/"]);
        assert_eq!(values("!|"), ["12", "7", "sh", "sort", "src/"], "lines to put back, then programs");
        assert_eq!(values("!1|"), ["12"]);
        assert_eq!(values("!-|"), ["-1", "-2"]);
        assert_eq!(values("! |"), ["sh", "sort", "src/"]);
        assert_eq!(values("tsm stop | |"), ["sh", "sort", "src/"]);
        assert_eq!(values("tsm stop | sort |"), ["'my file.txt'", "src/"]);
        assert_eq!(values("!src/|"), ["src/main.rs"]);
        assert_eq!(values("tsm stop | cat x | so|"), ["sort"]);
    }

    #[test]
    fn where_nothing_can_be_said_nothing_is() {
        for line in ["# t|", "tsm stop || t|", "tetra|", "tsm stop > a b|"] {
            assert_eq!(values(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_description_cannot_command_the_terminal() {
        let known = CompletionContext {
            commands: COMMANDS,
            groups: GROUPS,
            augment,
            source: &Fake(vec!["a\u{1b}[2J".to_owned()]),
            is_prompt: true,
        };
        let candidate = &complete("tsm stop ", 9, &known)[0];
        assert_eq!(candidate.description.as_deref(), Some("about a [2J"));
    }

    #[test]
    fn the_whole_word_is_replaced() {
        let fake = Fake(vec!["web".to_owned()]);
        let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &fake, is_prompt: true };
        let span = |text: &str, cursor| complete(text, cursor, &known)[0].span.clone();
        assert_eq!(span("tsm stop wxx; env", 10), 9..12);
        assert_eq!(span("tsm stop 'w", 11), 9..11);
        assert_eq!(span("tsm stop  now", 9), 9..9);
        let candidate =
            &complete("tsm stop e", 10, &CompletionContext { source: &Fake(vec!["a-eb".to_owned()]), ..known })[0];
        assert_eq!(
            (candidate.description.as_deref(), candidate.match_indices.as_slice()),
            (Some("about a-eb"), &[2][..])
        );
    }

    #[test]
    fn bash_gets_what_it_would_replace() {
        let fake = Fake(vec!["web".to_owned()]);
        let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &fake, is_prompt: true };
        let breaks = "\"'@><=;|&(:";
        assert_eq!(for_shell(CompletionShell::Bash, "tsm st", breaks, &known), "stop\tStop processes\n");
        assert_eq!(for_shell(CompletionShell::Bash, "/usr/bin/tetra tsm stop --order=a", breaks, &known), "age\t\n");
        assert_eq!(for_shell(CompletionShell::Bash, "tetra env init @d", breaks, &known), "@dev\tabout dev\n");
        assert_eq!(for_shell(CompletionShell::Zsh, "tetra env init @d", breaks, &known), "@dev\tabout dev\n");
        assert_eq!(for_shell(CompletionShell::Bash, "tsm stop --from my", breaks, &known), "my\\ file.txt\t\n");
        assert_eq!(for_shell(CompletionShell::Fish, "tsm stop --from my", breaks, &known), "my file.txt\t\n");
    }

    #[test]
    fn every_command_is_completed() {
        let fake = Fake(vec!["web".to_owned()]);
        let known = CompletionContext::full(&fake);
        for entry in registry::COMMANDS {
            let options = format!("{} --", entry.name);
            let values: Vec<String> =
                complete(&options, options.len(), &known).into_iter().map(|it| it.value).collect();
            let mut parser = options::augment((entry.parser)());
            parser.build();
            for arg in parser.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let long = arg.get_long().map(|long| format!("--{long}"));
                assert!(long.is_none_or(|long| values.contains(&long)), "{options} has no {arg}: {values:?}");
            }
        }
        let values = |text: &str| complete(text, text.len(), &known).into_iter().map(|it| it.value).collect::<Vec<_>>();
        assert_eq!(values("tsm restart w"), ["web"]);
        assert_eq!(values("tsm list --env p"), ["prod"]);
        assert_eq!(values("help tsm rest"), ["restart"]);
        assert_eq!(values("watch tsm restart w"), ["web"]);
        assert_eq!(values("set edit"), ["edit-mode"]);
        assert_eq!(values("use @p"), ["@prod"]);
        assert!(!values("").contains(&"complete".to_owned()), "what is not for people is not shown");
    }

    #[test]
    fn what_is_to_be_thought_of_has_examples_or_says_what_it_is() {
        assert_eq!(shown("tsm logs --since ")[..2], ["10m", "2h"]);
        assert_eq!(shown("tsm logs --since 9"), ["<TIME, like 10m>"]);
        assert_eq!(shown("tsm start --name "), ["<NAME>"]);
        assert_eq!(shown("tsm start --kill-timeout x"), ["<SPAN, like 3s>"]);
        assert_eq!(shown("watch -n ")[..2], ["2s", "500ms"], "the default is the first");
        assert_eq!(
            shown("tsm start --cron "),
            ["<'M H D M W', like '0 4 * * *'>"],
            "an example alone would be inserted"
        );
        assert_eq!(shown("tsm start --max-memory ")[0], "<SIZE, like 300M>");
        assert_eq!(shown("tsm logs --since 14"), ["<TIME, like 14:05>"]);
        assert_eq!(shown("tsm start --port n"), ["none"], "a word is not an example");
        assert_eq!(shown("history --delete "), ["web"]);
        assert_eq!(shown("help search "), ["<WORD>"]);
        assert_eq!(shown("help search mem"), ["<WORD>"]);
        let known = CompletionContext::full(&Everything);
        let candidate = &complete("tsm start --name 'a b", 21, &known)[0];
        assert_eq!((candidate.value.as_str(), candidate.is_placeholder, candidate.continues), ("'a b", true, true));
        assert_eq!(for_shell(CompletionShell::Fish, "tsm start --name x", "", &known), "", "a shell would insert it");
        let since = |typed: &str| for_shell(CompletionShell::Bash, &format!("tsm logs --since {typed}"), "", &known);
        assert!(since("").starts_with("10m\t"), "{}", since(""));
        assert_eq!(since("2026"), "", "a shell would insert what the examples share");
    }

    #[test]
    fn numbers_settings_keys_and_topics_are_known() {
        assert_eq!(shown("tsm stop 7"), ["7", "7000"]);
        assert_eq!(shown("tsm kill --port 7"), ["7000"]);
        assert_eq!(shown("tsm stop al"), ["all"]);
        assert_eq!(shown("tsm restart w"), ["web"], "one letter is not all");
        assert_eq!(shown("tsm restart a"), ["all"], "no name begins with it");
        assert_eq!(shown("tsm start -e n"), ["none"]);
        assert_eq!(shown("tsm start --env=no"), ["--env=none"]);
        assert_eq!(shown("tsm start -e "), ["web", "none", "web.env", "x/"]);
        assert_eq!(shown("org profile show "), ["web"], "profiles, not environments");
        assert_eq!(shown("org profile check @"), ["@web"]);
        assert_eq!(shown("set edit-mode "), ["emacs", "vi"]);
        assert_eq!(shown("set rc o"), ["on", "off"]);
        assert_eq!(shown("set history-size "), ["<VALUE, like 20000>"]);
        assert_eq!(shown("set history-size 5"), ["<VALUE>"]);
        assert_eq!(shown("org promote @prod --set ser"), ["services.web.memory_max="]);
        assert_eq!(shown("org explain @prod ser"), ["services.web.memory_max"]);
        assert_eq!(shown("tkm deploy service @prod w"), ["web"]);
        assert_eq!(shown("help exit-"), ["exit-codes"]);
        assert!(shown("tsm help guar").contains(&"guard".to_owned()));
    }

    #[test]
    fn what_a_command_refuses_is_not_offered() {
        let known = CompletionContext::full(&Everything);
        let source = Fake(["api", "web"].map(str::to_owned).to_vec());
        let shown = |text: &str, source: &dyn CandidateSource| -> Vec<String> {
            let found = complete(text, text.len(), &CompletionContext { source, ..known });
            found.into_iter().map(|it| it.display).collect()
        };
        assert_eq!(shown("select ", &source), ["api", "web"]);
        assert_eq!(shown("tsm paths ", &source), ["api", "web"]);
        assert_eq!(shown("org promote ", &source), ["dev", "prod"]);
        assert_eq!(shown("org promote @lo", &Fake(Vec::new())), ["<ENVS>"]);
        assert_eq!(shown("org init ", &Everything), ["<ORG>"]);
        assert_eq!(shown("org init w", &Everything), ["<ORG>"]);
        assert_eq!(shown("org use ", &Everything)[0], "web");
    }

    #[test]
    fn a_line_inside_of_a_word_is_completed() {
        let known = CompletionContext::full(&Everything);
        let only = |text: &str| {
            let found = complete(text, text.len(), &known);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            (found[0].value.clone(), found[0].display.clone(), found[0].span.clone())
        };
        let expected = |value: &str, display: &str, span| (value.to_owned(), display.to_owned(), span);
        assert_eq!(only("watch 'tsm resta"), expected("'tsm restart", "restart", 6..16));
        assert_eq!(only("watch 'tsm restart w"), expected("'tsm restart web", "web", 6..20));
        assert_eq!(only("alias z='tsm resta"), expected("z='tsm restart", "restart", 6..18));
        assert_eq!(only("alias z=\"tsm resta"), expected("z=\"tsm restart", "restart", 6..18));
        assert_eq!(only("alias 'z=tsm resta"), expected("'z=tsm restart", "restart", 6..18));
        assert_eq!(only("watch tsm\\ resta"), expected("'tsm restart'", "restart", 6..16));
        assert_eq!(only("alias z=vers"), expected("z=version", "version", 6..12));
        assert_eq!(only("watch 'set edit-mode v"), expected("'set edit-mode vi'", "vi", 6..22), "nothing can follow");
        assert_eq!(only("alias z=\"set edit-mode v"), expected("z=\"set edit-mode vi\"", "vi", 6..24));
    }

    #[test]
    fn variables_are_offered_where_they_have_a_value() {
        assert_eq!(values("tsm stop $|"), ["$env", "$last"]);
        assert_eq!(values("tsm stop $l|"), ["$last"], "without quotes, which would keep it from being replaced");
        assert_eq!(values("tsm stop web $|"), ["$env", "$last"]);
        for line in ["$|", "tsm stop '$|", "tsm stop \"$|", "watch 'tsm stop $|", "tsm stop > $|"] {
            assert_eq!(values(line), Vec::<String>::new(), "{line}");
        }
        let known = CompletionContext::full(&Everything);
        assert!(complete("tsm stop $", 10, &known).iter().all(|it| it.is_placeholder), "scripts have none");
    }

    #[test]
    fn a_short_form_is_completed_wherever_a_line_begins() {
        let fake = Fake(vec!["web".to_owned()]);
        let known = CompletionContext::prompt(&fake);
        let values =
            |text: &str| -> Vec<String> { complete(text, text.len(), &known).into_iter().map(|it| it.value).collect() };
        for (line, value) in [
            ("resta", "restart"),
            ("restart w", "web"),
            ("version; resta", "restart"),
            ("version && restart w", "web"),
            ("watch 'resta", "'restart"),
            ("watch 'version; restart w", "'version; restart web"),
            ("watch restart w", "web"),
            ("alias z='restart w", "z='restart web"),
        ] {
            assert_eq!(values(line), [value], "{line}");
            let strict = complete(line, line.len(), &CompletionContext::full(&fake));
            assert!(strict.iter().all(|it| it.is_placeholder), "{line} in a script: {strict:?}");
        }
        assert_eq!(values("down; logs --fo"), values("tsm logs --fo"));
    }

    #[test]
    fn every_word_of_a_name_is_described() {
        let known = CompletionContext::full(&Everything);
        for entry in registry::COMMANDS.iter().filter(|entry| !entry.is_hidden()) {
            for (at, _) in entry.name.match_indices(' ').chain([(entry.name.len(), "")]) {
                let name = &entry.name[..at];
                let found = complete(name, at, &known);
                let word = name.rsplit(' ').next().unwrap_or_default();
                let described = found.iter().any(|it| it.value == word && it.description.is_some());
                assert!(described, "`{name}` has no description: is it in `GROUPS` or `SUBGROUPS`? {found:?}");
            }
        }
    }

    #[test]
    fn a_blank_that_is_there_is_not_added() {
        let known = CompletionContext::full(&Everything);
        assert!(complete("tsm resta web", 9, &known)[0].continues);
        assert!(!complete("tsm resta", 9, &known)[0].continues);
    }

    #[test]
    fn every_argument_offers_something_or_says_why_not() {
        let mut used = vec![false; free::FREE_ARGUMENTS.len()];
        let mut holes = String::new();
        for entry in registry::COMMANDS.iter().filter(|entry| !entry.is_hidden()) {
            let mut parser = options::augment((entry.parser)());
            parser.build();
            let taking = parser.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_action().takes_values());
            for arg in taking {
                let kind = arg.get_value_parser().type_id();
                // Each is completed by words before it or inside of it.
                let by_words = [TypeId::of::<CommandWord>(), TypeId::of::<HelpWord>(), TypeId::of::<SettingValue>()]
                    .iter()
                    .any(|it| kind == *it);
                if by_words || !values::offered(arg, "", &Everything).is_empty() {
                    continue;
                }
                let reason = free::FREE_ARGUMENTS
                    .iter()
                    .position(|(command, name, _)| ["*", entry.name].contains(command) && arg.get_id() == *name);
                if let Some(at) = reason {
                    used[at] = true;
                } else if !free::FREE_TYPES.iter().any(|(of, _)| kind == of()) {
                    holes += &format!("    (\"{}\", \"{}\", \"\"), // {arg}\n", entry.name, arg.get_id());
                }
            }
        }
        assert!(
            holes.is_empty(),
            "nothing is offered for these. Give each a type with a row in `SOURCES` of complete/engine.rs or in `EXAMPLES` of \
             complete/free.rs, or a row with the reason in `FREE_ARGUMENTS` there:\n{holes}"
        );
        let unused: Vec<_> = free::FREE_ARGUMENTS.iter().zip(&used).filter(|(_, used)| !**used).collect();
        assert!(unused.is_empty(), "these offer something by now: {unused:?}");
        let reasons = free::FREE_ARGUMENTS.iter().map(|(.., reason)| reason);
        assert!(reasons.chain(free::FREE_TYPES.iter().map(|(_, reason)| reason)).all(|reason| reason.len() > 5));
    }

    #[test]
    fn a_thousand_processes_are_no_burden() {
        let fake = Fake((0..1000).map(|n| format!("process-{n}")).collect());
        let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &fake, is_prompt: true };
        let candidates = complete("tsm stop p", 10, &known);
        assert_eq!(candidates.len(), 1000);
        let described = candidates.iter().filter(|candidate| candidate.description.is_some()).count();
        assert!(described < 1000, "only what can be seen is looked at");
    }

    proptest! {
        #[test]
        fn no_text_and_no_cursor_breaks_it(text in any::<String>(), cursor in 0_usize..200) {
            let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &Fake(vec!["ä b".to_owned()]), is_prompt: true };
            for candidate in complete(&text, cursor, &known) {
                prop_assert!(text.get(candidate.span).is_some());
            }
        }

        #[test]
        fn no_likely_text_breaks_it(
            text in r#"(tsm |stop |env |init |watch |--order|=|@| |'|"|\\|\||>|;|~/|ä|-o|-n|!|#){0,9}"#,
            cursor in 0_usize..60,
        ) {
            let known = CompletionContext { commands: COMMANDS, groups: GROUPS, augment, source: &Fake(vec!["ä b".to_owned()]), is_prompt: true };
            for candidate in complete(&text, cursor, &known) {
                prop_assert!(text.get(candidate.span).is_some());
            }
            let _ = for_shell(CompletionShell::Bash, &text, "\"'@><=;|&(:", &known);
        }
    }
}
