/** Bounds and waits of the client, in one place. Times are milliseconds. */

/** A socket that is not open by then is given up; so is a hello without an answer. */
export const CONNECT_WITHIN = 10_000;
/** A request without an answer by then: the socket is taken for dead, and every request is made again. */
export const ANSWER_WITHIN = 30_000;
/** After this much silence beyond the server's heartbeat a ping must be answered within… */
export const PONG_WITHIN = 10_000;
/** …and sooner after a sleep, or a change of network, when the socket is likely to be dead. */
export const PROBE_WITHIN = 5_000;
/** Until `welcome` brings it. */
export const HEARTBEAT = 25_000;

/** The first wait of a back-off, doubled with each attempt. */
export const BACKOFF_FIRST = 500;
export const BACKOFF_MOST = 30_000;
/** A connection that lasted this long was a good one: the back-off starts over. */
export const STABLE_AFTER = 10_000;

/** Messages that wait to be sent; one more is refused. */
export const OUTBOX = 1_000;
/** Sends without an answer, one of each conversation at most. */
export const SENDS_AT_ONCE = 8;
/** A text before `welcome` has said the deployment's own limit. */
export const CONTENT_BYTES = 8 * 1024;

/** Positions in one hello before `welcome` has said it. */
export const RESUME_POSITIONS = 1_000;
/** An answer may overtake an event that is on its way: only after this long it is a gap. */
export const ARRIVES_WITHIN = 1_000;
/** A gap that three resumes do not close is loaded from history. */
export const RESUME_ATTEMPTS = 3;

/** HTTP requests at once, so that a reconnect does not use up the user's tokens. */
export const LOADS_AT_ONCE = 4;
export const PAGE = 50;
/** Pages of the list that are read after a reconnect to find new conversations. */
export const LIST_PAGES = 20;

/** Messages held of a conversation that is open, and of one that is not. */
export const MESSAGES_OPEN = 5_000;
export const MESSAGES_CLOSED = 200;
/** Changes that are remembered while a page is on its way. */
export const CHANGES = 500;

/** Conversations with a copy in storage, and messages of each: what can be read offline. */
export const STORED_CONVERSATIONS = 30;
export const STORED_MESSAGES = 200;
/** A copy is written at most this often. */
export const STORE_EVERY = 1_000;

/** The server's limits of joins on one socket. */
export const JOINS = 200;
export const TYPING_EXPIRES = 6_000;
/** `typing` is repeated this often while the user types. */
export const TYPING_EVERY = 3_000;
/** Between two read marks of one conversation. */
export const READ_EVERY = 500;
/** Unread messages are counted to here; 100 is shown as 99+. */
export const UNREAD = 100;
/** Users listed with a reaction. */
export const REACTORS = 20;

/** A token is renewed when a fifth of its time is left. */
export const RENEW_AT = 0.8;
