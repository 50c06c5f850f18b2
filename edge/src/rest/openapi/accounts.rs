//! Accounts, sessions and profiles.

use natter_schemas::{
    code::Code,
    limits,
    rest::{
        ChangeEmail, ChangePassword, DemoPersonView, EraseMe, Items, LinkStartedView, LogInOptionsView,
        Login, OpenSessionView, Refresh, Register, RequestEmailChange, RequestPasswordReset, ResetPassword,
        SessionView, UpdateMe, UserView,
    },
};
use serde_json::json;

use super::{
    operation::{Answer, Operation, operation},
    types::{ID, Types},
};

const TAG: &str = "Accounts";

pub fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = sessions(types);
    all.extend(recovery(types));
    all.extend(provider(types));
    all.extend(profiles(types));
    all
}

fn sessions(types: &mut Types) -> Vec<Operation> {
    let session = types.view::<SessionView>();
    vec![
        operation(("POST", "/api/auth/register"), "register", (TAG, "Register an account"))
            .body(
                types.body::<Register>(),
                json!({
                    "username": "alice", "email": "alice@example.org", "password": "correct horse battery",
                    "displayName": "Alice",
                }),
            )
            .answer(with_cookie(
                Answer::created("The account and its first session.", session.clone(), "/api/users/{id}")
                    .link("getUser", json!({"parameters": {"path.id": "$response.body#/user/id"}}))
                    .link("refreshSession", refreshed()),
            ))
            .codes([Code::UsernameTaken, Code::EmailTaken, Code::PasswordLoginOff]),
        operation(("POST", "/api/auth/login"), "logIn", (TAG, "Log in"))
            .about(
                "An unknown login and a wrong password get the same answer in the same time. Five wrong \
                 passwords of an account are answered at once; then the next attempt has to wait for 1 s, \
                 2 s, 4 s, and so on up to 60 s.",
            )
            .body(types.body::<Login>(), json!({"login": "alice", "password": "correct horse battery"}))
            .answer(with_cookie(
                Answer::json(200, "A new session.", session.clone()).link("refreshSession", refreshed()),
            ))
            .codes([Code::BadCredentials, Code::PasswordLoginOff]),
        operation(("GET", "/api/demo"), "getDemo", (TAG, "Who anyone may log in as"))
            .about("Empty except in `natter dev --demo`.")
            .answer(Answer::json(200, "All of them.", types.view::<Items<DemoPersonView>>())),
        operation(("POST", "/api/auth/refresh"), "refreshSession", (TAG, "Renew a session"))
            .about(
                "The token is exchanged for its successor. Presented again within 30 s of its exchange it \
                 is answered with the newest of its session; later it is taken for stolen and ends the \
                 session. Limited by session, beside its address (class `renew`).",
            )
            .security(json!([{"refreshCookie": []}, {}]))
            .optional_body(types.body::<Refresh>(), json!({"refreshToken": format!("{ID}.secret")}))
            .answer(with_cookie(Answer::json(200, "The session, renewed.", session)))
            .codes([Code::Unauthenticated]),
        operation(("POST", "/api/auth/logout"), "logOut", (TAG, "End this session"))
            .about("Its sockets close within 2 s.")
            .answer(with_cookie(Answer::none(204, "The session has ended."))),
        operation(("POST", "/api/auth/logout-all"), "logOutEverywhere", (TAG, "End every session"))
            .about("Their sockets close within 2 s.")
            .answer(with_cookie(Answer::none(204, "All sessions of the account have ended."))),
        operation(("GET", "/api/auth/sessions"), "listSessions", (TAG, "Open sessions")).answer(Answer::json(
            200,
            "The newest 100, newest first, and the caller's own.",
            types.view::<Items<OpenSessionView>>(),
        )),
        operation(("DELETE", "/api/auth/sessions/{session}"), "endSession", (TAG, "End one session"))
            .about("Its sockets close within 2 s. One's own ends like any other; its cookie stays, and is worth nothing.")
            .answer(Answer::none(204, "The session has ended.")),
    ]
}

fn recovery(types: &mut Types) -> Vec<Operation> {
    vec![
        operation(("POST", "/api/auth/password-reset"), "requestPasswordReset", (TAG, "Forgotten password"))
            .about(
                "A link is sent to the address if an account with a password has it; the answer, and the time that it \
                 takes, are the same if not. The link works once, for 30 minutes, until another is requested; what is behind \
                 its `#` is the token. Limited by the address that the mail goes to, too (class `mail`).",
            )
            .body(types.body::<RequestPasswordReset>(), json!({"email": "alice@example.org", "language": "en"}))
            .answer(Answer::none(202, "Accepted. No account may have the address."))
            .codes([Code::MailOff, Code::PasswordLoginOff]),
        operation(("POST", "/api/auth/password-reset/confirm"), "resetPassword", (TAG, "New password by a link"))
            .about("Every session of the account ends.")
            .body(
                types.body::<ResetPassword>(),
                json!({"token": format!("{ID}.secret"), "next": "staple battery horse"}),
            )
            .answer(Answer::none(204, "The new password counts."))
            .codes([Code::LinkInvalid, Code::PasswordLoginOff]),
        operation(("POST", "/api/me/email"), "requestEmailChange", (TAG, "Change one's address"))
            .about(
                "A link is sent to the new address, unless another account has it; the answer is the same then. The account \
                 keeps its address until the link is opened: within 30 minutes, and before another is requested. Limited by \
                 the address that the mail goes to, too (class `mail`).",
            )
            .body(
                types.body::<RequestEmailChange>(),
                json!({"email": "alice@example.net", "password": "correct horse battery", "language": "en"}),
            )
            .answer(Answer::none(202, "Accepted. No mail may be sent."))
            .codes([Code::BadCredentials, Code::MailOff, Code::PasswordLoginOff]),
        operation(("POST", "/api/auth/email-change/confirm"), "changeEmail", (TAG, "New address by a link"))
            .about(
                "Needs no log-in: the link may be opened in another browser. A mail to the address before says so. Sessions \
                 stay; links for a new password that were sent before are good no more.",
            )
            .body(types.body::<ChangeEmail>(), json!({"token": format!("{ID}.secret.YWxpY2VAZXhhbXBsZS5uZXQ")}))
            .answer(Answer::none(204, "The account has the address."))
            .codes([Code::LinkInvalid, Code::EmailTaken]),
    ]
}

fn provider(types: &mut Types) -> Vec<Operation> {
    let text = json!({"type": "string", "maxLength": limits::PROVIDER_PARAMETER});
    let location =
        |answer: Answer, text: &str| answer.header("Location", json!({"type": "string"}), (true, text));
    let attempt = |answer: Answer| {
        let text = "`natter_oidc`, over TLS `__Host-natter_oidc`: the log-in under way, for ten minutes.";
        answer.header("Set-Cookie", json!({"type": "string"}), (true, text))
    };
    let refused = "A browser (`Accept` names `text/html`) is sent to `/?error=<code>` in place of a problem.";
    vec![
        operation(("GET", "/api/auth/options"), "getLogInOptions", (TAG, "How people log in")).answer(
            Answer::json(200, "By password, by a provider, or both.", types.view::<LogInOptionsView>()),
        ),
        operation(("GET", "/api/auth/oidc/start"), "startProviderLogIn", (TAG, "Log in by the provider"))
            .about(&format!("Opened by a browser. {refused}"))
            .answer(attempt(location(Answer::none(302, "To the provider."), "An address of the provider.")))
            .codes([Code::NotFound]),
        operation(("GET", "/api/auth/oidc/callback"), "finishProviderLogIn", (TAG, "Back from the provider"))
            .about(&format!(
                "Where the provider sends the browser. The first log-in of an identity makes an account. {refused}"
            ))
            .query("state", (false, text.clone()), "Which attempt this answers.")
            .query("code", (false, text.clone()), "For one token.")
            .query("iss", (false, text.clone()), "Who answers (RFC 9207).")
            .query("error", (false, text), "Why there is no code.")
            .answer(with_cookie(location(
                Answer::none(302, "Logged in: to `/`. Linked: to `/settings`, without the cookie."),
                "One of two addresses here.",
            )))
            .codes([
                Code::LoginExpired,
                Code::LoginInvalid,
                Code::LoginDenied,
                Code::NotFound,
                Code::UsernameTaken,
                Code::EmailTaken,
                Code::IdentityTaken,
            ]),
        operation(("POST", "/api/me/identities"), "linkIdentity", (TAG, "Link an identity of the provider"))
            .about(
                "Begins a log-in by the provider, in this browser, that gives its identity to the caller's account: they log \
                 in by either from then on.",
            )
            .answer(attempt(Answer::json(
                200,
                "Where the browser goes.",
                types.view::<LinkStartedView>(),
            )))
            .codes([Code::NotFound]),
    ]
}

fn refreshed() -> serde_json::Value {
    json!({"requestBody": {"refreshToken": "$response.body#/refreshToken"}})
}

fn with_cookie(answer: Answer) -> Answer {
    let text = "`natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends.";
    answer.header("Set-Cookie", json!({"type": "string"}), (true, text))
}

fn profiles(types: &mut Types) -> Vec<Operation> {
    let user = types.view::<UserView>();
    let query = json!({"type": "string", "minLength": 1, "maxLength": limits::NAME.end()});
    vec![
        operation(("GET", "/api/me"), "getMe", (TAG, "One's own profile"))
            .answer(Answer::json(200, "With `email`.", user.clone()))
            .codes([Code::NotFound]),
        operation(("PATCH", "/api/me"), "updateMe", (TAG, "Change one's display name"))
            .body(types.body::<UpdateMe>(), json!({"displayName": "Alice"}))
            .answer(Answer::json(200, "The profile as it is now.", user.clone()))
            .codes([Code::NotFound]),
        operation(("DELETE", "/api/me"), "eraseMe", (TAG, "Delete one's account"))
            .about(
                "The account is closed for good when this is answered: its sockets close within 2 s, and no token and \
                 no password is good any more. Everything of the user is erased within seconds after that; what is left is \
                 an id, of a user who is shown as `erased`. An account without a password is deleted by the session of its newest \
                 log-in at the provider, within ten minutes of it: `{}`.",
            )
            .body(types.body::<EraseMe>(), json!({"password": "correct horse battery"}))
            .answer(with_cookie(Answer::none(202, "The account is closed, and is being erased.")))
            .codes([Code::BadCredentials]),
        operation(("POST", "/api/me/password"), "changePassword", (TAG, "Change one's password"))
            .about("Every other session ends in the moment in which the new password is stored.")
            .body(
                types.body::<ChangePassword>(),
                json!({"current": "correct horse battery", "next": "staple battery horse"}),
            )
            .answer(Answer::none(204, "The new password counts."))
            .codes([Code::BadCredentials, Code::NotFound, Code::PasswordLoginOff]),
        operation(("GET", "/api/users"), "searchUsers", (TAG, "Search users"))
            .about(
                "Users who have, for each word of `query`, a word of the username or the display name that \
                 begins with it, without regard to case, accents and form; by username.",
            )
            .query("query", (true, query), "Words, or their beginnings.")
            .limit(20, limits::USER_SEARCH_PAGE)
            .answer(Answer::json(200, "Public profiles.", types.view::<Items<UserView>>())),
        operation(("GET", "/api/users/{id}"), "getUser", (TAG, "A public profile")).answer(Answer::json(
            200,
            "Without `email`.",
            user,
        )),
    ]
}
