//! What is printed when everything is ready: addresses, and lines that work as pasted.

use natter_runtime::config::Durability;

use super::{demo::Demo, server::DevServer};
use crate::cli::DevArgs;

#[expect(clippy::print_stdout, reason = "the banner is what the command is started for")]
pub fn print(server: &DevServer, args: &DevArgs) {
    let (public, admin, settings) = (server.public, server.admin(), server.settings());
    let durability = match settings.durability {
        Durability::Durable => "every ack is on disk",
        Durability::Replicated => "every ack is on three hosts",
        Durability::Relaxed => "a power cut can take the last minutes",
    };
    let [http, socket] = if settings.tls.is_some() { ["https", "wss"] } else { ["http", "ws"] };
    let admin_http = if settings.admin_tls.is_some() { "https" } else { "http" };
    println!(
        "\nnatter is ready ({}: {durability})\n\n\
         \x20 http     {http}://{public}\n\
         \x20 socket   {socket}://{public}/ws   (subprotocol natter.v1)\n\
         \x20 metrics  {admin_http}://{admin}/metrics\n\
         \x20 data     {}",
        settings.durability.name(),
        args.data_dir.display()
    );
    if let Some(demo) = &server.demo {
        print_demo(&format!("http://{public}"), demo);
    }
    println!("\nCtrl-C ends everything; messages are kept.");
}

#[expect(clippy::print_stdout, reason = "part of the banner")]
fn print_demo(url: &str, demo: &Demo) {
    let program = shell_word(&std::env::args().next().unwrap_or_else(|| "natter".to_owned()));
    println!("\nOpen {url} in a browser, or log in as");
    for person in &demo.people {
        println!("  {:<8} {}", person.username, person.password);
    }
    let (alice, bob, echo) = (&demo.people[0].username, &demo.people[1].username, &demo.bot.username);
    let password = &demo.people[0].password;
    println!(
        "\nA token\n  curl -s {url}/api/auth/login -H 'content-type: application/json' \
         -d '{{\"login\":\"{alice}\",\"password\":\"{password}\"}}'\n\
         \nA message over a socket, and the bot's answer\n  \
         (echo 'hello from the shell'; sleep 2) | {program} connect {url} --login {alice}:{password} --to {echo}\n\
         \nA socket that stays open: lines go to {bob}, frames are printed\n  \
         {program} connect {url} --login {alice}:{password} --to {bob}"
    );
}

/// The text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_pasted_as_one_word() {
        assert_eq!(shell_word("target/debug/natter"), "target/debug/natter");
        assert_eq!(shell_word("/My Tools/it's/natter"), r"'/My Tools/it'\''s/natter'");
    }
}
