//! nats-server and Redis: their command lines and configurations.

use std::{fmt::Write as _, fs, path::PathBuf, process::Command};

use super::{super::part::Part, Deployment};

impl Deployment {
    pub(super) fn nats(&self, number: usize) -> Command {
        let part = Part::Server(number);
        let config = self.home.file(&format!("{part}.conf"));
        fs::write(&config, self.nats_config(number)).expect("the folder can be written to");
        let server = natter_nats::server::find().expect("a nats-server (make deps)");
        let mut command = Command::new(server);
        command.arg("-c").arg(config);
        command
    }

    fn nats_config(&self, number: usize) -> String {
        let part = Part::Server(number);
        // As docs/operations.md asks for each profile.
        let sync = if self.durability() == "durable" { ", sync_interval: always" } else { "" };
        let mut text = format!(
            "server_name: n{number}\nlisten: \"127.0.0.1:{}\"\nmax_payload: 8MB\n\
             jetstream {{ store_dir: \"{}\", max_file_store: 10GB{sync} }}\n",
            self.ports[&part],
            self.folder_of(part).join("nats").display(),
        );
        if self.servers > 1 {
            let others = (0..self.servers).filter(|other| *other != number);
            // The one with the lower number connects; a server that names fewer others waits for fewer of them.
            let routes = others.map(|other| match self.links.find(part, Part::Server(other)) {
                Some(link) => format!("\"nats-route://{}\"", link.address),
                None => format!("\"nats-route://127.0.0.1:{}\"", other + 1),
            });
            let routes: Vec<String> = routes.collect();
            // One connection between two servers, and none that does not go through its link: what servers announce to each
            // other, and clients, of further addresses leads nowhere.
            let _ = writeln!(
                text,
                "cluster {{ name: test, listen: \"127.0.0.1:{}\", advertise: \"127.0.0.1:1\", no_advertise: true, \
                 pool_size: -1, routes: [{}] }}",
                self.routes[number],
                routes.join(", "),
            );
        }
        text
    }

    pub(super) fn redis(&self) -> Command {
        let mut command = Command::new("redis-server");
        let port = self.ports[&Part::Redis].to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.home.path());
        command
    }

    /// Where a part keeps its files; SQLite wants it to be there.
    pub(super) fn folder_of(&self, part: Part) -> PathBuf {
        let disk = self.disks.get(&part).map(|disk| disk.path().to_owned());
        let folder = disk.unwrap_or_else(|| self.home.file(&part.to_string()));
        fs::create_dir_all(&folder).expect("the folder can be made");
        folder
    }
}
