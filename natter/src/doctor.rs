//! `natter doctor`: what is missing on this machine and how to mend it.

use std::{fs, net::TcpListener, path::Path, process::ExitCode};

use natter_nats::{connect::Purpose, server};
use natter_runtime::config::Strictness;
use nix::sys::resource::{Resource, getrlimit};

use crate::{
    bootstrap::{self, Backends},
    cli::DoctorArgs,
    settings,
};

/// What a look found: fine, or wrong with the way to mend it.
type Finding = Result<String, (String, String)>;

pub async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = if args.connect { of_deployment().await } else { of_dev(&args.data_dir).await };
    print(&findings);
    let sick = findings.iter().any(|(_, finding)| finding.is_err());
    Ok(if sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What `natter dev` needs.
async fn of_dev(data_dir: &Path) -> Vec<(&'static str, Finding)> {
    let mut findings = vec![("nats-server", nats_server().await)];
    match settings::read(&[], Strictness::Dev) {
        Ok(settings) => {
            findings.push(("settings", Ok("readable".to_owned())));
            findings.push(("port", port(settings.host, settings.port, "PORT or --port")));
            findings.push((
                "admin port",
                port(settings.admin_host, settings.admin_port, "ADMIN_PORT or --admin-port"),
            ));
        }
        Err(bad) => findings.push(("settings", unreadable(&bad))),
    }
    findings.push(("data folder", folder(data_dir)));
    findings.push(("open files", open_files()));
    findings
}

/// What an edge or a worker needs, as far as the settings name it.
async fn of_deployment() -> Vec<(&'static str, Finding)> {
    let backends = match Backends::read(&[], Strictness::Tokenless) {
        Ok(backends) => backends,
        Err(bad) => return vec![("settings", unreadable(&bad))],
    };
    let mut findings = vec![("settings", Ok("readable".to_owned())), ("nats", nats(&backends).await)];
    if backends.settings.redis.is_some() {
        let redis = backends.redis().await;
        findings
            .push(("redis", tried(redis.map(|_| "answers".to_owned()), "start it, or correct REDIS_URL")));
    }
    if backends.settings.database_url.is_some() {
        findings.push((
            "store",
            tried(store(&backends).await, "start it, correct DATABASE_URL, or run `natter migrate`"),
        ));
    }
    findings.push(("open files", open_files()));
    findings
}

async fn nats(backends: &Backends) -> Finding {
    let js = match backends.jetstream(Purpose::Rpc).await {
        Ok(js) => js,
        Err(error) => return tried(Err(error), "start it, or correct NATS_URL"),
    };
    let deployment = backends.deployment(&js).await;
    tried(
        deployment.map(|found| format!("answers, and has a log of {} partitions", found.partitions)),
        "run `natter migrate`",
    )
}

async fn store(backends: &Backends) -> anyhow::Result<String> {
    let store = backends.store().await?;
    bootstrap::close_store(&*store).await;
    Ok("answers, and has the tables of this version".to_owned())
}

fn tried(done: anyhow::Result<String>, mend: &str) -> Finding {
    done.map_err(|error| (format!("{error:#}"), mend.to_owned()))
}

fn unreadable(bad: &anyhow::Error) -> Finding {
    Err((format!("{bad:#}"), "correct the environment".to_owned()))
}

#[expect(clippy::print_stdout, reason = "the findings are the command's answer")]
fn print(findings: &[(&str, Finding)]) {
    for (what, finding) in findings {
        match finding {
            Ok(text) => println!("ok    {what}: {text}"),
            Err((wrong, mend)) => println!("WRONG {what}: {wrong}\n      {mend}"),
        }
    }
}

async fn nats_server() -> Finding {
    let mend = "`make run` fetches it; or install version 2.14 or later into PATH".to_owned();
    let path = server::find().map_err(|error| (error.to_string(), mend.clone()))?;
    let version = server::version(&path).await.map_err(|error| (error.to_string(), mend))?;
    Ok(format!("{version} at {}", path.display()))
}

fn port(host: std::net::IpAddr, port: u16, setting: &str) -> Finding {
    match TcpListener::bind((host, port)) {
        Ok(_) => Ok(format!("{port} is free")),
        Err(error) => {
            Err((format!("{port} cannot be used: {error}"), format!("choose another with {setting}")))
        }
    }
}

fn folder(path: &Path) -> Finding {
    let mend = || "choose a folder you may write to with --data-dir".to_owned();
    let there = path.ancestors().find(|ancestor| ancestor.exists() || ancestor.as_os_str().is_empty());
    let nearest = there.filter(|ancestor| !ancestor.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = nearest.join(format!(".natter-doctor-{}", std::process::id()));
    match fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => Ok(format!("{} can be written", path.display())),
        Err(error) => Err((format!("{} cannot be written: {error}", path.display()), mend())),
    }
}

/// `natter dev` raises the soft limit to the hard one; sockets need one file each.
const FILES: u64 = 4_096;

fn open_files() -> Finding {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard >= FILES => Ok(format!("up to {hard}")),
        Ok((_, hard)) => Err((
            format!("at most {hard}, one of them per socket"),
            "raise the hard limit (ulimit -Hn, or LimitNOFILE= of the service)".to_owned(),
        )),
        Err(error) => Err((error.to_string(), "check `ulimit -n`".to_owned())),
    }
}
