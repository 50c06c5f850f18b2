//! Mail to users, and the links in it.

use std::time::Duration;

/// How long a link of a mail works.
pub const ONE_TIME_TOKEN: Duration = Duration::from_mins(30);
/// For how long after a log-in at the provider its session may erase an account that has no password.
pub const ERASURE_AFTER_LOG_IN: Duration = Duration::from_mins(10);
/// A one-time token as clients have it: ours have 80 characters.
pub const ONE_TIME_TOKEN_TEXT: usize = 200;
/// Of one that has an address in it; bytes.
pub const EMAIL_TOKEN_TEXT: usize = 500;
/// A language tag (BCP 47): the longest that RFC 5646 §4.4.1 expects.
pub const LANGUAGE_TAG: usize = 35;
/// Mails of a process that are not delivered yet, about 4 KB each.
pub const MAILS_WAITING: usize = 1_000;
/// Of them being delivered at once: a server of mail takes few connections of one host.
pub const MAILS_SENDING: usize = 4;
/// One attempt: servers that delay strangers answer after 20 s.
pub const MAIL_ATTEMPT: Duration = Duration::from_secs(30);
/// All attempts together: later there is too little left of [`ONE_TIME_TOKEN`].
pub const MAIL_DELIVERY: Duration = Duration::from_mins(10);
/// Between the first attempt and the second; then twice as long each time.
pub const MAIL_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
pub const MAIL_PAUSE_MAX: Duration = Duration::from_mins(1);
/// What a process that stops gives an attempt under way.
pub const MAIL_STOP: Duration = Duration::from_secs(4);
