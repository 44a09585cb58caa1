//! Options and operands of well-known programs that are secrets without a name that says so.

mod rare;

use rare::RARE;

/// How a program takes a secret.
pub(super) struct Tool {
    names: &'static [&'static str],
    /// Words of which one has to come first, or a letter among those behind a `-`; none are needed if empty.
    after: &'static [&'static str],
    /// Options whose next word is the secret.
    pub separate: &'static [&'static str],
    /// Options that the secret is attached to.
    pub attached: &'static [&'static str],
    /// Options with `user:password`, and the sign between them.
    pub pair: Option<(&'static [&'static str], char)>,
    /// The last word is the secret.
    pub last: bool,
    /// Words behind which the last word is a secret.
    pub ends: &'static [&'static str],
    /// Words, and the how manieth operand behind each is the secret.
    pub nth: &'static [(&'static str, usize)],
    /// What follows `//host/share` is a password.
    pub shares: bool,
}

impl Tool {
    /// True if it takes a secret from the start.
    pub(super) fn is_ready(&self) -> bool {
        self.after.is_empty()
    }

    /// How many operands behind this word the secret is.
    pub(super) fn operands_behind(&self, word: &str) -> Option<usize> {
        self.nth.iter().find(|(name, _)| *name == word || *name == base(word)).map(|(_, count)| *count)
    }

    /// True if it takes a secret behind this word.
    pub(super) fn is_readied_by(&self, word: &str) -> bool {
        let is_cluster = |letter: &str| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
        self.after.iter().any(|after| word == *after || after.strip_prefix('-').is_some_and(is_cluster))
    }
}

const NONE: Tool = Tool {
    names: &[],
    after: &[],
    separate: &[],
    attached: &[],
    pair: None,
    last: false,
    ends: &[],
    nth: &[],
    shares: false,
};

const TOOLS: [Tool; 69] = [
    Tool { names: &["qpdf"], separate: &["--encrypt"], ..NONE },
    Tool { names: &["railway"], pair: Some((&["--set"], '=')), ..NONE },
    Tool {
        names: &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlshow",
            "mysqlcheck",
            "mysqlslap",
            "mysqlpump",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "mysqlbinlog",
        ],
        attached: &["-p"],
        // `mysqladmin password SECRET`
        ends: &["password"],
        ..NONE
    },
    Tool { names: &["mycli", "mysqlsh", "sshpass", "cqlsh", "twine"], separate: &["-p"], attached: &["-p"], ..NONE },
    Tool {
        names: &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
            "mongotop",
        ],
        separate: &["-p"],
        attached: &["-p"],
        ..NONE
    },
    Tool {
        names: &["redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark"],
        separate: &["-a", "AUTH", "auth", "requirepass", "masterauth"],
        // `ACL SETUSER name >password`
        attached: &["-a", ">"],
        // `AUTH name password`
        ends: &["AUTH", "auth"],
        ..NONE
    },
    Tool {
        names: &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapmodrdn", "ldapwhoami", "ldapcompare"],
        separate: &["-w"],
        attached: &["-w"],
        ..NONE
    },
    Tool { names: &["ldappasswd"], separate: &["-w", "-a", "-s"], attached: &["-w", "-a", "-s"], ..NONE },
    // `net user NAME PASSWORD /add`
    Tool {
        names: &["smbclient", "net"],
        pair: Some((&["-U", "--user"], '%')),
        nth: &[("user", 2), ("add", 2), ("password", 2)],
        shares: true,
        ..NONE
    },
    Tool {
        names: &["rpcclient", "smbget", "winexe", "smbcacls", "smbcquotas", "wmic"],
        pair: Some((&["-U", "--user"], '%')),
        ..NONE
    },
    Tool { names: &["zip", "unzip", "zipcloak"], separate: &["-P"], attached: &["-P"], ..NONE },
    Tool { names: &["7z", "7za", "7zz", "7zr", "rar", "unrar"], attached: &["-hp", "-p"], ..NONE },
    Tool {
        names: &["sqlcmd", "bcp", "tsql", "mssql-cli", "mosquitto_pub", "mosquitto_sub", "mqttx"],
        separate: &["-P"],
        attached: &["-P"],
        ..NONE
    },
    // `user set password 2 SECRET`
    Tool { names: &["ipmitool"], separate: &["-P", "-k", "-y"], attached: &["-P"], ends: &["password"], ..NONE },
    // `openssl passwd -6 SECRET`
    Tool {
        names: &["openssl"],
        separate: &["-k", "-K", "-pass", "-6", "-5", "-1", "-apr1", "-hmac"],
        pair: Some((&["-macopt"], ':')),
        ..NONE
    },
    Tool {
        names: &["lftp", "ncftp", "ncftpput", "ncftpget"],
        separate: &["-p"],
        attached: &["-p"],
        pair: Some((&["-u"], ',')),
        ..NONE
    },
    Tool { names: &["ab", "siege"], pair: Some((&["-A", "-P"], ':')), ..NONE },
    Tool { names: &["hey", "http", "https", "xh", "curlie"], pair: Some((&["-a", "--auth"], ':')), ..NONE },
    Tool {
        names: &["curl"],
        separate: &["-b"],
        attached: &["-b"],
        pair: Some((&["-u", "--user", "-U", "--proxy-user", "-E", "--cert", "--proxy-cert"], ':')),
        ..NONE
    },
    Tool {
        names: &[
            "snmpwalk",
            "snmpget",
            "snmpset",
            "snmpbulkwalk",
            "snmpbulkget",
            "snmpgetnext",
            "snmptrap",
            "snmpinform",
        ],
        separate: &["-A", "-X", "-c"],
        attached: &[],
        ..NONE
    },
    Tool { names: &["htpasswd", "mosquitto_passwd"], after: &["-b"], last: true, ..NONE },
    Tool { names: &["vault", "bao", "cargo"], after: &["login", "unseal", "unwrap"], last: true, ..NONE },
    Tool {
        names: &["consul", "nomad", "serf"],
        after: &["set-agent-token", "bootstrap", "-install", "install", "-use", "use", "-remove", "remove"],
        last: true,
        ..NONE
    },
    Tool { names: &["cloudflared"], after: &["install"], last: true, ..NONE },
    Tool { names: &["bw"], separate: &["--session"], ends: &["unlock", "login"], ..NONE },
    Tool { names: &["cf"], after: &["set-env"], last: true, ..NONE },
    Tool {
        names: &["credstash", "chamber", "berglas"],
        after: &["put", "write", "create", "edit"],
        last: true,
        ..NONE
    },
    Tool { names: &["pulumi"], after: &["--secret"], last: true, ..NONE },
    Tool { names: &["pm2"], separate: &["link"], ..NONE },
    Tool { names: &["drush"], after: &["user:password", "user-password", "upwd"], last: true, ..NONE },
    Tool { names: &["knife"], separate: &["-P"], ..NONE },
    Tool { names: &["caddy"], separate: &["--plaintext"], ..NONE },
    Tool { names: &["eas"], separate: &["--value"], ..NONE },
    Tool { names: &["iw"], separate: &["key", "keys"], ..NONE },
    Tool { names: &["wpa_cli"], separate: &["psk", "password", "passphrase"], ..NONE },
    Tool { names: &["virsh"], after: &["secret-set-value", "set-user-password"], last: true, ..NONE },
    Tool { names: &["sops"], separate: &["--set"], ends: &["set"], ..NONE },
    Tool { names: &["crudini"], after: &["--set"], last: true, ..NONE },
    Tool { names: &["expect"], separate: &["send", "exp_send", "--"], ..NONE },
    Tool { names: &["ftp"], ends: &["user", "pass"], ..NONE },
    // `bundle config host user:password`
    Tool { names: &["bundle"], after: &["config"], pair: Some((&[""], ':')), ..NONE },
    Tool { names: &["uv"], after: &["publish"], separate: &["-t", "-p"], ..NONE },
    Tool {
        names: &["dotnet", "nuget"],
        after: &["push", "add", "update", "setapikey", "setApiKey"],
        separate: &["-k", "-p"],
        nth: &[("setapikey", 1), ("setApiKey", 1)],
        ..NONE
    },
    Tool {
        names: &["security"],
        after: &["add-generic-password", "add-internet-password", "unlock-keychain", "create-keychain", "import"],
        separate: &["-w", "-p", "-P"],
        ..NONE
    },
    Tool { names: &["sonar-scanner", "mvn", "gradle", "gradlew"], pair: Some((&["-Dsonar.login"], '=')), ..NONE },
    Tool { names: &["sendmail"], attached: &["-ap"], ..NONE },
    Tool { names: &["ngrok"], after: &["authtoken", "add-authtoken"], last: true, ..NONE },
    Tool { names: &["mc", "mcli"], after: &["set", "add"], last: true, ..NONE },
    Tool { names: &["snyk"], after: &["auth"], pair: Some((&["api"], '=')), last: true, ..NONE },
    Tool { names: &["rclone"], after: &["obscure"], last: true, ..NONE },
    Tool { names: &["mkpasswd"], last: true, ..NONE },
    Tool { names: &["ansible-vault"], separate: &["encrypt_string"], ..NONE },
    Tool { names: &["doctl", "codecov", "vercel"], separate: &["-t"], ..NONE },
    Tool { names: &["ssh-keygen"], separate: &["-N", "-P"], ..NONE },
    Tool { names: &["samba-tool"], after: &["create", "setpassword"], last: true, ..NONE },
    Tool { names: &["pdftk"], separate: &["input_pw", "owner_pw", "user_pw"], ..NONE },
    Tool { names: &["teamviewer"], separate: &["passwd"], ..NONE },
    Tool { names: &["gitlab-runner"], separate: &["-r", "-t"], ..NONE },
    Tool { names: &["rabbitmqctl"], after: &["add_user", "change_password", "authenticate_user"], last: true, ..NONE },
    Tool { names: &["wpa_passphrase"], last: true, ..NONE },
    Tool { names: &["useradd", "usermod"], separate: &["-p"], ..NONE },
    Tool { names: &["swaks"], separate: &["-ap"], ..NONE },
    Tool { names: &["sendemail", "sendEmail"], separate: &["-xp"], ..NONE },
    Tool { names: &["rdesktop", "vncpasswd"], separate: &["-p"], ..NONE },
    Tool { names: &["xfreerdp", "xfreerdp3", "wlfreerdp", "freerdp", "cmdkey"], attached: &["/pass:", "/p:"], ..NONE },
    Tool { names: &["nmcli"], separate: &["password", "wifi-sec.psk", "802-11-wireless-security.psk"], ..NONE },
    Tool { names: &["sqlplus", "expdp", "impdp", "sqlldr", "rman"], pair: Some((&[""], '/')), ..NONE },
    Tool { names: &["aws"], separate: &["--value", "--secret-string"], ..NONE },
    Tool { names: &["az"], separate: &["--value", "-p"], ..NONE },
];

/// Programs whose `-p` is a port, a project, a directory or a switch.
const OTHER_P: [&str; 75] = [
    "dotnet",
    "mkdir",
    "cp",
    "mv",
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "kubectl",
    "oc",
    "cargo",
    "git",
    "ssh",
    "rsync",
    "tar",
    "install",
    "ps",
    "perl",
    "node",
    "deno",
    "bun",
    "npx",
    "npm",
    "pnpm",
    "yarn",
    "rails",
    "bundle",
    "rackup",
    "puma",
    "unicorn",
    "thin",
    "next",
    "nuxt",
    "vite",
    "ng",
    "serve",
    "http-server",
    "live-server",
    "php",
    "python",
    "python3",
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "flask",
    "tsc",
    "jest",
    "make",
    "cmake",
    "nmap",
    "nc",
    "grep",
    "rg",
    "lsof",
    "kill",
    "pgrep",
    "pidstat",
    "perf",
    "strace",
    "gdb",
    "top",
    "iperf",
    "iperf3",
    "redis-server",
    "memcached",
    "mongod",
    "postgres",
    "pg_ctl",
    "pg_dump",
    "pg_restore",
    "pg_isready",
    "psql",
    "caddy",
    "java",
    "terraform",
];

/// The program of this name, with or without its directory.
pub(super) fn find(word: &str) -> Option<&'static Tool> {
    let name = base(word);
    TOOLS.iter().chain(&RARE).find(|tool| tool.names.contains(&name))
}

/// Options whose value is a file in which a secret is; a shell writes such a file with `<(…)`.
pub(super) fn names_secret_file(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "cred", "auth"].iter().any(|part| word.contains(part))
}

/// How settings begin whose last word is a secret.
pub(super) const LOGIN_SETTINGS: [&str; 5] =
    ["http-basic.", "github-oauth.", "gitlab-oauth.", "gitlab-token.", "bearer."];

/// True for a program whose `-p` is known to be something else.
pub(super) fn has_another_p(word: &str) -> bool {
    OTHER_P.contains(&base(word))
}

/// True for programs whose `-u a:b` is a user and a group.
pub(super) fn has_groups(word: &str) -> bool {
    ["docker", "podman", "nerdctl", "docker-compose", "chown", "install", "rsync", "kubectl"].contains(&base(word))
}

/// True for those programs whose `write` takes what is to be kept.
pub(super) fn is_vault(word: &str) -> bool {
    ["vault", "bao"].contains(&base(word))
}

/// The name of a program without its directory.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}
