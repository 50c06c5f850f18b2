//! What the server has, and the requests that change it.

use async_nats::jetstream::{Context, ErrorCode, response::Response};
use futures_util::TryStreamExt;
use natter_schemas::id::Seq;
use serde_json::{Value, json};

use super::ApplyError;

pub struct Server<'a> {
    js: &'a Context,
}

pub struct CurrentStream {
    pub config: Value,
    pub last: Seq,
    pub messages: u64,
}

impl<'a> Server<'a> {
    pub fn new(js: &'a Context) -> Self {
        Self { js }
    }

    pub fn js(&self) -> &'a Context {
        self.js
    }

    pub async fn stream(&self, name: &str) -> Result<Option<CurrentStream>, ApplyError> {
        let info = self.info(&format!("stream {name}"), format!("STREAM.INFO.{name}")).await?;
        Ok(info.map(|mut info| CurrentStream {
            config: info["config"].take(),
            last: info["state"]["last_seq"].as_u64().unwrap_or(0),
            messages: info["state"]["messages"].as_u64().unwrap_or(0),
        }))
    }

    /// The config of a consumer.
    pub async fn consumer(&self, stream: &str, name: &str) -> Result<Option<Value>, ApplyError> {
        let what = format!("consumer {stream}/{name}");
        let info = self.info(&what, format!("CONSUMER.INFO.{stream}.{name}")).await?;
        Ok(info.map(|mut info| info["config"].take()))
    }

    /// The names of the logs that are there.
    pub async fn log_streams(&self) -> Result<Vec<String>, ApplyError> {
        let names: Vec<String> =
            self.js.stream_names().try_collect().await.map_err(|e| ApplyError::Unavailable(e.to_string()))?;
        Ok(names.into_iter().filter(|name| name.starts_with("CONV_")).collect())
    }

    pub async fn create_stream(&self, name: &str, config: &Value) -> Result<(), ApplyError> {
        self.change(&format!("stream {name}"), format!("STREAM.CREATE.{name}"), config).await
    }

    pub async fn update_stream(&self, name: &str, config: &Value) -> Result<(), ApplyError> {
        self.change(&format!("stream {name}"), format!("STREAM.UPDATE.{name}"), config).await
    }

    /// `action` is `create` or `update` (ADR-37).
    pub async fn put_consumer(
        &self,
        stream: &str,
        name: &str,
        config: &Value,
        action: &str,
    ) -> Result<(), ApplyError> {
        let request = json!({ "stream_name": stream, "config": config, "action": action });
        self.change(
            &format!("consumer {stream}/{name}"),
            format!("CONSUMER.CREATE.{stream}.{name}"),
            &request,
        )
        .await
    }

    async fn info(&self, what: &str, question: String) -> Result<Option<Value>, ApplyError> {
        match self.js.request(question, &json!({})).await {
            Ok(Response::Ok(info)) => Ok(Some(info)),
            Ok(Response::Err { error })
                if matches!(
                    error.error_code(),
                    ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND
                ) =>
            {
                Ok(None)
            }
            Ok(Response::Err { error }) => {
                Err(ApplyError::Rejected { what: what.to_owned(), reason: error.to_string() })
            }
            Err(error) => Err(ApplyError::Unavailable(error.to_string())),
        }
    }

    async fn change(&self, what: &str, subject: String, request: &Value) -> Result<(), ApplyError> {
        match self.js.request::<_, _, Response<Value>>(subject, request).await {
            Ok(Response::Ok(_)) => Ok(()),
            Ok(Response::Err { error }) => {
                Err(ApplyError::Rejected { what: what.to_owned(), reason: error.to_string() })
            }
            Err(error) => Err(ApplyError::Unavailable(error.to_string())),
        }
    }
}
