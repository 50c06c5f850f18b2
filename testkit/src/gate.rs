//! A TCP port that leads to another one until it is shut.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Ends with the value.
pub struct Gate {
    pub port: u16,
    shut: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Gate {
    /// To this port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let own = listener.local_addr().expect("it is bound").port();
        let shut = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, port, shut.subscribe()));
        Self { port: own, shut, accepting }
    }

    /// Connections end, and new ones lead nowhere.
    pub fn shut(&self) {
        self.shut.send_replace(true);
    }
}

async fn accept(listener: TcpListener, port: u16, shut: watch::Receiver<bool>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let mut shut = shut.clone();
        tokio::spawn(async move {
            let passing = async {
                let mut to = TcpStream::connect(("127.0.0.1", port)).await?;
                copy_bidirectional(&mut from, &mut to).await
            };
            tokio::select! {
                _ = shut.wait_for(|shut| *shut) => {}
                _ = passing => {}
            }
        });
    }
}
