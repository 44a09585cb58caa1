//! What promotions write, and what they refuse to.

use std::fs;
use std::path::PathBuf;

use super::{acme, body, change, files, read};
use crate::world::World;

/// A world with these texts as local.toml and as the profile `own`.
fn own(local: &str, profile: &str) -> (World, PathBuf) {
    let (world, environments) = acme();
    fs::write(environments.join("local.toml"), local).expect("written");
    fs::write(environments.with_file_name("profiles").join("own.toml"), profile).expect("written");
    (world, environments)
}

#[test]
fn edits_that_meet_at_one_place_stay_apart() {
    for (local, profile, expected) in [
        (
            "[logging]\ndir = \"x\"\n[cache]\nsize = 5\n",
            "unset = [\"logging.dir\"]\n[set]\n\"logging.level\" = \"debug\"\n",
            "[logging]\nlevel = \"debug\"\n[cache]\nsize = 5\n",
        ),
        (
            "[logging]\ndir = \"x\"\n[cache]\nsize = 5\n",
            "[rename]\n\"logging.dir\" = \"logging.path\"\n",
            "[logging]\npath = \"x\"\n[cache]\nsize = 5\n",
        ),
        (
            "[services.a]\nuser = \"x\"\n[services.b]\nuser = \"y\"\n",
            "unset = [\"services.*.user\"]\n[set]\n\"services.*.log_keep\" = 3\n",
            "[services.a]\nlog_keep = 3\n[services.b]\nlog_keep = 3\n",
        ),
        ("a = { b = 1, c = 2 }\nd = 3\n", "unset = [\"a.b\", \"a.c\"]\n[set]\n\"a.e\" = 4\n", "a = { e = 4 }\nd = 3\n"),
        ("[old]\nx = {}\ny = 1\n[new]\nx = 2\n", "unset = [\"old.y\"]\n", "[old]\nx = {}\n[new]\nx = 2\n"),
        ("[old]\nx = {}\ny = 1\n[new]\nx = 2\n", "unset = [\"old\"]\n", "[new]\nx = 2\n"),
        (
            "[[own]]\nn = 1\n[[own]]\nn = 2\n",
            "unset = [\"own.0.n\"]\n[set]\n\"own.1.more.m\" = 3\n",
            "[[own]]\n[[own]]\nn = 2\nmore.m = 3\n",
        ),
        (
            "[services.old]\ncommand = \"a\"\n[services.web]\ncommand = \"b\"\n",
            "unset = [\"services.old\"]\n[set]\n\"services.*.env_file\" = \"env/own.env\"\n",
            "[services.web]\ncommand = \"b\"\nenv_file = \"env/own.env\"\n",
        ),
    ] {
        let (mut world, environments) = own(local, profile);
        world.run("org promote @own --yes --no-annotate").done();
        let made = body(&environments.join("own.toml"));
        assert!(made.starts_with(&format!("{expected}\n[environment]")), "{profile}\n{made}");
    }
    let dotted = "deployment.user = \"me\"\noverrides.prod.resources.memory_max = 8192\n[cache]\nsize = 5\n";
    let (mut world, environments) = own(dotted, "");
    world.run("org promote @prod --yes").done();
    let made = body(&environments.join("prod.toml"));
    assert!(made.contains("[cache]\nsize = 5\n") && made.contains("memory_max = 8192"), "{made}");
    assert!(made.starts_with("deployment.user = \"tetra\"  # Changed\ndeployment.group"), "{made}");
}

#[test]
fn what_cannot_stand_together_is_refused_where_it_is_wanted() {
    for (local, profile, said) in [
        ("[[own]]\nname = \"db\"\n", "[set]\n\"own.enabled\" = true\n", "`own` is an array of tables"),
        ("own = [1]\n", "[set]\n\"own.enabled\" = true\n", "`own` is not a table"),
        ("", "[set]\nown = 1\n\"own.enabled\" = true\n", "cannot replace the table `own` with a value"),
        ("[own]\na = 1\n", "[set]\nown = 1\n", "cannot replace the table `own` with a value"),
        ("[own]\na = 1\n", "[set]\n\"overrides.own.a\" = 1\n", "cannot set `overrides.own.a`"),
        ("[own]\na = 1\n", "[set]\n\"services.80.command\" = \"x\"\n", "`80` cannot be the name of a service"),
    ] {
        let (mut world, environments) = own(local, profile);
        let stderr = world.run("org promote @own --yes").failed(1);
        assert!(stderr.contains(said), "{said} in {stderr}");
        assert!(!environments.join("own.toml").exists());
    }
    for (local, said) in [
        ("[[backup]]\nname = \"db\"\n", "`backup` must be a table, not"),
        ("[services]\nweb = \"node a.js\"\n", "`services.web` must be a table"),
        ("[[services]]\ncommand = \"x\"\n", "`services` must be a table, not"),
        ("[services.\"my web\"]\ncommand = \"x\"\n", "`my web` cannot be the name of a service"),
        ("[services.80]\ncommand = \"x\"\n", "`80` cannot be the name of a service"),
        ("[services.web.command]\nrun = \"x\"\n", "`services.web.command` must be a value"),
    ] {
        let (mut world, _) = own(local, "");
        let stderr = world.run("org promote @dev").failed(1);
        assert!(stderr.contains(said), "{said} in {stderr}");
        let ran = world.run("org env validate local");
        assert!(ran.code == 3 && ran.output.contains(said), "{said} in {ran:?}");
    }
}

#[test]
fn what_is_not_a_number_comes_to_rest_and_a_number_stays_as_it_was_spelled() {
    let (mut world, environments) =
        own("a = nan\nb = 1\n[c]\nd = [inf, nan]\n", "[set]\n\"c.n\" = nan\n\"c.x\" = 0x1F\n");
    world.run("org promote @own --yes --set b=1.10 --set c.d=1_000").done();
    let made = body(&environments.join("own.toml"));
    for line in
        ["a = nan\n", "b = 1.10  # Changed\n", "d = 1_000  # Changed\n", "n = nan  # Added\n", "x = 0x1F  # Added\n"]
    {
        assert!(made.contains(line), "{line} in {made}");
    }
    assert!(made.contains("set = [\"b=1.10\", \"c.d=1_000\"]"), "{made}");
    world.run("org diff @own --exit-code").done();
    assert!(world.run("org promote @own --yes --set b=1.10 --set c.d=1_000").done().contains("up to date"));
}

#[test]
fn an_edit_that_a_later_promotion_would_refuse_is_not_kept() {
    let (mut world, environments) = acme();
    let (local, dev) = (environments.join("local.toml"), environments.join("dev.toml"));
    world.run("org promote @dev").done();
    change(&dev, "[services.tetra]\n", "[services.tetra]\ncomand = \"x\"\ninstances = \"4\"\n");
    let edited = read(&dev);
    let ran = world.run("org promote @dev --keep-as-override");
    assert!(
        ran.stderr.contains("`services.tetra.comand` in dev.toml cannot be kept: it is an unknown key"),
        "{edited}{ran:?}"
    );
    assert!(!read(&local).contains("comand") && !read(&local).contains("instances"), "{}", read(&local));
    world.run("org promote @dev").done();
}

#[test]
fn an_edit_is_kept_in_the_form_that_is_there_and_what_cannot_be_is_reported() {
    for overrides in [
        "",
        "[overrides.dev]\nresources.limit_nproc = 5\n",
        "[overrides.dev.resources]\nlimit_nproc = 5\n",
        "[overrides]\ndev = { resources.limit_nproc = 5 }\n",
        "[overrides]\ndev.resources.limit_nproc = 5\n",
        "[overrides.development]\n\"resources.limit_nproc\" = 5\n",
    ] {
        let (mut world, environments) = acme();
        let (local, dev) = (environments.join("local.toml"), environments.join("dev.toml"));
        fs::write(&local, read(&local) + "\n[own]\na = 1\nb = 2\n" + overrides).expect("written");
        world.run("org promote @dev").done();
        change(&dev, "memory_max = 1024", "memory_max = 0x600");
        change(&dev, "a = 1\n", "");
        change(&dev, "b = 2\n", "b = 2\nc = \"${LIT}\"\n");
        let plan = world.run("org promote @dev --keep-as-override --dry-run");
        assert!(
            plan.stderr.contains("`own.a` in dev.toml cannot be kept") && !read(&local).contains("0x600"),
            "{plan:?}"
        );
        let ran = world.run("org promote @dev --keep-as-override");
        assert!(
            ran.code == 0 && ran.stderr.contains("`own.a` in dev.toml cannot be kept: an override cannot remove"),
            "{ran:?}"
        );
        let made = body(&dev);
        for line in ["memory_max = 0x600", "a = 1\n", "c = \"${LIT}\""] {
            assert!(made.contains(line), "{line} in {made}\n{}", read(&local));
        }
        assert!(overrides.is_empty() || made.contains("limit_nproc = 5"), "{made}");
        assert!(world.run("org promote @dev").done().contains("up to date"));
        world.run("org env validate --all").done();
    }
    // An edit that cannot be determined is not kept, and nothing is changed.
    let (mut world, environments) = acme();
    let (local, dev) = (environments.join("local.toml"), environments.join("dev.toml"));
    world.run("org promote @dev").done();
    let before = read(&local);
    for (old, new, code) in [("memory_max = 1024", "memory_max = \"much\"", 1), ("[metadata]", "[metadata", 1)] {
        let generated = read(&dev);
        change(&dev, old, new);
        world.run("org promote @dev --keep-as-override").failed(code);
        assert_eq!(read(&local), before);
        fs::write(&dev, generated).expect("written");
    }
    change(&dev, "[metadata]", "[metadata");
    let stderr = world.run("org promote @dev").failed(21);
    assert!(stderr.contains("cannot determine") && stderr.contains("--discard-edits"), "{stderr}");
}

#[test]
fn no_secret_is_written_into_an_environment() {
    let canary = "Sup3rS3cretX9";
    let holds = |world: &World| {
        let mut all = files(&world.paths().orgs());
        all.extend(files(&world.paths().logs()));
        all.retain(|(path, _)| !path.ends_with("own.toml"));
        all.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(canary))
    };
    let (mut world, environments) = own("[own]\na = 1\n", "");
    for line in [
        format!("org promote @dev --set db.password={canary}"),
        format!("org promote @dev --set db.password={canary} --dry-run"),
        format!("org promote @dev --set=db.password={canary}"),
        format!("org promote @dev --set 'db.api_key = \"{canary}\"'"),
        format!("org promote @dev --set 'db={{ password = \"{canary}\" }}'"),
        format!("org promote @dev --set 'services.api.command = \"curl -u admin:{canary} https://h/\"'"),
    ] {
        let stderr = world.run(&line).failed(3);
        assert!(stderr.contains("in plain text") && !stderr.contains(canary), "{stderr}");
    }
    assert!(!environments.join("dev.toml").exists() && !holds(&world));
    // From a profile, an override or an edit that is kept.
    let profile = environments.with_file_name("profiles").join("own.toml");
    fs::write(&profile, format!("[set]\n\"db.password\" = \"{canary}\"\n")).expect("written");
    let stderr = world.run("org promote @own --yes").failed(3);
    assert!(stderr.contains("nothing was written") && !stderr.contains(canary), "{stderr}");
    fs::write(&profile, format!("[set]\n\"db.password\" = \"{canary}\" # tetra:allow-secret an example\n"))
        .expect("written");
    world.run("org promote @own --yes").done();
    assert!(environments.join("own.toml").exists());
    world.run("org promote @dev").done();
    let dev = environments.join("dev.toml");
    let generated = read(&dev);
    fs::write(&dev, format!("{generated}\n[db]\npassword = \"{canary}\"\n")).expect("written");
    world.run("org promote @dev --keep-as-override").failed(3);
    assert!(!read(environments.join("local.toml")).contains(canary));
}

#[test]
fn an_empty_or_cut_off_file_is_reported_with_the_rules_that_it_breaks() {
    let (mut world, environments) = acme();
    world.run("org promote @prod --yes").done();
    world.run("org env validate prod").done();
    let prod = environments.join("prod.toml");
    let whole = read(&prod);
    let open = body(&prod).replace("level = \"warn\"", "level = \"debug\"");
    let half = &whole[..whole.find("[backup]").expect("there")];
    for (text, words) in [
        ("", ["prod.toml is empty", "`backup.enabled` does not meet a rule of the profile `prod`: require"]),
        (
            " \n\n",
            ["prod.toml is empty", "`security.ssl_enabled` does not meet a rule of the profile `staging`: require"],
        ),
        (&open, ["its beginning was cut off", "`logging.level` does not meet a rule of the profile `prod`: forbid"]),
        (
            half,
            ["prod.toml was edited by hand", "`backup.enabled` does not meet a rule of the profile `prod`: require"],
        ),
        (&whole.replace("env=prod", "env=staging"), ["was generated for `@staging` of `acme`", ""]),
    ] {
        fs::write(&prod, text).expect("written");
        let ran = world.run("org env validate prod");
        assert!(ran.code == 3 && words.iter().all(|word| ran.output.contains(word)), "{words:?} in {ran:?}");
        assert_eq!(world.run("org env validate --all").code, 3);
    }
    // Also where there is nothing to make it from.
    fs::remove_file(environments.join("local.toml")).expect("removed");
    fs::write(&prod, "").expect("written");
    let ran = world.run("org env validate prod");
    assert!(ran.code == 3 && ran.output.contains("`backup.enabled` does not meet"), "{ran:?}");
}

#[test]
fn a_command_has_one_flag_with_the_right_value() {
    let commands =
        ["node a.js --env", "node a.js --env=x", "node a.js --env a --env b", "tetra serve --env='a b' -v --env"];
    let service = |(number, command): (usize, &&str)| format!("[services.s{number}]\ncommand = \"{command}\"\n");
    let local: String = commands.iter().enumerate().map(service).collect();
    let (mut world, environments) =
        own(&local, "extends = \"builtin:prod\"\n[append_args]\n\"services.*.command\" = [\"--env=own\"]\n");
    world.run("org promote @prod @own --yes --no-annotate").done();
    for (env, value) in [("prod", "production"), ("own", "own")] {
        let made = body(&environments.join(format!("{env}.toml")));
        for expected in ["node a.js --env V", "node a.js --env=V", "node a.js --env V", "tetra serve --env=V -v"] {
            let line = format!("command = \"{}\"\n", expected.replace('V', value));
            assert!(made.contains(&line), "{line} in {made}");
        }
    }
}

#[test]
fn what_was_changed_in_the_history_is_seen_and_a_broken_record_is_written_again() {
    let (mut world, environments) = acme();
    let history = environments.with_file_name("history");
    let (local, record) = (environments.join("local.toml"), history.join("dev.jsonl"));
    world.run("org promote @dev").done();
    change(&local, "4444", "5001");
    world.run("org promote @dev").done();
    world.run("org history verify @dev").done();
    let copy = history.join("dev_20261120_120000.toml");
    let text = read(&copy);
    for (old, new) in [("# Changed", "# changed"), ("by=", "by=x"), ("\n\n", "\n\n\n")] {
        fs::write(&copy, text.replacen(old, new, 1)).expect("written");
        let ran = world.run("org history verify @dev");
        assert!(ran.code == 3 && ran.output.contains("was modified"), "{old}: {ran:?}");
        world.run("org rollback @dev").failed(5);
    }
    fs::write(&copy, &text).expect("written");
    // Lines that were written before they knew the bytes of their copies.
    let whole = read(&record);
    let old = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("bytes").expect("there");
        line.to_string()
    };
    let first = old(whole.lines().next().expect("one"));
    fs::write(&record, format!("{first}\n")).expect("written");
    world.run("org history verify @dev").done();
    fs::write(&copy, text.replacen("# Changed", "# changed", 1)).expect("written");
    world.run("org history verify @dev").failed(3);
    fs::write(&copy, &text).expect("written");

    let good = |world: &mut World| {
        world.run("org history verify @dev --repair").done();
        world.run("org history verify @dev").done();
        assert_eq!(world.run("org history @dev --json").done().matches("\"id\"").count(), 2);
        world.run("org history prune @dev").done();
        assert!(copy.exists());
    };
    fs::write(&record, &whole[..whole.len() - 10]).expect("written");
    let ran = world.run("org history verify @dev");
    assert!(ran.code == 3 && ran.output.contains("is cut off"), "{ran:?}");
    good(&mut world);
    for garbage in [format!("garbage\n{whole}").into_bytes(), [b"\xff\n", whole.as_bytes()].concat(), b"{}\n".to_vec()]
    {
        fs::write(&record, &garbage).expect("written");
        let stderr = world.run("org promote @dev").failed(1);
        assert!(stderr.contains("`tsm org history verify --repair`"), "{stderr}");
        good(&mut world);
        assert!(files(&history).iter().any(|(_, bytes)| *bytes == garbage), "the broken record is kept");
        world.run("org promote @dev").done();
    }
}
