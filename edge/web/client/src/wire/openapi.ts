/** Generated from docs/openapi.json by `npm run types`. */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description What went wrong. A client decides by it, not by `status` or the texts.
         * @enum {string}
         */
        Code: "malformed" | "unauthenticated" | "token_expired" | "bad_credentials" | "login_expired" | "login_invalid" | "login_denied" | "password_login_off" | "mail_off" | "link_invalid" | "forbidden" | "not_found" | "method_not_allowed" | "username_taken" | "email_taken" | "identity_taken" | "idempotency_in_progress" | "conflict" | "too_large" | "unsupported_media_type" | "invalid" | "idempotency_mismatch" | "rate_limited" | "internal" | "unavailable" | "restarting" | "slow_reader" | "ping_timeout" | "too_many_frames" | "session_revoked" | "protocol_error" | "too_many_sockets";
        /** @description A conversation as the caller sees it. */
        Conversation: {
            /** @description When it was opened. */
            createdAt: components["schemas"]["Timestamp"];
            /**
             * Format: uint64
             * @description Seq of its newest event.
             */
            headSeq: number;
            /** @description Never changes. */
            id: components["schemas"]["ConversationId"];
            /** @description When something happened in it last; lists are ordered by it. */
            lastActivityAt: components["schemas"]["Timestamp"];
            /** @description The newest message that is not deleted. Where the newest 20 all are, the newest of them. */
            lastMessage: components["schemas"]["Message"] | null;
            /** @description Of a group; `null` in a direct conversation. */
            name: string | null;
            /**
             * Format: uint
             * @description How many users are in it.
             */
            participantCount: number;
            /** @description The first 1,000. In lists absent from groups. */
            participants?: components["schemas"]["Participant"][] | null;
            /**
             * Format: uint64
             * @description Seq up to which the caller has read.
             */
            readSeq: number;
            /** @description The caller's own. */
            role: components["schemas"]["Role"];
            /** @description Direct, or a group. */
            type: components["schemas"]["Shape"];
            /**
             * Format: uint
             * @description Messages of others after `readSeq`: exact to 99, 100 stands for more.
             */
            unreadCount: number;
        };
        /**
         * Format: uuid
         * @description A direct or group conversation; decides the partition.
         */
        ConversationId: string;
        /**
         * Format: uuid
         * @description One event of the log: also `Nats-Msg-Id`, the row's id, `ce_id`, and, for a posted message, the message id.
         */
        EventId: string;
        /** @description What is wrong with a field. */
        FieldError: {
            /** @description Its name or path, or that of a parameter or header. */
            field: string;
            /** @description The rule that it breaks. */
            message: string;
        };
        /** @description The conversations with unread messages. */
        Inbox: {
            /** @description Newest activity first. */
            items: components["schemas"]["InboxItem"][];
            /** @description The `cursor` of the next page; `null` at the end. */
            nextCursor: string | null;
            /**
             * Format: uint
             * @description Over all conversations; of a hundred and more unread messages in one, 100 are counted.
             */
            totalUnread: number;
        };
        /** @description A conversation with unread messages. */
        InboxItem: {
            /** @description Which one. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint64
             * @description Seq of its newest event.
             */
            headSeq: number;
            /** @description The newest message that is not deleted. Where the newest 20 all are, the newest of them. */
            lastMessage: components["schemas"]["Message"] | null;
            /**
             * Format: uint64
             * @description Seq up to which the caller has read.
             */
            readSeq: number;
            /**
             * Format: uint
             * @description Messages of others after `readSeq`: exact to 99, 100 stands for more.
             */
            unreadCount: number;
        };
        /** @description A message in its present state. */
        Message: {
            /** @description The sender's own id of it, if one was given. */
            clientId: string | null;
            /** @description `null` when it is deleted or unreadable. */
            content: string | null;
            /** @description Where it was posted. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description When it was posted. */
            createdAt: components["schemas"]["Timestamp"];
            /** @description When it was deleted; it keeps its place. */
            deletedAt: components["schemas"]["Timestamp"] | null;
            /** @description When its content was last changed. */
            editedAt: components["schemas"]["Timestamp"] | null;
            /** @description Never changes. */
            id: components["schemas"]["EventId"];
            /** @description At most 20 different ones. */
            reactions: components["schemas"]["Reaction"][];
            /**
             * Format: uint64
             * @description Seq of the message that it answers.
             */
            replyTo: number | null;
            /** @description Who posted it. */
            senderId: components["schemas"]["UserId"];
            /**
             * Format: uint64
             * @description Its place in the conversation: rises from message to message, not by one.
             */
            seq: number;
            /** @description A placeholder: what is stored of the message cannot be read. Absent otherwise. */
            unreadable?: boolean;
        };
        /** @description Messages of a conversation. */
        MessagePage: {
            /** @description Whether there are more in the direction that was asked for. */
            hasMore: boolean;
            /**
             * Format: uint64
             * @description Seq of the conversation's newest event.
             */
            headSeq: number;
            /** @description Ascending by seq. Fewer than `limit` where they are long. */
            items: components["schemas"]["Message"][];
        };
        /** @description One log-in that has not ended. */
        OpenSession: {
            /** @description When it was opened, by the clock of the machine that opened it; absent if that is not known. */
            createdAt?: components["schemas"]["Timestamp"] | null;
            /** @description Whether it is the caller's own. */
            current: boolean;
            /** @description Stays the same when the session is renewed. */
            id: components["schemas"]["SessionId"];
        };
        /** @description A user in a conversation. */
        Participant: {
            /** @description As in the user's profile. */
            displayName: string;
            /** @description The user was erased: the names are empty. Left out when false. */
            erased?: boolean;
            /** @description When they became a member. */
            joinedAt: components["schemas"]["Timestamp"];
            /**
             * Format: uint64
             * @description How far they have read, as others see it; 0 where a block hides it.
             */
            readSeq: number;
            /** @description What they may do in it. */
            role: components["schemas"]["Role"];
            /** @description Who it is. */
            userId: components["schemas"]["UserId"];
            /** @description As in the user's profile. */
            username: string;
        };
        /** @description An error (RFC 9457). */
        Problem: {
            /** @description What a client decides by. */
            code: components["schemas"]["Code"];
            /** @description What went wrong this time, for people. */
            detail: string;
            /** @description With `invalid`: what is wrong with which field. */
            errors?: components["schemas"]["FieldError"][];
            /** @description As in `X-Request-Id`: operators find the request by it. */
            requestId: string;
            /**
             * Format: uint16
             * @description The HTTP status again.
             */
            status: number;
            /** @description The same for every error of this code. */
            title: string;
            /** @description `urn:natter:problem:` and the code. */
            type: string;
        };
        /** @description A reaction of some users to a message. */
        Reaction: {
            /**
             * Format: uint
             * @description How many users reacted with it.
             */
            count: number;
            /** @description One emoji, in its canonical spelling. */
            emoji: string;
            /** @description Whether the caller is one of them. */
            me: boolean;
            /** @description The first to react. */
            userIds: components["schemas"]["UserId"][];
        };
        /** @description What a member may do; later variants may do more. */
        Role: "member" | "admin" | "owner";
        /** @description A session that was opened or renewed. */
        Session: {
            /**
             * Format: uint64
             * @description Seconds until `token` expires.
             */
            expiresIn: number;
            /** @description Renews the session once; opaque. Also set as the cookie `natter_refresh`. */
            refreshToken: string;
            /** @description Stays the same when the session is renewed. */
            sessionId: components["schemas"]["SessionId"];
            /** @description The access token, for `Authorization: Bearer` and `hello`. */
            token: string;
            /** @description One's own profile. */
            user: components["schemas"]["User"];
        };
        /**
         * Format: uuid
         * @description One log-in on one device; ends at logout or when its refresh token is reused.
         */
        SessionId: string;
        /** @description What kind of conversation it is. */
        Shape: "direct" | "group";
        /** @description Whether a user is online. */
        Status: "online" | "offline";
        /**
         * Format: date-time
         * @description RFC 3339 in UTC, with milliseconds.
         */
        Timestamp: string;
        /** @description A public profile. */
        User: {
            /** @description When the account was registered. */
            createdAt: components["schemas"]["Timestamp"];
            /** @description As the user wants to be called. */
            displayName: string;
            /** @description In one's own profile only; absent there too while none is known. */
            email?: string | null;
            /** @description The user was erased: the names are empty, and nothing more is known. Left out when false. */
            erased?: boolean;
            /** @description Never changes. */
            id: components["schemas"]["UserId"];
            /** @description Unique. */
            username: string;
        };
        /**
         * Format: uuid
         * @description A person or a bot.
         */
        UserId: string;
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
