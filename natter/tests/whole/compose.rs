//! compose.yaml, as far as it can be tested without an engine: what it says is well-formed, pinned and complete, the
//! program accepts every setting, nats-server its configuration. `deployment` runs the same settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
};

use natter_testkit::Folder;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub struct Compose {
    pub services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub struct Service {
    image: String,
    #[serde(default)]
    build: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    #[serde(default)]
    healthcheck: Option<Healthcheck>,
    #[serde(default)]
    volumes: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    condition: String,
}

#[derive(Deserialize)]
struct Healthcheck {
    test: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub fn read() -> Compose {
    let text = fs::read_to_string(root().join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// `${NAME:?…}` is a secret from outside, of its own for each name.
pub fn interpolated(value: &str) -> String {
    let Some((before, rest)) = value.split_once("${") else { return value.to_owned() };
    let (variable, after) = rest.split_once('}').unwrap();
    let (name, _) = variable
        .split_once(":?")
        .unwrap_or_else(|| panic!("${{{variable}}} may be missing, or has a default"));
    format!("{before}{name}-0123456789abcdef0123456789abcdef{}", interpolated(after))
}

/// Names of the secrets that a value needs.
fn secrets(value: &str) -> impl Iterator<Item = &str> {
    value.split("${").skip(1).map(|rest| rest.split(':').next().unwrap())
}

/// The file of this repository that the container is given.
pub fn nats_config(nats: &Service) -> PathBuf {
    root().join("nats/server").join(nats.command[1].strip_prefix("/etc/natter/").unwrap())
}

/// Services that run this program, by their command.
fn ours<'a>(compose: &'a Compose, role: &str) -> Vec<&'a Service> {
    compose.services.values().filter(|s| s.build.is_some() && s.command == [role]).collect()
}

#[test]
fn there_are_two_edges_and_two_workers_and_everything_they_need() {
    let compose = read();
    assert_eq!((ours(&compose, "edge").len(), ours(&compose, "worker").len()), (2, 2));
    assert_eq!(ours(&compose, "migrate").len(), 1);
    for needed in ["nats", "scylla", "redis", "kafka"] {
        assert!(compose.services.contains_key(needed), "{needed}");
    }
}

#[test]
fn every_image_is_pinned_to_a_version_and_servers_that_are_tested_to_theirs() {
    let compose = read();
    for (name, service) in &compose.services {
        let (_, tag) = service.image.rsplit_once(':').unwrap_or_else(|| panic!("{name} has no tag"));
        let version = tag.split('-').next().unwrap();
        let numbers = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
        assert_eq!(numbers, 3, "{name}: {tag} is no version of three numbers");
    }
    let tested = |script: &str, before: &str| {
        let text = fs::read_to_string(root().join("scripts").join(script)).unwrap();
        let (_, version) = text.split_once(before).unwrap();
        version.split_whitespace().next().unwrap().to_owned()
    };
    let nats = format!("nats:{}-alpine", tested("fetch-nats-server", "WANTED="));
    let kafka = format!("apache/kafka:{}", tested("fetch-kafka", "kafka_2.13:"));
    assert_eq!((&compose.services["nats"].image, &compose.services["kafka"].image), (&nats, &kafka));
    let ours = &compose.services["edge-1"].image;
    assert_eq!(*ours, format!("natter:{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn who_waits_for_a_service_waits_for_one_with_a_health_check() {
    let compose = read();
    for (name, service) in &compose.services {
        for (needed, dependency) in &service.depends_on {
            let other = compose.services.get(needed).unwrap_or_else(|| panic!("{name} needs {needed}"));
            match dependency.condition.as_str() {
                "service_healthy" => assert!(other.healthcheck.is_some(), "{needed} has no health check"),
                "service_completed_successfully" => assert_eq!(other.command, ["migrate"]),
                other => panic!("{name} waits for {needed} until {other}"),
            }
        }
        let check = service.healthcheck.as_ref().map(|check| check.test[0].as_str());
        let endless = service.command != ["migrate"];
        assert_eq!(check, endless.then_some("CMD"), "{name}");
    }
}

#[test]
fn every_named_volume_is_declared_and_every_file_is_there() {
    let compose = read();
    for volume in compose.services.values().flat_map(|service| &service.volumes) {
        let (source, _) = volume.split_once(':').unwrap();
        match source.strip_prefix("./") {
            Some(path) => assert!(root().join(path).exists(), "{path}"),
            None => assert!(compose.volumes.contains_key(source), "{source}"),
        }
    }
}

#[test]
fn the_program_knows_and_accepts_every_setting() {
    let compose = read();
    let documented = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for service in compose.services.values().filter(|service| service.build.is_some()) {
        for name in service.environment.keys() {
            assert!(documented.contains(&format!("| `{name}` |")), "{name} is not in docs/operations.md");
        }
        let environment = service.environment.iter().map(|(name, value)| (name, interpolated(value)));
        let output = Command::new(crate::NATTER)
            .arg("doctor")
            .env_clear()
            .envs(environment)
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("ok    settings: readable"), "{said}");
    }
}

#[test]
fn nats_server_accepts_its_configuration_with_the_passwords_it_is_given() {
    let compose = read();
    let nats = &compose.services["nats"];
    let environment = nats.environment.iter().map(|(name, value)| (name, interpolated(value)));
    let output = Command::new(natter_nats::server::find().unwrap())
        .args(["-t", "-c"])
        .arg(nats_config(nats))
        .envs(environment)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_secret_comes_from_outside_and_the_script_makes_it() {
    let compose = read();
    let values = || compose.services.values().flat_map(|service| &service.environment);
    for (name, value) in values() {
        // A password stands in a setting of its own or between the user and the host of an address.
        let holds_one =
            ["PASSWORD", "SECRET", "KEY"].iter().any(|word| name.contains(word)) || value.contains('@');
        let is_address_of_itself = name.starts_with("KAFKA_CONTROLLER_QUORUM");
        assert!(
            !holds_one || is_address_of_itself || value.contains(":?"),
            "{name} has a secret of this file: {value}"
        );
        assert!(!value.contains(":-"), "{name} has a default: {value}");
    }

    let folder = Folder::new();
    let run = || {
        let script = root().join("scripts/compose-secrets");
        let output = Command::new(script).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(folder.file(".env")).unwrap()
    };
    let made = run();
    let file: BTreeMap<&str, &str> = made.lines().map(|line| line.split_once('=').unwrap()).collect();
    let needed: BTreeSet<&str> = values().flat_map(|(_, value)| secrets(value)).collect();
    assert_eq!(file.keys().copied().collect::<BTreeSet<_>>(), needed);
    assert!(file.values().all(|secret| secret.len() == 64), "{file:?}");
    assert_eq!(file.values().collect::<BTreeSet<_>>().len(), file.len(), "no secret is used twice");
    let mode = fs::metadata(folder.file(".env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Those of the data stay.
    assert_eq!(run(), made);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}
