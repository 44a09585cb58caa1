//! Env files of a project: made, compared, checked, promoted.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::world::{LineResult, World};

/// A project with infrastructure, variables, secrets by name, and four environments.
pub(crate) const PROJECT: &str = r#"[metadata]
name = "pixeljam-arcade"

[infrastructure]
dev_server = "pxjam-arcade-dev01"
dev_ip = "10.0.0.5"
qa_server = "pxjam-arcade-qa01"
qa_ip = "10.0.0.6"
prod_server = "pxjam-arcade-prod01"

[variables]
port = 8000
domain = "pixeljamarcade.com"
tree = "/home/${TETRA_ENV}/pd"

[common]
pd_dir = "${variables.tree}"
port = "${variables.port}"
spaces_endpoint = "https://sfo3.example.com"

[environments.local]
node_env = "development"
domain_name = "localhost"
port = "${PORT:-8000}"

[environments.dev]
node_env = "development"
tetra_env = "dev"
server_ip = "${infrastructure.dev_ip}"
domain_name = "dev.${variables.domain}"
spaces_secret_key = "var.DEV_SPACES_SECRET_KEY"

[environments.staging]
node_env = "staging"
tetra_env = "staging"
server_ip = "${infrastructure.qa_ip}"
domain_name = "staging.${variables.domain}"
port = "${variables.port}"

[environments.production]
node_env = "production"
domain_name = "${variables.domain}"
"#;

fn mode(path: impl AsRef<std::path::Path>) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

fn project() -> World {
    let world = World::new();
    world.file("tetra.toml", PROJECT);
    world
}

fn read(world: &World, name: &str) -> String {
    fs::read_to_string(world.work().join(name)).expect("it is there")
}

#[test]
fn the_two_lines_that_were_broken_are_whole() {
    let mut world = project();
    world.run("env init staging").done();
    let text = read(&world, "env/staging.env");
    for line in ["export PORT=\"8000\"", "export DOMAIN_NAME=\"staging.pixeljamarcade.com\""] {
        assert!(text.lines().any(|it| it == line), "{text}");
    }
    assert!(text.contains("export SERVER_IP=\"10.0.0.6\"") && text.contains("export PD_DIR=\"/home/staging/pd\""));
    assert_eq!(mode(world.work().join("env/staging.env")), 0o600);
    let keys: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).map(|it| it.0).collect();
    let order = ["PD_DIR", "SPACES_ENDPOINT", "NODE_ENV", "TETRA_ENV", "SERVER_IP", "DOMAIN_NAME", "PORT"];
    assert_eq!(keys, order, "[common] first, each key once");
    assert!(world.run("env init staging").done().contains("is up to date with tetra.toml"));
    world.run("env validate staging").done();
}

#[test]
fn another_word_for_an_environment_means_the_same_table_and_file() {
    let mut world = project();
    world.run("tsm init @production --yes").done();
    assert!(read(&world, "env/prod.env").contains("DOMAIN_NAME=\"pixeljamarcade.com\""));
}

#[test]
fn what_is_given_by_hand_wins_everywhere() {
    let mut world = World::new();
    world.file("tetra.toml", "[variables]\nzone = \"eu\"\n[environments.dev]\nport = 1\nurl = \"${ZONE}:${PORT}\"\n");
    world.run("env init dev --set port=2 --set ZONE=us").done();
    let text = read(&world, "env/dev.env");
    assert!(text.contains("PORT=\"2\"") && text.contains("URL=\"us:2\""), "{text}");
    assert_eq!(world.run("env init dev --set PORT").code, 2);
    let said = world.run("env init dev --set API_KEY=canary").failed(2);
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn prod_is_guarded_by_the_name_given() {
    let mut world = project();
    let ran = world.run("env init prod");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(!world.work().join("env").exists());
}

#[test]
fn an_error_writes_nothing_and_all_errors_are_reported() {
    let mut world = World::new();
    let text = "[variables]\nhost = \"app.${variables.domain}\"\ndomain = \"${variables.host:-x}\"\n\
                [environments.dev]\na = \"${NOPE}\"\nb = \"${variables.hots}\"\nc = \"x${\"\nd = \"${variables.host}\"\nok = \"1\"\n";
    world.file("tetra.toml", text);
    let said = world.run("env init dev").failed(1);
    for part in [
        "tetra.toml:5:6",
        "`NOPE` is not set",
        "`variables.hots` does not exist",
        "did you mean `${variables.host}`?",
        "unclosed `${`",
        "variables.host -> variables.domain -> variables.host",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(!world.work().join("env").exists());
}

#[test]
fn a_template_keeps_its_comments_and_order() {
    let mut world = World::with(&[("WHO", "me"), ("PORT", "9")]);
    let template = "# head ${not resolved}\nexport NODE_ENV='${KEPT}'\n\nPORT=\"${PORT:-8000}\" # inline\n  export A=\"${NODE_ENV}-${WHO}\"\n# tail\n";
    world.file("env/dev.env.tmpl", template);
    world.run("env init dev").done();
    let text = read(&world, "env/dev.env");
    let body: String = text.lines().skip(5).map(|line| format!("{line}\n")).collect();
    assert_eq!(
        body,
        "# head ${not resolved}\nexport NODE_ENV=\"\\${KEPT}\"\n\nexport PORT=\"9\"\nexport A=\"\\${KEPT}-me\"\n# tail\n"
    );
    world.file("env/staging.env.tmpl", "PORT=${PORT:-8000}\nWHO=${WHO}\n");
    let said = world.run("env init staging").failed(1);
    assert!(said.contains("is only a variable of the shell"), "{said}");
    world.file("env/staging.env.tmpl", "PORT=${PORT:-8000}\n");
    world.run("env init staging").done();
    assert!(read(&world, "env/staging.env").contains("PORT=\"8000\""), "the surroundings do not count in staging");
}

#[test]
fn a_missing_secret_is_22_and_a_kept_one_is_taken() {
    let mut world = project();
    world.org("acme", &[("dev", "")]);
    let said = world.run("env init dev").failed(22);
    assert!(said.contains("tetra secrets set dev DEV_SPACES_SECRET_KEY"), "{said}");
    let text = read(&world, "env/dev.env");
    assert!(text.contains("# MISSING SPACES_SECRET_KEY (secret DEV_SPACES_SECRET_KEY)"), "{text}");
    assert!(text.contains("export PORT"), "the rest is there to be seen");
    let ran = world.run("env validate dev");
    assert_eq!(ran.code, 3, "{}{}", ran.output, ran.stderr);
    secret(&world, "dev", "DEV_SPACES_SECRET_KEY=canary-$-`value`\n");
    let ran = world.run("env init dev");
    assert!(!format!("{}{}", ran.output, ran.stderr).contains("canary"), "no value is shown");
    ran.done();
    assert!(read(&world, "env/dev.env").contains("SPACES_SECRET_KEY=\"canary-\\$-\\`value\\`\""));
    for line in ["env show dev", "env show dev --json", "env diff dev", "env status", "env validate dev --json"] {
        let LineResult { output, stderr: talk, .. } = world.run(line);
        assert!(!format!("{output}{talk}").contains("canary"), "{line}: {output}{talk}");
    }
}

#[test]
fn a_file_with_a_value_is_not_replaced_by_one_without() {
    let mut world = project();
    world.org("acme", &[("dev", ""), ("staging", "")]);
    let mend = |source: &str| {
        source.replace(
            "[environments.staging]",
            "[environments.staging]\nspaces_key = \"var.STAGING_SPACES_ACCESS_KEY\"\nseed_key = \"your_key_here\"",
        )
    };
    world.file("tetra.toml", &mend(PROJECT));
    secret(&world, "staging", "STAGING_SPACES_ACCESS_KEY=canary-1\nSEED_KEY=canary-2\n");
    world.run("env init staging").done();
    let before = read(&world, "env/staging.env");
    assert!(before.contains("canary-1") && before.contains("canary-2"), "{before}");
    secret(&world, "staging", "");
    secret(&world, "dev", "DEV_SPACES_SECRET_KEY=canary-3\n");
    for line in ["env init staging", "env init staging --set A=1", "env promote dev staging"] {
        let said = world.run(line).failed(22);
        for wanted in ["STAGING_SPACES_ACCESS_KEY", "SPACES_KEY"] {
            assert!(said.contains(wanted) && !said.contains("canary"), "{line}: {said}");
        }
        assert_eq!(read(&world, "env/staging.env"), before, "{line}");
    }
    // One of the two is there again; another value of the source has changed meanwhile.
    secret(&world, "staging", "STAGING_SPACES_ACCESS_KEY=canary-4\n");
    assert!(world.run("env init staging").failed(22).contains("secrets set staging SEED_KEY"));
    assert_eq!(read(&world, "env/staging.env"), before);
    // With --force it is done, and the old one is kept.
    secret(&world, "staging", "");
    world.run("env init staging --force").failed(22);
    assert!(!read(&world, "env/staging.env").contains("canary"));
    let backup = fs::read_dir(world.work().join("env/.backup")).expect("made").flatten().next().expect("one");
    assert_eq!(fs::read_to_string(backup.path()).expect("there"), before);
    secret(&world, "staging", "STAGING_SPACES_ACCESS_KEY=canary-1\nSEED_KEY=canary-2\n");
    world.run("env init staging").done();
    assert_eq!(read(&world, "env/staging.env"), before, "what is set as advised helps");
}

#[test]
fn a_promotion_names_the_secret_that_helps() {
    let mut world = project();
    world.org("acme", &[("dev", ""), ("staging", "")]);
    let source = PROJECT.replace("spaces_secret_key", "spaces_key").replace(
        "[environments.staging]",
        "[environments.staging]\nspaces_key = \"var.STAGING_SPACES_ACCESS_KEY\"\ndb = \"${secret:DB_URL}\"",
    );
    world.file("tetra.toml", &source);
    secret(&world, "dev", "DEV_SPACES_SECRET_KEY=canary\n");
    world.run("env init dev").done();
    let said = world.run("env promote dev staging").failed(22);
    assert!(said.contains("secrets set staging STAGING_SPACES_ACCESS_KEY; tetra secrets set staging DB_URL"), "{said}");
    secret(&world, "staging", "STAGING_SPACES_ACCESS_KEY=1\nDB_URL=2\n");
    world.run("env promote dev staging").done();
}

fn secret(world: &World, env: &str, text: &str) {
    let path = world.paths().secrets(&"acme".parse().expect("a name"), &env.parse().expect("a name"));
    world.file(&path, text);
    let directory = path.parent().expect("a directory");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn a_file_that_was_edited_is_kept() {
    let mut world = project();
    world.run("env init staging").done();
    let path = world.work().join("env/staging.env");
    fs::write(&path, format!("{}export EXTRA=\"1\"\n", read(&world, "env/staging.env"))).expect("written");
    world.file("tetra.toml", &PROJECT.replace("port = 8000", "port = 9000"));
    let said = world.run("env init staging").failed(21);
    assert!(said.contains("EXTRA, PORT"), "{said}");
    assert!(read(&world, "env/staging.env").contains("\"8000\""));
    let said = world.run("env init staging --force");
    assert!(said.stderr.contains("env/.backup/20261120_120000_staging.env"), "{}", said.stderr);
    said.done();
    assert!(read(&world, "env/.backup/20261120_120000_staging.env").contains("EXTRA"));
    assert_eq!(mode(world.work().join("env/.backup")), 0o700);
}

#[test]
fn each_format_is_written_for_its_reader() {
    let mut world = project();
    for (format, file, line) in [
        ("dotenv", "env/staging.env", "DOMAIN_NAME=staging.pixeljamarcade.com"),
        ("systemd", "env/staging.systemd.env", "DOMAIN_NAME=\"staging.pixeljamarcade.com\""),
        ("docker", "env/staging.docker.env", "DOMAIN_NAME=staging.pixeljamarcade.com"),
        ("k8s", "env/staging.k8s.env", "PORT=8000"),
        ("json", "env/staging.json", "  \"PORT\": \"8000\""),
    ] {
        world.run(&format!("env init staging --format {format}")).done();
        let text = read(&world, file);
        assert!(text.lines().any(|it| it.trim_end_matches(',') == line), "{format}: {text}");
        assert_eq!(mode(world.work().join(file)), 0o600, "{format}");
    }
    let json: serde_json::Value = serde_json::from_str(&read(&world, "env/staging.json")).expect("it is JSON");
    assert_eq!(json["PORT"], "8000");
    let list = world.run("env list").done();
    assert!(!list.contains("docker"), "formats are no environments: {list}");
}

#[test]
fn a_promotion_resolves_derives_and_asks() {
    let mut world = project();
    world.org("acme", &[("dev", "")]);
    secret(&world, "dev", "DEV_SPACES_SECRET_KEY=canary-of-dev\nAPI_TOKEN=canary-token\n");
    world.run("env init dev").done();
    let dev = read(&world, "env/dev.env");
    let more = "export API_TOKEN=\"canary-token\"\nexport DEBUG=\"1\"\nexport ASSETS=\"https://dev.cdn.example.com\"\nexport COLOR=\"red\"\n";
    fs::write(world.work().join("env/dev.env"), format!("{dev}{more}")).expect("written");
    let ran = world.run("env promote dev staging");
    assert!(!format!("{}{}", ran.output, ran.stderr).contains("canary"));
    assert!(ran.failed(23).contains("COLOR"));
    assert!(!world.work().join("env/staging.env").exists(), "nothing was written");
    let ran = world.run("env promote dev staging --accept COLOR");
    assert!(!format!("{}{}", ran.output, ran.stderr).contains("canary"));
    ran.failed(22);
    let text = read(&world, "env/staging.env");
    for line in [
        "export NODE_ENV=\"staging\"",
        "export TETRA_ENV=\"staging\"",
        "export PORT=\"8000\"",
        "export ASSETS=\"https://staging.cdn.example.com\"",
        "export COLOR=\"red\"",
        "# MISSING API_TOKEN",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    assert!(!text.contains("DEBUG") && !text.contains("canary"), "{text}");
    secret(&world, "staging", "API_TOKEN=of-staging\nSPACES_SECRET_KEY=of-staging\n");
    world.run("env promote dev staging --accept COLOR").done();
    assert!(read(&world, "env/staging.env").contains("API_TOKEN=\"of-staging\""));
    assert_eq!(mode(world.work().join("env/staging.env")), 0o600);
    assert_eq!(world.run("env promote staging prod").code, 4, "prod is guarded");
}

#[test]
fn a_secret_in_the_source_stops_a_promotion_without_being_shown() {
    let mut world = project();
    world.file("tetra.toml", &PROJECT.replace("[common]", "[common]\napi_key = \"canary-12345\""));
    for line in ["env promote dev staging", "env validate staging", "env toml validate", "secrets scan"] {
        let ran = world.run(line);
        let said = format!("{}{}", ran.output, ran.stderr);
        assert_eq!(ran.code, 3, "{line}: {said}");
        assert!(said.contains("tetra.toml:17:11") && said.contains('^'), "{line}: {said}");
        assert!(!said.contains("canary"), "{line}: {said}");
    }
    let allowed = "[common]\napi_key = \"canary-12345\" # tetra:allow-secret a public demo key";
    world.file("tetra.toml", &PROJECT.replace("[common]", allowed));
    world.run("secrets scan").done();
}

#[test]
fn bad_input_is_reported_with_its_place() {
    let mut world = World::new();
    world.org("acme", &[("dev", "")]);
    world.file("tetra.toml", "[environments.dev]\na = 1\na = 2\nb = \n");
    let said = world.run("env init dev").failed(1);
    assert!(said.contains("tetra.toml:3") && said.contains("tetra.toml:4"), "{said}");
    fs::write(world.work().join("tetra.toml"), b"a = 1\nb = \"\xff\"\n").expect("written");
    assert!(world.run("env init dev").failed(1).contains("is not UTF-8 text (line 2)"));
    let big = fs::File::create(world.work().join("tetra.toml")).expect("made");
    big.set_len(50 << 20).expect("long");
    assert!(world.run("env init dev").failed(1).contains("is larger than 1024 KiB"));
    fs::remove_file(world.work().join("tetra.toml")).expect("removed");
    for name in ["../dev", "a/b", "..", "@../x"] {
        assert_eq!(world.run(&format!("env init {name}")).code, 2, "{name}");
        assert_eq!(world.run(&format!("secrets set {name} KEY")).code, 2, "{name}");
    }
    world.file("env/dev.env.tmpl", "A=1\nB='canary\n");
    let said = world.run("env init dev").failed(1);
    assert!(said.contains("env/dev.env.tmpl:2:3") && !said.contains("canary"), "{said}");
    world.file("env/dev.env.tmpl", "A=1\n");
    std::os::unix::fs::symlink("/etc/passwd", world.work().join("env/dev.env")).expect("made");
    let said = world.run("env init dev --force").failed(4);
    assert!(said.contains("is a link to `/etc/passwd`"), "{said}");
    let said = world.run("env init qa --yes").failed(5);
    assert!(said.contains("is not defined here"), "{said}");
}

#[test]
fn what_others_can_read_is_reported() {
    let mut world = project();
    world.run("env init staging").done();
    let path = world.work().join("env/staging.env");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    assert!(world.run("env validate staging").failed(24).contains("chmod 600"));
    world.run("env init staging").done();
    assert_eq!(mode(&path), 0o600, "making it again closes it");
}

#[test]
fn the_broken_file_of_old_is_found_by_validate() {
    let mut world = project();
    world.file("env/staging.env", "export PORT=\"}/8000}\"\nexport DOMAIN_NAME=\"staging.}/pixeljamarcade.com}\"\n");
    fs::set_permissions(world.work().join("env/staging.env"), fs::Permissions::from_mode(0o600)).expect("ours");
    let ran = world.run("env validate staging");
    assert_eq!(ran.code, 3);
    assert!(
        ran.output.contains("env/staging.env:1:13") && ran.output.contains("env/staging.env:2:20"),
        "{}",
        ran.output
    );
}

#[test]
fn a_secret_from_the_surroundings_is_hidden_whatever_its_variable_is_called() {
    let mut world = World::with(&[("DEV_BUCKET", "canary-1"), ("STAGING_BUCKET", "canary-22")]);
    let table = |env: &str, name: &str| {
        format!("[environments.{env}]\nbucket = \"var.{name}\"\nurl = \"s3://${{BUCKET}}/x\"\n")
    };
    world.file("tetra.toml", &format!("{}{}", table("dev", "DEV_BUCKET"), table("staging", "STAGING_BUCKET")));
    for line in [
        "env init dev",
        "env init staging",
        "env show dev",
        "env show dev --json",
        "env diff dev staging",
        "env promote dev staging --dry-run",
        "env validate",
        "env status",
    ] {
        let ran = world.run(line);
        let said = format!("{}{}", ran.output, ran.stderr);
        assert!(ran.code == 0 && !said.contains("canary"), "{line}: {said}");
    }
    assert!(read(&world, "env/dev.env").contains("URL=\"s3://canary-1/x\""));
}

#[test]
fn a_secret_in_local_toml_stops_org_promote_too() {
    let mut world = World::with(&[("TETRA_ORG", "acme")]);
    world.run("org init acme").done();
    let local = world.paths().environment(&"acme".parse().expect("a name"), &"local".parse().expect("a name"));
    let text = fs::read_to_string(&local).expect("made");
    fs::write(&local, format!("{text}\n[custom]\napi_key = \"canary-key-1\"\n")).expect("written");
    for line in ["org promote @dev", "org promote @dev --dry-run", "org env validate local"] {
        let ran = world.run(line);
        let said = format!("{}{}", ran.output, ran.stderr);
        assert_eq!(ran.code, 3, "{line}: {said}");
        assert!(said.contains("`api_key` is a secret in plain text") && !said.contains("canary"), "{said}");
    }
    assert!(!local.with_file_name("dev.toml").exists());
    fs::write(&local, text).expect("written");
    world.run("org promote @dev").done();
}

#[test]
fn what_extends_prod_does_not_see_the_shell_either() {
    let mut world = World::with(&[("PORT", "9"), ("TETRA_ORG", "acme")]);
    world.run("org init acme").done();
    let profiles = world.paths().orgs().join("acme/profiles");
    world.file(profiles.join("eu-canary.toml"), "schema = 1\nextends = \"builtin:prod\"\n");
    world.file(profiles.join("mine.toml"), "schema = 1\nextends = \"builtin:dev\"\n");
    let table = |env: &str| format!("[environments.{env}]\nport = \"${{PORT:-8000}}\"\n");
    world.file("tetra.toml", &["eu-canary", "mine", "other", "dev", "prod"].map(table).concat());
    for (env, port) in [("eu-canary", 8000), ("prod", 8000), ("mine", 9), ("other", 9), ("dev", 9)] {
        world.run(&format!("env init {env} --yes")).done();
        assert!(read(&world, &format!("env/{env}.env")).contains(&format!("PORT=\"{port}\"")), "{env}");
    }
    world.run("env init dev --hermetic").done();
    assert!(read(&world, "env/dev.env").contains("PORT=\"8000\""));
    world.file("tetra.toml", "[environments.eu-canary]\nport = \"${PORT}\"\n");
    assert!(world.run("env init eu-canary --yes").failed(1).contains("E-HERMETIC"));
    world.file(profiles.join("eu-canary.toml"), "schema = 1\nextends = \"builtin:prodd\"\n");
    assert!(world.run("env init eu-canary --yes").failed(5).contains("did you mean"));
}

#[test]
fn what_is_unset_can_be_let_pass() {
    let mut world = World::new();
    world.file("tetra.toml", "[environments.dev]\na = \"x${NOTHING}y\"\nb = \"${no.path}\"\n");
    world.run("env init dev").failed(1);
    let ran = world.run("env init dev --allow-unset");
    assert!(ran.stderr.contains("tetra.toml:2:") && ran.stderr.contains("E-UNSET"), "{}", ran.stderr);
    ran.done();
    let text = read(&world, "env/dev.env");
    assert!(text.contains("A=\"xy\"") && text.contains("B=\"\""), "{text}");
}

#[test]
fn dollars_that_stand_for_themselves_are_not_an_error() {
    let mut world = World::new();
    let toml = "[environments.dev]\na = \"$${LIT}\"\nc = \"x ${A}\"\nnode_env = \"dev\"\n";
    world.file("tetra.toml", toml);
    world.run("env init dev").done();
    let made = read(&world, "env/dev.env");
    assert_eq!(made.matches("{LIT}").count(), 2, "{made}");
    world.run("env validate dev").done();
    fs::write(world.work().join("env/dev.env"), made.replacen("{LIT}", "{OTHER}", 1)).expect("written");
    assert!(world.run("env validate dev").output.contains("`A` contains an unresolved expansion"));
}
