/** Generated from docs/openapi.json by `npm run types`. */

export interface paths {
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in
         * @description An unknown login and a wrong password get the same answer in the same time. Five wrong passwords of an account are answered at once; then the next attempt has to wait for 1 s, 2 s, 4 s, and so on up to 60 s.
         */
        post: operations["logIn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End this session
         * @description Its sockets close within 2 s.
         */
        post: operations["logOut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout-all": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End every session
         * @description Their sockets close within 2 s.
         */
        post: operations["logOutEverywhere"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Renew a session
         * @description The token is exchanged for its successor. Presented again within 30 s of its exchange it is answered with the newest of its session; later it is taken for stolen and ends the session. Limited by session, beside its address (class `renew`).
         */
        post: operations["refreshSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Register an account */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/blocks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Users the caller has blocked */
        get: operations["listBlocks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/blocks/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Block a user
         * @description The user can neither open a direct conversation with the caller, nor send into one, nor add the caller to a group.
         */
        put: operations["block"];
        post?: never;
        /** Unblock a user */
        delete: operations["unblock"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The caller's conversations
         * @description Newest activity first. Direct ones include their `participants`.
         */
        get: operations["listConversations"];
        put?: never;
        /**
         * Open a conversation
         * @description Two users have one direct conversation, whoever opens it. A new group also takes a token of class `groups` (200 a day). Nobody is added when one of them has blocked the caller, has left the group, or is in as many conversations as a user may be: `forbidden`, and the answer does not say who refuses.
         */
        post: operations["createConversation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A conversation */
        get: operations["getConversation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Rename a group
         * @description Owner and admins.
         */
        patch: operations["renameConversation"];
        trace?: never;
    };
    "/api/conversations/{id}/messages/{seq}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A message */
        get: operations["getMessage"];
        put?: never;
        post?: never;
        /**
         * Delete a message
         * @description Its author; in groups also admins and the owner. It keeps its place without content.
         */
        delete: operations["deleteMessage"];
        options?: never;
        head?: never;
        /**
         * Edit a message
         * @description Its author.
         */
        patch: operations["editMessage"];
        trace?: never;
    };
    "/api/conversations/{id}/messages/{seq}/reactions/{emoji}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who reacted with an emoji */
        get: operations["listReactors"];
        /**
         * React to a message
         * @description A message has at most 20 different reactions, and 10 of one user.
         */
        put: operations["react"];
        post?: never;
        /** Withdraw a reaction */
        delete: operations["withdrawReaction"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/participants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is in a conversation
         * @description By time of joining.
         */
        get: operations["listParticipants"];
        put?: never;
        /**
         * Add users to a group
         * @description Owner and admins. Adding a member changes nothing and is answered as if it had. Who left a group by their own call is not added again by anyone; they come back by adding themselves, alone.
         */
        post: operations["addParticipants"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/participants/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a member, or leave
         * @description Admins remove members, the owner removes anyone, anyone may leave. When the owner leaves, the longest-serving admin becomes the owner, or else the longest-serving member.
         */
        delete: operations["removeParticipant"];
        options?: never;
        head?: never;
        /**
         * Change a member's role
         * @description The owner. Making another member the owner makes the previous owner an admin.
         */
        patch: operations["changeRole"];
        trace?: never;
    };
    "/api/demo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who anyone may log in as
         * @description Empty except in `natter dev --demo`.
         */
        get: operations["getDemo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/inbox": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was not read yet
         * @description At most 500 conversations with unread messages a page, newest activity first.
         */
        get: operations["getInbox"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One's own profile */
        get: operations["getMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change one's display name */
        patch: operations["updateMe"];
        trace?: never;
    };
    "/api/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change one's password
         * @description Every other session ends in the moment in which the new password is stored.
         */
        post: operations["changePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Messages of a conversation
         * @description In their present state, edits and reactions applied. The newest, without `before` and `after`.
         */
        get: operations["listMessages"];
        put?: never;
        /**
         * Post a message
         * @description Answered once the message is in the log. With a `clientId` or a key it can be sent again at any time: it stays one message.
         */
        post: operations["postMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/messages/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mark messages as read or unread
         * @description Moves backwards only with `unread: true`. For all devices of the caller.
         */
        post: operations["markRead"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/presence/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Be online without a socket
         * @description Keeps the caller online for one TTL (45 s by default), or until the session ends.
         */
        post: operations["heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/presence/status/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Who of these is online */
        post: operations["getPresences"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/presence/status/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a user is online
         * @description Users who share no conversation with the caller that no block closes read `offline`.
         */
        get: operations["getPresence"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search users
         * @description Users who have, for each word of `query`, a word of the username or the display name that begins with it, without regard to case, accents and form; by username.
         */
        get: operations["searchUsers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A public profile */
        get: operations["getUser"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the node answers */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the process answers */
        get: operations["getLiveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the node can take clients */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open a WebSocket
         * @description RFC 6455, version 13, subprotocol `natter.v1`. Tokens are sent in the first frame, never in the address. An `Origin` has to be that of the node or one of `CORS_ORIGINS`.
         */
        get: operations["openSocket"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Users to add to a group. */
        AddParticipants: {
            /** @description Their ids. Who left a group comes back by their own id alone. */
            userIds: components["schemas"]["UserId"][];
        };
        /** @description A new password; ends every other session. */
        ChangePassword: {
            /** @description The present password. */
            current: string;
            /** @description The new password, counted in bytes of UTF-8. */
            next: string;
        };
        /** @description A new role of a member. */
        ChangeRole: {
            /** @description `owner` makes the caller an admin. */
            role: components["schemas"]["Role"];
        };
        /**
         * @description What went wrong. A client decides by it, not by `status` or the texts.
         * @enum {string}
         */
        Code: "malformed" | "unauthenticated" | "token_expired" | "bad_credentials" | "forbidden" | "not_found" | "method_not_allowed" | "username_taken" | "email_taken" | "idempotency_in_progress" | "conflict" | "too_large" | "unsupported_media_type" | "invalid" | "idempotency_mismatch" | "rate_limited" | "internal" | "unavailable" | "restarting" | "slow_reader" | "ping_timeout" | "too_many_frames" | "session_revoked" | "protocol_error" | "too_many_sockets";
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
        /** @description Conversations, newest activity first. */
        ConversationPage: {
            /** @description Fewer than `limit` where they are long. */
            items: components["schemas"]["Conversation"][];
            /** @description The `cursor` of the next page; `null` at the end. */
            nextCursor: string | null;
        };
        /** @description A conversation to be opened. */
        CreateConversation: {
            /** @description Of a group; ignored in a direct conversation. */
            name?: string | null;
            /** @description Of a direct conversation the other one. */
            participantIds: components["schemas"]["UserId"][];
            /** @description Direct, or a group. */
            type: components["schemas"]["Shape"];
        };
        /** @description Who anyone may log in as, in the demo. */
        DemoPerson: {
            /** @description As the user wants to be called. */
            displayName: string;
            /** @description For logging in; no secret. */
            password: string;
            /** @description For logging in. */
            username: string;
        };
        /** @description A list without pages. */
        DemoPersonList: {
            /** @description All of them. */
            items: components["schemas"]["DemoPerson"][];
        };
        /** @description New content of a message. */
        EditMessage: {
            /** @description Counted in bytes of UTF-8; something in it is seen. */
            content: string;
        };
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
        /** @description The node answers. */
        Health: {
            /** @description `ok`. */
            status: components["schemas"]["NodeStatus"];
            /** @description The time that messages have. */
            timestamp: components["schemas"]["Timestamp"];
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
        /** @description The process answers. */
        Liveness: {
            /** @description `ok`. */
            status: components["schemas"]["NodeStatus"];
        };
        /** @description A log-in. */
        Login: {
            /** @description Username or email address. */
            login: string;
            /** @description The account's password. */
            password: string;
        };
        /** @description How far the caller has read. */
        MarkRead: {
            /** @description Where. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint64
             * @description Up to here. Above the head counts as the head.
             */
            seq: number;
            /**
             * @description The message at `seq` and everything after it is unread again.
             * @default false
             */
            unread: boolean;
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
        /** @description Of a node. */
        NodeStatus: "ok" | "degraded" | "draining";
        /** @description Of a part that a node needs. */
        PartStatus: "up" | "down";
        /** @description A user in a conversation. */
        Participant: {
            /** @description As in the user's profile. */
            displayName: string;
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
        /** @description Items of a list, page by page. */
        ParticipantPage: {
            /** @description Fewer than `limit` where they are long. */
            items: components["schemas"]["Participant"][];
            /** @description The `cursor` of the next page; `null` at the end. */
            nextCursor: string | null;
        };
        /** @description A message to be posted. */
        PostMessage: {
            /** @description The client's own id of the message: with it the message can be sent again. */
            clientId?: string | null;
            /** @description Counted in bytes of UTF-8; something in it is seen. */
            content: string;
            /** @description Where to. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description As in `hello`, so that one message sent over both is one message. */
            deviceId?: string | null;
            /**
             * Format: uint64
             * @description Seq of the message that it answers.
             */
            replyTo?: number | null;
        };
        /** @description Whether a user is online. */
        Presence: {
            /** @description `null` while it is not known or not shown. */
            lastSeenAt: components["schemas"]["Timestamp"] | null;
            /** @description `offline` also for users who share no conversation with the caller. */
            status: components["schemas"]["Status"];
            /** @description Who. */
            userId: components["schemas"]["UserId"];
        };
        /** @description Users whose presence is asked for. */
        PresenceBatch: {
            /** @description Answered in this order. */
            userIds: components["schemas"]["UserId"][];
        };
        /** @description A list without pages. */
        PresenceList: {
            /** @description All of them. */
            items: components["schemas"]["Presence"][];
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
        /** @description Everyone who reacted with one emoji, page by page, oldest first. */
        ReactorsPage: {
            /**
             * Format: uint
             * @description How many users reacted with it.
             */
            count: number;
            /** @description One emoji, in its canonical spelling. */
            emoji: string;
            /** @description Whether the caller is one of them. */
            me: boolean;
            /** @description The `cursor` of the next page; `null` at the end. */
            nextCursor: string | null;
            /** @description Those of this page. */
            userIds: components["schemas"]["UserId"][];
        };
        /** @description How far the caller has read. */
        ReadMark: {
            /** @description Where. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint64
             * @description Up to here; may be further than was asked for.
             */
            seq: number;
            /**
             * Format: uint
             * @description Messages of others after it: exact to 99, 100 stands for more.
             */
            unreadCount: number;
        };
        /** @description Whether the node can take clients. */
        Readiness: {
            /**
             * Format: int64
             * @description How far this machine's clock is ahead of the log's, in milliseconds.
             */
            clockAheadMs: number;
            /** @description What an ack promises: `durable`, `replicated` or `relaxed`. */
            durability: string;
            /** @description What the node needs, by name. */
            parts: {
                [key: string]: components["schemas"]["PartStatus"];
            };
            /** @description `ok` with 200. */
            status: components["schemas"]["NodeStatus"];
        };
        /** @description A renewal of a session. */
        Refresh: {
            /** @description The newest of the session. The cookie `natter_refresh` if absent. */
            refreshToken?: string | null;
        };
        /** @description A new account. */
        Register: {
            /** @description The username, if absent. */
            displayName?: string | null;
            /**
             * Format: email
             * @description Unique.
             */
            email: string;
            /** @description Counted in bytes of UTF-8. */
            password: string;
            /** @description `a-z`, `0-9`, `_`, `.`, `-`; unique. */
            username: string;
        };
        /** @description A new name of a group. */
        RenameConversation: {
            /** @description Kept trimmed and in NFC. */
            name: string;
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
        /** @description A change of one's own profile. */
        UpdateMe: {
            /** @description Kept trimmed and in NFC. */
            displayName: string;
        };
        /** @description A public profile. */
        User: {
            /** @description When the account was registered. */
            createdAt: components["schemas"]["Timestamp"];
            /** @description As the user wants to be called. */
            displayName: string;
            /** @description In one's own profile only. */
            email?: string | null;
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
        /** @description A list without pages. */
        UserList: {
            /** @description All of them. */
            items: components["schemas"]["User"][];
        };
        /** @description Items of a list, page by page. */
        UserPage: {
            /** @description Fewer than `limit` where they are long. */
            items: components["schemas"]["User"][];
            /** @description The `cursor` of the next page; `null` at the end. */
            nextCursor: string | null;
        };
    };
    responses: {
        /** @description `bad_credentials`: Unknown login or wrong password. */
        bad_credentials: {
            headers: {
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `conflict`: Conflicts with the current state. */
        conflict: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `forbidden`: Not allowed. */
        forbidden: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `idempotency_in_progress`: A request with this key is still running. */
        idempotency_in_progress: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `internal`: Internal error. */
        internal: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `invalid`: A field is not valid. */
        invalid: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `invalid`: A field is not valid. `idempotency_mismatch`: The key or clientId was used with other content. */
        "invalid.idempotency_mismatch": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `malformed`: The request cannot be read. */
        malformed: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `method_not_allowed`: Method not allowed. */
        method_not_allowed: {
            headers: {
                Allow: components["headers"]["Allow"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `not_found`: Not found. */
        not_found: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `rate_limited`: Too many requests. */
        rate_limited: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `too_large`: Too large. */
        too_large: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `unauthenticated`: No valid token. */
        unauthenticated: {
            headers: {
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `unauthenticated`: No valid token. `token_expired`: The token has expired. */
        "unauthenticated.token_expired": {
            headers: {
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `unauthenticated`: No valid token. `token_expired`: The token has expired. `bad_credentials`: Unknown login or wrong password. */
        "unauthenticated.token_expired.bad_credentials": {
            headers: {
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `unavailable`: Temporarily unavailable. */
        unavailable: {
            headers: {
                "Retry-After": components["headers"]["Retry-After"];
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `unsupported_media_type`: The body must be application/json. */
        unsupported_media_type: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `username_taken`: The username is taken. `email_taken`: The email address is taken. */
        "username_taken.email_taken": {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description The methods of this address. */
        Allow: string;
        /** @description The class whose limit was met, what is left of it, and the seconds until there is more: `"send";r=0;t=1`. Absent where the limit is not one of a class. */
        RateLimit: string;
        /** @description The class, its requests, and the seconds in which there are as many: `"send";q=20;w=1`. */
        "RateLimit-Policy": string;
        /** @description Seconds after which the same request should be sent again. */
        "Retry-After": number;
        /** @description The scheme of `Authorization` that is expected. */
        "WWW-Authenticate": "Bearer";
        /** @description The request's `X-Request-Id`, if it had one of 1 to 64 visible ASCII characters; else a new one. */
        "X-Request-Id": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    logIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "login": "alice",
                 *       "password": "correct horse battery"
                 *     }
                 */
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description A new session. */
            200: {
                headers: {
                    /** @description `natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends. */
                    "Set-Cookie": string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["bad_credentials"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    logOut: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    /** @description `natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends. */
                    "Set-Cookie": string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["unauthenticated.token_expired"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    logOutEverywhere: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All sessions of the account have ended. */
            204: {
                headers: {
                    /** @description `natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends. */
                    "Set-Cookie": string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["unauthenticated.token_expired"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    refreshSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "refreshToken": "01890000-0000-7000-8000-000000000000.secret"
                 *     }
                 */
                "application/json": components["schemas"]["Refresh"];
            };
        };
        responses: {
            /** @description The session, renewed. */
            200: {
                headers: {
                    /** @description `natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends. */
                    "Set-Cookie": string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "displayName": "Alice",
                 *       "email": "alice@example.org",
                 *       "password": "correct horse battery",
                 *       "username": "alice"
                 *     }
                 */
                "application/json": components["schemas"]["Register"];
            };
        };
        responses: {
            /** @description The account and its first session. */
            201: {
                headers: {
                    /** @description `/api/users/{id}` */
                    Location: string;
                    /** @description `natter_refresh`, for the addresses below `/api/auth` only; removed when the session ends. */
                    "Set-Cookie": string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["malformed"];
            409: components["responses"]["username_taken.email_taken"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    listBlocks: {
        parameters: {
            query?: {
                /** @description Items of one page. */
                limit?: number;
                /** @description The `nextCursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserPage"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    block: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                user: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user is blocked. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    unblock: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                user: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user is not blocked. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    listConversations: {
        parameters: {
            query?: {
                /** @description Items of one page. */
                limit?: number;
                /** @description The `nextCursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversationPage"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    createConversation: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and the same group give the same conversation for ever; other content is `idempotency_mismatch`. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "People",
                 *       "participantIds": [
                 *         "01890000-0000-7000-8000-000000000000"
                 *       ],
                 *       "type": "group"
                 *     }
                 */
                "application/json": components["schemas"]["CreateConversation"];
            };
        };
        responses: {
            /** @description The direct one, which exists. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description The conversation. */
            201: {
                headers: {
                    /** @description The answer of an earlier request, again. */
                    "Idempotency-Replayed"?: "true";
                    /** @description `/api/conversations/{id}` */
                    Location: string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid.idempotency_mismatch"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description With the first 1,000 `participants`. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    renameConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "Friends"
                 *     }
                 */
                "application/json": components["schemas"]["RenameConversation"];
            };
        };
        responses: {
            /** @description The group as it is now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description In its present state. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    deleteMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is deleted, now or before. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    editMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "content": "Hello, world"
                 *     }
                 */
                "application/json": components["schemas"]["EditMessage"];
            };
        };
        responses: {
            /** @description The message as it is now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    listReactors: {
        parameters: {
            query?: {
                /** @description Items of one page. */
                limit?: number;
                /** @description The `nextCursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
                /**
                 * @description One emoji of Unicode's list, in whichever spelling.
                 * @example 👍
                 */
                emoji: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, oldest first. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReactorsPage"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    react: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
                /**
                 * @description One emoji of Unicode's list, in whichever spelling.
                 * @example 👍
                 */
                emoji: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The reaction is set, now or before. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    withdrawReaction: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The message's place in its conversation.
                 * @example 42
                 */
                seq: number;
                /**
                 * @description One emoji of Unicode's list, in whichever spelling.
                 * @example 👍
                 */
                emoji: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The reaction is not set. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    listParticipants: {
        parameters: {
            query?: {
                /** @description Items of one page. */
                limit?: number;
                /** @description The `nextCursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ParticipantPage"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    addParticipants: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "userIds": [
                 *         "01890000-0000-7000-8000-000000000000"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["AddParticipants"];
            };
        };
        responses: {
            /** @description The group as it is now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    removeParticipant: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                user: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user is no longer in it. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    changeRole: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The conversation.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["ConversationId"];
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                user: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "role": "admin"
                 *     }
                 */
                "application/json": components["schemas"]["ChangeRole"];
            };
        };
        responses: {
            /** @description The group as it is now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["conflict"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getDemo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DemoPersonList"];
                };
            };
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getInbox: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Inbox"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description With `email`. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    updateMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "displayName": "Alice"
                 *     }
                 */
                "application/json": components["schemas"]["UpdateMe"];
            };
        };
        responses: {
            /** @description The profile as it is now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "current": "correct horse battery",
                 *       "next": "staple battery horse"
                 *     }
                 */
                "application/json": components["schemas"]["ChangePassword"];
            };
        };
        responses: {
            /** @description The new password counts. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired.bad_credentials"];
            404: components["responses"]["not_found"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    listMessages: {
        parameters: {
            query: {
                /** @description Of which conversation. */
                conversationId: components["schemas"]["ConversationId"];
                /** @description Those before this seq. Not together with `after`. */
                before?: number;
                /** @description Those after this seq. Not together with `before`. */
                after?: number;
                /** @description Items of one page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, ascending by seq. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessagePage"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    postMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Same key and body within 24 h, from any node: the same 201 with `Idempotency-Replayed`. Other body: `idempotency_mismatch`. First one still running: `idempotency_in_progress`. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "clientId": "phone-1",
                 *       "content": "Hello",
                 *       "conversationId": "01890000-0000-7000-8000-000000000000"
                 *     }
                 */
                "application/json": components["schemas"]["PostMessage"];
            };
        };
        responses: {
            /** @description The message. */
            201: {
                headers: {
                    /** @description The answer of an earlier request, again. */
                    "Idempotency-Replayed"?: "true";
                    /** @description `/api/conversations/{id}/messages/{seq}` */
                    Location: string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            403: components["responses"]["forbidden"];
            404: components["responses"]["not_found"];
            409: components["responses"]["idempotency_in_progress"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid.idempotency_mismatch"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    markRead: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "conversationId": "01890000-0000-7000-8000-000000000000",
                 *       "seq": 42
                 *     }
                 */
                "application/json": components["schemas"]["MarkRead"];
            };
        };
        responses: {
            /** @description How far the caller has read now. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadMark"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    /** @description Changes with the document. */
                    ETag: string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description It is as `If-None-Match` has it. */
            304: {
                headers: {
                    /** @description Changes with the document. */
                    ETag: string;
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    heartbeat: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It counts: a status that is read next is `online`. */
            204: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["unauthenticated.token_expired"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getPresences: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "userIds": [
                 *         "01890000-0000-7000-8000-000000000000"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["PresenceBatch"];
            };
        };
        responses: {
            /** @description In the order of the request. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PresenceList"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            413: components["responses"]["too_large"];
            415: components["responses"]["unsupported_media_type"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getPresence: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                user: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user's presence. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Presence"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    searchUsers: {
        parameters: {
            query: {
                /** @description Words, or their beginnings. */
                query: string;
                /** @description Items of one page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Public profiles. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            422: components["responses"]["invalid"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The user.
                 * @example 01890000-0000-7000-8000-000000000000
                 */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Without `email`. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["malformed"];
            401: components["responses"]["unauthenticated.token_expired"];
            404: components["responses"]["not_found"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    getLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Liveness"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can. */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description A part that it needs is down, or it is about to end. */
            503: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    openSocket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket. Its frames are described by `docs/protocol.md`, section 2. */
            101: {
                headers: {
                    /** @description If the client offered it. */
                    "Sec-WebSocket-Protocol"?: "natter.v1";
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["malformed"];
            403: components["responses"]["forbidden"];
            429: components["responses"]["rate_limited"];
            500: components["responses"]["internal"];
            503: components["responses"]["unavailable"];
        };
    };
}
