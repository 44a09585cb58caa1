//! Commands that read a secret from their input.

use super::tool::{base, names_secret_file};

/// Words of which one has to be in a command that reads a secret from its input, and one beside it; none is needed if empty.
const READERS: [(&str, &[&str]); 37] = [
    ("--with-token", &[]),
    // What encrypts or hides something is given what has to be hidden.
    ("age", &[]),
    ("rage", &[]),
    ("kubeseal", &[]),
    ("base64", &[]),
    ("gpg", ENCRYPTS),
    ("gpg2", ENCRYPTS),
    ("openssl", ENCRYPTS),
    ("sops", ENCRYPTS),
    ("ansible-vault", ENCRYPTS),
    ("gopass", &[]),
    ("ssh-add", &[]),
    ("lpass", &["login"]),
    ("keepassxc-cli", &[]),
    ("terraform", &["login"]),
    ("fscrypt", &["unlock"]),
    ("zfs", &["keyformat=passphrase"]),
    ("curl", &["-K", "-K-", "--config"]),
    ("read", &["-s", "-rs", "-sr"]),
    ("wg", &["pubkey", "set"]),
    ("op", &["signin"]),
    ("vault", &["put", "write", "login", "patch"]),
    ("bw", &["unlock", "login", "encode"]),
    ("ecryptfs-add-passphrase", &[]),
    ("--stdin", &["passwd", "sudo"]),
    ("chpasswd", &[]),
    ("passwd", &[]),
    ("smbpasswd", &[]),
    ("cryptsetup", &[]),
    ("kinit", &[]),
    ("stdin", &["-pass", "-passin", "-passout"]),
    ("secrets", SETS),
    ("secrets", ENCRYPTS),
    ("secret", SETS),
    ("env", &["add"]),
    ("variable", &["set"]),
    ("login", &["-"]),
];

const ENCRYPTS: &[&str] = &[
    "-c",
    "-e",
    "-ce",
    "-ec",
    "-ae",
    "-ea",
    "-ca",
    "-ac",
    "--encrypt",
    "--symmetric",
    "encrypt",
    "encrypt_string",
    "enc",
    "pkeyutl",
    "rsautl",
];

/// Programs to whose words their input has nothing to do.
const SEARCHES: [&str; 10] = ["grep", "egrep", "fgrep", "rg", "awk", "sed", "cut", "tr", "cat", "less"];

const SETS: &[&str] = &["set", "put", "create", "add", "import", "versions", "insert"];

/// A command that reads a secret from its input.
pub(super) fn reads_secret(words: &[&str]) -> bool {
    let has = |wanted: &str| words.contains(&wanted);
    let asks = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains('S');
    // `base64 -d` and `grep passwd` take nothing that is a secret.
    let is_open = |word: &&str| matches!(*word, "-d" | "-D" | "--decode" | "--decrypt");
    if words.iter().any(is_open) || words.first().is_some_and(|first| SEARCHES.contains(&base(first))) {
        return false;
    }
    words.iter().zip(words.iter().skip(1).chain([&""])).any(|(word, next)| is_input_option(word, next))
        || READERS.iter().any(|(word, beside)| has(word) && (beside.is_empty() || beside.iter().any(|it| has(it))))
        || (has("sudo") && words.iter().any(asks))
}

/// `--password-stdin`, `--passphrase-fd`, `--key-file -` and `--key-file=/dev/stdin`
fn is_input_option(word: &str, next: &str) -> bool {
    let Some(option) = word.strip_prefix('-') else { return word == "password_stdin" };
    let (option, value) = option.split_once('=').unwrap_or((option, next));
    let is_input = matches!(value, "-" | "/dev/stdin") || option.contains("stdin") || option.ends_with("-fd");
    is_input && names_secret_file(option)
}
