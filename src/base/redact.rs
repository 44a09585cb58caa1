//! Secrets in command lines and texts, replaced before anything is kept or shown.
//!
//! One rule for every place: what a program is started with, what is typed, what a quoted word contains. A text is read
//! into commands and words (`reading`); what a word holds is recognized by its own parts (`word`), by its shape (`shape`), and
//! by the words before it (`words`, `tool`). A word that holds blanks or quotes is a text again.

mod input;
mod name;
mod name_words;
mod secret_reader;
mod setting;
mod shell_words;
mod token_pattern;
mod tokens;
mod tool;
mod word;
mod words;

use std::ops::Range;

pub use name::{NameVerdict, classify, is_secret_name};
use shell_words::ShellWord;
pub use tokens::tokens;
use tool::Tool;

use crate::base::line::{self, ShellText};
use crate::base::sort::SortExt;

/// What replaces a secret.
pub const MASK: &str = "***";

/// How many quoted commands are looked for inside each other.
const MAX_DEPTH: usize = 8;

/// The words of a command line without its secrets.
#[must_use]
pub fn redact<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Vec<String> {
    let words: Vec<ShellWord> = words.into_iter().map(|word| ShellWord::from_argument(word.as_ref())).collect();
    let masked = words.iter().zip(in_words(&words, None, 0)).map(|(word, hidden)| masked(&word.text, hidden));
    masked.collect()
}

/// Whether a text has [`MASK`] where it would hide a secret: it was masked before, and is not the text that was meant.
#[must_use]
pub fn is_masked(line: &str) -> bool {
    line.contains(MASK) && (text(&line.replace(MASK, "hidden")).contains(MASK) || has_bare_mask(line))
}

/// True for a mask in a word without quotes, where nothing but the form of a secret said that there was one: `x ***`. No command
/// here takes such a word. In a text for `sh` it is a pattern by itself, and a mask beside a sign: `a=***`, `https://***@host`.
fn has_bare_mask(line: &str) -> bool {
    let Ok(line) = line::lex(line) else { return false };
    let is_sign = |beside: Option<char>| beside.is_some_and(|beside| "=,:@".contains(beside));
    let in_shell = |shell: &ShellText| {
        let words = shell_words::statements(&shell.text).into_iter().flat_map(|statement| statement.words);
        words
            .filter(|word| !word.quoted)
            .any(|word| has_mask(&word.text, |before, after| is_sign(before) || is_sign(after)))
    };
    line.statements.iter().any(|statement| {
        statement.words.iter().any(|word| !word.quoted && has_mask(&word.text, |_, _| true))
            || statement.pipe.iter().chain(&statement.shell_escape).any(in_shell)
    })
}

/// True for a mask, and no longer row of stars, with what may be before and behind it.
fn has_mask(text: &str, is_beside: impl Fn(Option<char>, Option<char>) -> bool) -> bool {
    text.match_indices(MASK).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + MASK.len()..].chars().next());
        before != Some('*') && after != Some('*') && is_beside(before, after)
    })
}

/// A text without its secrets: a line for a shell or for tetra, a header, JSON, a sentence. All else stays as it is written.
#[must_use]
pub fn text(text: &str) -> String {
    masked(text, in_text(text, None, 0))
}

/// Where [`text`] hides something, in order and apart from each other.
#[must_use]
pub fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut hidden = in_text(text, None, 0);
    hidden.order_by_key(|part| part.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for part in hidden.into_iter().filter(|part| !part.is_empty()) {
        match merged.last_mut().filter(|last| part.start < last.end) {
            Some(last) => last.end = last.end.max(part.end),
            None => merged.push(part),
        }
    }
    merged
}

/// The parts of words that [`redact`] hides.
#[must_use]
pub fn secrets_in_words<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let read: Vec<ShellWord> = words.iter().map(|word| ShellWord::from_argument(word)).collect();
    let hidden = words.iter().zip(in_words(&read, None, 0));
    hidden.flat_map(|(word, hidden)| hidden.into_iter().filter_map(|part| word.get(part))).collect()
}

/// Hides the secrets of a command line in texts that speak of it.
#[derive(Debug)]
pub struct Redactor(Vec<(String, String)>);

/// A shorter part of a word is not looked for in a text: it is in every other word too.
const MIN_SECRET: usize = 4;

impl Redactor {
    /// For texts about these words.
    #[must_use]
    pub fn of<S: AsRef<str>>(words: &[S]) -> Self {
        let words: Vec<ShellWord> = words.iter().map(|word| ShellWord::from_argument(word.as_ref())).collect();
        let mut hidden_texts = Vec::new();
        for (word, hidden) in words.iter().zip(in_words(&words, None, 0)).filter(|(_, hidden)| !hidden.is_empty()) {
            let parts = hidden.iter().filter_map(|part| word.text.get(part.clone()));
            hidden_texts.extend(parts.filter(|it| it.len() >= MIN_SECRET).map(|it| (it.to_owned(), MASK.to_owned())));
            hidden_texts.push((word.text.clone(), masked(&word.text, hidden)));
        }
        hidden_texts.order_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        Self(hidden_texts)
    }

    /// The text without them; none if it has none.
    #[must_use]
    pub fn redacted(&self, text: &str) -> Option<String> {
        let replaced = |text: String, (secret, shown): &(String, String)| text.replace(secret, shown);
        self.0.iter().any(|(secret, _)| text.contains(secret)).then(|| self.0.iter().fold(text.to_owned(), replaced))
    }
}

/// A variable as it may be shown: a mask for the value of a secret name, else the value without its secrets.
#[must_use]
pub fn variable(key: &str, value: &str) -> String {
    if is_secret_name(key) { MASK.to_owned() } else { text(value) }
}

/// Where the secrets of a text are, which is for `reader` if that is a program that is known.
fn in_text(text: &str, reader: Option<&'static Tool>, depth: usize) -> Vec<Range<usize>> {
    let mut found = word::anywhere(text);
    let statements = shell_words::statements(text);
    let readers = input::readers(&statements);
    for ((statement, typed), read_by) in statements.iter().zip(input::typed(&statements)).zip(readers) {
        let hidden = in_words(&statement.words, read_by.or(reader), depth);
        for ((word, hidden), typed) in statement.words.iter().zip(hidden).zip(typed) {
            found.extend(hidden.iter().chain(&typed).flat_map(|part| word.source_ranges(part)));
        }
    }
    found
}

/// Where the secrets of each word are.
fn in_words(words: &[ShellWord], reader: Option<&'static Tool>, depth: usize) -> Vec<Vec<Range<usize>>> {
    let mut found = words::hidden(words, reader);
    let mut reader = reader;
    for (at, (word, found)) in words.iter().zip(&mut found).enumerate() {
        if is_message(&words[..at]) {
            *found = word::unmistakable(&word.text);
            continue;
        }
        let is_line = word.text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ';' | '|'));
        let own = if is_task(&words[..at], &word.text) { word::anywhere } else { word::hidden };
        found.extend(own(&word.text));
        if is_line && depth < MAX_DEPTH {
            // `NAME=line` is what an alias is made of.
            let name = word.text.split_once('=').map_or("", |(name, _)| name);
            let begin = if name::is_plain(name) { name.len() + 1 } else { 0 };
            let inner = in_text(&word.text[begin..], reader, depth + 1);
            found.extend(inner.into_iter().map(|part| begin + part.start..begin + part.end));
        }
        reader = tool::find(&word.text).or(reader);
    }
    found
}

/// What follows `git commit -m` is prose.
fn is_message(before: &[ShellWord]) -> bool {
    const VERBS: [&str; 5] = ["commit", "tag", "merge", "stash", "notes"];
    let has = |wanted: &[&str]| before.iter().any(|word| wanted.contains(&word.text.as_str()));
    let is_option = |word: &ShellWord| matches!(word.text.as_str(), "-m" | "-am" | "-sm" | "-asm" | "--message");
    before.last().is_some_and(is_option) && has(&["git"]) && has(&VERBS)
}

/// Programs and words behind which a task is named.
const TASK_RUNNERS: [&str; 28] = [
    "artisan",
    "rake",
    "rails",
    "run",
    "run-script",
    "task",
    "console",
    "npm",
    "yarn",
    "pnpm",
    "bun",
    "heroku",
    "dokku",
    "gulp",
    "grunt",
    "composer",
    "mix",
    "sf",
    "sfdx",
    "symfony",
    "magento",
    "craft",
    "occ",
    "drush",
    "wp",
    "yii",
    "spark",
    "ember",
];

/// `auth:clear-resets` behind `artisan`, `rake` or `npm run` is what is to be done, and no name with its value.
fn is_task(before: &[ShellWord], text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    let runner = before.iter().rfind(|word| !word.text.starts_with('-'));
    runner.is_some_and(|it| TASK_RUNNERS.contains(&tool::base(&it.text)))
        && text.contains(':')
        && text.split(':').all(is_part)
}

/// The text with a mask for each part; parts that touch get one.
fn masked(text: &str, mut hidden: Vec<Range<usize>>) -> String {
    hidden.retain(|part| !part.is_empty());
    hidden.order_by_key(|part| part.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for part in hidden {
        if part.start > done || done == 0 {
            out.push_str(&text[done..part.start]);
            out.push_str(MASK);
        }
        done = done.max(part.end);
    }
    out.push_str(&text[done..]);
    out
}

/// A line of `KEY=VALUE` with as many stars as the value has characters; all stars if there is no `=`.
#[must_use]
pub fn assignment(line: &str) -> String {
    let key = line.find('=').map_or("", |equals| &line[..=equals]);
    format!("{key}{}", "*".repeat(line[key.len()..].chars().count()))
}

/// A text whose parts at `spans` are stars, byte for byte: every other place stays what it was.
#[must_use]
pub fn mask_ranges(text: &str, spans: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        let begin = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end);
        for byte in bytes[begin..end].iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    // Whole characters were replaced by stars.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where the values of secret keys stand in a TOML text, to the ends of their lines. It need not be sound.
pub fn assignments(text: &str, is_secret: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // An inline table has several keys on a line.
        let secret = line.match_indices('=').find(|(equals, _)| {
            let key = line[..*equals].rsplit(['.', '{', ',', '=']).next().unwrap_or_default();
            let value = line[equals + 1..].trim_start();
            let plain = value.contains("${") || value.starts_with("\"var.");
            is_secret(key.trim_matches([' ', '\t', '"', '\''])) && !plain
        });
        if let Some((equals, _)) = secret {
            let begin = line.len() - line[equals + 1..].trim_start().len();
            found.push(at + begin..at + line.trim_end().len().max(begin));
        }
        at += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_about_a_command_do_not_repeat_its_secrets() {
        let words = ["tsm", "start", "--health", "http://u:hunter2@h:xx/", "--token=abcdef", "-p", "7"];
        let redactor = Redactor::of(&words);
        for (text, shown) in [
            ("invalid value `http://u:hunter2@h:xx/`", Some("invalid value `http://u:***@h:xx/`")),
            ("invalid value `abcdef`: it is not `hunter2`", Some("invalid value `***`: it is not `***`")),
            ("unknown option `--token=abcdef`", Some("unknown option `--token=***`")),
            ("no port 7", None),
        ] {
            assert_eq!(redactor.redacted(text).as_deref(), shown, "{text}");
        }
    }

    /// Lines and what is kept of them, as typed and as words.
    const LINES: [(&str, &str); 285] = [
        ("tsm start --env dev api", "tsm start --env dev api"),
        ("secrets set dev A_KEY --file /srv/a --identity k", "secrets set dev A_KEY --file /srv/a --identity k"),
        ("x --token abc --name b", "x --token *** --name b"),
        ("x --api-key=abc", "x --api-key=***"),
        ("x --db-password abc", "x --db-password ***"),
        ("x DB_PASSWORD=a API_KEY=b PORT=3 node a.js", "x DB_PASSWORD=*** API_KEY=*** PORT=3 node a.js"),
        ("x postgres://u:pw@h/db?x=1", "x postgres://u:***@h/db?x=1"),
        ("x https://h/a@b https://h:80/a@b", "x https://h/a@b https://h:80/a@b"),
        ("x redis://:p/w#d@h:1/0", "x redis://:***@h:1/0"),
        ("x u:pw@tcp(h:3306)/db user@h:p npm:react@18.2", "x u:***@tcp(h:3306)/db user@h:p npm:react@18.2"),
        ("docker run img:tag@sha256:abcdef", "docker run img:tag@sha256:abcdef"),
        ("curl Bearer abc", "curl Bearer ***"),
        ("x ghp_abcdefghijklmnopqrstuvwxyz123456", "x ***"),
        ("x a=eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc-_", "x a=***"),
        (
            "x monkey=1 keyboard=2 TRESPASS=n UNDERPASS=y PASSPORT=1",
            "x monkey=1 keyboard=2 TRESPASS=n UNDERPASS=y PASSPORT=1",
        ),
        ("secrets set prod API_KEY", "secrets set prod API_KEY"),
        ("secrets set QA KEY", "secrets set QA KEY"),
        ("secrets set QA DATABASE_URL", "secrets set QA DATABASE_URL"),
        ("tetra secrets set QA API_KEY hunter2", "tetra secrets set QA API_KEY ***"),
        ("secrets set FOO HUNTER2", "secrets set FOO ***"),
        ("secrets set API_KEY HUNTER_KEY", "secrets set API_KEY ***"),
        ("secrets set TOKEN HUNTER_2", "secrets set TOKEN ***"),
        ("secrets set QA KEY2", "secrets set QA KEY2"),
        ("doppler secrets set QA API_KEY", "doppler secrets set QA ***"),
        ("secrets set prod API_KEY hunter2 x", "secrets set prod API_KEY *** ***"),
        ("secrets set dev FOO=hunter2", "secrets set dev FOO=***"),
        ("secrets set dev FOO = hunter2", "secrets set dev FOO *** ***"),
        ("secrets set --org acme dev FOO hunter2", "secrets set --org acme dev FOO ***"),
        ("fly secrets set A=hunter2 B=hunter3", "fly secrets set A=*** B=***"),
        ("doppler secrets set FOO hunter2", "doppler secrets set FOO ***"),
        ("gh secret set FOO --body hunter2 --repo a/b", "gh secret set FOO --body *** --repo a/b"),
        ("org promote --set db.password=hunter2 @dev", "org promote --set db.password=*** @dev"),
        ("helm install --set a=1,auth.rootPassword=hunter2", "helm install --set a=1,auth.rootPassword=***"),
        ("x --env=DB_PASSWORD=a=b", "x --env=DB_PASSWORD=***"),
        ("docker run -e A_TOKEN=hunter2 -p 8080:80 img", "docker run -e A_TOKEN=*** -p 8080:80 img"),
        ("x https://h/p?token=abc&x=1&key=2", "x https://h/p?token=***&x=1&key=***"),
        ("x https://u:pw@h/p?token=abc", "x https://u:***@h/p?token=***"),
        ("curl -u me:pw http://h:80/", "curl -u me:*** http://h:80/"),
        (
            "curl -ume:pw --user me:pw --user=me:pw --proxy-user a:b",
            "curl -ume:*** --user me:*** --user=me:*** --proxy-user a:***",
        ),
        ("docker run -u 1000:1000 --user root:root img", "docker run -u 1000:1000 --user root:root img"),
        ("http -a me:pw h", "http -a me:*** h"),
        ("curl -b sid=hunter2 -bsid=hunter3 h", "curl -b *** -b*** h"),
        ("vault kv put kv/x value=hunter2 b=hunter3", "vault kv put kv/x value=*** b=***"),
        ("vault kv patch -mount=kv x a=hunter2", "vault kv patch -mount=kv x a=***"),
        ("bao write kv/x a=hunter2", "bao write kv/x a=***"),
        ("npm config set //h/:_authToken hunter2", "npm config set //h/:_authToken ***"),
        ("tsm logs api --since 10:30", "tsm logs api --since 10:30"),
        ("mysql -u root -phunter2 shop", "mysql -u root -p*** shop"),
        ("sudo /usr/bin/mysqldump -phunter2", "sudo /usr/bin/mysqldump -p***"),
        ("mysql -p shop -P 3306", "mysql -p shop -P 3306"),
        ("docker exec db mysql -phunter2", "docker exec db mysql -p***"),
        ("docker login -u me -p hunter2 h.io", "docker login -u me -p *** h.io"),
        ("docker login --password-stdin h.io", "docker login --password-stdin h.io"),
        ("az login -p hunter2", "az login -p ***"),
        ("tsm start --name x docker login -- -p hunter2", "tsm start --name x docker login -- -p ***"),
        ("tsm start ./tool -- -p hunter2", "tsm start ./tool -- -p ***"),
        ("tsm start ./tool -- -p 3000", "tsm start ./tool -- -p 3000"),
        ("./tool -p $PORT -p {port} -p 127.0.0.1:80:80", "./tool -p $PORT -p {port} -p 127.0.0.1:80:80"),
        ("mkdir -p dir", "mkdir -p dir"),
        ("cargo run -p shop", "cargo run -p shop"),
        ("rails s -p 3997", "rails s -p 3997"),
        (
            "x --port 3000 --password-file /run/x --no-password y",
            "x --port 3000 --password-file /run/x --no-password y",
        ),
        (
            "x --max-tokens 400 --key-file a --tls-key /etc/ssl/k.pem",
            "x --max-tokens 400 --key-file a --tls-key /etc/ssl/k.pem",
        ),
        ("x --auth basic --key ~/.ssh/id", "x --auth basic --key ~/.ssh/id"),
        ("sshpass -p hunter2 ssh -p 22 h", "sshpass -p *** ssh -p 22 h"),
        ("redis-cli -a hunter2 -p 6379 ping", "redis-cli -a *** -p 6379 ping"),
        ("redis-cli AUTH hunter2", "redis-cli AUTH ***"),
        ("redis-cli config set requirepass hunter2", "redis-cli config set requirepass ***"),
        ("redis-server --requirepass hunter2", "redis-server --requirepass ***"),
        ("mongosh -u me -p hunter2 h", "mongosh -u me -p *** h"),
        ("ldapsearch -x -D cn=a -w hunter2", "ldapsearch -x -D cn=a -w ***"),
        ("smbclient -U me%hunter2 h", "smbclient -U me%*** h"),
        ("lftp -u me,hunter2 h", "lftp -u me,*** h"),
        ("zip -P hunter2 a.zip b", "zip -P *** a.zip b"),
        ("7z a -phunter2 a.7z", "7z a -p*** a.7z"),
        ("sqlplus scott/tiger@db", "sqlplus scott/***@db"),
        ("htpasswd -nb me hunter2", "htpasswd -nb me ***"),
        ("htpasswd file me", "htpasswd file me"),
        ("cargo login --registry x hunter2", "cargo login --registry x ***"),
        ("cargo run -p shop --release", "cargo run -p shop --release"),
        ("ngrok authtoken hunter2", "ngrok authtoken ***"),
        ("ngrok http 80", "ngrok http 80"),
        ("mc alias set n http://h me hunter2", "mc alias set n http://h me ***"),
        ("doctl auth init -t hunter2", "doctl auth init -t ***"),
        ("snyk auth hunter2", "snyk auth ***"),
        ("openssl passwd -6 hunter2", "openssl passwd -6 ***"),
        ("ansible-vault encrypt_string hunter2 --name a", "ansible-vault encrypt_string *** --name a"),
        ("gitlab-runner register -r hunter2 -u h", "gitlab-runner register -r *** -u h"),
        ("mkpasswd -m sha-512 hunter2", "mkpasswd -m sha-512 ***"),
        ("curl -sSu me:hunter2 h", "curl -sSu me:*** h"),
        ("tar -xzu a:b", "tar -xzu a:***"),
        ("curl -E a.pem:hunter2 h", "curl -E a.pem:*** h"),
        ("ssh-keygen -t ed25519 -N hunter2 -f k", "ssh-keygen -t ed25519 -N *** -f k"),
        ("vault operator unseal hunter2", "vault operator unseal ***"),
        ("consul kv put app/password hunter2", "consul kv put app/password ***"),
        ("pulumi config set --secret dbPassword hunter2", "pulumi config set --secret *** ***"),
        ("netlify env:set API_KEY hunter2", "netlify env:set API_KEY ***"),
        ("jq --arg token hunter2 --arg name x .", "jq --arg token *** --arg name x ."),
        ("twine upload -phunter2 d", "twine upload -p*** d"),
        ("neo4j-admin set-initial-password hunter2", "neo4j-admin set-initial-password ***"),
        ("zip -eP hunter2 a.zip b", "zip -eP *** a.zip b"),
        ("samba-tool user create me hunter2", "samba-tool user create me ***"),
        ("redis-cli ACL SETUSER me on >hunter2", "redis-cli ACL SETUSER me on >***"),
        ("vault login hunter2", "vault login ***"),
        ("aws configure set aws_secret_access_key hunter2", "aws configure set aws_secret_access_key ***"),
        ("npm config set //r/:_authToken=hunter2", "npm config set //r/:_authToken=***"),
        ("git config credential.helper store", "git config credential.helper store"),
        (
            "kubectl create secret generic n --from-literal=foo=hunter2",
            "kubectl create secret generic n --from-literal=foo=***",
        ),
        ("kubectl config set-credentials me --token=hunter2", "kubectl config set-credentials me --token=***"),
        ("keytool -storepass hunter2 -keystore a.jks", "keytool -storepass *** -keystore a.jks"),
        ("openssl rsa -passin pass:hunter2", "openssl rsa -passin ***"),
        ("putty -pw hunter2", "putty -pw ***"),
        ("java -Ddb.password=hunter2 -jar a.jar", "java -Ddb.password=*** -jar a.jar"),
        ("psql host=h password=hunter2 dbname=d", "psql host=h password=*** dbname=d"),
        ("x apiKey=abc clientSecret=abc accessKey=abc", "x apiKey=*** clientSecret=*** accessKey=***"),
        ("http h X-API-Key:hunter2", "http h X-API-Key:***"),
        ("docker run my-token:latest", "docker run my-token:latest"),
        ("x Authorization: Bearer abc", "x Authorization: Bearer ***"),
        ("x Authorization:Bearer abc", "x Authorization:Bearer ***"),
        ("x PRIVATE-TOKEN: abc", "x PRIVATE-TOKEN: ***"),
        ("x password = abc", "x password = ***"),
        ("x --token ${secret:API} --key ${KEY}", "x --token ${secret:API} --key ${KEY}"),
        ("curl https://hooks.slack.com/services/T0/B0/abc", "curl https://hooks.slack.com/services/***"),
        ("PWD=/x env", "PWD=/x env"),
        ("x -i ~/.ssh/id_rsa --certificate c", "x -i ~/.ssh/id_rsa --certificate c"),
        ("x --public-key abc NEXT_PUBLIC_URL=x", "x --public-key abc NEXT_PUBLIC_URL=x"),
        ("tsm ports set api 3000", "tsm ports set api 3000"),
        ("use @prod", "use @prod"),
        ("x TOKEN= y", "x TOKEN= y"),
        ("x sk_live_abcdefghijklmn,hvs.abcdefghijklmnopqrstuv", "x ***,***"),
        ("tkm add key deploy", "tkm add key deploy"),
        ("consul acl set-agent-token default hunter2", "consul acl set-agent-token default ***"),
        ("nomad acl bootstrap hunter2", "nomad acl bootstrap ***"),
        ("nomad operator gossip keyring install hunter2", "nomad operator gossip keyring install ***"),
        ("nomad operator gossip keyring use hunter2", "nomad operator gossip keyring use ***"),
        ("nomad operator gossip keyring list", "nomad operator gossip keyring list"),
        ("qpdf --encrypt hunter2 hunter3 256 -- a.pdf b.pdf", "qpdf --encrypt *** *** 256 -- a.pdf b.pdf"),
        ("heroku config:set PLAIN=hunter2 B=hunter3 -a shop", "heroku config:set PLAIN=*** B=*** -a shop"),
        ("dokku config:set --no-restart shop A=hunter2", "dokku config:set --no-restart shop A=***"),
        ("bw list items --session hunter2", "bw list items --session ***"),
        ("bw unlock hunter2", "bw unlock ***"),
        ("bw list items", "bw list items"),
        ("export BW_SESSION=hunter2", "export BW_SESSION=***"),
        ("cf set-env app PLAIN hunter2", "cf set-env app PLAIN ***"),
        ("credstash put plain hunter2", "credstash put plain ***"),
        ("credstash list", "credstash list"),
        ("chamber write shop plain hunter2", "chamber write shop plain ***"),
        ("pulumi config set --secret plain hunter2", "pulumi config set --secret *** ***"),
        ("pulumi config set region eu", "pulumi config set region eu"),
        ("pm2 link hunter2 public", "pm2 link *** public"),
        ("drush user:password admin hunter2", "drush user:password admin ***"),
        ("mysqladmin -u root password hunter2", "mysqladmin -u root password ***"),
        ("mysqladmin -u root status", "mysqladmin -u root status"),
        ("knife bootstrap h -P hunter2", "knife bootstrap h -P ***"),
        ("caddy hash-password --plaintext hunter2", "caddy hash-password --plaintext ***"),
        ("hey -a me:hunter2 http://h/", "hey -a me:*** http://h/"),
        ("wpa_cli set_network 0 psk hunter2", "wpa_cli set_network 0 psk ***"),
        ("virsh secret-set-value id hunter2", "virsh secret-set-value id ***"),
        ("openssl mac -macopt hexkey:hunter2 HMAC", "openssl mac -macopt hexkey:*** HMAC"),
        ("x --seed-phrase hunter2", "x --seed-phrase ***"),
        ("railway variables --set PLAIN=hunter2", "railway variables --set PLAIN=***"),
        ("railway variables set PLAIN=hunter2", "railway variables set PLAIN=***"),
        ("helm upgrade --set a=b chart", "helm upgrade --set a=b chart"),
        ("poetry config pypi-token.pypi hunter2", "poetry config pypi-token.pypi ***"),
        ("poetry config http-basic.x me hunter2", "poetry config http-basic.x me ***"),
        ("composer config github-oauth.github.com hunter2", "composer config github-oauth.github.com ***"),
        ("poetry config virtualenvs.in-project true", "poetry config virtualenvs.in-project true"),
        ("bundle config set --global h me:hunter2", "bundle config set --global h me:***"),
        ("bundle exec rake db:migrate", "bundle exec rake db:migrate"),
        ("smbclient -U me%hunter2 //h/s", "smbclient -U me%*** //h/s"),
        ("smbclient //h/s hunter2", "smbclient //h/s ***"),
        ("smbclient //h/s -N", "smbclient //h/s -N"),
        ("net use Z: //h/s hunter2 /user:me", "net use Z: //h/s *** /user:me"),
        ("net use Z: //h/s /user:me hunter2", "net use Z: //h/s /user:me ***"),
        ("winexe -U me%hunter2 //h cmd", "winexe -U me%*** //h cmd"),
        ("gh secret set NAME -bhunter2", "gh secret set NAME -b***"),
        (
            "kubectl create secret generic n --from-literal a=hunter2",
            "kubectl create secret generic n --from-literal a=***",
        ),
        ("http -A bearer -a hunter2 h", "http -A bearer -a *** h"),
        ("redis-cli AUTH me hunter2", "redis-cli AUTH *** ***"),
        ("ipmitool user set password 2 hunter2", "ipmitool user set password *** ***"),
        ("snmptrap -v2c -c hunter2 h", "snmptrap -v2c -c *** h"),
        ("vault token lookup hunter2", "vault token lookup ***"),
        ("vault token lookup", "vault token lookup"),
        ("bw unlock hunter2", "bw unlock ***"),
        ("bw unlock", "bw unlock"),
        ("cloudflared service install hunter2", "cloudflared service install ***"),
        ("cloudflared tunnel run x", "cloudflared tunnel run x"),
        ("security add-generic-password -a u -w hunter2", "security add-generic-password -a u -w ***"),
        ("dotnet nuget push x -k hunter2 -s h", "dotnet nuget push x -k *** -s h"),
        ("dotnet run -p a.csproj", "dotnet run -p a.csproj"),
        ("ffmpeg -i a -f flv rtmp://h/live/hunter2", "ffmpeg -i a -f flv rtmp://h/live/***"),
        ("snyk config set api=hunter2", "snyk config set api=***"),
        ("crudini --set f s key hunter2", "crudini --set f s key ***"),
        ("sonar-scanner -Dsonar.login=hunter2", "sonar-scanner -Dsonar.login=***"),
        ("machine h login me password hunter2", "machine h login me password ***"),
        ("setx API_KEY hunter2", "setx API_KEY ***"),
        ("helm upgrade --set a=b my-token chart", "helm upgrade --set a=b my-token chart"),
        ("node app.js --secret hunter2 --passphrase=hunter2", "node app.js --secret *** --passphrase=***"),
        ("export FOO_PIN=hunter2", "export FOO_PIN=***"),
        ("softhsm2-util --init-token --so-pin 12 --pin hunter2", "softhsm2-util --init-token --so-pin *** --pin ***"),
        ("x --salt hunter2 --pin 123456", "x --salt *** --pin ***"),
        ("x --pin 4 LED_PIN=13 SALT_MASTER=h", "x --pin 4 LED_PIN=13 SALT_MASTER=h"),
        ("mise use --pin node@20 --hmac SHA-256", "mise use --pin node@20 --hmac SHA-256"),
        ("salt web state.apply", "salt web state.apply"),
        ("keyctl add user n hunter2 @u", "keyctl add user n *** @u"),
        ("keyctl show @u", "keyctl show @u"),
        (
            "ip xfrm state add src a dst b enc aes 0xhunter2 auth sha1 0xhunter3",
            "ip xfrm state add src a dst b enc aes *** auth sha1 ***",
        ),
        ("ip link add a type gre key 5 local h", "ip link add a type gre key 5 local h"),
        (
            "qemu-img create --object secret,id=s,data=hunter2,format=raw a.img",
            "qemu-img create --object secret,id=s,data=***,format=raw a.img",
        ),
        (
            "qemu-img create --object secret,id=s,file=/run/k a.img",
            "qemu-img create --object secret,id=s,file=/run/k a.img",
        ),
        ("net user me hunter2 /add", "net user me *** /add"),
        ("net user me /delete", "net user me /delete"),
        ("net rpc user add me hunter2", "net rpc user add me ***"),
        ("git clone https://ghp_xxx@github.com/a/b", "git clone https://***@github.com/a/b"),
        (
            "git clone https://git@github.com/a/b https://jean_p@h/a",
            "git clone https://git@github.com/a/b https://jean_p@h/a",
        ),
        ("export GITHUB_PAT=hunter2", "export GITHUB_PAT=***"),
        ("schtasks /create /password:hunter2", "schtasks /create /password:***"),
        ("psexec.py corp/me:hunter2@10.0.0.5", "psexec.py corp/me:***@10.0.0.5"),
        ("docker pull lib/nginx:1.2 lib/nginx:1.2@sha256:abc", "docker pull lib/nginx:1.2 lib/nginx:1.2@sha256:abc"),
        ("cvs -d :pserver:me:hunter2@h:/x co y", "cvs -d :pserver:me:***@h:/x co y"),
        ("gost -L me:hunter2@:1080", "gost -L me:***@:1080"),
        ("virsh set-user-password dom me hunter2", "virsh set-user-password *** me ***"),
        ("travis env set FOO hunter2", "travis env set FOO ***"),
        ("travis env list", "travis env list"),
        ("conjur variable set -i x -v hunter2", "conjur variable set -i x -v ***"),
        ("pppd user me password hunter2", "pppd user me password ***"),
        ("openssl s_client -srppass hunter2", "openssl s_client -srppass ***"),
        ("nsupdate -y hmac-sha256:n:hunter2", "nsupdate -y ***"),
        ("dig +short a.b", "dig +short a.b"),
        (
            "iscsiadm -m node -n node.session.auth.password -v hunter2",
            "iscsiadm -m node -n node.session.auth.password -v ***",
        ),
        ("iwconfig wlan0 key s:hunter2", "iwconfig wlan0 key ***"),
        ("etcdctl user add root:hunter2", "etcdctl user add root:***"),
        ("etcdctl get a:b", "etcdctl get a:b"),
        ("radtest me hunter2 h 0 hunter3", "radtest me *** h 0 ***"),
        ("bitcoin-cli walletpassphrase hunter2 60", "bitcoin-cli walletpassphrase *** 60"),
        ("oathtool --totp -b hunter2", "oathtool --totp -b ***"),
        ("socat - PROXY:h:a:1,proxyauth=me:hunter2", "socat - PROXY:h:a:1,proxyauth=***"),
        ("mydumper -phunter2 -B x", "mydumper -p*** -B x"),
        ("flyctl deploy -t hunter2", "flyctl deploy -t ***"),
        ("fly -t ci login", "fly -t ci login"),
        ("microk8s join 10.0.0.1:25000/hunter2", "microk8s join ***"),
        ("kadmin -w hunter2", "kadmin -w ***"),
        ("b2 authorize-account id hunter2", "b2 authorize-account id ***"),
        ("ykman oath accounts add n hunter2", "ykman oath accounts add n ***"),
        ("transmission-remote -n me:hunter2 -l", "transmission-remote -n me:*** -l"),
        ("ss-server -k hunter2 -s h", "ss-server -k *** -s h"),
        ("irssi -w hunter2", "irssi -w ***"),
        ("db2 connect to x user me using hunter2", "db2 connect to x user me using ***"),
        ("nuget setapikey hunter2 -Source h", "nuget setapikey *** -Source h"),
        ("doveadm auth test me hunter2", "doveadm auth test me ***"),
        ("x --login me:hunter2", "x --login me:***"),
        ("traefik --basicauth.users=me:hunter2", "traefik --basicauth.users=***"),
        ("x --access-code hunter2 --hmac hunter2 --passkey hunter2", "x --access-code *** --hmac *** --passkey ***"),
        ("x --keystorepass hunter2 --unlock-code=hunter2", "x --keystorepass *** --unlock-code=***"),
        ("x --license hunter2 --session-id hunter2", "x --license *** --session-id ***"),
        ("x --licence=ABCD-12-EF LICENSE=hunter2", "x --licence=*** LICENSE=***"),
        (
            "x --license-key hunter2 PHPSESSID=hunter2 SESSION_ID=hunter2",
            "x --license-key *** PHPSESSID=*** SESSION_ID=***",
        ),
        ("x --license MIT --license=Apache-2.0 LICENSE=accept", "x --license MIT --license=Apache-2.0 LICENSE=accept"),
        (
            "x --license-file a.lic --accept-license XDG_SESSION_ID=c12 --session api",
            "x --license-file a.lic --accept-license XDG_SESSION_ID=c12 --session api",
        ),
        ("mcrypt -k hunter2 f", "mcrypt -k *** f"),
        ("udp2raw -s -l 0.0.0.0:4096 -k hunter2", "udp2raw -s -l 0.0.0.0:4096 -k ***"),
        ("edge -c lan -khunter2 -l h:7654", "edge -c lan -k*** -l h:7654"),
        ("sc -u me -k hunter2", "sc -u me -k ***"),
        ("coap-client -u me -k hunter2 coaps://h/x", "coap-client -u me -k *** coaps://h/x"),
        ("vt scan file a -k hunter2", "vt scan file a -k ***"),
        ("./agent -k 8f14e45fceea167a5a36dedd4bea2543", "./agent -k ***"),
        ("gunicorn -k uvicorn.workers.UvicornWorker app", "gunicorn -k uvicorn.workers.UvicornWorker app"),
        ("pytest -k test_login_with_2_users", "pytest -k test_login_with_2_users"),
        ("curl -k https://h/ -o x", "curl -k https://h/ -o x"),
        ("sort -k 2,2 f", "sort -k 2,2 f"),
        ("smbclient.py corp/me:hunter2@dc01", "smbclient.py corp/me:***@dc01"),
        ("wmiexec.py corp\\me:hunter2@dc01 whoami", "wmiexec.py corp\\me:***@dc01 whoami"),
        ("deploy team/app:1.2@prod team/app:v3@prod", "deploy team/app:1.2@prod team/app:v3@prod"),
        ("winexe -U corp/me%hunter2 //h cmd", "winexe -U corp/me%*** //h cmd"),
        ("mount -t cifs //h/s /mnt -o user=me%hunter2", "mount -t cifs //h/s /mnt -o user=me%***"),
        ("mount.cifs //h/s /mnt -ouser=me%hunter2", "mount.cifs //h/s /mnt -ouser=me%***"),
        ("sudo mount -o uid=7,username=me%hunter2 //h/s /mnt", "sudo mount -o uid=7,username=me%*** //h/s /mnt"),
        ("mount -o ro,noatime /dev/sda1 /mnt", "mount -o ro,noatime /dev/sda1 /mnt"),
        ("php artisan auth:clear-resets", "php artisan auth:clear-resets"),
        ("php artisan --env=prod key:generate", "php artisan --env=prod key:generate"),
        ("rake secret:rotate", "rake secret:rotate"),
        ("npm run -s token:refresh", "npm run -s token:refresh"),
        ("bin/rails credentials:edit", "bin/rails credentials:edit"),
        ("npm run x -- auth:Hunter2", "npm run x -- auth:***"),
        ("http h auth:hunter2", "http h auth:***"),
    ];

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (given, kept) in LINES {
            assert_eq!(redact(given.split(' ')).join(" "), kept, "as words");
            assert_eq!(text(given), kept, "as a line");
            assert_eq!(text(&text(given)), kept, "twice");
        }
    }

    #[test]
    fn a_line_that_was_masked_is_seen() {
        let unseen: Vec<&str> =
            LINES.iter().map(|(_, kept)| *kept).filter(|kept| kept.contains(MASK) && !is_masked(kept)).collect();
        assert_eq!(unseen, [""; 0]);
        for line in
            ["!x a=***", "!git clone https://***@github.com/a/b", "version | x ***,***", "tsm start ***", "x:***"]
        {
            assert!(is_masked(line), "{line}");
        }
        for line in [
            "!echo '*** done ***'",
            "history '***'",
            "!ls ***",
            "!echo ****",
            "grep '***' file",
            "echo \"****\"",
            "version | grep ***",
            "tsm stop web # *** a note ***",
            "tsm logs web --grep '[*][*][*]'",
            "tsm stop ****",
            "version",
        ] {
            assert!(!is_masked(line), "{line}");
        }
    }

    #[test]
    fn lines_inside_of_lines_are_masked_alike() {
        for (given, kept) in LINES {
            for (open, close) in [("watch '", "'"), ("alias x=\"", "\""), ("!sh -c '", "' && y"), ("a; b | x $(", ")")]
            {
                let line = format!("{open}{given}{close}");
                // An assignment that begins a word reaches to its end.
                if !given.starts_with("PWD") {
                    assert_eq!(text(&line), format!("{open}{kept}{close}"));
                }
            }
        }
    }

    #[test]
    fn quotes_hide_nothing_and_stay() {
        for (given, kept) in [
            ("!export A_TOKEN='hunter2'", "!export A_TOKEN='***'"),
            ("lpass login me <<< hunter2", "lpass login me <<< ***"),
            ("x '{\"name\":\"TOKEN\",\"value\":\"hunter2\"}'", "x '{\"name\":\"TOKEN\",\"value\":\"***\"}'"),
            ("x '[{name: DB_PASSWORD, value: hunter2}]'", "x '[{name: DB_PASSWORD, value: ***}]'"),
            (
                "x 'environment=[{name=TOKEN,value=hunter2},{name=A,value=b}]'",
                "x 'environment=[{name=TOKEN,value=***},{name=A,value=b}]'",
            ),
            ("x '{\"name\":\"A\",\"value\":\"b\"}'", "x '{\"name\":\"A\",\"value\":\"b\"}'"),
            ("wpa_cli set_network 0 psk '\"hunter2\"'", "wpa_cli set_network 0 psk '***'"),
            ("x --seed-phrase 'hunter2 hunter3'", "x --seed-phrase '***'"),
            ("!export A_TOKEN=\"hunter2 hunter3\" B=1", "!export A_TOKEN=\"***\" B=1"),
            ("export 'A_TOKEN=hunter2'", "export 'A_TOKEN=***'"),
            ("A_TOKEN=hun'ter'2 x", "A_TOKEN=***'***'*** x"),
            ("A_TOKEN=$'hun\\'ter2' x", "A_TOKEN=$'***' x"),
            ("A_TOKEN=hun\\ ter2 x", "A_TOKEN=*** x"),
            ("x --token 'hunter2 hunter3' y", "x --token '***' y"),
            ("x --token \"hunter2", "x --token ***"),
            ("-H 'Authorization: Bearer abc'", "-H 'Authorization: Bearer ***'"),
            ("-H 'Authorization: Basic abc' x", "-H 'Authorization: Basic ***' x"),
            ("-H\"X-Api-Key: abc\" x", "-H\"X-Api-Key: ***\" x"),
            ("-H 'Cookie: a=b; c=d' x", "-H 'Cookie: ***' x"),
            ("{ \"secret\" : \"abc\", \"a\": \"b\" }", "{ \"secret\" : \"***\", \"a\": \"b\" }"),
            ("curl -d '{\"a\":\"b\",\"password\":\"hun ter2\"}' h", "curl -d '{\"a\":\"b\",\"password\":\"***\"}' h"),
            (r#"curl -d "{\"password\":\"hunter2\"}" h"#, r#"curl -d "{\"password\":\"***\"}" h"#),
            (r#"x '{"password":"a\"b","n":1}'"#, r#"x '{"password":"***","n":1}'"#),
            ("x {password: 'hunter2', a: 1}", "x {password: '***', a: 1}"),
            ("{\"password\":12345,\"token\":null}", "{\"password\":***,\"token\":null}"),
            ("curl 'http://h?a=1&token=abc' && x", "curl 'http://h?a=1&token=***' && x"),
            ("psql -c \"ALTER USER a PASSWORD 'hunter2'\"", "psql -c \"ALTER USER a PASSWORD '***'\""),
            ("mysql -e \"CREATE USER a IDENTIFIED BY 'hunter2'\"", "mysql -e \"CREATE USER a IDENTIFIED BY '***'\""),
            ("!echo hunter2 | docker login --password-stdin", "!echo *** | docker login --password-stdin"),
            ("!echo 'root:hunter2' | sudo chpasswd", "!echo '***' | sudo chpasswd"),
            ("echo hunter2 | sudo -kS id", "echo *** | sudo -kS id"),
            ("printf %s hunter2 | docker secret create n -", "printf *** *** | docker secret create n -"),
            ("echo -n hunter2 | vercel env add A production", "echo -n *** | vercel env add A production"),
            ("gh auth login --with-token <<< hunter2", "gh auth login --with-token <<< ***"),
            ("chpasswd <<<'root:hunter2'; ls", "chpasswd <<<'***'; ls"),
            ("sh -c 'echo token=hunter2; exit 1'", "sh -c 'echo token=***; exit 1'"),
            ("sh -c 'echo token=hunter2;exit 1'", "sh -c 'echo token=***;exit 1'"),
            ("sh -c 'echo token=hunter2|tee f'", "sh -c 'echo token=***|tee f'"),
            ("sh -c 'echo token=hunter2&& x'", "sh -c 'echo token=***&& x'"),
            ("sh -c 'echo token=hun&ter2 x'", "sh -c 'echo token=*** x'"),
            ("sh -c 'echo token=\"hun;ter2\";exit'", "sh -c 'echo token=***;exit'"),
            ("sh -c 'a;token=hunter2;exit'", "sh -c 'a;token=***;exit'"),
            ("token=hunter2;exit", "token=***;exit"),
            ("echo token=hunter2;exit", "echo token=***;exit"),
            ("x token=\"hun;ter2\";exit", "x token=\"***\";exit"),
            ("x \"Data Source=h;Password=hunter2;Database=b\"", "x \"Data Source=h;Password=***;Database=b\""),
            ("x 'token: hunter2;exit'", "x 'token: ***'"),
            ("cat <<< hello", "cat <<< hello"),
            (
                "docker login --password-stdin <<EOF\nhunter2 x\nEOF\nls y",
                "docker login --password-stdin <<EOF\n*** ***\nEOF\nls y",
            ),
            ("sudo -S id <<-'E' && ls\nhunter2\nE\nls", "sudo -S id <<-'E' && ls\n***\nE\nls"),
            ("cat <<EOF\nhello\nEOF", "cat <<EOF\nhello\nEOF"),
            ("rsync --password-file=<(echo hunter2) a b", "rsync --password-file=<(echo ***) a b"),
            ("wg set wg0 private-key <(printf hunter2) x", "wg set wg0 private-key <(printf ***) x"),
            ("telegram-send --config <(echo hunter2) hi", "telegram-send --config <(echo ***) hi"),
            ("helm secrets enc <(echo hunter2)", "helm secrets enc <(echo ***)"),
            ("nginx -c <(echo events)", "nginx -c <(echo events)"),
            ("diff <(echo a) <(echo b)", "diff <(echo a) <(echo b)"),
            ("git clone https://abc:x-oauth-basic@h/a", "git clone https://***:x-oauth-basic@h/a"),
            ("curl -u sk_abcdefghijklmnop: h", "curl -u ***: h"),
            ("curl -u me: h", "curl -u me: h"),
            ("x \"SELECT PASSWORD('hunter2')\"", "x \"SELECT PASSWORD('***')\""),
            (r#"sops --set '["db"]["password"] "hunter2"' f"#, r#"sops --set '***' f"#),
            ("x \"d['password'] = 'hunter2'\"", "x \"d['password'] = '***'\""),
            ("x \"t['token']['name'] 'a'\"", "x \"t['token']['name'] 'a'\""),
            ("x \"ALTER USER a IDENTIFIED WITH b BY 'hunter2'\"", "x \"ALTER USER a IDENTIFIED WITH b BY '***'\""),
            ("tsm list | curl -H 'x' TOKEN=abc # TOKEN=abc", "tsm list | curl -H 'x' TOKEN=*** # TOKEN=***"),
            ("watch \"sh -c 'x --token hunter2'\"", "watch \"sh -c 'x --token ***'\""),
            ("env PORT=1 A_TOKEN=x node 'https://u:p@h'", "env PORT=1 A_TOKEN=*** node 'https://u:***@h'"),
            (
                "expect -c 'spawn x; expect \"password:\"; send \"hunter2\\r\"'",
                "expect -c 'spawn x; expect \"password:\"; send \"***\"'",
            ),
            ("expect <<E\nsend \"hunter2\"\nE", "expect <<E\nsend \"***\"\nE"),
            ("lftp -c \"open -u me,hunter2 h\"", "lftp -c \"open -u me,*** h\""),
            ("lftp <<E\nopen -u me,hunter2 h\nE", "lftp <<E\nopen -u me,*** h\nE"),
            ("echo AUTH hunter2 | redis-cli", "echo AUTH *** | redis-cli"),
            ("perl -e 'x(password => \"hunter2\")'", "perl -e 'x(password => \"***\")'"),
            ("mongosh --eval 'db.auth(\"me\", \"hunter2\")'", "mongosh --eval 'db.auth(\"me\", \"***\")'"),
            ("node -e \"client.login('hunter2')\"", "node -e \"client.login('***')\""),
            ("mysql -e \"SET PASSWORD FOR 'u'@'h' = 'hunter2'\"", "mysql -e \"SET PASSWORD FOR 'u'@'h' = '***'\""),
            (
                "kubectl patch secret n -p '{\"stringData\":{\"a\":\"hunter2\",\"b\":\"hunter3\"}}'",
                "kubectl patch secret n -p '{\"stringData\":{\"a\":\"***\",\"b\":\"***\"}}'",
            ),
            ("sops set f '[\"a\"]' '\"hunter2\"'", "sops set f '[\"a\"]' '***'"),
            ("sed -i 's/password: .*/password: hunter2/' f", "sed -i 's/password: .*/password: ***' f"),
            ("kubeseal --raw --from-file=<(echo hunter2)", "kubeseal --raw --from-file=<(echo ***)"),
            ("age -r age1xyz -o x <(echo hunter2)", "age -r age1xyz -o x <(echo ***)"),
            ("echo -n hunter2 | base64", "echo -n *** | base64"),
            ("echo aHVudGVyMg== | base64 -d", "echo aHVudGVyMg== | base64 -d"),
            ("pass insert -e x <<< hunter2", "pass insert -e x <<< ***"),
            ("echo hunter2 | openconnect --passwd-on-stdin h", "echo *** | openconnect --passwd-on-stdin h"),
            ("echo hunter2 | gcloud auth x --key-file=-", "echo *** | gcloud auth x --key-file=-"),
            ("podman secret create n <(echo hunter2)", "podman secret create n <(echo ***)"),
            ("curl -K <(echo 'user = \"u:hunter2\"') h", "curl -K <(echo '***') h"),
            ("TOKEN=$(printf hunter2) x", "TOKEN=***(printf ***) x"),
            ("echo hunter2 > ~/.vault_pass", "echo *** > ~/.vault_pass"),
            ("echo hunter2 | tee ~/.vault_pass", "echo *** | tee ~/.vault_pass"),
            ("echo 'h:1:d:u:hunter2' >> ~/.pgpass", "echo '***' >> ~/.pgpass"),
            ("echo hello > out.txt", "echo hello > out.txt"),
            ("echo root | grep passwd", "echo root | grep passwd"),
            ("git commit -m \"login: set password: a field\"", "git commit -m \"login: set password: a field\""),
            ("git commit -am 'use https://u:hunter2@h'", "git commit -am 'use https://u:***@h'"),
            ("git commit -m \"password reset\"", "git commit -m \"password reset\""),
            ("tsm start --name token-api", "tsm start --name token-api"),
            ("grep password file", "grep password file"),
            ("the key is here, and it's no token", "the key is here, and it's no token"),
        ] {
            assert_eq!(text(given), kept);
        }
    }

    proptest! {
        #[test]
        fn no_secret_survives(
            name in "X[A-Z]{1,4}_(TOKEN|PASSWORD|SECRET|KEY)",
            secret in "[a-z]{4}[0-9][a-z0-9 &'\"\\\\$(;]{4,15}",
        ) {
            let secret = secret.trim_end();
            let words = redact([format!("{name}={secret}"), format!("--{}", name.to_lowercase()), secret.to_owned()]);
            prop_assert!(!words.join(" ").contains(secret));
            for word in [format!("{name}={secret}"), format!("-H{name}: {secret}")] {
                let mut line = format!("x {}", crate::base::line::quote(&word));
                for _ in 0..3 {
                    let begin: String = secret.chars().take(5).collect();
                    prop_assert!(!text(&line).contains(&begin), "{}", text(&line));
                    line = format!("watch {}", crate::base::line::quote(&line));
                }
            }
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = super::text(&text);
            let _ = redact([text]);
        }
    }
}
