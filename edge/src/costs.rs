//! What everything that a client may ask for takes of whose tokens: one table of frames, one of routes. A frame without
//! a line does not compile, a route without one does not start. No cost is spelled anywhere else.

use natter_runtime::rates::{Class, Cost};
use natter_schemas::frame::{ClientFrame, Resume};

/// Positions of a resume that one token stands for: each is a call, but a device that comes back asks for all at once.
const POSITIONS_PER_TOKEN: usize = 20;

/// What a frame takes of the tokens of its user's sockets on this node.
pub fn of_frame(frame: &ClientFrame) -> Cost {
    match frame {
        ClientFrame::Hello { resume, .. } => of_hello(resume.as_ref()),
        ClientFrame::Send { .. }
        | ClientFrame::Edit { .. }
        | ClientFrame::Delete { .. }
        | ClientFrame::React { .. } => Cost::new(Class::Send, 1),
        // The conversation with its members, and who of them is online.
        ClientFrame::Join { .. } => Cost::new(Class::Read, 2),
        ClientFrame::Resume { positions, .. } => Cost::new(Class::Read, 1 + of_positions(positions.len())),
        ClientFrame::Leave { .. }
        | ClientFrame::Typing { .. }
        | ClientFrame::Read { .. }
        | ClientFrame::Ping { .. } => Cost::new(Class::Read, 1),
        ClientFrame::Token { .. } => Cost::new(Class::Write, 1),
    }
}

/// The memberships are loaded, and every room is entered.
pub fn of_hello(resume: Option<&Resume>) -> Cost {
    let positions = resume.map_or(0, |resume| resume.positions.len());
    Cost::new(Class::Read, 5 + of_positions(positions))
}

fn of_positions(count: usize) -> u32 {
    u32::try_from(count / POSITIONS_PER_TOKEN).unwrap_or(u32::MAX - 5)
}

/// Who pays for a request, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteCost {
    /// The caller, whose token is checked first.
    User(Cost),
    /// The client's address: it has no token yet.
    Address(Cost),
    /// Answered for load balancers, which must not be refused because of what their clients do.
    Free,
}

const fn user(class: Class, weight: u32) -> RouteCost {
    RouteCost::User(Cost::new(class, weight))
}

const fn address(class: Class) -> RouteCost {
    RouteCost::Address(Cost::new(class, 1))
}

/// Of an address that is in no line.
pub const NO_SUCH_ADDRESS: RouteCost = address(Class::Address);

/// Method, path as in the router, cost.
#[rustfmt::skip]
pub const ROUTES: &[(&str, &str, RouteCost)] = &[
    ("POST", "/api/auth/register", address(Class::Login)),
    ("POST", "/api/auth/login", address(Class::Login)),
    // And RENEWAL.
    ("POST", "/api/auth/refresh", address(Class::Address)),
    // And MAIL.
    ("POST", "/api/auth/password-reset", address(Class::Login)),
    ("POST", "/api/auth/password-reset/confirm", address(Class::Login)),
    ("POST", "/api/auth/email-change/confirm", address(Class::Login)),
    ("GET", "/api/auth/options", address(Class::Address)),
    // Each may make a request to the provider.
    ("GET", "/api/auth/oidc/start", address(Class::Login)),
    ("GET", "/api/auth/oidc/callback", address(Class::Login)),
    ("POST", "/api/auth/logout", user(Class::Write, 1)),
    ("POST", "/api/auth/logout-all", user(Class::Write, 1)),
    // Each session of the list is looked up.
    ("GET", "/api/auth/sessions", user(Class::Read, 5)),
    ("DELETE", "/api/auth/sessions/{session}", user(Class::Write, 5)),
    ("GET", "/.well-known/jwks.json", address(Class::Address)),
    ("GET", "/api/me", user(Class::Read, 1)),
    ("PATCH", "/api/me", user(Class::Write, 1)),
    ("DELETE", "/api/me", user(Class::Login, 1)),
    ("POST", "/api/me/password", user(Class::Login, 1)),
    ("POST", "/api/me/email", user(Class::Login, 1)),
    ("POST", "/api/me/identities", user(Class::Login, 1)),
    ("GET", "/api/users", user(Class::Search, 1)),
    ("GET", "/api/users/{id}", user(Class::Read, 1)),
    // Heads, marks and last messages of up to a hundred conversations.
    ("GET", "/api/conversations", user(Class::Read, 5)),
    // An event, and a membership for everyone who is named. And NEW_GROUP.
    ("POST", "/api/conversations", user(Class::Write, 5)),
    ("GET", "/api/conversations/{id}", user(Class::Read, 2)),
    ("PATCH", "/api/conversations/{id}", user(Class::Write, 1)),
    ("GET", "/api/conversations/{id}/messages/{seq}", user(Class::Read, 1)),
    ("PATCH", "/api/conversations/{id}/messages/{seq}", user(Class::Send, 1)),
    ("DELETE", "/api/conversations/{id}/messages/{seq}", user(Class::Send, 1)),
    ("GET", "/api/conversations/{id}/messages/{seq}/reactions/{emoji}", user(Class::Read, 1)),
    ("PUT", "/api/conversations/{id}/messages/{seq}/reactions/{emoji}", user(Class::Send, 1)),
    ("DELETE", "/api/conversations/{id}/messages/{seq}/reactions/{emoji}", user(Class::Send, 1)),
    ("GET", "/api/messages", user(Class::Read, 2)),
    ("POST", "/api/messages", user(Class::Send, 1)),
    ("POST", "/api/messages/read", user(Class::Write, 1)),
    ("GET", "/api/conversations/{id}/participants", user(Class::Read, 5)),
    ("POST", "/api/conversations/{id}/participants", user(Class::Write, 5)),
    ("PATCH", "/api/conversations/{id}/participants/{user}", user(Class::Write, 1)),
    ("DELETE", "/api/conversations/{id}/participants/{user}", user(Class::Write, 1)),
    ("GET", "/api/inbox", user(Class::Read, 5)),
    ("GET", "/api/blocks", user(Class::Read, 1)),
    ("PUT", "/api/blocks/{user}", user(Class::Write, 1)),
    ("DELETE", "/api/blocks/{user}", user(Class::Write, 1)),
    ("POST", "/api/presence/heartbeat", user(Class::Write, 1)),
    ("GET", "/api/presence/status/{user}", user(Class::Read, 1)),
    ("POST", "/api/presence/status/batch", user(Class::Read, 2)),
    ("GET", "/api/demo", address(Class::Address)),
    // Files of the web client, from memory.
    ("GET", "/", address(Class::Address)),
    ("GET", "/login", address(Class::Address)),
    ("GET", "/register", address(Class::Address)),
    ("GET", "/settings", address(Class::Address)),
    ("GET", "/forgot-password", address(Class::Address)),
    ("GET", "/reset-password", address(Class::Address)),
    ("GET", "/confirm-email", address(Class::Address)),
    ("GET", "/c/{conversation}", address(Class::Address)),
    ("GET", "/c/{conversation}/{seq}", address(Class::Address)),
    ("GET", "/assets/{name}", address(Class::Address)),
    ("GET", "/api/docs", address(Class::Address)),
    ("GET", "/api/docs/{name}", address(Class::Address)),
    ("GET", "/icon.svg", address(Class::Address)),
    ("GET", "/icons/{name}", address(Class::Address)),
    ("GET", "/manifest.webmanifest", address(Class::Address)),
    ("GET", "/sw.js", address(Class::Address)),
    ("GET", "/api/openapi.json", address(Class::Address)),
    ("GET", "/api/asyncapi.json", address(Class::Address)),
    ("GET", "/health", RouteCost::Free),
    ("GET", "/health/live", RouteCost::Free),
    ("GET", "/health/ready", RouteCost::Free),
    ("GET", "/ws", address(Class::Address)),
];

// What a request takes besides, by what its body says: its handler takes it.

/// A group that is made, of its creator: a direct conversation exists at most once for two people, groups do not.
pub const NEW_GROUP: Cost = Cost::new(Class::Groups, 1);
/// A mail, of the address that it goes to: no one's mailbox is filled by others.
pub const MAIL: Cost = Cost::new(Class::Mail, 1);
/// Of the session that is renewed: people who share an address do not use up each other's renewals.
pub const RENEWAL: Cost = Cost::new(Class::Renew, 1);

/// The line of a route.
pub fn of_route(method: &str, path: &str) -> Option<RouteCost> {
    ROUTES.iter().find(|(m, p, _)| (*m, *p) == (method, path)).map(|(.., cost)| *cost)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use natter_schemas::id::ConversationId;

    use super::*;

    #[test]
    fn a_resume_costs_by_what_it_asks_for() {
        let resume = |count: usize| {
            let positions: HashMap<_, _> = (0..count).map(|_| (ConversationId::fresh(), 1)).collect();
            of_frame(&ClientFrame::Resume { id: None, positions }).weight.get()
        };
        assert_eq!((resume(0), resume(19), resume(20), resume(1_000)), (1, 1, 2, 51));
    }

    #[test]
    fn a_route_has_one_line() {
        for (method, path, _) in ROUTES {
            assert_eq!(
                ROUTES.iter().filter(|(m, p, _)| (m, p) == (method, path)).count(),
                1,
                "{method} {path}"
            );
        }
    }
}
