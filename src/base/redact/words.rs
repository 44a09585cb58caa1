//! What the words of a command say about each other: options and their values, verbs and their operands.

use std::ops::Range;

use super::name::{self, Weight, is_switch, is_verb, weight};
use super::setting::{OF_SETTINGS, Setting};
use super::shell_words::ShellWord;
use super::tool::{self, Tool};
use super::word::{can_hold, is_path, is_random, is_reference, is_scheme};

/// The secrets in each word that the words before it tell.
/// The words are for `reader` unless they name another program.
pub(super) fn hidden(words: &[ShellWord], reader: Option<&'static Tool>) -> Vec<Vec<Range<usize>>> {
    let mut before = ScanState { tool: reader, ready: reader.is_some_and(Tool::is_ready), ..ScanState::default() };
    let mut found: Vec<Vec<Range<usize>>> = Vec::new();
    for word in words {
        let secret = before.feed(word);
        before.note(word, secret.as_ref());
        found.push(secret.into_iter().collect());
    }
    let last = words.iter().rposition(|word| !word.text.starts_with('-'));
    if let Some(last) = last.filter(|last| before.ends_in_secret && *last >= before.begun) {
        found[last].push(0..words[last].text.len());
    }
    found
}

/// What is expected of a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Nothing,
    /// It is the value of something that is called a secret.
    Value(Weight),
    /// It may be a password or a port.
    Unnamed,
    /// It may be a key, or something else whose option is called `-k`.
    Key,
    /// It is `user:password`, or with another sign between them.
    Pair(char),
    /// A `:` or `=` makes the word after it a secret.
    Sign(Weight),
    /// As `Sign`; it is a secret itself if it is quoted.
    Quoted,
    /// It is a secret, or says of what scheme the next one is.
    Authorization(Weight),
    /// It is a name, and its value follows.
    Name,
    /// It is a word of a setting that takes a value.
    Skipped,
    /// It is the password of a share, or an option.
    Share,
    /// It is the one whose password follows.
    Owner,
}

/// What the words so far say.
#[derive(Default)]
struct ScanState {
    expect: Expect,
    last: String,
    tool: Option<&'static Tool>,
    /// The tool takes a secret by now.
    ready: bool,
    /// The last operand is a secret.
    ends_in_secret: bool,
    /// How many words came up to the one that readied the tool.
    begun: usize,
    count: usize,
    /// `-p` is known to be something else.
    other_p: bool,
    /// `-u a:b` is known to be something else.
    groups: bool,
    login: bool,
    /// `IDENTIFIED [WITH plugin]` was seen, which `BY 'password'` follows.
    identified: bool,
    /// A verb was seen that a name and its value follow.
    sets: bool,
    /// `machine` was seen, which begins a line of `.netrc`.
    machine: bool,
    /// So many operands on is a secret.
    operands_left: usize,
    secrets: Option<Setting>,
    /// A word was seen that no line of tetra has before `secrets`.
    is_foreign: bool,
}

impl ScanState {
    /// The part of a word that is secret.
    fn feed(&mut self, word: &ShellWord) -> Option<Range<usize>> {
        let text = word.text.as_str();
        let is_given = !text.is_empty() && !matches!(text, "<" | "=") && !is_reference(text);
        let whole = || Some(0..text.len()).filter(|_| is_given);
        let is_option = text.starts_with("--") || (text.len() == 2 && text.starts_with('-'));
        let spans = match self.expect {
            // `*` asks for it, and `/delete` is an option.
            _ if self.operands_left == 1 && !text.starts_with(['-', '/', '*']) => whole(),
            // `SET PASSWORD FOR user = 'secret'`
            Expect::Value(_) if self.sets && text.eq_ignore_ascii_case("for") => None,
            Expect::Value(weight) if !is_option && can_hold(weight, text) => whole(),
            Expect::Share if !text.starts_with(['-', '/', '*']) => whole(),
            // `s/password: .*/password: secret/`
            Expect::Authorization(_) if text.ends_with("password:") => None,
            Expect::Authorization(weight) if !is_scheme(text) && can_hold(weight, text) => {
                // `name: "value",`
                let end = if word.quoted { text.trim_end_matches([',', '}', ']', ')']).len() } else { text.len() };
                whole().map(|_| 0..end)
            }
            Expect::Unnamed if !is_port(text) && !is_path(text) && !text.contains('/') => whole(),
            Expect::Key if is_random(text) => whole(),
            Expect::Pair(sign) => self.behind(text, sign),
            Expect::Quoted if word.quoted => whole(),
            _ => None,
        };
        spans.or_else(|| self.attached(text)).or_else(|| self.set(text))
    }

    /// What follows the sign in `user:password`.
    fn behind(&self, text: &str, sign: char) -> Option<Range<usize>> {
        /// A shorter word is a user whose password is empty.
        const MIN_TOKEN: usize = 16;
        let at = text.find(sign).filter(|at| !text[*at..].starts_with("://"))?;
        if sign == ':' && at + 1 == text.len() && at >= MIN_TOKEN && !is_reference(&text[..at]) {
            return Some(0..at);
        }
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let ids = sign == ':' && (self.groups || is_number(&text[..at]) && is_number(&text[at + 1..]));
        let end = if sign == '/' { text.rfind('@').unwrap_or(text.len()) } else { text.len() };
        (!ids && at + 1 < end && !is_reference(&text[at + 1..end])).then_some(at + 1..end)
    }

    /// `-pSECRET`, `-uUSER:PASSWORD` and `--user=USER:PASSWORD`.
    fn attached(&self, text: &str) -> Option<Range<usize>> {
        let options: &[&str] = match self.tool {
            _ if self.login => &["-p"],
            _ if self.secrets.is_some() => &["-b"],
            Some(tool) if self.ready => tool.attached,
            _ => &[],
        };
        let value = options.iter().find_map(|option| text.strip_prefix(option)).filter(|_| !text.starts_with("--"));
        if let Some(value) = value.map(|value| value.strip_prefix('=').unwrap_or(value)).filter(|it| !it.is_empty()) {
            return Some(text.len() - value.len()..text.len());
        }
        let (options, sign) = self.pairs();
        let value = options.iter().find_map(|option| text.strip_prefix(option))?;
        let is_attached = value.starts_with('=') || !text.starts_with("--");
        let range = self.behind(value, sign).filter(|_| is_attached && !value.is_empty())?;
        let begin = text.len() - value.len();
        Some(begin + range.start..begin + range.end)
    }

    fn pairs(&self) -> (&'static [&'static str], char) {
        self.tool
            .filter(|tool| self.ready || tool.last)
            .and_then(|tool| tool.pair)
            .unwrap_or((&["-u", "--user", "--proxy-user", "--login"], ':'))
    }

    /// The value of `secrets set`.
    fn set(&mut self, text: &str) -> Option<Range<usize>> {
        let skipped = self.expect == Expect::Skipped || text.starts_with('-') || text == "<";
        self.secrets.as_mut().filter(|_| !skipped)?.feed(text)
    }

    /// Takes a word into account.
    fn note(&mut self, word: &ShellWord, secret: Option<&Range<usize>>) {
        let is_secret = secret.is_some_and(|secret| secret.start == 0);
        let text = word.text.as_str();
        let expected = std::mem::take(&mut self.expect);
        self.count += 1;
        self.is_foreign |= self.secrets.is_none() && !matches!(text, "tetra" | "secrets" | "set");
        if !is_secret && expected != Expect::Skipped {
            if !text.starts_with('-') {
                self.operand(text);
            }
            if self.tool.is_some_and(|tool| tool.is_readied_by(text)) {
                self.readied();
            }
            if self.tool.is_some_and(|tool| tool.ends.contains(&text)) {
                (self.ends_in_secret, self.begun) = (true, self.count);
            }
            self.expect = self.expects(text, expected);
        }
        if !text.starts_with('-') {
            let begins = self.tool.filter(|_| self.ready && !is_secret).and_then(|tool| tool.operands_behind(text));
            self.operands_left = begins.unwrap_or(self.operands_left.saturating_sub(1));
        }
        // `qpdf --encrypt USER-PASSWORD OWNER-PASSWORD 256`
        if self.last == "--encrypt" && expected == Expect::Value(Weight::Strong) {
            self.expect = expected;
        }
        // What was taken for the value of a switch is the name of what is set.
        if is_secret && self.sets && name::is_plain(text) && weight(text) == Weight::Strong {
            self.expect = Expect::Value(Weight::Strong);
        }
        text.clone_into(&mut self.last);
    }

    fn readied(&mut self) {
        self.ready = true;
        self.ends_in_secret = self.tool.is_some_and(|tool| tool.last);
        self.begun = self.count;
    }

    /// A program, a subcommand or a verb.
    fn operand(&mut self, text: &str) {
        if let Some(tool) = tool::find(text) {
            self.tool = Some(tool);
            (self.ready, self.ends_in_secret) = (false, false);
            if tool.is_ready() {
                self.readied();
            }
        }
        // `-m node` names no program.
        let is_value = self.tool.is_some() && self.last.starts_with('-');
        if tool::has_another_p(text) && !is_value && !self.tool.is_some_and(|tool| tool.is_readied_by(text)) {
            (self.tool, self.other_p, self.login) = (self.tool.filter(|_| tool::find(text).is_some()), true, false);
        }
        self.groups = (self.groups || tool::has_groups(text)) && self.tool.is_none();
        match text {
            "login" => self.login = true,
            _ if text.eq_ignore_ascii_case("identified") => self.identified = true,
            "set" if matches!(self.last.as_str(), "secrets" | "secret" | "variables" | "variable" | "vars" | "env") => {
                self.secrets = Some(Setting { is_own: !self.is_foreign, ..Setting::default() });
            }
            "put" | "patch" if self.last == "kv" => {
                (self.secrets, self.sets) = (Some(Setting::default()), true);
            }
            "write" if tool::is_vault(&self.last) => self.secrets = Some(Setting::default()),
            "lookup" | "revoke" | "renew" if self.last == "token" => self.readied(),
            "set" | "SET" | "/set" | "setenv" | "setx" | "export" | "config" | "put" | "setex" => self.sets = true,
            "machine" => self.machine = true,
            // What the environment of a program is made of.
            "config:set" | "env:set" | "secrets:set" | "vars:set" => {
                (self.secrets, self.sets) = (Some(Setting::default()), true);
            }
            _ if text.ends_with(":set") => self.sets = true,
            // `config http-basic.host user password`
            _ if self.sets && tool::LOGIN_SETTINGS.iter().any(|setting| text.starts_with(setting)) => {
                (self.ends_in_secret, self.begun) = (true, self.count);
            }
            _ => {}
        }
    }

    /// What a word says about the next one.
    fn expects(&self, text: &str, expected: Expect) -> Expect {
        if let Some(signed) = signed(text, expected) {
            return signed;
        }
        if expected == Expect::Owner {
            return Expect::Sign(Weight::Strong);
        }
        let is_share = text.starts_with("//") || text.starts_with('\\') || text.starts_with("/user:");
        if is_share && self.tool.is_some_and(|tool| tool.shares) {
            return Expect::Share;
        }
        if expected == Expect::Name {
            return if weight(text) == Weight::None { Expect::Nothing } else { Expect::Value(Weight::Strong) };
        }
        let tool = self.tool.filter(|_| self.ready);
        if tool.is_some_and(|tool| tool.separate.contains(&text) || ends_cluster(text, tool.separate)) {
            return Expect::Value(Weight::Strong);
        }
        if self.secrets.is_some() && matches!(text, "-b" | "--body" | "--value" | "-v") {
            return Expect::Value(Weight::Strong);
        }
        if self.secrets.is_some() && OF_SETTINGS.contains(&text) {
            return Expect::Skipped;
        }
        let (pairs, sign) = self.pairs();
        match text {
            // `-A bearer -a token`
            _ if pairs.contains(&text) && self.last.eq_ignore_ascii_case("bearer") => Expect::Value(Weight::Strong),
            _ if pairs.contains(&text) || ends_cluster(text, pairs) => Expect::Pair(sign),
            "--from-literal" => Expect::Pair('='),
            _ if pairs.contains(&"") && !text.starts_with('-') => Expect::Pair(sign),
            "--arg" | "--argstr" => Expect::Name,
            "-p" if self.login => Expect::Value(Weight::Strong),
            "-p" if tool.is_none() && !self.other_p => Expect::Unnamed,
            "-k" => Expect::Key,
            _ if text.starts_with('-') => option(text),
            _ => self.bare(text),
        }
    }

    /// What a word that is not an option says about the next one.
    fn bare(&self, text: &str) -> Expect {
        let is_by = text.eq_ignore_ascii_case("by") && self.identified;
        if is_by || ["password", "passwd", "passphrase"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            // `machine host login user password secret` is a line of `.netrc`.
            let sets = (self.sets || self.machine && self.login) && !is_by;
            return if sets { Expect::Value(Weight::Strong) } else { Expect::Quoted };
        }
        let orders = ["set-", "reset-", "change-", "update-"].iter().any(|verb| text.starts_with(verb));
        if orders && ["password", "passwd", "passphrase"].iter().any(|word| text.ends_with(word)) {
            return Expect::Value(Weight::Strong);
        }
        // What is set may be called `app/password`, or `//registry/:_authToken`.
        let name = if self.sets { text.rsplit(['/', ':']).next().unwrap_or_default() } else { text };
        let weight = if name::is_plain(name) && !is_verb(name) { weight(name) } else { Weight::None };
        match weight {
            Weight::None => Expect::Nothing,
            Weight::Weak if !text.contains(['_', '-', '.']) => Expect::Sign(weight),
            Weight::Faint if self.sets => Expect::Value(weight),
            _ if self.sets => Expect::Value(Weight::Strong),
            _ => Expect::Sign(weight),
        }
    }
}

/// What a word that ends in a sign, or is one, or the scheme of an authorization, says about the next one.
fn signed(text: &str, expected: Expect) -> Option<Expect> {
    if let (Expect::Sign(weight), ":" | "=" | "=>" | ":=") | (Expect::Value(weight), "=") = (expected, text) {
        return Some(Expect::Authorization(weight));
    }
    if let (Expect::Quoted, ":" | "=" | "=>" | ":=") = (expected, text) {
        return Some(Expect::Authorization(Weight::Strong));
    }
    if let (Expect::Quoted | Expect::Value(_), "for" | "FOR") = (expected, text) {
        return Some(Expect::Owner);
    }
    let begins = |c: char| matches!(c, '{' | '[' | ',' | '"' | '\'');
    if let Some(name) = text.strip_suffix(':').map(|name| name.trim_matches(begins)) {
        let name = name.rsplit(['=', ' ', '/', '|', '#']).next().unwrap_or_default();
        return (name::is_plain(name) && weight(name) != Weight::None).then_some(Expect::Authorization(weight(name)));
    }
    let scheme = text.rsplit([':', ' ', '=']).next().unwrap_or_default();
    let names = text[..text.len() - scheme.len()].trim_end_matches([':', ' ', '=']);
    let is_named = !names.is_empty() && weight(names) != Weight::None;
    let begins = text.eq_ignore_ascii_case("bearer") || (is_scheme(scheme) && is_named);
    let goes_on = matches!(expected, Expect::Authorization(_)) && is_scheme(text);
    (begins || goes_on).then_some(Expect::Value(Weight::Strong))
}

/// `-sSu`, whose last letter is one of these options.
fn ends_cluster(text: &str, options: &[&str]) -> bool {
    let letters = text.strip_prefix('-').filter(|it| it.len() > 1 && it.bytes().all(|byte| byte.is_ascii_alphabetic()));
    letters.is_some_and(|it| options.iter().any(|option| option.len() == 2 && it.ends_with(&option[1..])))
}

/// `--token` and `-password`, with their value in the next word.
fn option(text: &str) -> Expect {
    let name = text.trim_start_matches('-');
    let long = text.starts_with("--") || name.len() > 1;
    if !long || !name::is_plain(name) || is_switch(name) {
        return Expect::Nothing;
    }
    match weight(name) {
        Weight::None => Expect::Nothing,
        weight => Expect::Value(weight),
    }
}

/// A port, an address, or where one is to come from.
fn is_port(text: &str) -> bool {
    let text = text.trim_end_matches("/tcp").trim_end_matches("/udp").trim_end_matches('+');
    text.starts_with(['-', '$', '{']) || text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '-'))
}
