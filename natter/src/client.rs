//! A small client of the public API: for the demo, its bot and `natter connect`. It knows nothing that another
//! client could not know.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use natter_schemas::{
    event::Shape,
    frame::{ClientFrame, Resume, SUBPROTOCOL, ServerFrame},
    id::{ConversationId, UserId},
    rest::{
        AddParticipants, ConversationView, CreateConversation, Login, MessageView, PostMessage, Problem,
        Register, SessionView,
    },
};
use reqwest::{Method, Response};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

pub struct Client {
    http: reqwest::Client,
    url: String,
    session: SessionView,
}

const ANSWER: Duration = Duration::from_secs(30);

impl Client {
    pub async fn register(url: &str, account: &Register) -> anyhow::Result<Self> {
        Self::enter(url, "/api/auth/register", account).await
    }

    pub async fn log_in(url: &str, login: &str, password: &str) -> anyhow::Result<Self> {
        let body = Login { login: login.to_owned(), password: password.to_owned() };
        Self::enter(url, "/api/auth/login", &body).await
    }

    async fn enter(url: &str, path: &str, body: &(impl Serialize + Sync)) -> anyhow::Result<Self> {
        // Sockets go straight to the server, so what HTTP answers must come from there too.
        let http = reqwest::Client::builder().timeout(ANSWER).no_proxy().build()?;
        let url = url.trim_end_matches('/').to_owned();
        let sent = http.post(format!("{url}{path}")).json(body).send().await;
        let response = sent.with_context(|| format!("{url} does not answer"))?;
        let session = read(response).await?;
        Ok(Self { http, url, session })
    }

    pub fn user(&self) -> UserId {
        self.session.user.id
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.session.token);
        read(request.send().await?).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> anyhow::Result<T> {
        let request = self.http.request(Method::POST, format!("{}{path}", self.url));
        read(request.bearer_auth(&self.session.token).json(body).send().await?).await
    }

    pub async fn open(&self, conversation: &CreateConversation) -> anyhow::Result<ConversationView> {
        self.post("/api/conversations", conversation).await
    }

    pub async fn open_direct(&self, with: UserId) -> anyhow::Result<ConversationId> {
        let direct = CreateConversation { shape: Shape::Direct, name: None, participant_ids: vec![with] };
        Ok(self.open(&direct).await?.id)
    }

    pub async fn add(
        &self,
        group: ConversationId,
        people: &AddParticipants,
    ) -> anyhow::Result<ConversationView> {
        self.post(&format!("/api/conversations/{group}/participants"), people).await
    }

    pub async fn post_message(&self, message: &PostMessage) -> anyhow::Result<MessageView> {
        self.post("/api/messages", message).await
    }

    /// Opens a socket and says hello.
    pub async fn socket(&self, device: &str, resume: Option<Resume>) -> anyhow::Result<Socket> {
        let address = format!("ws{}/ws", self.url.trim_start_matches("http"));
        let mut request = address.as_str().into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
        // Boxed: it has room for a TLS handshake.
        let (stream, _) =
            Box::pin(connect_async(request)).await.with_context(|| format!("{address} does not open"))?;
        let mut socket = Socket { stream: Box::new(stream) };
        let token = self.session.token.clone();
        socket
            .send(&ClientFrame::Hello { id: None, token, device_id: Some(device.to_owned()), resume })
            .await?;
        Ok(socket)
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    if response.status().is_success() {
        return Ok(response.json().await?);
    }
    let status = response.status();
    match response.json::<Problem>().await {
        Ok(problem) => bail!("{} ({}): {}", problem.title, problem.code, problem.detail),
        Err(_) => bail!("the server answered {status}"),
    }
}

pub struct Socket {
    stream: Box<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

impl Socket {
    pub async fn send(&mut self, frame: &ClientFrame) -> anyhow::Result<()> {
        self.send_text(serde_json::to_string(frame)?).await
    }

    pub async fn send_text(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.stream.send(Message::Text(text.into())).await?)
    }

    /// The next frame as text; `None` at the end. A close with a reason is an error.
    pub async fn next_text(&mut self) -> anyhow::Result<Option<String>> {
        while let Some(message) = self.stream.next().await {
            match message? {
                Message::Text(text) => return Ok(Some(text.to_string())),
                Message::Close(Some(close)) => bail!("closed by the server: {} {}", close.code, close.reason),
                _ => {}
            }
        }
        Ok(None)
    }

    pub async fn next(&mut self) -> anyhow::Result<Option<ServerFrame>> {
        let text = self.next_text().await?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }
}
