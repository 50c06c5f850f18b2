//! `natter doctor`: what is missing on this machine and how to mend it.

use std::{fs, net::TcpListener, path::Path, process::ExitCode};

use natter_nats::server;
use natter_runtime::config::Strictness;
use nix::sys::resource::{Resource, getrlimit};

use crate::{cli::DoctorArgs, settings};

/// What a look found: fine, or wrong with the way to mend it.
type Finding = Result<String, (String, String)>;

pub async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
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
        Err(bad) => findings.push(("settings", Err((bad.to_string(), "correct the environment".to_owned())))),
    }
    findings.push(("data folder", folder(&args.data_dir)));
    findings.push(("open files", open_files()));
    print(&findings);
    let sick = findings.iter().any(|(_, finding)| finding.is_err());
    Ok(if sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
