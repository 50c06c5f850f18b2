/** What travels over HTTP (docs/protocol.md, section 1). */

export type Role = "owner" | "admin" | "member";
export type Status = "online" | "offline";

export interface Reaction {
  emoji: string;
  count: number;
  me: boolean;
  userIds: string[];
}

export interface Message {
  id: string;
  conversationId: string;
  seq: number;
  senderId: string;
  clientId: string | null;
  content: string | null;
  replyTo: number | null;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
  reactions: Reaction[];
  unreadable?: boolean;
}

export interface Participant {
  userId: string;
  username: string;
  displayName: string;
  role: Role;
  joinedAt: string;
  readSeq: number;
}

export interface Conversation {
  id: string;
  type: "direct" | "group";
  name: string | null;
  role: Role;
  createdAt: string;
  headSeq: number;
  readSeq: number;
  unreadCount: number;
  lastActivityAt: string;
  lastMessage: Message | null;
  participantCount: number;
  participants?: Participant[];
}

export interface InboxItem {
  conversationId: string;
  unreadCount: number;
  headSeq: number;
  readSeq: number;
  lastMessage: Message | null;
}

/** Only conversations with unread messages. */
export interface Inbox {
  totalUnread: number;
  items: InboxItem[];
  nextCursor: string | null;
}

export interface User {
  id: string;
  username: string;
  displayName: string;
  email?: string;
  createdAt: string;
}

export interface Session {
  user: User;
  sessionId: string;
  token: string;
  refreshToken: string;
  expiresIn: number;
}

export interface MessagePage {
  items: Message[];
  hasMore: boolean;
  headSeq: number;
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** RFC 9457 problem details. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: { field: string; message: string }[];
}
