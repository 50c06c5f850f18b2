//! `natter audit`: whether the audit log is as it was written.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use natter_runtime::audit::verify::{Broken, Note, Verifier};

use crate::cli::audit::{AuditCommand, VerifyArgs};

pub fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify(args) => verify(args),
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn verify(VerifyArgs { files, expect }: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut verifier = Verifier::new(expect.clone(), |note: Note| println!("note: {note}"));
    for path in files {
        match read(&mut verifier, path) {
            Ok(()) => {}
            Err(Fault::Broken(broken)) => {
                println!("broken: {broken}");
                println!("{} records before it are whole", verifier.records());
                return Ok(ExitCode::FAILURE);
            }
            Err(Fault::Unread(error)) => return Err(error),
        }
    }
    let records = verifier.records();
    let (chains, missing) = verifier.end();
    for chain in &chains {
        let (id, first, last, hash) = (chain.chain, chain.first, chain.last, &chain.hash);
        println!("chain {id}: records {first} to {last}, the last one has hash {hash}");
    }
    if let Some(hash) = missing {
        println!(
            "broken: no record has the expected hash {hash}: the end of a chain was cut off, or all of it replaced"
        );
        return Ok(ExitCode::FAILURE);
    }
    if records == 0 {
        println!("broken: there is no record");
        return Ok(ExitCode::FAILURE);
    }
    println!("whole: {records} records");
    Ok(ExitCode::SUCCESS)
}

enum Fault {
    Broken(Broken),
    Unread(anyhow::Error),
}

fn read<N: FnMut(Note)>(verifier: &mut Verifier<N>, path: &Path) -> Result<(), Fault> {
    let name = path.display().to_string();
    let read = if name == "-" {
        verifier.file("standard input", io::stdin().lock())
    } else {
        let file =
            File::open(path).with_context(|| format!("{name} cannot be opened")).map_err(Fault::Unread)?;
        verifier.file(&name, BufReader::new(file))
    };
    read.map_err(|broken| match broken {
        Broken::Read(name, error) => {
            Fault::Unread(anyhow::Error::new(error).context(format!("{name} cannot be read")))
        }
        broken => Fault::Broken(broken),
    })
}
