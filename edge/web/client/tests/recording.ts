/** What a client met at the real program: every input it took, and what the server had at the end. */

import type { Env, Input } from "../src/core/io";
import type { Tabs } from "../src/ports";
import { singleTab } from "../src/index";
import type { MessagePage } from "../src/wire/rest";

export interface Recording {
  deviceId: string;
  me: string;
  steps: { input: Input; env: Env }[];
  /** The whole history of each conversation. */
  histories: Record<string, MessagePage["items"]>;
  unread: Record<string, number>;
}

/** A tab which hears of every input, as the other tabs would. */
export function recordingTab(steps: Recording["steps"]): Tabs {
  return {
    ...singleTab(),
    post: (message) => {
      const { kind, input, env } = structuredClone(message) as { kind: string; input: Input; env: Env };
      if (kind !== "step" || input.type === "tick") return;
      // Tokens have no place in a file that is kept.
      steps.push({ input: input.type === "token" ? { ...input, token: "token" } : input, env });
    },
  };
}
