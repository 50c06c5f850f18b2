//! `token`: the token is renewed in place, before the old one expires.

use natter_schemas::{code::Code, frame::RequestId};

use crate::{
    api_error::ApiError,
    socket::client::{Answer, Client},
};

pub async fn answer(client: &Client, id: Option<RequestId>, token: &str) -> Answer {
    let identity = match client.app.tokens.verify_for_socket(token) {
        Ok(identity) => identity,
        Err(code) => return close(client, id, code),
    };
    if identity.user != client.socket.user || identity.session != client.socket.session {
        let error = ApiError::new(Code::Forbidden, "the token is of another session");
        client.send(&error.frame(id));
        return Answer::Done;
    }
    if client.app.revoked.contains(identity.session).await {
        return Answer::Close(Code::SessionRevoked);
    }
    client.app.held.put(&identity, token);
    client.send_ack(id);
    Answer::Renewed(identity)
}

fn close(client: &Client, id: Option<RequestId>, code: Code) -> Answer {
    client.send(&ApiError::from(code).frame(id));
    Answer::Close(code)
}
