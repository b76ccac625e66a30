//! `docker-compose.yml`, the sample environments and the units against what the programs know and the documents say.

use anyhow::Result;

use crate::install;
use crate::shell::{program, run};

/// Files that are used together.
const FORMS: &[&[&str]] = &[
    &["docker-compose.yml"],
    &["docker-compose.yml", "deploy/docker/s3.yml"],
    &["docker-compose.yml", "deploy/docker/rotate.yml"],
    &["docker-compose.yml", "deploy/docker/s3.yml", "deploy/docker/rotate.yml"],
    &["docker-compose.yml", "deploy/docker/oidc.yml"],
    &["docker-compose.yml", "deploy/docker/oidc.yml", "deploy/docker/rotate.yml"],
    &["docker-compose.yml", "deploy/docker/s3.yml", "deploy/docker/oidc.yml", "deploy/docker/rotate.yml"],
];

/// Lets docker-compose read the files, in the version that the system has. Needs no daemon.
pub(crate) fn check() -> Result<()> {
    install::debian(&[install::Debian { program: "docker-compose", package: "docker-compose" }])?;
    for form in FORMS {
        let files = form.iter().flat_map(|file| ["-f", *file]);
        let arguments: Vec<_> = files.chain(["--profile", "s3", "config", "--quiet"]).collect();
        run(&mut program("docker-compose", &arguments))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::shell::root;

    type Names = BTreeSet<String>;

    fn kept(path: &str) -> String {
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The names in the tables of a text.
    fn names(text: &str) -> Names {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        rows.map(str::to_owned).collect()
    }

    /// What the programs say of themselves (`cargo xtask openapi` writes it down), and the gateway's table.
    fn known_to(service: &str) -> Names {
        match service {
            "gateway" => names(&kept("docs/services.md")),
            service => names(&kept(&format!("docs/services/{service}.md"))),
        }
    }

    /// The setting behind a variable. Providers have names of their own.
    fn setting(variable: &str) -> String {
        let name = variable.strip_suffix("_FILE").unwrap_or(variable);
        match name.strip_prefix("FM_OIDC__").and_then(|of| of.split_once("__")) {
            Some((_, setting)) => format!("FM_OIDC__*__{setting}"),
            None => name.to_owned(),
        }
    }

    fn is_ours(name: &str) -> bool {
        name.starts_with("FM_") || name.starts_with("GATEWAY_")
    }

    /// The blocks of a file in our style: two spaces a level, one key a line.
    fn blocks(text: &str, section: &str) -> BTreeMap<String, Vec<String>> {
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut inside = section.is_empty();
        let (mut name, indent) = (String::new(), if section.is_empty() { "" } else { "  " });
        for line in text.lines() {
            if !section.is_empty() && line.starts_with(|first: char| first.is_ascii_alphabetic()) {
                inside = line == format!("{section}:");
                continue;
            }
            let at_level =
                line.strip_prefix(indent).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
            match at_level.and_then(|rest| rest.split_once(':')) {
                Some((key, _)) if inside => name = key.to_owned(),
                _ => {}
            }
            if inside && !name.is_empty() {
                blocks.entry(name.clone()).or_default().push(line.to_owned());
            }
        }
        blocks
    }

    /// The variables that a service's block sets, those of the anchors that it takes over included.
    fn variables(text: &str, service: &[String]) -> Names {
        let top = blocks(text, "");
        let set = |lines: &[String]| -> Names {
            let keys =
                lines.iter().filter_map(|line| line.trim().split_once(':').map(|(key, _)| key.to_owned()));
            keys.filter(|key| is_ours(key)).collect()
        };
        let mut names = set(service);
        for block in top.values() {
            let anchor = block[0].split('&').nth(1).map(str::trim);
            let taken = |anchor| service.iter().any(|line| line.trim() == format!("<<: *{anchor}"));
            if anchor.is_some_and(taken) {
                names.extend(set(block));
            }
        }
        names
    }

    #[test]
    fn what_compose_sets_is_known() {
        let mut seen = 0;
        let beside = ["s3", "rotate", "oidc"].map(|name| format!("deploy/docker/{name}.yml"));
        for path in std::iter::once("docker-compose.yml").chain(beside.iter().map(String::as_str)) {
            let text = kept(path);
            for (service, block) in blocks(&text, "services") {
                let names = variables(&text, &block);
                // stores and brokers are told nothing of ours
                let known = if names.is_empty() { Names::new() } else { known_to(&service) };
                let unknown: Vec<_> = names.iter().filter(|name| !known.contains(&setting(name))).collect();
                assert!(unknown.is_empty(), "{path}: {service} does not know {unknown:?}");
                seen += names.len();
            }
        }
        // the parser above reads our style alone: should the file change it, nothing would be found
        assert!(seen > 40, "{seen} settings");
    }

    #[test]
    fn what_the_samples_set_is_known() {
        for service in ["auth-service", "file-service", "worker-service", "gateway"] {
            let text = kept(&format!("deploy/env/{service}.env.example"));
            let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
            let known = known_to(service);
            for name in names.filter(|name| !name.starts_with('#')) {
                assert!(known.contains(&setting(name)), "{service} does not know {name}");
            }
        }
    }

    #[test]
    fn the_gateway_has_a_value_for_each_place() {
        let template = kept("deploy/nginx/templates/site.conf.template");
        let places: Names = template
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .map(str::to_owned)
            .collect();
        assert_eq!(places, known_to("gateway"));
        let image = kept("deploy/docker/Dockerfile");
        let sample = kept("deploy/env/gateway.env.example");
        for place in places {
            assert!(image.contains(&format!("    {place}=")), "the image has no default for {place}");
            assert!(sample.contains(&format!("\n{place}=")), "the sample has no {place}");
        }
    }

    #[test]
    fn what_compose_asks_the_environment_for_is_in_the_sample() {
        let sample = kept("deploy/env/compose.env.example");
        for asked in kept("docker-compose.yml").split("${").skip(1) {
            let name = asked.split(":-").next().unwrap_or_default();
            assert!(sample.contains(&format!("#{name}=")), "{name} is not in the sample");
        }
    }

    #[test]
    fn every_container_is_bounded_and_watched() {
        let text = kept("docker-compose.yml");
        let services = blocks(&text, "services");
        assert_eq!(services.len(), 9);
        for (name, block) in services {
            let has = |key: &str| block.iter().any(|line| line.trim().starts_with(key));
            let guarded = has("<<: *container") || has("<<: *service");
            assert!(guarded, "{name} takes over neither `container` nor `service`");
            assert!(has("user:") || has("<<: *service"), "{name} runs as whom its image likes");
            assert!(has("mem_limit:"), "{name} has no limit");
            assert!(has("pids_limit:") || has("<<: *service"), "{name} has no limit");
            assert!(has("healthcheck:") || has("restart: \"no\""), "{name} is not watched");
        }
        for newer in ["start_interval", "\nname:", "environment: FM_", "secrets.environment"] {
            assert!(!text.contains(newer), "docker-compose 1.29 does not know {newer}");
        }
    }

    #[test]
    fn each_service_is_an_ordinary_user_of_mongodb() {
        let compose = blocks(&kept("docker-compose.yml"), "services");
        let (users, secrets) = (kept("deploy/docker/mongo/health.js"), kept("deploy/docker/make-secrets"));
        let default = "| `FM_MONGODB_DATABASE` | `mongodb_database` | `files_manager` |";
        assert!(kept("docs/services/auth-service.md").contains(default), "the role is for another database");
        assert!(users.contains("db: 'files_manager'"), "the role is for another database");
        let root = "MONGO_INITDB_ROOT_USERNAME: files-manager";
        assert!(compose["mongo"].iter().any(|line| line.trim() == root), "the script signs in as another");
        for (service, part) in
            [("auth-service", "auth"), ("file-service", "files"), ("worker-service", "jobs")]
        {
            let given = |name: &str, to: &str| {
                let list = compose[to].iter().find_map(|line| line.trim().strip_prefix("secrets: ["));
                let list = list.and_then(|list| list.strip_suffix(']')).unwrap_or_default();
                list.split(", ").any(|secret| secret == name)
            };
            let (uri, password) = (format!("mongodb_uri_{part}"), format!("mongo_password_{part}"));
            let set = format!("FM_MONGODB_URI_FILE: /run/secrets/{uri}");
            assert!(compose[service].iter().any(|line| line.trim() == set), "{service} is another user");
            assert!(given(&uri, service) && given(&password, "mongo"), "{service}");
            assert!(!given("mongo_password", service), "{service} knows the administrator");
            assert!(users.contains(&format!("'{service}': '{part}'")), "{service} is no user");
            assert!(secrets.contains(&format!("{part}:{service}")), "{service} has no password");
        }
    }

    /// What the scripts leave, whoever runs them: the containers' user reads each secret.
    #[test]
    fn secrets_are_replaced_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("docker");
        std::fs::create_dir_all(place.join("secrets")).unwrap();
        for script in ["make-secrets", "rotate"] {
            std::fs::copy(root().join("deploy/docker").join(script), place.join(script)).unwrap();
        }
        let run = |command: &str| {
            let script = format!("umask 077; {}/{command}", place.display());
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            output.status.code()
        };
        let secret = |name: &str| std::fs::read_to_string(place.join("secrets").join(name)).unwrap();
        assert_eq!(run("make-secrets"), Some(0));
        for round in 0..3 {
            let (internal, master) = (secret("internal_secret"), secret("master_key"));
            let replaced = if round < 2 { "internal_secret" } else { "master_key" };
            assert_eq!(run(&format!("rotate {replaced}")), Some(0), "round {round}");
            assert_eq!(
                (secret("internal_secret_previous"), secret("master_key_previous")),
                (internal, master)
            );
            assert_ne!(secret(replaced), secret(&format!("{replaced}_previous")));
            assert_eq!(run(&format!("rotate {replaced}")), Some(1), "it is under way");
            for file in std::fs::read_dir(place.join("secrets")).unwrap() {
                let file = file.unwrap();
                let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
                assert_eq!(mode & 0o777, 0o444, "{}", file.path().display());
            }
            assert_eq!(run("rotate --end"), Some(0));
        }
        assert_eq!(run("rotate mongo_password"), Some(64));
        // what is made of another one follows it
        for (gone, follows) in
            [("redis_conf", "redis_url"), ("rabbitmq_conf", "amqp_url"), ("s3_secret_key", "s3_conf")]
        {
            let before = secret(follows);
            std::fs::remove_file(place.join("secrets").join(gone)).unwrap();
            assert_eq!(run("make-secrets"), Some(0));
            assert_ne!(secret(follows), before, "{follows} after {gone}");
        }
        let whole = |name: &str| secret(name).split_whitespace().last().unwrap_or_default().to_owned();
        assert!(secret("redis_url").contains(&whole("redis_conf")));
        assert!(secret("amqp_url").contains(&whole("rabbitmq_conf")));
    }

    /// A secret is replaced beside all that an operator has set: files that are left out put what they set back to its default, and contents that were to be
    /// kept for longer than that are deleted.
    #[test]
    fn files_of_ones_own_stay_while_a_secret_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deploy/docker");
        std::fs::create_dir_all(place.join("secrets")).unwrap();
        for script in ["make-secrets", "rotate", "up"] {
            std::fs::copy(root().join("deploy/docker").join(script), place.join(script)).unwrap();
        }
        // in place of Docker: says which files it was to put together, and what it was asked for last
        let docker = "#!/bin/sh\necho \"${COMPOSE_FILE-as .env says}|$*\" > asked\n";
        let tools = folder.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        std::fs::write(tools.join("docker"), docker).unwrap();
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(tools.join("docker"), mode).unwrap();
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let run = |script: &str, exported: Option<&str>| {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &format!("{}/{script}", place.display())]).env("PATH", &path);
            for name in ["COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR"] {
                command.env_remove(name);
            }
            command.envs(exported.map(|files| ("COMPOSE_FILE", files)));
            command.output().unwrap().status.success()
        };
        let up = |exported: Option<&str>| {
            assert!(run("up --scale file-service=2", exported));
            let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
            let (files, rest) = asked.split_once('|').unwrap();
            assert_eq!(rest.trim_end(), "compose up --build --detach --scale file-service=2");
            files.to_owned()
        };
        let say = |text: &str| std::fs::write(folder.path().join(".env"), text).unwrap();
        let (default, own) = ("docker-compose.yml", "docker-compose.yml:deploy/docker/oidc.yml:mine.yml");
        let with = |files: &str| format!("{files}:deploy/docker/rotate.yml");

        assert_eq!(up(None), "as .env says");
        assert!(run("rotate master_key", None));
        assert_eq!(up(None), with(default));
        for line in
            [own.to_owned(), format!("\"{own}\""), format!("{own}  # mine, too"), format!("'{own}'\r")]
        {
            say(&format!("BIND=127.0.0.1:80\n#COMPOSE_FILE=other.yml\nCOMPOSE_FILE={line}\nFM_VERSION=1\n"));
            assert_eq!(up(None), with(own), "{line:?}");
        }
        assert_eq!(up(Some("docker-compose.yml:s.yml")), with("docker-compose.yml:s.yml"));
        assert_eq!(up(Some(&with(default))), with(default), "named twice");
        say("COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=docker-compose.yml;mine.yml\n");
        assert_eq!(up(None), "docker-compose.yml;mine.yml;deploy/docker/rotate.yml");
        say("COMPOSE_FILE=docker-compose.yml:mine.yml\nCOMPOSE_FILE=docker-compose.yml:s3.yml\n");
        assert!(!run("up", None), "the first line is lost");
        say(&format!("COMPOSE_FILE={own}\n"));
        assert!(run("rotate --end", None));
        assert_eq!(up(None), "as .env says");
    }

    /// A command beside the unit with other settings than the unit's makes another master key, or misses the one that is set, and holds accounts to other rules.
    #[test]
    fn commands_beside_the_unit_have_its_settings() {
        let unit = kept("deploy/systemd/files-manager.service");
        let mut seen = 0;
        for document in ["docs/administration.md", "docs/operations.md"] {
            let text = kept(document);
            for command in text.lines().filter(|line| line.contains("systemd-run ")) {
                for setting in unit.lines().filter(|line| line.starts_with("EnvironmentFile=")) {
                    assert!(
                        command.contains(&format!("-p {setting} ")),
                        "{document}: no {setting}: {command}"
                    );
                    seen += 1;
                }
                // as the unit's user, or as root, who gives what is restored to that one
                let as_unit = ["DynamicUser", "StateDirectory", "StateDirectoryMode"].iter().all(|name| {
                    let start = format!("{name}=");
                    let set = unit.lines().find(|line| line.starts_with(&start)).unwrap_or(&start);
                    command.contains(&format!("-p {set} "))
                });
                assert!(as_unit || command.contains("files-manager restore "), "{document}: {command}");
                assert!(command.contains("-E FM_DATA_DIR=/var/lib/"), "{document}: {command}");
            }
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn images_have_tags() {
        let compose = kept("docker-compose.yml");
        let named = compose.lines().filter_map(|line| line.trim().strip_prefix("image: "));
        let docker = kept("deploy/docker/Dockerfile");
        let stages: BTreeSet<_> =
            docker.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(" AS ").nth(1)).collect();
        let bases = docker.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(" AS ").next());
        let mut seen = 0;
        for image in named.chain(bases.filter(|base| !stages.contains(base))) {
            let tag = image.split_once(':').map(|(_, tag)| tag).unwrap_or_default();
            assert!(!tag.is_empty() && tag != "latest", "{image} has no tag");
            seen += 1;
        }
        assert!(seen > 10);
        // each image that compose builds has a target
        for target in compose.split("target: ").skip(1) {
            let target = target.split([' ', '\n']).next().unwrap_or_default();
            assert!(target.starts_with('/') || stages.contains(target), "no target {target}");
        }
    }
}
